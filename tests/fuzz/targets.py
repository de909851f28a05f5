"""What is done with an input, and what must come of it: diagnostics or a result, in bounded work.

A target takes bytes and raises if something does not hold. Whatever it reads, it reads out of the input: what a text has behind
a line `#### NAME` is the file of that name. The limits of the language are lowered, so that what reaches one costs little.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from types import FrameType
from unittest.mock import patch

from tests.meaning import USUAL, assert_formatted, without_places
from tests.strategies import PIECES
from tests.syntax.test_shapes import same
from tests.texts import every_text
from tests.whole import relaid, whole_text
from topo.compile import Compilation, compile, text_of
from topo.diagnostic import Diagnostic
from topo.exchange import import_zdcf
from topo.picture import picture
from topo.render import Style, model_json, model_ztopo
from topo.source import Source
from topo.syntax.format import format
from topo.syntax.parse import parse
from topo.zeromq.libzmq import Libzmq

__all__ = ["CORPUS", "TARGETS", "Target", "TooLong", "bounded"]

CORPUS = Path(__file__).parent / "corpus"
FOLDER = Path("/srv/fuzz")
SECONDS = 20
"""The most CPU time of one input, when it is also watched which code it reaches."""
LARGEST = 2_000_000
"""The most characters that are said of one input."""
FEW = 100
"""So many devices and apps are drawn, and written as one text."""
FINDINGS = ("findings_concise", "findings_full", "findings_github", "findings_json", "findings_sarif")
MARK = re.compile(r"^#### ([\w./-]{1,80})\n", re.MULTILINE)
LIMITS = {"topo.drafts.MOST_REPLICAS": 100, "topo.drafts.MOST_IN_ALL": 1000, "topo.resolve.MOST_LINKS": 2000}


class TooLong(Exception):
    """An input takes more time than it may."""


@dataclass(frozen=True)
class Target:
    """What is tried, with inputs from the folder of that name in the corpus, and new ones from `make`."""

    run: Callable[[bytes], None]
    make: Callable[[Random], bytes]
    words: tuple[str, ...]
    """Pieces that inputs are made of."""
    seeds: tuple[bytes, ...] = ()
    """What to begin with, beside the corpus."""


@contextmanager
def bounded(seconds: int = SECONDS) -> Iterator[None]:
    """See that what is done takes no more CPU time than this, with the limits of the language lowered."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"more than {seconds} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    patches = [patch(name, value) for name, value in LIMITS.items()]
    try:
        for each in patches:
            each.start()
        yield
    finally:
        for each in patches:
            each.stop()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


# Texts


def files_of(data: bytes) -> dict[str, Source | Diagnostic]:
    """The files that an input stands for; the first is the topology's own."""
    text = data.decode("utf-8", "surrogateescape")
    pieces = MARK.split(text)
    names = ["main.ztopo", *pieces[1::2]]
    return {
        name: text_of(piece.encode("utf-8", "surrogateescape"), name, FOLDER / name)
        for name, piece in reversed(list(zip(names, pieces[::2], strict=True)))
    }


def compiled(files: Mapping[str, Source | Diagnostic]) -> Compilation | None:
    """What becomes of files, or None if there is no text."""

    def reader(path: Path, name: str) -> Source | Diagnostic:
        name = str(path.relative_to(FOLDER)) if path.is_relative_to(FOLDER) else ""
        if name not in files:
            raise FileNotFoundError(2, "No such file or directory")
        return files[name]

    main = files["main.ztopo"]
    return compile(main, libzmq=Libzmq(), reader=reader) if isinstance(main, Source) else None


def text(data: bytes) -> None:
    """Parse, expand, check, format, show and draw."""
    files = files_of(data)
    for source in files.values():
        if isinstance(source, Source):
            _parse(source)
            _format(source)
    compilation = compiled(files)
    if compilation is None:
        return
    _say(compilation)
    if compilation.valid and len(compilation.model.components) <= FEW:
        _show(compilation)
        _draw(compilation)


def _parse(source: Source) -> None:
    file, said = parse(source)
    assert same(source.text), "read by its shapes it is another"
    assert said or not file.doubtful, "something is doubtful, and nobody says why"
    for diagnostic in said:
        for label in diagnostic.labels:
            assert 0 <= label.span.start <= label.span.end <= len(source.text), "a place outside of the text"


def _format(source: Source) -> None:
    again, said = format(source, USUAL)
    if said:
        assert again == source.text, "a text with errors is changed"
    else:
        assert_formatted(source.text)


def _say(compilation: Compilation) -> None:
    for name in FINDINGS:
        said = import_module(f"topo.render.{name}").render(compilation.diagnostics, Style())
        assert len(said) <= LARGEST, f"{name} has {len(said)} characters"
        said.encode("utf-8", "surrogateescape")


