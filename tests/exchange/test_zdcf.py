"""ZDCF: what can be said in both goes there and back; of everything else it is said where it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import topologies
from topo import Topology
from topo.compile import Compilation, compile
from topo.exchange import export_zdcf, import_zdcf
from topo.exchange._zpl import is_writable, read_zpl, write_zpl
from topo.graph import Graph
from topo.render import Style, findings_concise
from topo.source import Source
from topo.syntax.json_text import Json
from topo.zeromq.libzmq import Libzmq

HERE = Path(__file__).parent
Golden = Callable[[Path, str], None]


def imported(text: str, name: str = "x.zdcf") -> tuple[str | None, list[str]]:
    found, said = import_zdcf.read(Source(text, name, Path("/srv") / name))
    return found, [str(d) for d in said]


def read(text: str) -> Compilation:
    return compile(Source(text, "x.ztopo", Path("/srv/x.ztopo")), libzmq=Libzmq(), fragment=True)


@pytest.mark.parametrize("name", ["listener.json", "listener.zpl"])
def test_a_file_becomes_a_text_and_what_is_left_of_it_is_said(name: str, golden: Golden) -> None:
    text, said = import_zdcf.read(Source((HERE / name).read_text(), name, Path("/srv") / name))
    assert text is not None
    golden(HERE / f"{name}.out", f"{text}\n{findings_concise.render(said, Style())}")
    assert not [d for d in read(text).diagnostics if d.severity == "error"]


def test_both_forms_say_the_same() -> None:
    from_json, from_zpl = ((HERE / f"listener.{form}").read_text() for form in ("json", "zpl"))
    assert imported(from_json)[0] == imported(from_zpl)[0]


WRONG = {
    "<zdcf/>": "1:1: error[ZT050]: this is no property: a name stands here, then perhaps `=` and a value",
    "version = 1.0\n  apps": "2:1: error[ZT050]: each level of properties is four blanks to the right of the one above",
    "version = 1.0\n        apps": "2:1: error[ZT050]: each level of properties is four blanks to the right of the one above",
    "version = 1.0\nversion\n    a = 1": "2:1: error[ZT050]: `version` stands here twice, and is more than a value",
    '{"version": 1.0': "1:16: error[ZT020]: expected `,` or `}`, and the text ends",
    "[]": "1:1: error[ZT050]: a ZDCF file is an object with properties",
    "apps\n    a": "1:1: error[ZT050]: the file does not say which version of ZDCF it is written in",
    "version = 2.0": "1:11: error[ZT050]: version 2 of ZDCF is not known here",
    "version = new": "1:11: error[ZT050]: this is no version of ZDCF",
    '{"version": 1e400}': "1:13: error[ZT050]: this is no version of ZDCF",
    '{"version": true}': "1:13: error[ZT050]: this is no version of ZDCF",
    "version = 1.0\napps = 3": "2:8: error[ZT050]: `apps` is an object with properties",
    "version = 1.0\napps\n    a\n        context\n            iothreads = many": "5:25: error[ZT050]: `iothreads` is a whole number",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_zdcf_is_refused_at_its_place(text: str) -> None:
    found, said = imported(text)
    assert found is None
    assert said == [f"x.zdcf:{WRONG[text]}"]


SOCKET = '{"version": 1, "apps": {"a": {"devices": {"d": {"sockets": {"s": %s}}}}}}'


@pytest.mark.parametrize(
    ("socket", "said"),
    [
        ("{}", ["this socket has no type"]),
        ('{"type": "sub", "bind": 3}', ["`bind` is a text"]),
        ('{"type": "psub"}', ["there is no socket type `psub`"]),
        ('{"type": "sub", "option": {"hwm": -1}}', ["`hwm` is a whole number"]),
        (
            '{"type": "sub", "option": {"hwm": 1e30, "mcast_loop": "maybe"}}',
            ["`hwm` is a whole number", "`mcast_loop` is true or false"],
        ),
        ('{"type": "sub", "option": {"identity": ["a"]}}', ["`identity` is a text"]),
    ],
)
def test_all_mistakes_are_said(socket: str, said: list[str]) -> None:
    found, lines = imported(SOCKET % socket)
    assert found is None
    assert [line.partition(": error[ZT050]: ")[2] for line in lines] == said


def test_a_wrong_socket_of_a_device_is_said_and_nothing_else() -> None:
    sockets = '{"frontend": {"type": "ruoter"}, "backend": {}}'
    devices = f'{{"d": {{"type": "zmq_queue", "sockets": {sockets}}}}}'
    found, said = imported(f'{{"version": 1, "apps": {{"a": {{"devices": {devices}}}}}}}')
    assert found is None
    assert [line.partition(": ")[2] for line in said if "error" in line] == ["error[ZT050]: there is no socket type `ruoter`"]


def test_nothing_is_the_empty_topology() -> None:
    assert imported("{}") == imported("") == ("ztopo 1\n", [])


@pytest.mark.parametrize("text", ["tcp://h:1", "with blank", "a#b", "'", '"', "=x", " x ", "", "é", "1"])
def test_zpl_gives_back_what_it_was_given(text: str) -> None:
    assert is_writable(text)
    value, said = read_zpl(Source(write_zpl({"a": {"b": text, "c": [text, text]}})))
    assert not said
    assert value is not None
    assert plain(value) == {"a": {"b": text, "c": [text, text]}}


def test_what_zpl_cannot_write_is_known() -> None:
    assert not any(map(is_writable, ["a\nb", "'\"", "\x00", "\udcff"]))


def plain(value: Json) -> Any:
    match value.value:
        case dict() as members:
            return {key: plain(member.json) for key, member in members.items()}
        case list() as items:
            return [plain(item) for item in items]
        case other:
            return other


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    imported(text)
    imported(f"version = 1.0\napps\n    {text}")


# There and back

OPTIONS = [
    "hwm 10", "affinity 1", "rate 100", "recovery_ivl 10s", "multicast_loop true", "sndbuf 64KiB", "rcvbuf 1000B", 'routing_id "it\'s"',
]  # fmt: skip


@st.composite
def sayable(draw: st.DrawFn) -> str:
    """Texts that say nothing but what ZDCF can say."""
    port = iter(range(6000, 7000))
    lines = ["ztopo 1"]
    known: list[str] = []

    def options(*more: str) -> str:
        found = [*more, *draw(st.lists(st.sampled_from(OPTIONS), max_size=2, unique=True))]
        return f" {{ {'; '.join(found)} }}" if found else ""

    def bound(name: str) -> str:
        return f"bind tcp://127.0.0.1:{next(port)}" + draw(
            st.sampled_from(["", f", ipc:///tmp/{name}", f', "ipc:///tmp/{name} x"'])
        )

    def device(name: str, run: str = "") -> str:
        kind, ins, outs = draw(
            st.sampled_from([("queue", "ROUTER", "DEALER"), ("forwarder", "XSUB", "XPUB"), ("streamer", "PULL", "PUSH")])
        )
        far = draw(st.sampled_from(["tcp://10.0.0.1:5555", *known]))
        out = draw(st.sampled_from([bound(name), f"connect {far}", f"{bound(name)} connect {far}"]))
        return f"device {name}: {kind} {{ {run}\nin {ins} {bound(name + 'in')}{options()}\nout {outs} {out}{options()} }}"

    for number in range(draw(st.integers(0, 2))):
        lines.append(device(f"alone{number}", "run process"))
        known.append(f"alone{number}.in.tcp")
    for number in range(draw(st.integers(0, 2))):
        inside = "\n".join(device(f"d{number}{n}") for n in range(draw(st.integers(1, 2))))
        lines.append(f"process group{number} {{ context {{ io_threads 3 }}\n{inside} }}")
        known.append(f"d{number}0.in.ipc" if f"/d{number}0in" in inside else f"d{number}0.in")
    for number in range(draw(st.integers(0, 3))):
        sockets = "\n".join(
            f"socket s{n}: {draw(st.sampled_from(['REQ', 'DEALER', 'PUSH', 'PAIR']))} connect "
            f"{draw(st.sampled_from(['tcp://10.0.0.1:5555', *known]))}{options()}"
            for n in range(draw(st.integers(0, 2)))
        )
        part = device("part") if draw(st.booleans()) else ""
        topics = options('subscribe "a b", ""', 'subscribe "c#"')
        lines.append(f"app a{number} {{\n{part}\n{sockets}\nsocket t: SUB {bound('t')}{topics} }}")
    return "\n".join(lines) + "\n"


def sockets_and_links(graph: Graph) -> Any:
    """Everything about the sockets of a topology but whose they are, and which of them are linked over which endpoints."""

    def shown(id: str) -> Any:
        socket = graph.sockets[id]
        options = [(o.name, [(v.kind if v.kind == "text" else "", v.value) for v in o.values]) for o in _one_each(socket.options)]
        return (socket.type, socket.role, [b.endpoint.text for b in socket.binds], options)

    links = [(shown(link.a.id), shown(link.b.id), link.endpoint) for link in graph.links]
    return sorted(map(repr, map(shown, graph.sockets))), sorted(map(repr, links))


def _one_each(options: Any) -> list[Any]:
    """Options in the order of their names; what adds up is added up."""
    found: dict[str, Any] = {}
    for option in options:
        before = found.get(option.name)
        adds = before is not None and option.name == "subscribe"
        found[option.name] = type(option)(option.name, (*before.values, *option.values), option.span) if adds else option
    return [found[name] for name in sorted(found)]


@given(sayable(), st.sampled_from(export_zdcf.FORMATS))
@settings(max_examples=100, deadline=None)
def test_there_and_back(text: str, format: str) -> None:
    compilation = read(text)
    assert not [d for d in compilation.diagnostics if d.code < "ZT2"], (text, compilation.diagnostics)
    written, left = export_zdcf.write(compilation.graph, format)
    assert not [d for d in left if d.severity != "info"]
    back, said = imported(written)
    assert back is not None, said
    again = read(back)
    assert sockets_and_links(again.graph) == sockets_and_links(compilation.graph), f"{text}\n{written}\n{back}"
    assert [p.context.io_threads for p in again.model.processes] == [p.context.io_threads for p in compilation.model.processes]
    assert export_zdcf.write(again.graph, format)[0] == written


@given(topologies(), st.sampled_from(export_zdcf.FORMATS))
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_can_be_read(topology: Topology, format: str) -> None:
    written, _ = export_zdcf.write(topology.compile().graph, format)
    back, said = imported(written)
    assert back is not None, said


REFUSED = r"""ztopo 1
topology everything
## A doc comment.
device mux: queue swap {
    restart always
    in  ROUTER bind tcp://127.0.0.1:5560 { linger 0; sndhwm 5 }
    out ROUTER bind tcp://127.0.0.1:* { hwm 7; recovery_ivl 1500ms; routing_id * }
    monitor PUB bind ipc:///tmp/m
}
device same: proxy { in DEALER bind tcp://127.0.0.1:5561; out same }
device pass: proxy { run process; in PULL bind tcp://127.0.0.1:5562 { rcvhwm 9 }; out PUSH bind tcp://127.0.0.1:5563 }
app server[2] { run "python server.py"; context { io_threads 1; max_sockets 9 }; socket x: DEALER as REQ connect mux.out, mux.in }
app any[*]: SUB connect tcp://10.0.0.1:5555 { subscribe "\xff" }
app inside { run inside; socket raw: STREAM bind tcp://127.0.0.1:5564; socket sub: XSUB connect tcp://10.0.0.1:5566 }
"""


def test_what_zdcf_cannot_say_is_said_at_its_place(golden: Golden) -> None:
    written, left = export_zdcf.write(read(REFUSED).graph, "json")
    golden(HERE / "left.out", f"{REFUSED}\n{written}\n{findings_concise.render(left, Style())}")
    assert json.loads(written)["apps"]["server-0"]["devices"]["main"]["sockets"]["x"] == {
        "type": "dealer",
        "connect": "tcp://127.0.0.1:5560",
    }
