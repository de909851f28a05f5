"""Options that act at once: on a socket that is bound and connected already, each by what is then otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from tests.facts.sockets import Open, Socket, linked, refusal
from topo.zeromq.options import OPTIONS


def taken(sender: Socket, most: int = 20) -> int:
    """How many messages a socket takes until it takes no more."""
    return next((n for n in range(most) if refusal(lambda: sender.send(b"x", zmq.DONTWAIT))), most)


def sndhwm(make: Open, folder: Path) -> None:
    """Of a connection that waits for its peer. One that is full takes more only when something of it has been read."""
    sender = make("PUSH", sndhwm=2)
    sender.connect(f"ipc://{folder}/nobody")
    sender.sndhwm = 5
    assert taken(sender) == 5
    sender.sndhwm = 9
    assert taken(sender) == 0


def rcvhwm(make: Open, folder: Path) -> None:
    """Of a connection over inproc, where it adds to that of the sender."""
    sender, receiver = make("PUSH", sndhwm=1), make("PULL", rcvhwm=1)
    linked(receiver, sender, "inproc://room")
    receiver.poll(0)  # it hears of the connection
    receiver.rcvhwm = 5
    sender.poll(0)  # it hears of the room
    assert taken(sender) == 6


def linger(make: Open, folder: Path) -> None:
    """What is set last counts when the socket is closed: the end of its context does not wait."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as sender:
        sender.linger = -1
        sender.connect(f"ipc://{folder}/nobody")
        sender.send(b"x")
        sender.linger = 0


def subscribe(make: Open, folder: Path) -> None:
    """A publisher hears of it."""
    publisher, subscriber = make("XPUB"), make("SUB")
    linked(publisher, subscriber)
    subscriber.subscribe(b"a")
    assert publisher.recv() == b"\1a"


def unsubscribe(make: Open, folder: Path) -> None:
    """A publisher hears of it."""
    publisher, subscriber = make("XPUB"), make("SUB")
    subscriber.subscribe(b"a")
    linked(publisher, subscriber)
    assert publisher.recv() == b"\1a"
    subscriber.unsubscribe(b"a")
    assert publisher.recv() == b"\0a"


def xpub_verbose(make: Open, folder: Path) -> None:
    """A second subscription alike is told from then on."""
    publisher, *subscribers = make("XPUB"), make("SUB"), make("SUB")
    publisher.bind("tcp://127.0.0.1:*")
    for subscriber in subscribers:
        subscriber.connect(publisher.last_endpoint)
        subscriber.subscribe(b"a")
        assert publisher.recv() == b"\1a"
        publisher.set(zmq.XPUB_VERBOSE, 1)


def xpub_verboser(make: Open, folder: Path) -> None:
    """As is the first of two that end."""
    publisher, *subscribers = make("XPUB", xpub_verbose=1), make("SUB"), make("SUB")
    publisher.bind("tcp://127.0.0.1:*")
    for subscriber in subscribers:
        subscriber.connect(publisher.last_endpoint)
        subscriber.subscribe(b"a")
        assert publisher.recv() == b"\1a"
    publisher.set(zmq.XPUB_VERBOSER, 1)
    subscribers[0].unsubscribe(b"a")
    assert publisher.recv() == b"\0a"


def router_mandatory(make: Open, folder: Path) -> None:
    """Whom it cannot reach is an error from then on."""
    router = make("ROUTER")
    router.bind("tcp://127.0.0.1:*")
    router.send_multipart([b"nobody", b"x"])
    router.router_mandatory = 1
    assert refusal(lambda: router.send_multipart([b"nobody", b"x"])) == zmq.EHOSTUNREACH


def router_handover(make: Open, folder: Path) -> None:
    """Who comes by a name that is taken takes it over."""
    router, first, second = make("ROUTER"), make("DEALER", routing_id=b"me"), make("DEALER", routing_id=b"me")
    linked(router, first)
    first.send(b"first")
    assert router.recv_multipart() == [b"me", b"first"]
    router.router_handover = 1
    second.connect(router.last_endpoint)
    second.send(b"second")
    assert router.recv_multipart() == [b"me", b"second"]


def probe_router(make: Open, folder: Path) -> None:
    """Whoever comes to what is bound is greeted, though it was bound before."""
    router, dealer = make("ROUTER"), make("DEALER")
    router.bind("tcp://127.0.0.1:*")
    router.probe_router = 1
    dealer.connect(router.last_endpoint)
    while not dealer.poll(1):
        router.poll(0)
    assert dealer.recv() == b""


def req_relaxed(make: Open, folder: Path) -> None:
    """It asks again though it has no answer."""
    asking, answering = make("REQ"), make("ROUTER")
    linked(answering, asking)
    asking.send(b"question")
    assert refusal(lambda: asking.send(b"again")) == zmq.EFSM
    asking.req_relaxed = 1
    asking.send(b"again")


def req_correlate(make: Open, folder: Path) -> None:
    """Its next question has a number."""
    asking, answering = make("REQ"), make("ROUTER")
    linked(answering, asking)
    asking.req_correlate = 1
    asking.send(b"question")
    assert len(answering.recv_multipart()) == 4


PROOFS: dict[str, Callable[[Open, Path], None]] = {
    proof.__name__: proof
    for proof in (
        *(sndhwm, rcvhwm, linger, subscribe, unsubscribe, xpub_verbose, xpub_verboser),
        *(router_mandatory, router_handover, probe_router, req_relaxed, req_correlate),
    )
}


def test_each_of_them_is_proved() -> None:
    assert PROOFS.keys() == {row.name for row in OPTIONS.values() if row.live}


@pytest.mark.parametrize("name", PROOFS)
def test_it_acts_at_once(name: str, make: Open, tmp_path: Path) -> None:
    PROOFS[name](make, tmp_path)
