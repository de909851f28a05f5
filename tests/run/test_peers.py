"""Peers as the kernel counts them, held against what libzmq's own socket monitors say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from socket import AF_INET, AF_UNIX, AddressFamily
from socket import socket as kernel_socket
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from tests.processes import PATIENCE
from topo.run.peers import Network, count_peers, place_of
from topo.run.snapshot import DeviceSnapshot, SocketSnapshot
from topo.zeromq.transports import parse

Socket = zmq.Socket[bytes]


class Watched:
    """A socket that has bound something, and the count that its socket monitor leads to."""

    def __init__(self, context: zmq.Context[Socket], endpoint: str, **options: int) -> None:
        self.socket = context.socket(zmq.PULL)
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self.monitor: Socket = self.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        self.socket.bind(endpoint)
        self.address = self.socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
        self.peers = 0

    def wait_for(self, peers: int) -> None:
        """Wait until the monitor has told of so many."""
        while self.peers != peers:
            assert self.monitor.poll(PATIENCE * 1000), f"{self.peers} peers, not {peers}"
            event = recv_monitor_message(self.monitor)["event"]
            self.peers += 1 if event == zmq.EVENT_HANDSHAKE_SUCCEEDED else -1


class Rig:
    """A context, and all that was made of it."""

    def __init__(self) -> None:
        self.context: zmq.Context[Socket] = zmq.Context()
        self.context.set(zmq.MAX_SOCKETS, 3000)
        self._made: list[Socket] = []

    def watched(self, endpoint: str, **options: int) -> Watched:
        watched = Watched(self.context, endpoint, **options)
        self._made += (watched.monitor, watched.socket)
        return watched

    def connect(self, address: str, **options: int) -> Socket:
        socket = self.context.socket(zmq.PUSH)
        self._made.append(socket)
        for name, value in options.items():
            socket.setsockopt(getattr(zmq, name), value)
        socket.connect(address.replace("0.0.0.0", "127.0.0.1"))
        return socket

    def close(self) -> None:
        for socket in self._made:
            socket.close(0)
        self.context.term()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


def device(name: str, *sockets: SocketSnapshot, pid: int | None = None) -> DeviceSnapshot:
    pid = os.getpid() if pid is None else pid
    return DeviceSnapshot(name, "queue", "thread host", "running", "t.ztopo:3", pid=pid or None, sockets=sockets)


def bound(id: str, *addresses: str) -> SocketSnapshot:
    return SocketSnapshot(id, "PULL", bound=addresses)


def connected(id: str, *addresses: str) -> SocketSnapshot:
    return SocketSnapshot(id, "PUSH", connected=addresses)


ENDPOINTS = ["tcp://127.0.0.1:*", "tcp://*:*", "ipc://{folder}/peers", "ipc://peers", "ipc://@ztopo-test-{pid}"]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_who_comes_and_goes_is_counted_as_the_monitor_counts(
    rig: Rig, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    watched = rig.watched(endpoint.format(folder=tmp_path, pid=os.getpid()))
    here = device("a", bound("a.in", watched.address))

    def check(peers: int) -> None:
        watched.wait_for(peers)
        assert count_peers([here]) == {"a.in": peers}

    check(0)
    clients = [rig.connect(watched.address) for _ in range(5)]
    check(5)
    for gone in clients[:3]:
        gone.close(0)
    check(2)
    clients += [rig.connect(watched.address) for _ in range(4)]
    check(6)


def test_ipv6_and_both_at_once(rig: Rig) -> None:
    watched = rig.watched("tcp://*:*", IPV6=1)
    port = watched.address.rpartition(":")[2]
    rig.connect(f"tcp://127.0.0.1:{port}")
    rig.connect(f"tcp://[::1]:{port}", IPV6=1)
    watched.wait_for(2)
    assert count_peers([device("a", bound("a.in", f"tcp://[::]:{port}"))]) == {"a.in": 2}


def test_a_thousand_peers_coming_and_going(rig: Rig, tmp_path: Path) -> None:
    watched = rig.watched(f"ipc://{tmp_path}/many", BACKLOG=1000)
    here = device("a", bound("a.in", watched.address))
    for _ in range(5):
        clients = [rig.connect(watched.address) for _ in range(200)]
        watched.wait_for(200)
        assert count_peers([here]) == {"a.in": 200}
        for client in clients:
            client.close(0)
        watched.wait_for(0)
        assert count_peers([here]) == {"a.in": 0}


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:*", "ipc://{folder}/peers"])
def test_who_connects_has_a_peer_once_somebody_is_there(rig: Rig, endpoint: str, tmp_path: Path) -> None:
    watched = rig.watched(endpoint.format(folder=tmp_path))
    address = watched.address
    nobody = f"ipc://{tmp_path}/nobody" if address.startswith("ipc") else "tcp://127.0.0.1:1"
    there = device("b", connected("b.out", address), connected("b.in", nobody))
    rig.connect(address)
    watched.wait_for(1)
    unknown = None if address.startswith("ipc") else 0  # a path that is not there cannot be anybody's
    assert count_peers([there]) == {"b.out": 1, "b.in": unknown}


def test_of_several_that_connect_to_one_address_all_or_none_are_there(rig: Rig) -> None:
    watched = rig.watched("tcp://127.0.0.1:*")
    both = [device(name, connected(f"{name}.out", watched.address)) for name in "bc"]
    assert count_peers(both) == {"b.out": 0, "c.out": 0}
    rig.connect(watched.address)
    watched.wait_for(1)
    assert count_peers(both) == {"b.out": None, "c.out": None}, "nobody knows which of the two it is"
    rig.connect(watched.address)
    watched.wait_for(2)
    assert count_peers(both) == {"b.out": 1, "c.out": 1}


def test_a_socket_that_binds_and_connects_has_both(rig: Rig) -> None:
    near, far = rig.watched("tcp://127.0.0.1:*"), rig.watched("tcp://127.0.0.1:*")
    for watched, count in ((near, 2), (far, 1)):
        for _ in range(count):
            rig.connect(watched.address)
        watched.wait_for(count)
    mixed = SocketSnapshot("a.in", "DEALER", bound=(near.address,), connected=(far.address,))
    assert count_peers([device("a", mixed)]) == {"a.in": 3}


def test_what_nobody_can_know_is_none(rig: Rig) -> None:
    watched = rig.watched("tcp://127.0.0.1:*")
    unknown = ("inproc://a", "pgm://eth0;239.0.0.1:5555", "ipc:///nowhere/at/all")
    for endpoint in unknown:
        assert count_peers([device("a", bound("a.in", watched.address, endpoint))]) == {"a.in": None}
    assert count_peers([device("a", connected("a.in", "tcp://some.example:5555"))]) == {"a.in": None}
    assert count_peers([device("a", bound("a.in", watched.address), pid=0)]) == {"a.in": None}, "its process is not known"
    assert count_peers([device("a", bound("a.in", watched.address), pid=2**22 + 1)]) == {"a.in": None}, "it has ended"


def test_the_tables_are_read_once_for_all(rig: Rig) -> None:
    watched = rig.watched("tcp://127.0.0.1:*")
    network = Network()
    here = device("a", bound("a.in", watched.address))
    assert count_peers([here], network) == {"a.in": 0}
    rig.connect(watched.address)
    watched.wait_for(1)
    assert count_peers([here], network) == {"a.in": 0}
    assert count_peers([here]) == {"a.in": 1}


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        ("tcp://127.0.0.1:5555", ("127.0.0.1", 5555)),
        ("tcp://localhost:5555", ("127.0.0.1", 5555)),
        ("tcp://127.1:5555", ("127.0.0.1", 5555)),
        ("tcp://[FE80::1%eth0]:5555", ("fe80::1", 5555)),
        ("tcp://192.0.2.1:0;192.0.2.2:5555", ("192.0.2.2", 5555)),
        ("tcp://some.example:5555", None),
        ("tcp://127.0.0.1:*", None),
        ("ipc://@name", b"name"),
        ("inproc://name", None),
    ],
)
def test_where_an_address_is(endpoint: str, place: Any) -> None:
    assert place_of(parse(endpoint)) == place


@pytest.mark.parametrize("family", [AF_INET, AF_UNIX])
def test_a_connection_is_held_until_this_end_is_closed_too(family: AddressFamily, tmp_path: Path) -> None:
    with kernel_socket(family) as listening, kernel_socket(family) as other:
        listening.bind(("127.0.0.1", 0) if family == AF_INET else str(tmp_path / "there"))
        listening.listen()
        endpoint = f"tcp://127.0.0.1:{listening.getsockname()[1]}" if family == AF_INET else f"ipc://{tmp_path}/there"
        address = parse(endpoint)
        assert Network().held(address) == frozenset()
        other.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            number = os.fstat(accepted.fileno()).st_ino
            assert Network().held(address) == {number}
            other.close()
            accepted.recv(1)  # hears that the other end has gone
            assert Network().held(address) == {number}
            assert Network().accepted(address) == 0
        assert Network().held(address) == frozenset()


def test_connections_to_any_host_are_held_at_their_port() -> None:
    with kernel_socket() as listening, kernel_socket() as other:
        listening.bind(("0.0.0.0", 0))
        listening.listen()
        other.connect(("127.0.0.1", listening.getsockname()[1]))
        accepted, _ = listening.accept()
        with accepted:
            found = Network().held(parse(f"tcp://*:{listening.getsockname()[1]}"))
            assert found == {os.fstat(accepted.fileno()).st_ino}


def test_where_nobody_knows_nothing_is_held() -> None:
    assert Network().held(parse("inproc://x")) is None
