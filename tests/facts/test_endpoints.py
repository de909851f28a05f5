"""Endpoints that libzmq takes, refuses, or takes for something else.

What it makes of odd ones, and what is one place, is in `tests/test_zeromq_tables.py`: rules A1 to A10, A17, A20 to A22, A25.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from tests.facts.sockets import Open, Socket, event, linked, refusal
from tests.ports import kept_port


def watched(watching: Open, subject: Socket) -> Socket:
    """What happens to a socket."""
    monitor = watching("PAIR")
    name = f"inproc://watch-{id(subject)}"
    subject.monitor(name, zmq.EVENT_ALL)
    monitor.connect(name)
    return monitor


def port_of(bound: Socket) -> int:
    return int(bound.last_endpoint.rpartition(b":")[2])


@pytest.mark.parametrize(("host", "number"), [("192.0.2.1", errno.EADDRNOTAVAIL), ("nobody.invalid", errno.ENODEV)])
def test_only_addresses_of_this_host_can_be_bound(host: str, number: int, make: Open) -> None:
    """A11, ZT602."""
    assert refusal(lambda: make("PULL").bind(f"tcp://{host}:*")) == number


@pytest.mark.parametrize("host", ["lo", "nobody.invalid", "1.2.3.256", "127.0.0.1.1"])
def test_a_host_that_is_none_is_tried_again_and_again(host: str, make: Open) -> None:
    """A12, A13, ZT312, ZT316, ZT607: libzmq says nothing; an address of the same port connects."""
    server, client, other = make("PULL"), make("PUSH", reconnect_ivl=1), make("PUSH")
    server.bind("tcp://127.0.0.1:*")
    events = watched(make, client)
    client.connect(f"tcp://{host}:{port_of(server)}")
    assert event(events, "CONNECTED", "CONNECT_RETRIED") == "CONNECT_RETRIED"
    assert event(events, "CONNECTED", "CONNECT_RETRIED") == "CONNECT_RETRIED"
    events = watched(make, other)
    other.connect(f"tcp://127.0.0.1:{port_of(server)}")
    assert event(events, "CONNECTED", "CONNECT_RETRIED") == "CONNECTED"


@pytest.mark.parametrize("host", ["127.1", "0177.0.0.1", "2130706433", "127.0.0.01"])
def test_an_address_in_numbers_is_completed(host: str, make: Open) -> None:
    """ZT316: all of them are 127.0.0.1."""
    server, client = make("PULL"), make("PUSH")
    server.bind(f"tcp://{host}:*")
    assert server.last_endpoint.startswith(b"tcp://127.0.0.1:")
    client.connect(f"tcp://{host}:{port_of(server)}")
    client.send(b"here")
    assert server.recv() == b"here"


def test_low_ports_are_not_for_everybody() -> None:
    """A14, ZT603: asked by somebody who is not root."""
    script = (
        "import os, zmq\n"
        "first = int(open('/proc/sys/net/ipv4/ip_unprivileged_port_start').read())\n"
        "context = zmq.Context()\n"
        "def number(port):\n"
        "    try: context.socket(zmq.PULL).bind(f'tcp://127.0.0.1:{port}')\n"
        "    except zmq.ZMQError as error: return error.errno\n"
        "    return 0\n"
        "number('*')  # all that Python needs for this is read while it may be\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "print(first, number(first - 1) if first > 1 else 'none', number('*'), flush=True)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    first, low, free = done.stdout.split()
    assert (low, free) == ("none" if int(first) <= 1 else str(errno.EACCES), "0")


def test_a_port_that_the_system_chooses_is_another_each_time(make: Open) -> None:
    """A15, ZT309, ZT313: only whoever binds is told which."""
    first, second = make("PULL"), make("PULL")
    first.bind("tcp://127.0.0.1:*")
    second.bind("tcp://127.0.0.1:*")
    assert port_of(first) != port_of(second)
    assert 0 not in (port_of(first), port_of(second))


def test_a_connect_may_reach_itself(make: Open) -> None:
    """A16, ZT608: nobody listens, and it shakes hands. The port of its own, which the system would choose one day, is chosen here."""
    client = make("DEALER")
    events = watched(make, client)
    with kept_port() as port:
        client.connect(f"tcp://127.0.0.1:{port};127.0.0.1:{port}")
        assert event(events, "HANDSHAKE_SUCCEEDED", "CONNECT_RETRIED", "DISCONNECTED") == "HANDSHAKE_SUCCEEDED"
        client.send(b"to myself")
        assert client.recv() == b"to myself"


def test_who_is_connected_from_a_port_keeps_others_from_binding_it(make: Open) -> None:
    """A16, ZT608."""
    with socket.socket() as outgoing:
        outgoing.bind(("127.0.0.1", 0))  # as the system does it for who connects
        port = outgoing.getsockname()[1]
        outgoing.connect(("127.0.0.1", port))
        assert refusal(lambda: make("PULL").bind(f"tcp://127.0.0.1:{port}")) == errno.EADDRINUSE


def test_the_file_of_an_ipc_endpoint_needs_a_folder(make: Open, tmp_path: Path) -> None:
    """A18, ZT604, and ZT605 for a folder that lies at the path itself."""
    assert refusal(lambda: make("PULL").bind(f"ipc://{tmp_path}/none/x")) == errno.ENOENT
    (tmp_path / "file").write_text("")
    assert refusal(lambda: make("PULL").bind(f"ipc://{tmp_path}/file/x")) == errno.ENOTDIR
    assert refusal(lambda: make("PULL").bind(f"ipc://{tmp_path}")) != 0
    assert refusal(lambda: make("PULL").bind(f"ipc://{tmp_path}/")) != 0


def test_a_file_that_is_no_socket_is_lost(make: Open, tmp_path: Path) -> None:
    """ZT605."""
    (tmp_path / "notes").write_text("not to be lost")
    make("PULL").bind(f"ipc://{tmp_path}/notes")
    assert (tmp_path / "notes").is_socket()


def test_a_relative_path_is_one_of_the_process(make: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A19: which is why it is made absolute."""
    monkeypatch.chdir(tmp_path)
    make("PULL").bind("ipc://jobs")
    assert (tmp_path / "jobs").is_socket()


