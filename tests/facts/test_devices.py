"""What goes through a device, and what ends one: in our core, in pyzmq's queue and in libzmq's own proxy."""

from __future__ import annotations

import errno
import threading

import pytest
import zmq
from zmq.devices import monitored_queue

from tests.facts.sockets import Open, Socket, linked, refusal
from topo.devcore import Proxy, ProxyError


def ended(*sockets: Socket) -> int:
    """The errno with which pyzmq's queue ends over these."""
    return refusal(lambda: monitored_queue(*sockets))


@pytest.mark.parametrize(("swap", "delivered"), [(False, 0), (True, 1)])
def test_from_router_to_router_a_message_gets_through_only_with_swap(swap: bool, delivered: int, make: Open) -> None:
    """ZT202: without it the first part is the sender, who is not on the other side."""
    inward, outward = make("ROUTER"), make("ROUTER", router_mandatory=1)
    caller, called = make("DEALER", routing_id=b"caller"), make("DEALER", routing_id=b"called", probe_router=1)
    linked(inward, caller)
    linked(outward, called)
    assert outward.recv_multipart() == [b"called", b""]
    caller.send_multipart([b"called", b"hello"])
    proxy = Proxy(inward, outward, swap=swap)
    proxy.drain(received=(1, 0))
    proxy.run()
    backend = proxy.statistics().backend
    assert (backend.sent.messages, backend.unroutable) == (delivered, 1 - delivered)
    if swap:
        assert called.recv_multipart() == [b"caller", b"hello"]


def test_swap_tears_what_goes_from_router_to_dealer(make: Open) -> None:
    """ZT203: the id that the answer needs is not in front any more."""
    inward, outward, client, worker = make("ROUTER"), make("DEALER"), make("DEALER", routing_id=b"client"), make("DEALER")
    linked(inward, client)
    linked(outward, worker)
    client.send(b"question")
    proxy = Proxy(inward, outward, swap=True)
    proxy.drain(received=(1, 0))
    proxy.run()
    assert worker.recv_multipart() == [b"question", b"client"]


def test_rep_and_req_end_libzmqs_proxy_at_the_second_message() -> None:
    """ZT204: it tries to receive again before it has been answered."""
    with zmq.Context() as context:
        client, worker = context.socket(zmq.DEALER), context.socket(zmq.REP)
        inward, outward = context.socket(zmq.REP), context.socket(zmq.REQ)
        for socket in (client, worker, inward, outward):
            socket.linger = 0
        linked(inward, client)
        linked(outward, worker)
        for _ in range(2):
            client.send_multipart([b"", b"question"])
        with client, worker, inward, outward:
            assert refusal(lambda: zmq.proxy(inward, outward)) == zmq.EFSM


def test_both_sides_that_only_receive_end_pyzmqs_queue(make: Open) -> None:
    """ZT205; our core leaves the message where it is."""
    inward, outward, source, monitor = make("PULL"), make("PULL"), make("PUSH"), make("PUB")
    linked(inward, source)
    outward.bind("tcp://127.0.0.1:*")
    source.send(b"first")
    source.send(b"second")
    assert ended(inward, outward, monitor) == errno.ENOTSUP
    proxy = Proxy(inward, outward)
    proxy.drain(quiet=0.0)
    proxy.run()
    assert proxy.statistics().frontend.received.messages == 0
    assert inward.recv() == b"second"


@pytest.mark.parametrize(("kind", "error"), [("SUB", errno.ENOTSUP), ("PULL", errno.ENOTSUP), ("REP", zmq.EFSM)])
def test_a_monitor_that_cannot_send_ends_pyzmqs_queue_and_our_core_refuses_it(kind: str, error: int, make: Open) -> None:
    """ZT206."""
    inward, outward, source, monitor = make("PULL"), make("PUSH"), make("PUSH"), make(kind)
    linked(inward, source)
    source.send(b"job")
    assert ended(inward, outward, monitor) == error
    with pytest.raises(ProxyError):
        Proxy(inward, outward, monitor)


def test_a_router_drops_copies_because_the_prefix_is_nobody(make: Open) -> None:
    """ZT206."""
    monitor = make("ROUTER", router_mandatory=1)
    reader = make("DEALER", probe_router=1)
    linked(monitor, reader)
    monitor.recv_multipart()
    assert refusal(lambda: monitor.send_multipart([b"in", b"job"])) == zmq.EHOSTUNREACH


def test_a_sub_gets_nothing_before_it_subscribes(make: Open) -> None:
    """ZT208."""
    publisher, subscriber = make("XPUB"), make("SUB")
    linked(publisher, subscriber)
    for _ in range(3):
        publisher.send(b"unseen")
    subscriber.subscribe(b"")
    assert publisher.recv() == b"\1"
    publisher.send(b"seen")
    assert subscriber.recv() == b"seen"


def test_an_xsub_opposite_a_pub_never_subscribes(make: Open) -> None:
    """ZT209: the publisher hears of nobody until somebody else subscribes."""
    publisher, inward, outward, subscriber, other = make("XPUB"), make("XSUB"), make("PUB"), make("SUB"), make("SUB")
    linked(publisher, inward)
    subscriber.subscribe(b"wanted")
    linked(outward, subscriber)
    proxy = Proxy(inward, outward)
    running = threading.Thread(target=proxy.run)
    running.start()
    other.subscribe(b"other")
    other.connect(publisher.last_endpoint)
    assert publisher.recv() == b"\1other"
    proxy.terminate()
    running.join()


def test_an_xpub_opposite_a_sub_ends_pyzmqs_queue_at_the_first_subscriber(make: Open) -> None:
    """ZT209; our core lets the subscription lie, and what the SUB subscribes to goes through."""
    publisher, inward, outward, subscriber, monitor = make("XPUB"), make("SUB"), make("XPUB"), make("SUB"), make("PUB")
    inward.subscribe(b"")
    linked(publisher, inward)
    assert publisher.recv() == b"\1"
    subscriber.subscribe(b"a")
    linked(outward, subscriber)
    assert ended(inward, outward, monitor) == errno.ENOTSUP
    proxy = Proxy(inward, outward)
    running = threading.Thread(target=proxy.run)
    running.start()
    publisher.send(b"a goes through")
    assert subscriber.recv() == b"a goes through"
    proxy.terminate()
    running.join()


def test_a_subscription_takes_whatever_begins_with_it(make: Open) -> None:
    """ZT506: so a prefix that another one begins with is no prefix of its own."""
    publisher, subscriber = make("XPUB"), make("SUB")
    subscriber.subscribe(b"in")
    linked(publisher, subscriber)
    assert publisher.recv() == b"\1in"
    publisher.send_multipart([b"inner", b"copy"])
    assert subscriber.recv_multipart() == [b"inner", b"copy"]
