"""The specification of the language holds: every example in it is run, and its tables are those of the code.

`make golden` writes anew what stands behind the examples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.meaning import assert_formatted
from topo import drafts, resolve, values
from topo.compile import LARGEST_FILE, Compilation, compile
from topo.diagnostic import counted
from topo.render import Style, findings_concise, model_ztopo
from topo.source import Source
from topo.syntax import expression, json_text, parse, recover
from topo.syntax.grammar import text
from topo.zeromq.kinds import KINDS
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.options import OPTIONS
from topo.zeromq.sockets import SOCKETS
from topo.zeromq.transports import TRANSPORTS

SPECIFICATION = Path(__file__).parents[1] / "grammar" / "ztopo.md"
FOLDER = Path("/srv/example")
FENCE = re.compile(r"^```(\w+)[ ]?([^\n]*)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
BEHIND = {"links", "findings", "shown", "formatted"}

Golden = Callable[[Path, str], None]


class Block(msgspec.Struct, frozen=True):
    """A fenced block: its kind, what else stands on its first line, its text, and where that is."""

    kind: str
    more: str
    text: str
    start: int
    end: int
    line: int


class Example(msgspec.Struct, frozen=True):
    """A text of the language, and the blocks behind it."""

    block: Block
    behind: tuple[Block, ...]

    @property
    def wrong(self) -> bool:
        return self.block.more == "wrong"


def blocks(text: str) -> list[Block]:
    return [Block(m[1], m[2], m[3], m.start(3), m.end(3), text.count("\n", 0, m.start()) + 1) for m in FENCE.finditer(text)]


def examples(found: list[Block]) -> Iterator[Example]:
    for number, block in enumerate(found):
        if block.kind == "ztopo" and not block.more.endswith(".ztopo"):
            behind = []
            for other in found[number + 1 :]:
                if other.kind not in BEHIND:
                    break
                behind.append(other)
            yield Example(block, tuple(behind))


TEXT = SPECIFICATION.read_text(encoding="utf-8")
BLOCKS = blocks(TEXT)
EXAMPLES = list(examples(BLOCKS))
MODULES = {block.more: block.text for block in BLOCKS if block.kind == "ztopo" and block.more.endswith(".ztopo")}


def compiled(example: Example) -> Compilation:
    def reader(path: Path, name: str) -> Source:
        if path.name not in MODULES:
            raise FileNotFoundError(2, "No such file or directory")
        return Source(MODULES[path.name], path.name, path)

    source = Source(example.block.text, "example.ztopo", FOLDER / "example.ztopo")
    return compile(source, libzmq=Libzmq(), reader=reader, fragment=True)


def shown(example: Example, kind: str) -> str:
    compilation = compiled(example)
    match kind:
        case "links":
            return "".join(f"{link.a.id} -> {link.b.id} over {link.endpoint}\n" for link in compilation.graph.links)
        case "shown":
            return model_ztopo.render(compilation.graph, Style())
        case "formatted":
            return assert_formatted(f"ztopo 1\n{example.block.text}").removeprefix("ztopo 1\n")
        case _:
            return findings_concise.render(counted(compilation.diagnostics), Style())


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZTOPO_EXAMPLE_PORT", "ZTOPO_EXAMPLE_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"line {e.block.line}")
def test_right_examples_are_right_and_wrong_ones_wrong(example: Example) -> None:
    assert bool(counted(compiled(example).diagnostics)) is example.wrong
    behind = [["findings"]] if example.wrong else [["links"], ["links", "shown"], ["links", "formatted"]]
    assert [b.kind for b in example.behind] in behind


def test_what_stands_behind_the_examples_is_what_comes_of_them(golden: Golden) -> None:
    again = TEXT
    for example in reversed(EXAMPLES):
        for block in reversed(example.behind):
            again = again[: block.start] + shown(example, block.kind) + again[block.end :]
    golden(SPECIFICATION, again)


def test_the_words_are_those_of_the_grammar() -> None:
    (block,) = (b for b in BLOCKS if b.kind == "words")
    assert block.text.split() == sorted(re.findall(r'^[A-Z]+: "([a-z]+)"$', text("ztopo.lark"), re.MULTILINE))


def section(title: str) -> str:
    return TEXT.split(f". {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    return [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")][2:]


def test_the_kinds_are_those_of_the_table() -> None:
    kinds = [[f"`{k.name}`", k.in_type, k.out_type, k.monitor_type] for k in KINDS.values()]
    assert rows(section("Devices")) == kinds


def test_types_and_transports_are_those_of_the_tables() -> None:
    sockets = section("Sockets")
    named = re.search(r"in capitals: (.*?); and the draft types (.*?)\.", sockets.replace("\n", " "))
    assert named is not None
    assert named[1].split(", ") == [t.name for t in SOCKETS.values() if not t.draft]
    assert named[2].split(", ") == [t.name for t in SOCKETS.values() if t.draft]
    transports = re.search(r"those of libzmq: (.*?);", sockets.replace("\n", " "))
    assert transports is not None
    assert transports[1].split(", ") == list(TRANSPORTS)


def test_the_types_of_params_are_those_of_the_code() -> None:
    assert re.findall(r"`(\w+)`", " ".join(row[0] for row in rows(section("Params")))) == [
        *("int", "port", "text", "bool", "duration", "size", "endpoint", "list", "socket")
    ]
    assert set(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows(section("Params"))))) == set(values.TYPES)


def test_the_secrets_are_those_of_the_table() -> None:
    secrets = [f"`{name}`" for name, option in OPTIONS.items() if option.secret]
    assert f"{', '.join(secrets[:-1])} and {secrets[-1]} are secrets" in section("Options").replace("\n", " ")


def test_the_limits_are_those_of_the_code() -> None:
    assert [row[1] for row in rows(section("Limits"))] == [
        f"{LARGEST_FILE // 1024**2} MiB",
        f"{parse.MOST_DEPTH}",
        f"{json_text.MOST_DEPTH}",
        f"{recover.MOST_MISTAKES}",
        f"{expression.LONGEST}",
        f"{drafts.MOST_REPLICAS:,}",
        f"{drafts.MOST_IN_ALL:,}",
        f"{resolve.MOST_LINKS:,}",
        f"{drafts.MOST_CONTENT // 1024**2} MiB",
        f"{drafts.MOST_SETS}",
        f"{values.LONGEST_CHAIN}",
        f"{values.LARGEST_VALUE // 1024} KiB",
        f"{drafts.MOST_LEVELS}",
        f"{values.LARGEST_VALUE // 1024} KiB",
    ]
    assert expression.LARGEST == values.LARGEST == 2**63 - 1


def test_the_options_of_contexts_are_those_of_the_code() -> None:
    said = section("Processes and contexts").replace("\n", " ")
    for name, (low, high) in drafts.CONTEXT_OPTIONS.items():
        assert f"`{name}`, {low} to {high:,}" in said
