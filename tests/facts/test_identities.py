"""How a ROUTER knows its peers."""

from __future__ import annotations

import signal

import pytest
import zmq

from tests.facts.sockets import Open, event, in_a_child, linked, silent_peer
from topo.zeromq.options import OPTIONS
from topo.zeromq.sockets import PEERS, SOCKETS

TWO_PEERS = """
north, south, hub = (c.socket(zmq.ROUTER) for _ in range(3))
for socket in (north, south, hub):
    socket.linger = 0
    socket.bind("tcp://127.0.0.1:*")
    socket.rcvtimeo = 30_000
hub.router_mandatory = 1
hub.connect_routing_id = b"north"
"""


def test_a_name_for_the_next_connect_counts_for_one() -> None:
    """ZT518: the first gets it; both are there, and only one has the name."""
    script = TWO_PEERS + (
        "for peer in (north, south): hub.connect(peer.last_endpoint)\n"
        "for _ in range(2): hub.send_multipart([b'north', b'x'])\n"
        "assert [north.recv_multipart()[1:] for _ in range(2)] == [[b'x'], [b'x']]\n"
        "c.destroy(0)"
    )
    assert in_a_child(script) == 0


def test_a_name_that_a_peer_has_already_ends_the_process() -> None:
    """ZT519."""
    script = TWO_PEERS + (
        "other = c.socket(zmq.DEALER); other.routing_id = b'north'; other.connect(hub.last_endpoint)\n"
        "other.send(b'hello'); hub.recv_multipart()\n"
        "hub.connect(north.last_endpoint)"
    )
    assert in_a_child(script) == -signal.SIGABRT


def test_a_peer_that_comes_later_with_that_name_is_not_heard(make: Open) -> None:
    """ZT519: what it says does not come; what another says after it does."""
    north, hub, same, other = make("ROUTER"), make("ROUTER"), make("DEALER", routing_id=b"north"), make("DEALER")
    north.bind("tcp://127.0.0.1:*")
    hub.connect_routing_id = b"north"
    hub.connect(north.last_endpoint)
    monitor = same.get_monitor_socket()
    linked(hub, same)
    event(monitor, "HANDSHAKE_SUCCEEDED")
    for _ in range(3):
        same.send(b"not heard")
    other.connect(hub.last_endpoint)
    other.send(b"heard")
    assert hub.recv_multipart()[1] == b"heard"


@pytest.mark.parametrize("kind", ["REQ", "DEALER", "ROUTER"])
def test_an_id_that_begins_with_a_zero_byte_is_taken(kind: str, make: Open) -> None:
    """ZT517: libzmq does not look."""
    hub, peer = make("ROUTER", router_mandatory=1), make(kind, routing_id=b"\0\0\0\0\1", probe_router=1)
    linked(hub, peer)
    assert hub.recv_multipart()[0] == b"\0\0\0\0\1"


def test_an_id_that_is_made_up_begins_with_a_zero_byte(make: Open) -> None:
    """ZT517: so the two may be the same."""
    hub, peer = make("ROUTER"), make("DEALER")
    linked(hub, peer)
    peer.send(b"hello")
    name, _ = hub.recv_multipart()
    assert name[0] == 0
    assert len(name) == 5
    assert peer.get(zmq.ROUTING_ID) == b""


def test_a_second_peer_with_an_id_is_connected_and_not_heard(make: Open) -> None:
    """ZT212: what it says does not come; what another says after it does."""
    hub, first, second, other = make("ROUTER"), make("DEALER", routing_id=b"x"), make("DEALER", routing_id=b"x"), make("DEALER")
    linked(hub, first)
    first.send(b"first")
    assert hub.recv_multipart() == [b"x", b"first"]
    monitor = second.get_monitor_socket()
    second.connect(hub.last_endpoint)
    event(monitor, "HANDSHAKE_SUCCEEDED")
    for _ in range(3):
        second.send(b"not heard")
    other.connect(hub.last_endpoint)
    other.send(b"heard")
    assert hub.recv_multipart()[1] == b"heard"


def test_with_handover_the_second_throws_the_first_out(make: Open) -> None:
    """ZT212: what is sent to the id goes to the one that came last."""
    hub, first, second = make("ROUTER", router_handover=1), make("DEALER", routing_id=b"x"), make("DEALER", routing_id=b"x")
    linked(hub, first)
    first.send(b"first")
    assert hub.recv_multipart() == [b"x", b"first"]
    second.connect(hub.last_endpoint)
    second.send(b"second")
    assert hub.recv_multipart() == [b"x", b"second"]
    hub.send_multipart([b"x", b"for the last"])
    assert second.recv() == b"for the last"


@pytest.mark.parametrize("kind", [t for t in SOCKETS if not SOCKETS[t].draft and t != "STREAM"])
def test_only_some_types_tell_their_routing_id(kind: str, make: Open) -> None:
    """ZT504: the others take it, and say nothing of it in the handshake."""
    socket = make(kind, routing_id=b"the name of it")
    socket.bind("tcp://127.0.0.1:*")
    peer = next(iter(PEERS[kind]))
    with silent_peer(socket, peer) as other:
        received = b""
        while len(received) < 66 or len(received) < 66 + received[65]:  # the greeting, and a command with its length in front
            more = other.recv(1000)
            assert more
            received += more
    assert (b"the name of it" in received) == (kind in (OPTIONS["routing_id"].types or ()))
