"""What is said of hosts that there are not."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given

from tests.strategies import any_texts, right_texts
from topo.compile import Compilation, compile, judge_host
from topo.diagnostic import Diagnostic
from topo.host import Command, Endpoint, Holder, Host, Refused, wanted
from topo.source import Source
from topo.zeromq.libzmq import Libzmq


def compiled(text: str, **files: str) -> Compilation:
    def reader(path: Path, name: str) -> Source:
        return Source(files[path.stem], path.name, path)

    return compile(Source(text, "x.ztopo", Path("/srv/x.ztopo")), libzmq=Libzmq(), fragment=True, reader=reader)


def said(text: str, host: Host, **files: str) -> list[Diagnostic]:
    return list(judge_host(compiled(text, **files), host, Libzmq()))


def refusing(endpoint: str, number: int, holder: Holder | None = None) -> Host:
    return Host(refused={Endpoint(endpoint): Refused(number, holder)})


RUN = '{ run "python x.py" }'


@pytest.mark.parametrize(
    ("endpoint", "number", "code", "place", "label"),
    [
        ("tcp://*:5555", errno.EADDRINUSE, "ZT601", "tcp://*:5555", "somebody listens there"),
        ("ipc://@x", errno.EADDRINUSE, "ZT601", "ipc://@x", "somebody listens there"),
        ("tcp://192.0.2.1:5", errno.EADDRNOTAVAIL, "ZT602", "192.0.2.1", "this host has no such address"),
        ("tcp://eth7:5", errno.ENODEV, "ZT602", "eth7", "this host has no such address or interface of that name"),
        ("tcp://*:80", errno.EACCES, "ZT603", "80", "the system does not permit it"),
        ("ipc:///run/x/y", errno.ENOENT, "ZT604", "/run/x", "there is no such folder"),
        ("ipc:///run/x/y", errno.ENOTDIR, "ZT604", "/run/x", "this is not a folder"),
        ("ipc:///run/x/y", errno.EACCES, "ZT604", "/run/x", "this user may make no file there"),
        ("ipc:///run/x/y", errno.EROFS, "ZT604", "/run/x", "nothing can be written there"),
        ("ipc:///run/x", errno.EEXIST, "ZT605", "ipc:///run/x", "a file that is no socket is there"),
        ("ipc:///run/x", errno.EISDIR, "ZT605", "ipc:///run/x", "a folder is there"),
    ],
)
def test_each_refusal_has_a_finding(endpoint: str, number: int, code: str, place: str, label: str) -> None:
    (found,) = said(f"app a: PUSH bind {endpoint} {RUN}", refusing(endpoint, number))
    assert found.code == code
    assert found.severity == "error"
    assert found.span is not None
    assert (found.span.text, found.labels[0].text) == (place, label)


def test_who_has_an_address_is_said_as_far_as_it_is_known() -> None:
    text = f"app a: PUSH bind tcp://*:5555 {RUN}"
    (found,) = said(text, refusing("tcp://*:5555", errno.EADDRINUSE, Holder(4711, "python other.py", "root")))
    assert (found.labels[0].text, found.notes) == ("held by process 4711", ("process 4711 is python other.py",))
    (found,) = said(text, refusing("tcp://*:5555", errno.EADDRINUSE, Holder(4711, "python -P -m topo", "root", "beam")))
    assert (found.labels[0].text, found.notes) == ("held by topology `beam` (process 4711)", ())
    (found,) = said(text, refusing("tcp://*:5555", errno.EADDRINUSE, Holder(user="root")))
    assert (found.labels[0].text, found.notes) == ("held by a process of the user root", ())


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("device d: streamer { in bind tcp://*:5555; out bind tcp://*:6 }", True),
        (f"app a: PUSH bind tcp://*:5555 {RUN}", True),
        ("app a { run \"x\"; device d: streamer { in bind tcp://*:5555; out bind tcp://*:6 } }", True),
        ("app a: PUSH bind tcp://*:5555", False),
        ("app a { device d: streamer { in bind tcp://*:5555; out bind tcp://*:6 } }", False),
        ("app a[*]: PUSH bind tcp://*:${5555 + index}", False),
    ],
)  # fmt: skip
def test_what_somebody_else_starts_is_none_of_this_host(text: str, asked: bool) -> None:
    found = said(text, refusing("tcp://*:5555", errno.EADDRINUSE))
    assert [d.code for d in found] == (["ZT601"] if asked else [])


def test_what_is_true_of_many_replicas_is_said_once() -> None:
    text = f"app a[3]: PUSH bind tcp://*:${{5555 + index}} {RUN}"
    host = Host(
        refused={Endpoint(f"tcp://*:{5555 + n}"): Refused(errno.EADDRINUSE) for n in range(3)},
        missing={Command("/srv", "python"): errno.ENOENT},
    )
    assert [d.code for d in said(text, host)] == ["ZT601", "ZT610"]


def test_a_module_is_asked_for_where_it_is_written() -> None:
    module = f"ztopo 1\napp a: PUSH bind tcp://*:5555 {RUN}\n"
    host = Host(refused=refusing("tcp://*:5555", errno.EADDRINUSE).refused, missing={Command("/srv", "python"): errno.EACCES})
    found = said('use "m.ztopo" as m', host, m=module)
    assert [str(d).partition(": ")[0] for d in found] == ["m.ztopo:2:18", "m.ztopo:2:38"]


def test_what_is_wrong_already_is_not_judged() -> None:
    text = f"app a: PUSH bind tcp://*:5555 connect nobody {RUN}"
    assert [d.code for d in compiled(text).diagnostics] == ["ZT101"]
    assert said(text, refusing("tcp://*:5555", errno.EADDRINUSE)) == []


@pytest.mark.parametrize(
    ("port", "outgoing", "reserved", "found"),
    [
        (32767, (32768, 60999), (), 0),
        (32768, (32768, 60999), (), 1),
        (60999, (32768, 60999), (), 1),
        (61000, (32768, 60999), (), 0),
        (40000, (32768, 60999), (40000,), 0),
        (40000, (0, -1), (), 0),
    ],
)
def test_ports_for_outgoing_connections(port: int, outgoing: tuple[int, int], reserved: tuple[int, ...], found: int) -> None:
    text = f"app a: PUSH bind tcp://127.0.0.1:{port} {RUN}\napp b: PULL connect a"
    host = Host(outgoing=outgoing, reserved=frozenset(reserved))
    assert len(said(f"{text} {RUN}", host)) == found
    assert said(text, host) == []  # who connects from elsewhere has ports of its own


@given(right_texts())
def test_a_right_text_wants_what_it_says(text: str) -> None:
    compilation = compile(Source(text), libzmq=Libzmq())
    binds = {bind.endpoint.text for device in compilation.graph.model.devices for s in device.sockets for bind in s.binds}
    assert {endpoint.text for endpoint in wanted(compilation.graph).binds} == binds


@given(any_texts)
def test_any_text_can_be_asked_about(text: str) -> None:
    """Whatever a host answers."""
    compilation = compile(Source(text), libzmq=Libzmq(), fragment=True)
    asked = wanted(compilation.graph)
    host = Host(
        refused={endpoint: Refused(errno.EADDRINUSE) for endpoint in asked.binds},
        left=asked.binds,
        unknown=asked.names,
        missing=dict.fromkeys(asked.commands, errno.ENOENT),
        descriptors=0,
    )
    assert all(d.code.startswith("ZT6") or d.code == "ZT118" for d in judge_host(compilation, host, Libzmq()))
