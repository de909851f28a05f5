"""Looking at this host: real ports, real paths, real names."""

from __future__ import annotations

import errno
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.ports import kept_port
from topo.compile import compile, judge_host
from topo.host import Command, Endpoint, Host, Wanted, wanted
from topo.run import survey
from topo.source import Source
from topo.zeromq.libzmq import Libzmq


def look(*endpoints: Endpoint | str) -> Host:
    binds = frozenset(e if isinstance(e, Endpoint) else Endpoint(e) for e in endpoints)
    return survey.survey(Wanted(binds=binds))


def numbers(*endpoints: Endpoint | str) -> list[int]:
    """Why each is refused; 0 for one that is not."""
    host = look(*endpoints)
    wanted = [e if isinstance(e, Endpoint) else Endpoint(e) for e in endpoints]
    return [host.refused[e].errno if e in host.refused else 0 for e in wanted]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of the loopback address that somebody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def libzmq_says(endpoint: str, ipv6: bool = False) -> int:
    """The number with which libzmq refuses to bind, or 0."""
    with zmq.Context() as context, context.socket(zmq.PULL) as held:
        held.ipv6 = ipv6
        try:
            held.bind(endpoint)
        except zmq.ZMQError as error:
            return error.errno or -1
    return 0


# Ports


def test_a_port_that_somebody_has_is_said_with_its_holder(taken: int) -> None:
    host = look(f"tcp://127.0.0.1:{taken}", f"tcp://*:{taken}", f"tcp://127.0.0.2:{taken}")
    assert {e.text: r.errno for e, r in host.refused.items()} == {
        f"tcp://127.0.0.1:{taken}": errno.EADDRINUSE,
        f"tcp://*:{taken}": errno.EADDRINUSE,
    }
    assert {r.holder.pid for r in host.refused.values() if r.holder} == {os.getpid()}


IPV4 = ("*", "0.0.0.0", "127.0.0.1", "localhost", "lo", "127.1", "192.0.2.1", "nobody.invalid")
HOSTS = [*((host, ipv6) for host in IPV4 for ipv6 in (False, True)), ("[::1]", True), ("[::]", True), ("[2001:db8::1]", True)]


@pytest.mark.parametrize(("host", "ipv6"), HOSTS)
def test_the_answer_is_the_one_that_libzmq_would_get(host: str, ipv6: bool) -> None:
    """It is the same for an address that is free, one that is not of this host, and a name that nobody knows."""
    endpoint = f"tcp://{host}:*"
    found = survey.survey(Wanted(binds=frozenset({Endpoint(endpoint, ipv6)}), names=frozenset({"localhost", "nobody.invalid"})))
    refused = found.refused.get(Endpoint(endpoint, ipv6))
    assert (refused.errno if refused else 0) == libzmq_says(endpoint, ipv6)


def test_a_port_that_was_looked_at_is_free_again() -> None:
    with kept_port() as port:
        for _ in range(3):
            assert numbers(f"tcp://127.0.0.1:{port}", f"tcp://*:{port}") == [0, 0]
        assert libzmq_says(f"tcp://127.0.0.1:{port}") == 0


