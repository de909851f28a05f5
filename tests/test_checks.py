"""Every finding is held to its own explanation: the wrong examples in it give that code, the right ones give nothing."""

from __future__ import annotations

import importlib
import pkgutil
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import topo.checks
import topo.hostchecks
from tests.imagined import HOST
from topo.check import Check, checks, findings, host_checks
from topo.compile import Compilation, compile, judge_host
from topo.diagnostic import Diagnostic, Finding
from topo.source import Source
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.options import OPTIONS, PSEUDO
from topo.zeromq.sockets import SOCKETS

FENCED = re.compile(r"^```ztopo(?: (?P<code>\w+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LEVELS = ("error", "warning", "info")
WITHOUT_EXAMPLE = {"ZT003", "ZT114", "ZT115", "ZT116", "ZT050", "ZT051", "ZT052", "ZT053"}
"""What no single text can show: it is about files."""


def examples(finding: Finding) -> list[tuple[str | None, str]]:
    """The code that is expected, or None, and the text of each example."""
    explanation = textwrap.dedent(finding.explanation.partition("\n")[2])
    return [(m["code"], m["text"]) for m in FENCED.finditer(explanation)]


def told(text: str, **abilities: object) -> Compilation:
    source = Source(textwrap.dedent(text), "example.ztopo", Path("/srv/example.ztopo"))
    compilation = compile(source, libzmq=Libzmq(**abilities), fragment=True)  # type: ignore[arg-type]  # fields of Libzmq
    assert all(d.severity in findings()[d.code].levels for d in compilation.diagnostics), "a level that the mark does not name"
    return compilation


def found(text: str, code: str = "", **abilities: object) -> list[Diagnostic]:
    """What is found in a text: all that counts against it, and what is worth knowing under this code; if of a host, there too."""
    compilation = told(text, **abilities)
    said = [*compilation.diagnostics, *(judge_host(compilation, HOST, Libzmq()) if code.startswith("ZT6") else ())]
    return [d for d in said if d.severity != "info" or d.code == code]


def codes(text: str, **abilities: object) -> list[str]:
    return [d.code for d in found(text, **abilities)]


WHERE: dict[str, dict[str, object]] = {"ZT315": {"abstract": False}}
"""The libzmq that an explanation speaks of, where that is not the usual one."""

ALL = [pytest.param(f, id=code) for code, f in findings().items() if not code.startswith("ZT9")]


@pytest.mark.parametrize("finding", ALL)
def test_wrong_examples_give_exactly_that_code(finding: Finding) -> None:
    wrong = [(code, text) for code, text in examples(finding) if code is not None]
    assert wrong or finding.code in WITHOUT_EXAMPLE
    for code, text in wrong:
        assert code == finding.code
        assert {d.code for d in found(text, code, **WHERE.get(code, {}))} == {code}, text


@pytest.mark.parametrize("finding", ALL)
def test_right_examples_give_nothing(finding: Finding) -> None:
    right = [text for code, text in examples(finding) if code is None]
    assert right or finding.code in WITHOUT_EXAMPLE
    for text in right:
        assert found(text, finding.code, **WHERE.get(finding.code, {})) == [], text


@pytest.mark.parametrize("finding", ALL)
def test_a_finding_explains_itself(finding: Finding) -> None:
    lines = textwrap.dedent(finding.explanation).splitlines()
    assert re.fullmatch(r"ZT\d{3}", finding.code)
    assert re.fullmatch(r"[^A-Z.]\S*.*[^.]|[A-Z]{2,}.*[^.]", finding.title), "lower case, no period"
    assert re.search(r"[.:]$", "\n".join(lines).split("\n\n")[0]), "the explanation begins with a sentence"
    assert all(len(line.expandtabs()) <= 130 for line in lines)
    assert finding.levels == tuple(sorted(set(finding.levels), key=LEVELS.index))


ROOMS = [pytest.param(topo.checks, checks, id="checks"), pytest.param(topo.hostchecks, host_checks, id="hostchecks")]


@pytest.mark.parametrize(("room", "found"), ROOMS)
def test_each_check_has_a_file_that_is_named_after_it(room: ModuleType, found: Callable[[], tuple[Check, ...]]) -> None:
    modules = {info.name for info in pkgutil.iter_modules(room.__path__)}
    named = {f"{c.finding.code.lower()}_{c.__name__}" for c in found()}  # type: ignore[attr-defined]  # marks of check.py
    assert modules == named


def test_no_code_is_given_twice() -> None:
    given = [c.finding.code for c in (*checks(), *host_checks())]
    assert len(given) == len(set(given))
    assert set(given) <= set(findings())


@pytest.mark.parametrize(("room", "found"), ROOMS)
def test_a_check_gives_no_code_but_its_own(room: ModuleType, found: Callable[[], tuple[Check, ...]]) -> None:
    """Read in its text: each file writes the one code, so that `explain` finds what is said."""
    for info in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        module = importlib.import_module(info.name)
        assert module.__file__ is not None
        written = set(re.findall(r'code="(ZT\d+)"', Path(module.__file__).read_text()))
        assert written == {info.name.rpartition(".")[2][:5].upper()}
    assert (room is topo.hostchecks) == all(c.finding.code.startswith("ZT6") for c in found())


@pytest.mark.parametrize("finding", ALL)
def test_diagnostics_read_well(finding: Finding) -> None:
    for code, text in examples(finding):
        for d in found(text, code, **WHERE.get(code, {})) if code else ():
            assert d.message[0] in "`&" or d.message[0].islower() or d.message.split()[0].isupper() or d.message[0].isdigit()
            assert not d.message.endswith(".")
            assert d.span is not None
            assert d.fix is None or d.fix.edits


def mended(text: str) -> str:
    """The text with all fixes of its diagnostics applied."""
    compilation = told(text)
    edits = {e.span.start: e for d in compilation.diagnostics if d.fix for e in d.fix.edits}
    mended = compilation.source.text
    for start in sorted(edits, reverse=True):
        edit = edits[start]
        mended = mended[:start] + edit.text + mended[edit.span.end :]
    return mended


FIXED = """
device mux: queue { in ROUTER bind tcp://*:5560; out ROUTER bind tcp://*:5561 }
device mux: queue swap { in bind tcp://*:5560; out bind tcp://*:5561 }
device mux: queue { in REP bind tcp://*:5560; out REQ bind tcp://*:5561 }
device mux: queue { in bind tcp://*:5560; out same }
device s: streamer { in bind tcp://*:5560; out bind tcp://*:5561; monitor SUB bind tcp://*:5562 }
device s: proxy { in XSUB bind tcp://*:5560; out PUB bind tcp://*:5561 }
device s: proxy { in SUB bind tcp://*:5560; out XPUB bind tcp://*:5561 }
device d: queue { in PULL bind tcp://*:5560; out PUSH bind tcp://*:5561 }
device d: streamer { in ROUTER bind tcp://*:5560; out PUB bind tcp://*:5561 }
app a: REQ connect tcp://10.0.0.1:5555 { req_relaxed true }
app a: REP bind tcp://*:5555 { ipv4only true; linger 5 }
app a: PUSH bind tcp://*:5_555
app a[3]: PUSH bind tcp://*:5555
app a[3]: PUSH bind ipc://a
app a[3]: PUSH bind "ipc://a"
app a[*]: PUSH bind tcp://*:5555
app a: ROUTER bind tcp://*:5555;; app b[2]: DEALER connect a { routing_id "b" }
app a: PULL connect tcp://0.0.0.0:5555;; app b: PUSH bind tcp://*:5555
app a: PULL connect tcp://*:5555;; app b: PUSH bind tcp://*:5555
app a: PUSH bind TCP://*:5555
app a: PULL connect tcp://lo:5555;; app b: PUSH bind tcp://*:5555
app a: PULL connect tcp://10.0.0.010:5555
app a: PULL connect tcp://10.1:5555
app a: PUSH bind tcp://*:5555 { linger 5 }
app a: PUSH bind tcp://*:5555 { tcp_keepalive_idle 60 }
app a: PUSH bind tcp://*:5555 { sndbuf 65536 }
app a: PUSH bind tcp://*:5555 { sndbuf 1000 }
app a: PUSH bind tcp://*:5555 { immediate "true" }
app a: PUSH bind tcp://*:5555 { LINGER 0 }
app a: DEALER bind tcp://*:5555 { identity "a" }
app a: PUSH bind tcp://*:5555 { ZMQ_LINGER 0 }
app a: SUB bind tcp://*:5555 { subscibe "" }
app a: REP bind tcp://*:5;; app b: DEALER connect a
""".strip().splitlines()


@pytest.mark.parametrize("text", FIXED)
def test_a_fix_mends_what_was_found(text: str) -> None:
    text = text.replace(";;", "\n")
    assert found(text)
    assert found(mended(text)) == []


QUEUE = "device q: queue { in bind tcp://*:5; out bind tcp://*:6 }\n"
MESH = "device m: queue swap { in bind tcp://*:5; out ROUTER bind tcp://*:6 }\n"

CLEAN = [
    # addresses that are not in each other's way
    "app a: PUSH bind tcp://127.0.0.1:5555\napp b: PUSH bind tcp://127.0.0.2:5555",
    "app a: PUSH bind tcp://127.0.0.1:5555\napp b: PUSH bind tcp://[::1]:5555 { ipv6 true }",
    "app a: PUSH bind tcp://*:5555\napp b: PUSH bind tcp://[::1]:5555 { ipv6 true }",
    "app a: PUSH bind tcp://*:*\napp b: PUSH bind tcp://*:*",
    "app a: PUSH bind ipc://*, ipc://*",
    "app a: PUSH bind inproc://x\napp b: PUSH bind inproc://x",  # two processes
    "app a[3]: PUSH bind tcp://*:*",
    "app a[*]: PUSH bind tcp://*:${6000 + index}",
    "app a[3]: PUSH bind ipc://a.${index}",
    # the outside
    "app a: PUSH connect tcp://10.0.0.1:5555, tcp://example.org:5555",
    "app a: STREAM bind tcp://*:5555",
    "app a: STREAM connect tcp://10.0.0.1:80",
    # literal endpoints that somebody binds
    "app a: PUSH bind tcp://*:5555\napp b: PULL connect tcp://localhost:5555",
    "app a: PUSH bind tcp://*:5555\napp b: PULL connect tcp://127.0.0.7:5555",
    "app a: PUSH bind ipc://a\napp b: PULL connect ipc:///srv/a",
    "app a: PUSH bind ipc://@a\napp b: PULL connect ipc://@a",
    "app a {\n socket x: PAIR bind inproc://x\n socket y: PAIR connect inproc://x\n}",
    # hosts, interfaces to bind, and addresses of this host to connect from
    "app a: PUSH bind tcp://lo:5555, tcp://eth0:5555, tcp://enp3s0.100:5555",
    "app a: PUSH connect tcp://eth0:0;10.0.0.1:5555, tcp://engine:5555, tcp://br:5555, tcp://ethos.example.org:5555, tcp://lo.example.org:1",
    "app a: PUSH connect tcp://0.0.0.1:5555, tcp://255.255.255.255:5555, tcp://[fe80::1%eth0]:5555, tcp://[::ffff:10.0.0.1]:5 { ipv6 true }",
    "app a: PUSH connect tcp://1e100.net:5555, tcp://10.0.0.1.example.org:5555",
    "app a: PUSH bind ipc:///srv/a~b/~, ipc:///srv/~c, ipc://@$x",
    f"app a: PUSH bind inproc://{'x' * 256}",
    # wildcards of which everybody who needs to know is told
    'device d: streamer { in bind tcp://*:*; out bind ipc://* }\napp a: PUSH connect d.in { run "x" }\napp b: PULL connect d.out { run inside }',
    "device d: streamer { in bind tcp://*:*; out bind tcp://*:5 }\ndevice e: streamer { in bind tcp://*:6; out connect d.in }",
    'app x { run "x"; device d: streamer { in bind tcp://*:5; out connect e.in } }\ndevice e: streamer { in bind tcp://*:*; out bind tcp://*:6 }',
    # names for several
    'app feed[3]: PUB bind tcp://*:${6000 + index}\napp s: SUB connect feed { subscribe "" }',
    'app dc[1] {\n socket x: PUB bind tcp://*:${6000 + index}\n socket y: SUB connect dc[others].x { subscribe "" }\n}',
    # devices of every useful kind
    "device d: proxy { in PAIR bind tcp://*:5; out PAIR bind tcp://*:6 }",
    "device d: proxy { in DEALER bind tcp://*:5; out DEALER bind tcp://*:6 }",
    'device d: proxy { in SUB bind tcp://*:5 { subscribe "" }; out PUB bind tcp://*:6 }',
    'device d: proxy { in PUB bind tcp://*:5; out SUB bind tcp://*:6 { subscribe "" } }',
    'device d: streamer { in bind tcp://*:5; out bind tcp://*:6; monitor PUSH bind tcp://*:7 { prefix "a", "b" } }',
    # devices in a row; a ring whose way back is by name, for a ROUTER sends to whom the first part says; two outs that meet
    "device a: streamer { in bind tcp://*:5; out connect b.in }\ndevice b: streamer { in bind tcp://*:6; out bind tcp://*:7 }",
    "device a: queue { in bind tcp://*:5; out connect b.in }\ndevice b: queue { in bind tcp://*:6; out bind tcp://*:7 }",
    'device a: queue swap { in ROUTER bind tcp://*:5; out ROUTER connect b.in { routing_id "a" } }\ndevice b: queue swap { in ROUTER bind tcp://*:6; out ROUTER connect a.in { routing_id "b" } }',
    "device a: queue { in bind tcp://*:5; out connect b.out }\ndevice b: queue { in bind tcp://*:6; out bind tcp://*:7 }",
    "device a: queue { in bind tcp://*:5; out connect b.in, tcp://10.0.0.1:7 }\ndevice b: queue { in bind tcp://*:6; out connect a.in }",
    "device a: queue { in bind tcp://*:5; out bind tcp://*:6 }\ndevice b: queue { in connect a.out; out connect a.in }\napp w: REP connect a.out",
    # devices of one socket
    "device d: queue swap { in bind tcp://*:5; out same }",
    "device d: proxy { in DEALER bind tcp://*:5; out same; monitor PUB bind tcp://*:6 }",
    # options that are fine where they stand
    "device d: streamer { in bind tcp://*:5 { hwm 0 }; out bind tcp://*:6 }",
    "device d: streamer { in bind tcp://*:5; out bind tcp://*:6 { sndtimeo -1 } }",
    "app a: PUSH bind tcp://*:5 { conflate true; sndtimeo 1s; affinity 2 }",
    "app a { context { io_threads 3 }; socket s: PUSH bind tcp://*:5 { affinity 12 } }",
    "app a { context { io_threads 0; max_sockets 2 }; socket b: PAIR bind inproc://b; socket c: PAIR connect .b { affinity 2 } }",
    "app a: XPUB bind tcp://*:5 { xpub_manual true; invert_matching true }\napp b: XSUB connect a",
    "app hub: ROUTER bind tcp://*:5\ndevice d: queue { in bind tcp://*:6; out connect hub { probe_router true } }",
    "device d: forwarder { in bind tcp://*:5; out bind tcp://*:6 }\napp a: XPUB connect d.in { xpub_verbose false }",
    'app n: ROUTER bind tcp://*:5 { routing_id "n" }\napp h: ROUTER connect n { connect_routing_id "n" }',
    "options o { tcp_keepalive true }\napp a: PUSH bind ipc://a { with o }\napp b: PUSH bind tcp://*:5 { with o }",
    "app a: PUSH connect tcp://10.0.0.1:5 { reconnect_ivl -1; heartbeat_ivl 1s }",
    # connections, kinds, monitors
    "app a: DEALER connect b\napp b: DEALER bind tcp://*:5, ipc://b\napp c: DEALER connect b.tcp",
    "device d: proxy { in ROUTER bind tcp://*:5; out PUB bind tcp://*:6 }",
    'device d[2]: streamer { in bind tcp://*:${5 + index}; out bind tcp://*:${7 + index}; monitor bind ipc://m${index} }\napp a[2]: SUB connect d[index].monitor { subscribe "" }',
    # security
    'app a: PUSH bind tcp://*:5 { curve_server true }\napp b: PULL connect a { curve_serverkey ${key} }\nparam key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"',
    'app a: PUSH bind ipc://a { plain_server true }\napp b: PULL connect a { plain_username "b" }',
    "device d: streamer { in bind ipc://a { plain_server true }; out bind ipc://b }\ndevice z: proxy { in ROUTER bind inproc://zeromq.zap.01; out DEALER bind ipc://z }",
    "app a { socket x: PUSH bind ipc://a { plain_server true }; device d: streamer { in bind ipc://b { plain_server true }; out bind ipc://c } }",
    'param p = env("P", "x")\napp a: PUSH connect ipc:///run/a { plain_username "a"; plain_password ${p} }\napp b: PULL bind ipc:///run/a { plain_server true }',
    # messages that arrive, and answers that come back
    QUEUE + "app a[3]: REQ connect q.in\napp b[3]: DEALER as REP connect q.out",
    QUEUE + "app a[*]: DEALER connect q.in\napp b: DEALER connect q.out",
    QUEUE + "device r: queue { in connect q.out; out bind tcp://*:7 }\napp a: REQ connect q.in\napp b[2]: REP connect r.out",
    QUEUE
    + "device r: queue { in connect q.out; out bind tcp://*:7 }\napp a: REQ connect q.in\napp b: ROUTER as REP connect r.out",
    QUEUE + "app a: REQ connect q.in, tcp://10.0.0.1:5\napp b: REP connect q.out",
    "device d: proxy { in DEALER bind tcp://*:5; out DEALER bind tcp://*:6 }\napp a: DEALER as REQ connect d.in\napp b[4]: REP connect d.out",
    'app hub: ROUTER bind tcp://*:5\napp leaf: ROUTER connect hub { routing_id "leaf" }',
    "app hub: ROUTER bind tcp://*:5\napp leaf: ROUTER as REQ connect hub { routing_id * }",
    MESH + 'app a: DEALER connect m.in\napp b[2]: DEALER connect m.out { routing_id "b${index}" }',
    'device m: proxy swap { in ROUTER bind tcp://*:5; out same }\napp a[2]: DEALER connect m.in { routing_id "a${index}" }',
    MESH + "app a: DEALER connect m.in",
    'device f: proxy { in SUB bind tcp://*:5 { subscribe "" }; out PUB bind tcp://*:6 }\napp a: PUB connect f.in\napp b: SUB connect f.out { subscribe "" }',
    'device f: proxy { in SUB bind tcp://*:5 { subscribe "a" }; out PUB bind tcp://*:6 }\napp a: PUB connect f.in\napp b: SUB connect f.out { subscribe "ab" }',
    'device f: proxy { in SUB bind tcp://*:5 { subscribe "" }; out PUB bind tcp://*:6 }\napp a: PUB connect f.in\napp b: SUB connect f.out { subscribe "x" }\napp c: SUB connect f.out { subscribe "" }',
    'device d: proxy { in ROUTER bind tcp://*:5; out PUB bind tcp://*:6 }\napp a: DEALER connect d.in { routing_id "a" }\napp b: SUB connect d.out { subscribe "a" }',
    "".join(f"device f{n}: forwarder {{ in connect a.x; out bind tcp://*:{n} }}\n" for n in (6, 7))
    + 'app a { socket x: PUB bind tcp://*:5 }\napp b: SUB connect f6.out { subscribe "" }',
    'device s: proxy { in SUB connect a { subscribe "a" }; out PUB bind tcp://*:6 }\ndevice t: proxy { in SUB connect a { subscribe "b" }; out PUB bind tcp://*:7 }\n'
    'app a: PUB bind tcp://*:5\napp b: SUB connect s.out, t.out { subscribe "" }',
    'app a[3]: PUB bind tcp://*:${6000 + index}\ndevice f[2]: forwarder { in connect a; out bind tcp://*:${7000 + index} }\napp b[2]: SUB connect f[index].out { subscribe "" }',
    'device f: forwarder { in bind tcp://*:5; out bind tcp://*:6; monitor bind tcp://*:7 }\napp a: PUB connect f.in\napp b: SUB connect f.out { subscribe "x" }\n'
    'app c: SUB connect f.monitor { subscribe "in", "out" }',
    # options
    "app a: DEALER bind tcp://*:5 { routing_id *; tcp_keepalive -1; tcp_keepalive_idle 60s; maxmsgsize 4GiB; linger -1 }",
    'app a: SUB bind tcp://*:5 { subscribe "a", "b"; subscribe "c"; rcvhwm 0 }',
    "app a: PUSH bind tcp://*:5 { hwm 5; sndhwm 7 }",
    'app hub: ROUTER bind tcp://*:5\napp a: DEALER connect hub { routing_id "a" }\napp b: DEALER connect hub { routing_id "b" }',
    'app a { run "x"\n socket b: PUSH bind tcp://*:5\n socket c: PUSH bind tcp://*:6\n}',
]


@pytest.mark.parametrize("text", CLEAN)
def test_nothing_is_said_of_what_is_right(text: str) -> None:
    assert found(text) == []


WRONG = [
    ("ZT108", 'app a { run "x"; device d: queue { in bind tcp://*:5; out bind tcp://*:6 }\nsocket d_in: REP connect .d.out }'),
    ("ZT202", "device d: queue { in bind tcp://*:5; out same }"),
    ("ZT203", "device d: proxy swap { in DEALER bind tcp://*:5; out same }"),
    ("ZT205", "device d: streamer { in bind tcp://*:5; out same }"),
    ("ZT205", "device d: proxy { in PUSH bind tcp://*:5; out same }"),
    ("ZT201", "app a: PUSH bind tcp://*:5\napp b: PUSH connect a"),
    ("ZT201", "app a: STREAM bind tcp://*:5\napp b: DEALER connect a"),
    ("ZT201", "app a: PULL bind tcp://*:5\napp b: SUB connect tcp://127.0.0.1:5 { subscribe \"\" }"),
    ("ZT201", "app a { socket x: PULL bind inproc://x; socket y: DEALER connect .x }"),
    ("ZT204", "device d: queue { in REP bind tcp://*:5; out bind tcp://*:6 }"),
    ("ZT205", "device d: streamer { in PUSH bind tcp://*:5; out bind tcp://*:6 }"),
    ("ZT205", "device d: forwarder { in bind tcp://*:5; out XSUB bind tcp://*:6 }"),
    *(("ZT206", f"device d: streamer {{ in bind tcp://*:5; out bind tcp://*:6; monitor {t} bind tcp://*:7 }}") for t in ("PULL", "XSUB", "REP", "REQ", "ROUTER", "STREAM")),
    ("ZT207", "device d: streamer { in bind tcp://*:5; out }"),
    ("ZT208", "device d: proxy { in SUB bind tcp://*:5; out PUB bind tcp://*:6 }"),
    ("ZT209", "device d: proxy { in PUB bind tcp://*:5; out XSUB bind tcp://*:6 }"),
    ("ZT209", "device d: proxy { in XSUB bind tcp://*:5; out PUSH bind tcp://*:6 }"),
    ("ZT209", "device d: proxy { in SUB bind tcp://*:5 { subscribe \"\" }; out XPUB bind tcp://*:6 }"),
    ("ZT211", "app a: PAIR bind tcp://*:5\napp b[2]: PAIR connect a"),
    ("ZT211", "app a: PAIR bind tcp://*:5\napp b[*]: PAIR connect a"),
    ("ZT211", "app a: PAIR connect b, c\napp b: PAIR bind tcp://*:5\napp c: PAIR bind tcp://*:6"),
    ("ZT212", "app a: ROUTER bind tcp://*:5\napp b: REQ connect a { routing_id \"x\" }\napp c: DEALER connect a { routing_id \"x\" }"),
    ("ZT212", "app a: ROUTER bind tcp://*:5 { router_handover true }\napp b[*]: REQ connect a { routing_id \"x\" }"),
    ("ZT301", "app a: PUSH bind tcp://*:5, tcp://*:5"),
    ("ZT301", "app a: PUSH bind tcp://127.0.0.1:5\napp b: PUSH bind tcp://0.0.0.0:5"),
    ("ZT301", "app a: PUSH bind tcp://localhost:5\napp b: PUSH bind tcp://127.0.0.1:05"),
    ("ZT301", "app a: PUSH bind tcp://10.0.0.1:5\napp b: PUSH bind tcp://*:5"),
    ("ZT301", "app a: PUSH bind tcp://[::]:5 { ipv6 true }\napp b: PUSH bind tcp://127.0.0.1:5"),
    ("ZT301", "app a: PUSH bind ipc://x\napp b: PUSH bind ipc://./x"),
    ("ZT301", "app a: PUSH bind ipc://@x\napp b: PUSH bind ipc://@x"),
    ("ZT301", "app a { socket x: PUSH bind inproc://x; socket y: PUSH bind inproc://x }"),
    ("ZT301", "device a: streamer { in bind inproc://x; out bind tcp://*:6 }\ndevice b: streamer { in bind inproc://x; out bind tcp://*:7 }"),
    ("ZT302", "app a: PUSH connect ipc://x"),
    ("ZT302", "app a: PUSH connect inproc://x"),
    ("ZT302", "app a: PUSH connect tcp://127.0.0.1:5\napp b: PULL connect tcp://127.0.0.1:5"),
    ("ZT302", "app a[2]: PUSH connect tcp://10.0.0.1:5\napp b: PULL connect a[1]"),
    ("ZT303", "app a: PUSH bind inproc://x\napp b: PULL connect inproc://x"),
    ("ZT303", "device a: streamer { run process; in bind tcp://*:5; out bind inproc://x }\ndevice b: streamer { in connect a.out; out bind tcp://*:6 }"),
    ("ZT304", "app a: PUSH bind tcp://*:0x50"),
    ("ZT307", "app a: PUSH bind TCP://*:5 { immediate true }"),
    ("ZT304", "app a: PUSH bind tcp://*:65536"),
    ("ZT304", "app a: PUSH connect tcp://10.0.0.1:-1"),
    ("ZT304", "param p = 70000\napp a: PUSH bind tcp://*:${p}"),
    ("ZT306", "app a: PUSH bind inproc://"),
    ("ZT306", "app a: PUSH connect tcp://10.0.0.1;10.0.0.2:5"),
    ("ZT308", "app a: PUSH connect ipc://*"),
    ("ZT308", "app a: PUSH connect tcp://10.0.0.1:0"),
    ("ZT308", "app a: PUSH connect tcp://10.0.0.1:*"),
    ("ZT309", "app a: PUSH bind ipc://*\napp b: PULL connect a"),
    ("ZT310", "app a: PUSH connect tcp://[fe80::1]:5"),
    ("ZT306", "app a: PUSH bind ipc:///srv/"),
    *(("ZT312", f"app a: PUSH connect tcp://{name}:5") for name in ("lo", "lo0", "eth0", "eth0.100", "enp0s31f6", "wlp2s0", "docker0", "br-0123456789ab")),
    ("ZT312", "app a: PUSH connect tcp://10.0.0.1:0;eth0:5"),
    ("ZT313", "app a: PUSH connect d.in\ndevice d: streamer { in bind ipc://*; out bind tcp://*:6 }"),
    ("ZT313", "app x { device d: streamer { in bind tcp://*:5; out connect e.in } }\ndevice e: streamer { in bind tcp://*:*; out bind tcp://*:6 }"),
    ("ZT309", 'app a { run "x"; device d: streamer { in bind tcp://*:*; out bind tcp://*:6 } }\napp b: PUSH connect a.d.in'),
    ("ZT314", f"app a: PUSH bind inproc://{'x' * 257}"),
    *(("ZT316", f"app a: PUSH bind tcp://{host}:5") for host in ("1.2.3.256", "1.2.3.4.5", "10.1", "010.0.0.1", "0", "08.0.0.1", "1.2.3.")),
    *(("ZT316", f"app a: PUSH bind tcp://{host}:5 {{ ipv6 true }}") for host in ("[::g]", "[1:2]", "[fe80::1%]")),
    ("ZT318", "app a: PUSH bind ipc://$HOME/a"),
    ("ZT318", "app a: PUSH bind ipc://~me/a"),
    ("ZT318", 'app a: PUSH bind "ipc://$${XDG_RUNTIME_DIR}/a"'),
    ("ZT401", "device a: streamer { in bind tcp://*:5; out connect a.in }"),
    ("ZT401", "device a: forwarder { in bind tcp://*:5; out bind tcp://*:6 }\ndevice b: forwarder { in connect a.out; out connect a.in }"),
    ("ZT401", "device a: queue { in bind tcp://*:5; out connect a.in }"),
    ("ZT401", "device a: queue { in bind tcp://*:5; out connect b.in }\ndevice b: queue { in bind tcp://*:6; out connect a.in }"),
    ("ZT401", "device a: queue { in bind tcp://*:5; out bind tcp://*:6 }\ndevice b: queue { in connect a.out; out connect a.in }"),
    ("ZT401", "device a: queue { in bind tcp://*:5; out connect b.in }\ndevice b: proxy { in DEALER bind tcp://*:6; out DEALER connect a.in }"),
    ("ZT401", "device q[3]: queue { in bind tcp://*:${6000 + index}; out connect q[others].in }"),
    ("ZT401", "device a: proxy { in DEALER bind tcp://*:5; out DEALER connect b.out }\ndevice b: proxy { in DEALER connect a.in; out DEALER bind tcp://*:6 }"),
    ("ZT401", "device a: streamer { in bind tcp://*:5; out bind tcp://*:6; monitor PUSH connect a.in }"),
    ("ZT410", MESH + 'app a: DEALER as REQ connect m.in\napp b: DEALER connect m.out { routing_id "b" }'),
    ("ZT410", MESH + 'device q: queue { in bind tcp://*:7; out connect m.in }\napp a: REQ connect q.in\napp b: DEALER connect m.out { routing_id "b" }'),
    ("ZT410", "device m: proxy swap { in ROUTER bind tcp://*:5; out same }\napp a: REQ connect m.in { routing_id \"a\" }"),
    ("ZT411", "app a: REP bind tcp://*:5\napp b[*]: DEALER connect a"),
    ("ZT411", "device d: proxy { in PULL bind tcp://*:5; out DEALER bind tcp://*:6 }\napp a: PUSH connect d.in\napp b: REP connect d.out"),
    ("ZT411", QUEUE + "app a: DEALER connect q.in\napp b: DEALER as REP connect q.out"),
    ("ZT412", MESH + "app a: DEALER connect m.in { run inside }\napp b[2]: DEALER connect m.out { run inside }"),
    ("ZT412", "device m: proxy swap { in ROUTER bind tcp://*:5; out same }\napp a[2]: DEALER connect m.in"),
    ("ZT412", MESH + 'app a: DEALER connect m.in { routing_id "a" }\napp b: DEALER connect m.in\napp c: DEALER connect m.out'),
    ("ZT412", QUEUE + "app a: ROUTER connect q.in\napp b: DEALER connect q.out"),
    ("ZT413", "device d: proxy { in DEALER bind tcp://*:5; out DEALER bind tcp://*:6 }\napp a[*]: DEALER as REQ connect d.in\napp b: REP connect d.out"),
    ("ZT413", QUEUE + "device r: queue { in bind tcp://*:7; out bind tcp://*:8 }\napp a: DEALER connect q.in, r.in\napp b: DEALER connect q.out, r.out"),
    ("ZT413", "device d: proxy { in DEALER connect q.out, r.out; out DEALER bind tcp://*:9 }\n" + QUEUE + "device r: queue { in bind tcp://*:7; out bind tcp://*:8 }\n"
              "app a: REQ connect q.in, r.in\napp b: REP connect d.out"),
    ("ZT414", QUEUE + "device d: proxy { in ROUTER connect q.out; out PUSH bind tcp://*:7 }\napp a: REQ connect q.in\napp b: PULL connect d.out"),
    ("ZT414", "device d: proxy { in ROUTER bind tcp://*:5; out PUB bind tcp://*:7 }\napp a: DEALER as REQ connect d.in\napp b: SUB connect d.out { subscribe \"\" }"),
    ("ZT415", 'device f: proxy { in SUB bind tcp://*:5 { subscribe "a" }; out PUB bind tcp://*:6 }\napp a: PUB connect f.in\napp b: SUB connect f.out { subscribe "b" }'),
    ("ZT415", 'device f: proxy { in SUB bind tcp://*:5 { subscribe "" }; out PUB bind tcp://*:6 }\napp a: PUB connect f.in\n'
              'device g: forwarder { in connect f.out; out bind tcp://*:7 }\napp b: SUB connect g.out { subscribe "b" }'),
    ("ZT416", 'device d: proxy { in ROUTER bind tcp://*:5; out PUB bind tcp://*:6 }\napp a: DEALER connect d.in\napp b: SUB connect d.out { subscribe "a" }'),
    ("ZT416", 'device d: streamer { in bind tcp://*:5; out bind tcp://*:6; monitor bind tcp://*:7 { prefix "<", ">" } }\napp a: PUSH connect d.in\napp b: PULL connect d.out\n'
              'app c: SUB connect d.monitor { subscribe "<", "in" }'),
    ("ZT417", 'app a: PUB bind tcp://*:5\ndevice f: forwarder { in connect a; out bind tcp://*:6 }\napp b: SUB connect a, f.out { subscribe "" }'),
    ("ZT417", 'app a: PUB bind tcp://*:5\ndevice f[2]: forwarder { in connect a; out bind tcp://*:${6000 + index} }\ndevice g: forwarder { in connect f.out; out bind tcp://*:7 }\n'
              'app b: SUB connect g.out { subscribe "" }'),
    ("ZT502", "app a: PUSH bind tcp://*:5 { sndhwm 1, 2 }"),
    ("ZT502", "app a: PUSH bind tcp://*:5 { sndhwm 64KiB }"),
    ("ZT502", "app a: PUSH bind tcp://*:5 { linger 64KiB }"),
    ("ZT502", "app a: PUSH bind tcp://*:5 { immediate \"yes\" }"),
    ("ZT502", "app a: PUSH bind tcp://*:5 { sndhwm * }"),
    ("ZT502", "device a: queue { in bind tcp://*:5 { routing_id * }; out bind tcp://*:6 }"),
    ("ZT502", "device d: streamer { in bind tcp://*:5; out bind tcp://*:6; monitor bind tcp://*:7 { prefix \"a\" } }"),
    ("ZT502", "device d: streamer { in bind tcp://*:5; out bind tcp://*:6; monitor bind tcp://*:7 { prefix 1, 2 } }"),
    ("ZT503", "app a: PUSH bind tcp://*:5 { immediate 2 }"),
    ("ZT503", "app a: PUSH bind tcp://*:5 { hwm -1 }"),
    ("ZT503", "app a: PUSH bind tcp://*:5 { tcp_keepalive_idle 1500ms }"),
    ("ZT503", "app a: PUSH bind tcp://*:5 { heartbeat_ttl 3h }"),
    ("ZT503", "app a: PUSH bind tcp://*:5 { curve_publickey \"short\" }"),
    ("ZT503", "app a: PUSH bind tcp://*:5 { metadata \"name:value\" }"),
    ("ZT504", "device d: streamer { in bind tcp://*:5 { prefix \"a\", \"b\" }; out bind tcp://*:6 }"),
    ("ZT504", "app a: DEALER bind tcp://*:5 { router_mandatory true }"),
    ("ZT505", "app a: PUSH bind tcp://*:5 { gssapi_server true }"),
    ("ZT506", "device d: streamer { in bind tcp://*:5; out bind tcp://*:6; monitor bind tcp://*:7 { prefix \"\", \"b\" } }"),
    ("ZT402", "app a { context { max_sockets 1 }; socket b: PUSH bind tcp://*:5; socket c: PUSH bind tcp://*:6 }"),
    ("ZT403", "app a { context { io_threads 0 }; socket b: PUSH bind tcp://*:5 }"),
    ("ZT403", "app a: PULL bind ipc://a\napp b { context { io_threads 0 }; device d: streamer { in bind inproc://d; out connect a } }"),
    ("ZT508", "device d: queue { in bind tcp://*:5; out bind tcp://*:6 { conflate true } }"),
    ("ZT508", 'device d: streamer { in bind tcp://*:5; out bind tcp://*:6; monitor bind tcp://*:7 }\napp a: SUB connect d.monitor { subscribe ""; conflate true }'),
    ("ZT508", "app a: DEALER as REQ connect tcp://10.0.0.1:5 { conflate true }"),
    ("ZT508", "app a: REP bind tcp://*:5\napp b: DEALER as REQ connect a { conflate true }"),
    ("ZT509", "app a { device d: queue { in bind tcp://*:5; out bind tcp://*:6 { rcvtimeo 1s } } }"),
    ("ZT509", "device d: streamer { in bind tcp://*:5; out bind tcp://*:6; monitor bind tcp://*:7 { sndtimeo 0 } }"),
    ("ZT512", "device d: proxy { in DEALER bind tcp://*:5 { hwm 0 }; out same; monitor PUB bind tcp://*:6 }"),
    ("ZT512", "device d: queue { in bind tcp://*:5 { sndhwm 0 }; out bind tcp://*:6 { rcvhwm 0 } }"),
    ("ZT515", "app a: XPUB bind tcp://*:5\napp b[2]: SUB connect a { subscribe \"\"; invert_matching true }"),
    ("ZT518", "app a: ROUTER bind tcp://*:5 { connect_routing_id \"x\" }"),
    ("ZT525", "device d: streamer { run process; in bind tcp://*:5 { affinity 2 }; out bind tcp://*:6 }"),
    ("ZT525", "app a { context { io_threads 3 }; socket s: PUSH bind tcp://*:5 { affinity 8 } }"),
    ("ZT214", 'app a: PUB bind tcp://*:5\napp b: SUB connect a, tcp://127.0.0.1:5 { subscribe "" }'),
    ("ZT214", "app a: DEALER bind tcp://*:5 connect b\napp b: DEALER bind tcp://*:6 connect a"),
    ("ZT214", "app a[2]: PUSH bind tcp://*:${5 + index}\napp b: PULL connect a, a[1]"),
    ("ZT214", "app a { socket x: PULL bind inproc://x; socket y: PUSH connect .x, inproc://x }"),
    ("ZT217", "device d: queue { in PULL bind tcp://*:5; out PUSH bind tcp://*:6 }"),
    ("ZT217", "device d: forwarder { in PULL bind tcp://*:5; out bind tcp://*:6 }"),
    ("ZT220", 'app a: SUB bind tcp://*:5 { subscribe "" }\ndevice d[2]: streamer { in bind tcp://*:${6 + index}; out bind tcp://*:${8 + index}; monitor connect a }'),
    ("ZT521", "app a: PAIR bind inproc://a { plain_server true }"),
    ("ZT521", "app a: PUSH bind tcp://*:5 { ipc_filter_uid 0 }"),
    ("ZT521", "app a: PULL bind tcp://*:5 { multicast_hops 2 }"),
    ("ZT521", "options o { tcp_keepalive true }\napp a[2]: PUSH bind ipc://${index} { with o }"),
    ("ZT527", "device d: streamer { in bind tcp://*:5; out connect tcp://10.0.0.1:6 { reconnect_ivl -1 } }"),
    ("ZT701", "app a: PUSH bind tcp://*:5 { curve_server true }\napp b: PULL connect a { plain_server false }"),
    ("ZT701", 'app a: PUSH bind ipc://a { plain_server true }\napp b[3]: PULL connect a'),
    ("ZT702", 'app a: PUSH bind ipc://a { plain_username "a" }\napp b: PULL connect a { plain_username "b" }'),
    ("ZT705", 'app a: PUSH bind ipc://a { plain_server true; plain_username "a" }'),
    ("ZT706", 'app a: PUSH bind ipc://a { plain_username "a"; curve_server false }'),
    ("ZT708", "device d: streamer { run process; in bind ipc://a { plain_server true }; out bind tcp://*:6 }\napp z: ROUTER bind inproc://zeromq.zap.01 { run inside }"),
    ("ZT708", 'device d: streamer { in bind ipc://a { zap_domain "a"; zap_enforce_domain true }; out bind tcp://*:6 }'),
    ("ZT710", "app z { socket a: DEALER bind inproc://zeromq.zap.01; socket b: PUSH bind tcp://*:5 }"),
    ("ZT712", 'app a: PUSH connect tcp://10.0.0.1:5 { plain_username "a" }'),
    ("ZT713", 'app a: PUSH connect ipc:///run/a { plain_username "a"; plain_password "b" }\napp b: PULL bind ipc:///run/a { plain_server true }'),
    ("ZT113", "app a: PUSH bind tcp://*:5 { run \" \" }"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text"), WRONG)
def test_one_mistake_gives_one_code(code: str, text: str) -> None:
    assert set(codes(text)) == {code}


PUBLIC, SECRET = '"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"', 'param secret = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"'
"""Keys of zmq_curve(7) that do not belong together."""

SEVERITIES = [
    ("ZT208", "error", "device d: proxy { in SUB bind tcp://*:5; out PUB bind tcp://*:6 }"),
    ("ZT208", "warning", "app a: SUB connect tcp://10.0.0.1:5"),
    ("ZT209", "warning", 'device d: proxy { in SUB bind tcp://*:5 { subscribe "" }; out XPUB bind tcp://*:6 }'),
    ("ZT302", "warning", "app a: PUSH connect tcp://127.0.0.1:5"),
    ("ZT302", "warning", "app a: PUSH connect ipc://x"),
    ("ZT302", "error", "app a: PUSH connect inproc://x"),
    ("ZT302", "error", "app a: PUSH connect tcp://10.0.0.1:5\napp b: PULL connect a"),
    ("ZT308", "error", "app a: PUSH connect tcp://*:5"),
    ("ZT308", "warning", "app a: PUSH connect tcp://0.0.0.0:5"),
    ("ZT306", "warning", "app a: PUSH bind tcp://[127.0.0.1]:5"),
    ("ZT316", "error", "app a: PUSH connect tcp://1.2.3.256:5"),
    ("ZT316", "warning", "app a: PUSH connect tcp://1.2.3:5"),
    ("ZT211", "warning", "app a: PAIR bind tcp://*:5\napp b[*]: PAIR connect a"),
    ("ZT212", "warning", 'app a: ROUTER bind tcp://*:5 { router_handover true }\napp b[2]: REQ connect a { routing_id "x" }'),
    ("ZT701", "warning", "app a: PUSH bind ipc://a { plain_server true }\napp b: PULL connect a"),
    ("ZT701", "error", "app a: PUSH bind ipc://a { plain_server true }\napp b: PULL connect a { run inside }"),
    (
        "ZT714",
        "warning",
        f"app a: PUSH bind ipc://a {{ curve_server true; curve_publickey {PUBLIC}; curve_secretkey ${{secret}} }}\n{SECRET}",
    ),
    (
        "ZT714",
        "error",
        f"app a: PUSH connect tcp://10.0.0.1:5 {{ curve_serverkey {PUBLIC}; curve_publickey {PUBLIC}; curve_secretkey ${{secret}} }}\n{SECRET}",
    ),
    (
        "ZT703",
        "error",
        f"app a: PUSH bind ipc://a {{ curve_server true; curve_secretkey ${{secret}} }}\napp b: PULL connect a {{ curve_serverkey {PUBLIC} }}\n{SECRET}",
    ),
    ("ZT504", "warning", 'app a: PULL bind tcp://*:5 { routing_id "a" }'),
    ("ZT504", "error", 'app a: PULL bind tcp://*:5 { subscribe "a" }'),
]


@pytest.mark.parametrize(("code", "severity", "text"), SEVERITIES)
def test_severities(code: str, severity: str, text: str) -> None:
    assert {(d.code, d.severity) for d in found(text)} == {(code, severity)}


def places(diagnostic: Diagnostic) -> list[str]:
    return [label.span.text for label in diagnostic.labels]


PLACES = [
    ("app a: PUSH bind tcp://*:5\napp b: SUB connect a { subscribe \"\" }", ["a", "SUB", "PUSH"]),
    ("device d: queue { in ROUTER bind tcp://*:5; out ROUTER bind tcp://*:6 }", ["queue", "ROUTER", "ROUTER"]),
    ("device d: queue swap { in bind tcp://*:5; out bind tcp://*:6 }", ["swap", "out"]),
    ("app a: PUSH bind tcp://*:5\napp b: PUSH bind tcp://*:5", ["tcp://*:5", "tcp://*:5"]),
    ("app a: PUSH bind tcp://*:70000", ["70000"]),
    ("app a: PUSH bind tcp://*:5x5", ["5x5"]),
    ("app a: PUSH bind \"tcp://[::1:5\"", ["[::1"]),
    ("app a: PUSH bind tco://*:5", ["tco://"]),
    ("app a: PUSH connect tcp://*:5", ["*"]),
    ("app a: PUSH bind tcp://*:5 { lingr 0 }", ["lingr"]),
    ("app a: PUSH bind tcp://*:5 { linger 5 }", ["5"]),
    ("app a: PUSH bind tcp://*:5 { sndhwm 1, 2, 3 }", ["2, 3"]),
    ("app a: PUSH bind tcp://*:*\napp b: PULL connect a", ["*", "a"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PLACES)
def test_labels_are_as_narrow_as_the_mistake(text: str, expected: list[str]) -> None:
    (only,) = found(text)
    assert places(only) == expected


def test_the_libzmq_at_hand_decides() -> None:
    assert codes("app a: SERVER bind tcp://*:5") == ["ZT210"]
    assert codes("app a: SERVER bind tcp://*:5", draft=True) == []
    assert codes("app a: ROUTER bind tcp://*:5 { router_notify 3 }", draft=True) == []
    assert codes("app a: ROUTER bind tcp://*:5 { router_notify 4 }", draft=True) == ["ZT503"]
    assert codes("app a: PUSH bind ws://*:5") == ["ZT307"]
    assert codes("app a: PUSH bind ws://*:5", transports=frozenset({"ws"})) == []
    assert codes("app a: PUSH bind ipc:///srv/a", ipc_path_max=5) == ["ZT305"]
    assert codes("app a: PUSH bind ipc:///srv/a", ipc_path_max=6) == []
    assert codes("app a: PUSH bind ipc://@a, ipc://@", abstract=False) == ["ZT315", "ZT306"]
    assert codes(f'app a: PUSH bind tcp://*:5 {{ curve_publickey "{"a" * 40}" }}') == []
    assert codes(f'app a: PUSH bind tcp://*:5 {{ curve_publickey "{"a" * 40}" }}', capabilities=frozenset()) == ["ZT505"]


def test_what_is_worth_knowing_does_not_count() -> None:
    monitored = "device d: streamer {{ in bind tcp://*:5; out bind tcp://*:6; monitor {} bind tcp://*:7 }}\napp a: {} connect d.monitor {}"
    text = monitored.format("PUB", "SUB", '{ subscribe "" }')
    assert [(d.code, d.severity) for d in told(text).diagnostics if d.code == "ZT317"] == [("ZT317", "info")]
    assert "ZT317" in [d.code for d in told(text + '  # ztopo: allow ZT317 "the first ones do not matter"').diagnostics]
    text = text.replace("\napp", '  # ztopo: allow ZT317 "the first ones do not matter"\napp')
    assert "ZT317" not in [d.code for d in told(text).diagnostics]
    assert "ZT317" not in [d.code for d in told(monitored.format("PUSH", "PULL", "")).diagnostics]


WORTH_KNOWING = [
    ("ZT213", "app a: PUSH bind tcp://127.0.0.1:5"),
    ("ZT219", "device d: streamer { in connect ipc:///a; out connect tcp://10.0.0.1:5; monitor PAIR bind tcp://127.0.0.1:6 }"),
    ("ZT221", "device d: streamer { in bind inproc://d; out connect tcp://10.0.0.1:5 }"),
    ("ZT510", "device d: queue { in connect tcp://10.0.0.1:5 { router_mandatory false }; out connect tcp://10.0.0.1:6 }"),
    ("ZT522", "device d: streamer { in connect tcp://10.0.0.1:5; out connect tcp://10.0.0.1:6 { linger -1 } }"),
    ("ZT524", "app a: ROUTER connect tcp://10.0.0.1:5 { router_raw true }"),
    ("ZT526", "device d: forwarder { in connect tcp://10.0.0.1:5; out connect tcp://10.0.0.1:6 { xpub_nodrop true } }"),
    ("ZT527", "app a: PUSH connect tcp://10.0.0.1:5 { reconnect_ivl -1 }"),
    ("ZT711", "app a: PUSH bind tcp://[::]:5 { ipv6 true }\napp b: PULL connect a"),
]


@pytest.mark.parametrize(("code", "text"), WORTH_KNOWING)
def test_what_is_worth_knowing(code: str, text: str) -> None:
    assert [(d.code, d.severity) for d in told(text).diagnostics if d.severity != "warning"] == [(code, "info")]


def test_what_nobody_does_is_not_said_while_something_is_unclear() -> None:
    text = "device d: streamer { in bind ipc://a; out bind ipc://b; monitor PUSH bind ipc://c }\napp a: PUSH bind ipc://d\n"
    assert {d.code for d in told(text).diagnostics} == {"ZT213", "ZT219", "ZT221"}
    assert {d.code for d in told(f"{text}app b: PULL connect nobody").diagnostics} == {"ZT101"}


VALUES = ("1", "-1", "0", "true", '"x"', '"\\x00a"', "5ms", "64KiB", "*", "1, 2", '"a", "b"', f'"{"a" * 40}"')
TYPES, NAMES, WRITTEN = st.sampled_from(list(SOCKETS)), st.sampled_from([*OPTIONS, *PSEUDO]), st.sampled_from(VALUES)
SETTING = st.tuples(NAMES, WRITTEN).map(" ".join)


@given(st.tuples(TYPES, TYPES, TYPES), st.tuples(SETTING, SETTING, SETTING), st.booleans())
def test_no_check_stumbles_over_what_others_find(types: tuple[str, ...], settings: tuple[str, ...], everything: bool) -> None:
    """Any option with any value on any socket: the wrong ones are found, and nothing else happens."""
    (a, b, c), (x, y, z) = types, settings
    text = f"""
        app a: {a} bind tcp://*:5555, inproc://zeromq.zap.01 {{ {x}; {y} }}
        app b[2]: {b} connect a, tcp://127.0.0.1:5555 {{ {z}; {x} }}
        device d: proxy {{ in {c} bind ipc://d {{ {y} }}; out {a} connect a {{ {x}; {z} }}; monitor connect tcp://127.0.0.1:5555 {{ {x} }} }}
        device e: queue {{ in {b} connect d.in {{ {x}; {z} }}; out same }}
        """
    has = {"draft": True, "capabilities": frozenset({"curve", "gssapi", "norm", "vmci", "wss"})} if everything else {}
    assert told(text, **has).graph.links


def test_replicas_are_one_mistake() -> None:
    assert codes('app a: PUSH bind tcp://*:5\napp b[50]: SUB connect a { subscribe "" }') == ["ZT201"]
    assert codes("app a[50]: PUSH bind tcp://*:5") == ["ZT301"]
    assert codes("app a[50]: PUSH bind tcp://*:${65530 + index}") == ["ZT304"]


def test_several_mistakes_are_all_found() -> None:
    text = """
        device mux: queue { in ROUTER bind tcp://*:70000; out ROUTER bind tcp://*:5561 { sndhwm -1 } }
        app seen: SUB connect mux.out { subscrbe "" }
        """
    assert sorted(codes(text)) == ["ZT201", "ZT202", "ZT304", "ZT501", "ZT503"]


def test_a_ring_names_all_its_links() -> None:
    text = """
        device a: streamer { in bind tcp://*:5; out connect b.in }
        device b: streamer { in bind tcp://*:6; out connect c.in }
        device c: streamer { in bind tcp://*:7; out connect a.in }
        device d: streamer { in connect c.out; out bind tcp://*:8 }
        device e: streamer { in bind tcp://*:9; out connect e.in }
        """
    rings = [d for d in found(text) if d.code == "ZT401"]
    assert sorted(sorted(places(d)) for d in rings) == [["a.in", "b.in", "c.in"], ["e.in"]]


def test_no_ring_no_networkx() -> None:
    import subprocess
    import sys

    script = (
        "import sys; from topo.compile import compile; from topo.diagnostic import counted; from topo.source import Source\n"
        "text = 'ztopo 1\\ndevice a: streamer { in bind tcp://*:5; out connect b.in }\\n"
        "device b: streamer { in bind tcp://*:6; out bind tcp://*:7 }\\napp c: PULL connect b.out\\n'\n"
        "assert not counted(compile(Source(text)).diagnostics); sys.exit('networkx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
