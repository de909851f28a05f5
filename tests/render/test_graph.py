"""Pictures of topologies, as they are drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from topo.compile import compile, read
from topo.graph import Graph
from topo.picture import Picture, picture
from topo.render import Style, graph_ascii, graph_mermaid
from topo.source import Source

HERE = Path(__file__).parent
FILES = sorted((HERE / "pictures").glob("*.ztopo"))
Golden = Callable[[Path, str], None]


def graph_of(text: str) -> Graph:
    compilation = compile(Source(text, "x.ztopo", Path("/pictures/x.ztopo")), fragment=not text.startswith("ztopo"))
    assert compilation.graph is not None
    return compilation.graph


def picture_of(text: str) -> Picture:
    return picture(graph_of(text))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_drawings(path: Path, golden: Golden) -> None:
    drawn = picture_of(path.read_text())
    golden(path.with_suffix(".out"), graph_ascii.render(drawn, Style()))
    golden(path.with_suffix(".mermaid.out"), graph_mermaid.render(drawn, Style()))


def test_the_readme_shows_what_is_drawn() -> None:
    root = HERE.parents[1]
    source = read(root / "examples" / "request_broker.ztopo")
    assert isinstance(source, Source)
    graph = compile(source).graph
    assert graph is not None
    assert graph_ascii.render(picture(graph), Style()) in (root / "README.md").read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
@pytest.mark.parametrize("cells", [50, 80, 132])
def test_drawings_keep_to_their_width(path: Path, cells: int) -> None:
    text = graph_ascii.render(picture_of(path.read_text()), Style(width=cells))
    assert max(len(line) for line in text.splitlines()) <= cells


def test_colors_change_nothing_but_the_colors() -> None:
    import re

    drawn = picture_of(FILES[0].read_text())
    colored = graph_ascii.render(drawn, Style(color=True))
    assert "\x1b[1m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == graph_ascii.render(drawn, Style())


def test_ascii_has_the_same_places() -> None:
    for path in FILES:
        drawn = picture_of(path.read_text())
        lines = graph_ascii.render(drawn, Style()).splitlines()
        plain = graph_ascii.render(drawn, Style(unicode=False)).splitlines()
        assert [len(line) for line in lines] == [len(line) for line in plain]


@pytest.mark.parametrize(
    ("endpoints", "shown"),
    [
        ("tcp://*:${6000 + index}", "tcp://*:6000..6002"),
        ("tcp://*:${6009 + index}", "tcp://*:6009..6011"),
        ("tcp://*:5555", "tcp://*:5555"),
        ("ipc://feed${index}.socket", "ipc://feed0..2.socket"),
        ("tcp://10.0.0.${index}:80", "tcp://10.0.0.0..2:80"),
        ("tcp://10.0.${index}.${index}:80", "tcp://10.0.0.0..2.2:80"),
    ],
)
def test_endpoints_of_replicas_are_a_range(endpoints: str, shown: str) -> None:
    (part,) = picture_of(f"app feed[3]: PUB bind {endpoints}").parts
    assert part.name == "feed[3]"
    assert part.ports[0].binds == (shown,)


def test_mermaid_escapes_what_means_something_to_it() -> None:
    text = graph_mermaid.render(picture_of('app a: PUSH bind "ipc://x\\"]#;`*_<b>"\napp b: PULL connect a'), Style())
    label = text.splitlines()[1]
    assert label == '    p0_0("a<br/>PUSH<br/>ipc://x#34;]#35;#59;#96;#42;#95;#60;b#62;")'
    assert text.splitlines()[3].startswith('    p0_0 -->|"ipc://x#34;')


def test_a_wide_drawing_is_not_slow() -> None:
    """A hundred apps at one device: rows are split, one line feeds them all."""
    apps = "\n".join(f'app a{n}: SUB connect relay.out {{ subscribe "" }}' for n in range(100))
    text = f"device relay: forwarder {{ in bind tcp://*:5555; out bind tcp://*:5556 }}\napp f: PUB connect relay.in\n{apps}"
    lines = graph_ascii.render(picture_of(text), Style()).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.count("┆ a") + line.count(" a") for line in lines) >= 100