def test_ports_that_are_for_root() -> None:
    """Asked by somebody who is not root, in a process of its own."""
    script = (
        "import os\n"
        "from topo.host import *; from topo.run.survey import survey\n"
        "survey(Wanted(binds=frozenset({Endpoint('tcp://127.0.0.1:*')})))  # whatever that imports, root's Python has\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "first = int(open('/proc/sys/net/ipv4/ip_unprivileged_port_start').read())\n"
        "low, high = (Endpoint(f'tcp://127.0.0.1:{p}') for p in (max(1, first - 1), max(1024, first)))\n"
        "refused = survey(Wanted(binds=frozenset({low, high}))).refused\n"
        "print(refused[low].errno if low in refused else 0, first)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    number, first = map(int, done.stdout.split()) if done.stdout else pytest.fail(done.stderr)
    assert number == (errno.EACCES if first > 1 else 0)


# Paths


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("not to be lost")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    with socket.socket(socket.AF_UNIX) as held, socket.socket(socket.AF_UNIX) as abstract:
        held.bind(str(tmp_path / "held"))
        held.listen()
        abstract.bind(f"\0survey-{os.getpid()}")
        abstract.listen()
        names = ["free", "none/x", "notes/x", "notes", "folder", "held", "dead"]
        paths = [f"ipc://{tmp_path}/{name}" for name in names] + [f"ipc://@survey-{os.getpid()}", "ipc://@nobody", "ipc://*"]
        host = look(*paths)
    said = {e.text.rpartition("/")[2]: r.errno for e, r in host.refused.items()}
    assert numbers(f"ipc://{tmp_path}/notes/x") == [errno.ENOTDIR]
    assert said["notes"] == errno.EEXIST
    assert said["folder"] == errno.EISDIR
    assert said["held"] == errno.EADDRINUSE
    assert said[f"@survey-{os.getpid()}"] == errno.EADDRINUSE
    assert host.refused[Endpoint(f"ipc://{tmp_path}/none/x")].errno == errno.ENOENT
    assert len(host.refused) == 6
    assert [e.text for e in host.left] == [f"ipc://{tmp_path}/dead"]
    assert (tmp_path / "notes").read_text() == "not to be lost"
    assert (tmp_path / "dead").exists()
    assert not (tmp_path / "free").exists()


# Names


def test_names_are_looked_up_at_once_and_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """One name hangs; the others are known all the same."""
    hang = threading.Event()

    def address(name: str) -> str | None:
        if name == "hanging":
            hang.wait(60)
        return None if name == "unknown" else "127.0.0.1"

    monkeypatch.setattr(survey, "_address", address)
    try:
        host = survey.survey(Wanted(names=frozenset({"hanging", "known", "unknown"})), patience=1.0)
    finally:
        hang.set()
    assert host.unknown == {"unknown"}


def test_a_name_of_this_host_is_known() -> None:
    host = survey.survey(Wanted(names=frozenset({"localhost", "nobody.invalid"})))
    assert "localhost" not in host.unknown
    assert host.unknown <= {"nobody.invalid"}


# Commands


def test_commands(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "script").chmod(0o755)
    words = ["python", "sh", "no-such-command", "./plain", "./script", "./none", str(tmp_path), str(tmp_path / "script")]
    host = survey.survey(Wanted(commands=frozenset(Command(str(tmp_path), word) for word in words)))
    assert {c.word: n for c, n in host.missing.items()} == {
        "no-such-command": errno.ENOENT,
        "./plain": errno.EACCES,
        "./none": errno.ENOENT,
        str(tmp_path): errno.EISDIR,
    }


# The rest


def test_what_the_system_gives_to_those_who_connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ip_local_port_range").write_text("40000\t40100\n")
    (tmp_path / "ip_local_reserved_ports").write_text("40001,40010-40012\n")
    monkeypatch.setattr(survey, "PORTS", tmp_path)
    host = look()
    assert (host.outgoing, host.reserved) == ((40000, 40100), {40001, 40010, 40011, 40012})
    monkeypatch.setattr(survey, "PORTS", tmp_path / "none")
    assert look().outgoing == (0, -1)


def test_a_process_may_have_as_many_files_as_it_can_ask_for() -> None:
    assert look().descriptors in (resource.getrlimit(resource.RLIMIT_NOFILE)[1], sys.maxsize)


# What is asked


def test_only_what_runs_here_is_asked_about() -> None:
    text = """
        device d: streamer { in bind tcp://*:5001, inproc://x; out bind ipc://@d; monitor connect tcp://near.example:1 }
        app started: PULL bind tcp://*:5002 connect tcp://far.example:1 { ipv6 true; run "python x.py" }
        app outside: PULL bind tcp://*:5003 connect tcp://other.example:1
        app inside: PULL bind tcp://*:5004 connect tcp://from.example:1 { run inside }
        app host { run "./x"; device e: streamer { in bind tcp://eth0:5006; out connect tcp://10.0.0.1:1, tcp://lo:0;10.0.0.1:2 } }
        app strange { device f: streamer { in bind tcp://*:5007; out bind tcp://*:5008 } }
        """
    graph = compile(Source(text, path=Path("/srv/x.ztopo")), fragment=True).graph
    asked = wanted(graph)
    assert asked.binds == {
        Endpoint("tcp://*:5001"),
        Endpoint("inproc://x"),
        Endpoint("ipc://@d"),
        Endpoint("tcp://*:5002", ipv6=True),
        Endpoint("tcp://eth0:5006"),
    }
    assert asked.names == {"near.example", "far.example", "from.example", "eth0"}
    assert asked.commands == {Command("/srv", "python"), Command("/srv", "./x")}


def test_descriptors_are_counted_as_they_are_used() -> None:
    """Of real devices in a process of their own; a count that is too small would let a start fail."""
    script = (
        "import os, topo, zmq\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        "topology = topo.Topology('many')\n"
        "for n in range(30):\n"
        "    device = topology.streamer(f'd{n}', zmq.PULL, zmq.PUSH, zmq.PUB)\n"
        "    device.bind_in('tcp://127.0.0.1:*'); device.bind_mon('tcp://127.0.0.1:*')\n"
        "    device.connect_out(f'd{n + 1}.in') if n < 29 else device.bind_out('tcp://127.0.0.1:*')\n"
        "context = zmq.Context()\n"
        "with topology.up(context=context) as running, context.socket(zmq.PUSH) as push, context.socket(zmq.PULL) as pull:\n"
        "    push.connect(running.addresses['d0.in'][0])\n"
        "    pull.connect(running.addresses['d29.out'][0])\n"
        "    push.send(b'through all of them, so everybody is connected')\n"
        "    pull.recv()\n"
        "    print(len(os.listdir('/proc/self/fd')) - before)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    used = int(done.stdout)
    text = "".join(
        f"device d{n}: streamer {{ in bind tcp://127.0.0.1:*; out {f'connect d{n + 1}.in' if n < 29 else 'bind tcp://127.0.0.1:*'};"
        " monitor bind tcp://127.0.0.1:* }\n"
        for n in range(30)
    )
    compilation = compile(Source(text), libzmq=Libzmq(), fragment=True)

    def fits(descriptors: int) -> bool:
        return not judge_host(compilation, Host(descriptors=descriptors), Libzmq())

    needed = next(n for n in range(2000) if fits(n))
    assert used <= needed <= used + 30