def test_no_shell_reads_an_endpoint(make: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZT318: `~` and `$HOME` are names."""
    monkeypatch.chdir(tmp_path)
    assert refusal(lambda: make("PULL").bind("ipc://~/jobs")) == errno.ENOENT
    make("PULL").bind("ipc://$HOME")
    assert [os.fspath(p.name) for p in tmp_path.iterdir()] == ["$HOME"]


def test_an_inproc_name_that_is_too_long_cannot_be_asked_for(make: Open) -> None:
    """A23, ZT314: up to 256 bytes are documented. It is bound all the same."""
    bound, client = make("PULL"), make("PUSH")
    bound.bind(f"inproc://{'x' * 300}")
    assert refusal(lambda: bound.getsockopt(zmq.LAST_ENDPOINT)) == errno.EINVAL
    client.connect(f"inproc://{'x' * 300}")
    client.send(b"here")
    assert bound.recv() == b"here"


def test_inproc_ends_at_its_context(make: Open) -> None:
    """A24, ZT303: a connect from another one succeeds, and what it sends never comes."""
    here, marker = make("PULL"), make("PUSH")
    here.bind("inproc://jobs")
    with zmq.Context() as elsewhere, elsewhere.socket(zmq.PUSH) as stranger:
        stranger.linger = 0
        stranger.connect("inproc://jobs")
        stranger.send(b"from elsewhere")
        marker.connect("inproc://jobs")
        marker.send(b"from here")
        assert here.recv() == b"from here"


def test_nothing_is_told_of_inproc(make: Open) -> None:
    """A26: the first event of a socket that serves inproc comes from tcp."""
    server, client = make("PULL"), make("PUSH")
    events = watched(make, server)
    linked(server, client, "inproc://quiet")
    client.send(b"here")
    assert server.recv() == b"here"
    server.bind("tcp://127.0.0.1:*")
    assert event(events, *(e.name for e in zmq.Event)) == "LISTENING"