def _show(compilation: Compilation) -> None:
    """The text that is shown means the same, if no folder and no module makes a difference."""
    shown = model_ztopo.render(compilation.graph, Style())
    again = compiled({"main.ztopo": Source(shown, "main.ztopo", FOLDER / "main.ztopo")})
    assert again is not None
    assert not again.model.doubtful, f"{shown}\n{[str(d) for d in again.diagnostics]}"
    twice = model_ztopo.render(again.graph, Style())
    secrets = "is not shown" in shown  # those that are written in the file are left out
    assert secrets or _without_comments(twice) == _without_comments(shown), "shown again it is another"
    without_places(json.loads(model_json.render(compilation.graph, Style())))


def _without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("# ")]


def _draw(compilation: Compilation) -> None:
    drawn = picture(compilation.graph)
    for name in ("graph_ascii", "graph_mermaid"):
        import_module(f"topo.render.{name}").render(drawn, Style())


# Other forms


def json_twin(data: bytes) -> None:
    """Read JSON as a topology; what is shown of it as JSON is read as the same."""
    source = text_of(data, "main.json", FOLDER / "main.json")
    compilation = compiled({"main.ztopo": source})
    if compilation is None:
        return
    _say(compilation)
    if not compilation.valid or len(compilation.model.components) > FEW:
        return
    shown = model_json.render(compilation.graph, Style())
    again = compiled({"main.ztopo": Source(shown, "main.json", FOLDER / "main.json")})
    assert again is not None
    assert again.valid, [str(d) for d in again.diagnostics]
    twice = model_json.render(again.graph, Style())
    assert without_places(json.loads(twice)) == without_places(json.loads(shown)), "read again it is another"


def zdcf(data: bytes) -> None:
    """Import a configuration of the RFC 17; what is made of it is a text of the language."""
    source = text_of(data, "main.zdcf", FOLDER / "main.zdcf")
    if isinstance(source, Diagnostic):
        return
    made, said = import_zdcf.read(source)
    for name in FINDINGS:
        assert len(import_module(f"topo.render.{name}").render(said, Style())) <= LARGEST
    if made is not None:
        assert_formatted(made)


def _documents() -> Iterator[bytes]:
    """The texts of the project that are right, as JSON."""
    for name, text in every_text().items():
        compilation = compile(Source(text, f"{name}.ztopo", FOLDER / "main.ztopo"), libzmq=Libzmq())
        if compilation.valid and len(compilation.model.components) <= FEW:
            yield model_json.render(compilation.graph, Style()).encode()


# Texts by themselves


def fmt(data: bytes) -> None:
    """Format a right text."""
    assert_formatted(data.decode())


def _text(random: Random) -> bytes:
    """A text, or several files."""
    if random.random() < 0.7:
        return whole_text(random).encode()
    return "#### other.ztopo\n".join((whole_text(random), "ztopo 1\n")).encode()


def _right_text(random: Random) -> bytes:
    """A text of the whole grammar, or one of the project's in another layout."""
    if random.random() < 0.8:
        return whole_text(random).encode()
    return relaid(random, random.choice(RIGHT)).encode()


def _seeds() -> Iterator[bytes]:
    """Every text of the project, with the module that some of them use."""
    texts = every_text()
    pool = next(t for t in texts.values() if t.startswith("ztopo 1\nparam size: int"))
    for text in texts.values():
        yield (f"{text}\n#### pool.ztopo\n{pool}" if '"pool.ztopo"' in text else text).encode()


RIGHT = [text for text in every_text().values() if not parse(Source(text))[1]]
DOCUMENTS = tuple(_documents())
SIGNS = (
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1e9",
    "1.5",
    '""',
    '"a"',
    '"\\u0000"',
    '"\\ud800"',
    "#",
    "\n",
    "    ",
)
WORDS_OF_JSON = (*SIGNS, *sorted({word for document in DOCUMENTS for word in re.findall(r'"[a-z_]+"', document.decode())}))
CONFIGURATIONS = tuple(
    p.read_bytes() for p in sorted((Path(__file__).parents[1] / "exchange").glob("listener.*")) if p.suffix != ".out"
)
WORDS_OF_ZDCF = (*SIGNS, *sorted({word for text in CONFIGURATIONS for word in re.findall(r"[a-z_]+", text.decode())}))
TARGETS: Mapping[str, Target] = {
    "text": Target(text, _text, tuple(p for p in PIECES if p.isprintable()), tuple(_seeds())),
    "json": Target(json_twin, lambda random: random.choice(DOCUMENTS), WORDS_OF_JSON, DOCUMENTS),
    "zdcf": Target(zdcf, lambda random: random.choice(CONFIGURATIONS), WORDS_OF_ZDCF, CONFIGURATIONS),
    "fmt": Target(fmt, _right_text, ()),
}
