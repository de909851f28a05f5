"""What goes in at one side comes out at the other: every pattern, any parts, any size, whole and in order."""

from __future__ import annotations

import mmap
import resource
from contextlib import suppress
from typing import Any

import pytest
import zmq

from tests.devcore.conftest import Bench, endpoint_of
from tests.processes import wait_until

PATTERNS = {
    "streamer": (zmq.PULL, zmq.PUSH, zmq.PUSH, zmq.PULL),
    "forwarder": (zmq.XSUB, zmq.XPUB, zmq.PUB, zmq.SUB),
    "sub and pub": (zmq.SUB, zmq.PUB, zmq.PUB, zmq.SUB),
    "dealers": (zmq.DEALER, zmq.DEALER, zmq.DEALER, zmq.DEALER),
    "pairs": (zmq.PAIR, zmq.PAIR, zmq.PAIR, zmq.PAIR),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_messages_of_any_shape_go_through_whole_and_in_order(bench: Bench, pattern: str) -> None:
    front, back, near, far = PATTERNS[pattern]
    device = bench.device(front, back)
    if front == zmq.SUB:
        device.frontend.subscribe(b"")
    device.start()
    source, sink = bench.peer(near, device.frontend), bench.peer(far, device.backend)
    device.settle()
    messages = [
        [b"one part"],
        [b"t", b""],
        [b"", b"", b""],
        [b"a" * 33, b"b" * 34, b"c" * 100_000],
        [str(i).encode() for i in range(500)],
        *([b"%d" % i] for i in range(1500)),
    ]
    for message in messages[:6]:
        source.send_multipart(message)
        assert sink.recv_multipart() == message
    for start in range(6, len(messages), 500):
        for message in messages[start : start + 500]:
            source.send_multipart(message)
        assert [sink.recv_multipart() for _ in messages[start : start + 500]] == messages[start : start + 500]
    counts = device.settle()
    assert counts.frontend.received.messages == counts.backend.sent.messages == len(messages)
    assert counts.frontend.received.parts == counts.backend.sent.parts == sum(map(len, messages))
    assert counts.frontend.received.bytes == counts.backend.sent.bytes == sum(len(p) for m in messages for p in m)
    assert counts.last_message > 0
    assert counts.waiting == ()


def test_backend_to_frontend_goes_as_well(bench: Bench) -> None:
    device = bench.device(zmq.PUSH, zmq.PULL).start()
    source, sink = bench.peer(zmq.PUSH, device.backend), bench.peer(zmq.PULL, device.frontend)
    source.send_multipart([b"up", b"stream"])
    assert sink.recv_multipart() == [b"up", b"stream"]
    counts = device.settle()
    assert counts.backend.received.parts == counts.frontend.sent.parts == 2


def test_requests_and_answers_find_their_way(bench: Bench) -> None:
    device = bench.device(zmq.ROUTER, zmq.DEALER).start()
    clients = [bench.peer(zmq.REQ, device.frontend) for _ in range(3)]
    workers = [bench.peer(zmq.REP, device.backend) for _ in range(2)]
    for client in clients:
        client.send(b"job of %d" % id(client))
    device.settle()
    for worker in (workers[0], workers[1], workers[0]):
        worker.send(b"done " + worker.recv())
    assert [client.recv() for client in clients] == [b"done job of %d" % id(client) for client in clients]


def test_rep_and_req_take_turns(bench: Bench) -> None:
    """libzmq's own proxy dies of EFSM here after the first message."""
    device = bench.device(zmq.REP, zmq.REQ).start()
    clients = [bench.peer(zmq.REQ, device.frontend) for _ in range(3)]
    worker = bench.peer(zmq.REP, device.backend)
    for client in clients:
        client.send(b"job")
    for _ in clients:
        assert worker.recv() == b"job"
        worker.send(b"done")
    assert [client.recv() for client in clients] == [b"done"] * 3


def test_subscriptions_go_upstream(bench: Bench) -> None:
    device = bench.device(zmq.XSUB, zmq.XPUB).start()
    publisher = bench.peer(zmq.XPUB, device.frontend)
    subscriber = bench.socket(zmq.SUB)
    subscriber.connect(endpoint_of(device.backend))
    subscriber.subscribe(b"weather")
    assert publisher.recv() == b"\x01weather"
    publisher.send_multipart([b"sports", b"0:0"])
    publisher.send_multipart([b"weather", b"fine"])
    assert subscriber.recv_multipart() == [b"weather", b"fine"]
    subscriber.unsubscribe(b"weather")
    assert publisher.recv() == b"\x00weather"


def test_frontend_may_be_backend(bench: Bench) -> None:
    """A ROUTER that is both sides sends everything back to where it came from."""
    socket = bench.bound(zmq.ROUTER)
    device = bench.proxy(socket, socket).start()
    clients = [bench.peer(zmq.DEALER, socket) for _ in range(2)]
    for i, client in enumerate(clients):
        client.send_multipart([b"echo", b"%d" % i])
    assert [client.recv_multipart() for client in clients] == [[b"echo", b"0"], [b"echo", b"1"]]
    counts = device.settle()
    assert counts.frontend.received.messages == counts.backend.sent.messages == 2
    assert counts.backend.received.messages == counts.frontend.sent.messages == 0


@pytest.mark.parametrize("size", [0, 1, 33, 34, 1 << 20, 1 << 30])
def test_bytes_are_passed_on_and_not_copied(bench: Bench, size: int) -> None:
    """1 GiB that was never touched takes no memory; one copy of it would."""
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.PUB, prefixes=(b"in", b"out")).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    memory = mmap.mmap(-1, max(size, 1))
    frame = zmq.Frame(memoryview(memory)[:size], copy=False) if size else zmq.Frame(b"")
    source.send(frame, copy=False)
    arrived = sink.recv(copy=False)
    assert len(arrived) == size
    assert device.settle().backend.sent.bytes == size
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 2**19  # KiB
    del frame, arrived
    device.stop()
    bench.close()
    wait_until(lambda: closes(memory), "an end of the message")  # pyzmq lets go of it in a thread of its own


