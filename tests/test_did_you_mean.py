"""A name that is nearly right is proposed, whatever it is the name of; and where two things clash, both places are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from topo.compile import compile
from topo.diagnostic import Diagnostic
from topo.source import Source
from topo.zeromq.libzmq import Libzmq

DECLARED = """ztopo 1
param port: port = 5555
options quick { linger 0 }
device broker: queue { in bind tcp://*:1; out bind tcp://*:2 }
app sink { socket work: PULL bind tcp://*:3; socket done: PUB bind tcp://*:4 }
app feed: PUB bind tcp://*:5
use "pool.ztopo" as pool { base 6 }
"""
POOL = "ztopo 1\nparam base: port\napp jobs: PULL bind tcp://*:${base}\n"

KINDS = [
    ("a device", "app x: REQ connect broke.in", "ZT101", "broke", "broker"),
    ("an app", 'app x: SUB connect fed { subscribe "" }', "ZT101", "fed", "feed"),
    ("a side", "app x: REQ connect broker.inn", "ZT107", "inn", "in"),
    ("a socket of an app", "app x: PUSH connect sink.wrok", "ZT107", "wrok", "work"),
    ("a socket of one's own app", "app x { socket one: REP bind inproc://x; socket two: REQ connect .noe }", "ZT107", "noe", "one"),
    ("a module", "app x: PUSH connect pol.jobs", "ZT101", "pol", "pool"),
    ("what stands in a module", "app x: PUSH connect pool.job", "ZT101", "job", "jobs"),
    ("a param", "app x: PUB bind tcp://*:${prot}", "ZT103", "prot", "port"),
    ("a param in arithmetic", "app x: PUB bind tcp://*:${prot + 1}", "ZT103", "prot", "port"),
    ("a param of a module", 'use "pool.ztopo" as x { base 7; bsae 8 }', "ZT103", "bsae", "base"),
    ("a number of a replica", "app x[2]: PUB bind tcp://*:${7000 + idnex}", "ZT103", "idnex", "index"),
    ("an option", "app x: PUB bind tcp://*:7 { lingr 0 }", "ZT501", "lingr", "linger"),
    ("a set of options", "app x: PUB bind tcp://*:7 { with quik }", "ZT101", "quik", "quick"),
    ("an option of a context", "app x { context { io_thread 4 }; socket y: PUB bind tcp://*:7 }", "ZT112", "io_thread", "io_threads"),
    ("a socket type", "app x: RUOTER bind tcp://*:7", "ZT106", "RUOTER", "ROUTER"),
    ("a socket type in lower case", "app x: router bind tcp://*:7", "ZT106", "router", "ROUTER"),
    ("a socket type as in C", "app x: ZMQ_PUB bind tcp://*:7", "ZT106", "ZMQ_PUB", "PUB"),
    ("a device kind", "device x: forwader { in bind tcp://*:7; out bind tcp://*:8 }", "ZT105", "forwader", "forwarder"),
    ("a transport", "app x: PUB bind inprox://x", "ZT307", "inprox", "inproc"),
    ("a transport of a reference", 'app x: SUB connect feed.tcq { subscribe "" }', "ZT107", "tcq", "tcp"),
    ("a word that declares", "deviec x: queue { in bind tcp://*:7; out bind tcp://*:8 }", "ZT007", "deviec", "device"),
    ("a statement of a block", "device x: queue { in bind tcp://*:7; out bind tcp://*:8; moniter PUB bind tcp://*:9 }", "ZT008", "moniter", "monitor"),
    ("a word in a statement", "app x: PUB bnid tcp://*:7", "ZT009", "bnid", "bind"),
    ("a value", "app x: PUB bind tcp://*:7 { ipv6 ture }", "ZT037", "ture", "true"),
    ("a file of use", 'use "pol.ztopo" as x { base 7 }', "ZT114", "pol.ztopo", "pool.ztopo"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pool.ztopo").write_text(POOL)
    return tmp_path


def found(folder: Path, text: str) -> list[Diagnostic]:
    compilation = compile(Source(DECLARED + text + "\n", "x.ztopo", folder / "x.ztopo"), libzmq=Libzmq())
    return [d for d in compilation.diagnostics if d.severity == "error"]


@pytest.mark.parametrize(("line", "code", "wrong", "right"), [pytest.param(*row, id=what) for what, *row in KINDS])
def test_the_nearest_right_name_is_proposed(folder: Path, line: str, code: str, wrong: str, right: str) -> None:
    (said,) = found(folder, line)
    assert (said.code, said.notes) == (code, (f"did you mean `{right}`?",))
    if said.fix is not None:
        (edit,) = said.fix.edits
        assert (edit.span.text, edit.text) == (wrong, right)
        mended = line[: edit.span.start - len(DECLARED)] + right + line[edit.span.end - len(DECLARED) :]
        assert found(folder, mended) == []


def test_a_type_of_params(folder: Path) -> None:
    (said,) = found(folder, "param x: intt = 5")
    assert said.code == "ZT104"
    assert said.notes[0] == "did you mean `int`?"


CLASHES = [
    ("app feed: PUB bind tcp://*:7", "ZT102", ("feed", "feed")),
    ("param port = 1", "ZT102", ("port", "port")),
    ("options quick { linger 1ms }", "ZT102", ("quick", "quick")),
    ("device x: queue { in bind tcp://*:7; in bind tcp://*:8; out bind tcp://*:9 }", "ZT102", ("in", "in")),
    ("app x: PULL connect feed", "ZT201", ("feed", "PULL", "PUB")),
    ("app x: PUB bind tcp://*:5", "ZT301", ("tcp://*:5", "tcp://*:5")),
    ("device x: queue { in ROUTER bind tcp://*:7; out ROUTER bind tcp://*:8 }", "ZT202", ("queue", "ROUTER", "ROUTER")),
    ("app x: REQ connect broker.side", "ZT107", ("side", "broker")),
    ("app x: SUB connect feed[0]", "ZT109", ("[0]", "feed")),
]


@pytest.mark.parametrize(("line", "code", "places"), CLASHES)
def test_where_two_clash_both_are_shown(folder: Path, line: str, code: str, places: tuple[str, ...]) -> None:
    (said,) = [d for d in found(folder, line) if d.code == code]
    assert tuple(label.span.text for label in said.labels) == places
    assert len({label.span.start for label in said.labels}) == len(places)