def closes(memory: mmap.mmap) -> bool:
    """Whether nobody holds it any more."""
    with suppress(BufferError):
        memory.close()
    return memory.closed


def test_many_senders_keep_their_order(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH).start()
    sources = [bench.peer(zmq.PUSH, device.frontend) for _ in range(4)]
    sink = bench.peer(zmq.PULL, device.backend, rcvhwm=0)
    for i in range(200):
        for name, source in enumerate(sources):
            source.send_multipart([b"%d" % name, b"%d" % i])
    got: list[list[bytes]] = [sink.recv_multipart() for _ in range(800)]
    for name in range(4):
        assert [m[1] for m in got if m[0] == b"%d" % name] == [b"%d" % i for i in range(200)]


def test_two_routers_exchange_addresses(bench: Bench) -> None:
    device = bench.device(zmq.ROUTER, zmq.ROUTER, swap=True).start()
    client = bench.peer(zmq.DEALER, device.frontend, routing_id=b"client")
    worker = bench.peer(zmq.DEALER, device.backend, routing_id=b"worker")
    device.settle()
    client.send_multipart([b"worker", b"job", b"more"])
    assert worker.recv_multipart() == [b"client", b"job", b"more"]
    worker.send_multipart([b"client", b"done"])
    assert client.recv_multipart() == [b"worker", b"done"]


def test_a_single_part_for_a_router_is_unroutable(bench: Bench) -> None:
    """A ROUTER takes an address without a message, and throws it away without a word."""
    device = bench.device(zmq.PULL, zmq.ROUTER).start()
    source = bench.peer(zmq.PUSH, device.frontend)
    peer = bench.peer(zmq.DEALER, device.backend, routing_id=b"peer")
    source.send(b"peer")
    source.send_multipart([b"peer", b"hello"])
    assert peer.recv_multipart() == [b"hello"]
    assert device.settle().backend.unroutable == 1


def test_sockets_that_cannot_serve_are_refused_at_once(bench: Bench) -> None:
    from topo.devcore import ProxyError

    front, back = bench.bound(zmq.PULL), bench.bound(zmq.PUSH)
    closed: Any = bench.socket(zmq.PUB)
    closed.close()
    for kind in (zmq.SUB, zmq.PULL, zmq.REQ, zmq.REP, zmq.ROUTER):
        with pytest.raises(ProxyError) as caught:
            bench.core(front, back, bench.socket(kind))
        assert (caught.value.errno, caught.value.side) == (22, "capture")
    for sockets, side in (((closed, back), "frontend"), ((front, closed), "backend"), ((front, back, closed), "capture")):
        with pytest.raises(ProxyError) as caught:
            bench.core(*sockets)
        assert (caught.value.errno, caught.value.side) == (zmq.ENOTSOCK, side)
        assert str(caught.value) == f"{side}: Socket operation on non-socket"
