"""Peers that go away: what is torn off is never delivered, and the core counts what it could know of."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from tests.devcore.conftest import CORES, PATIENCE, Bench, endpoint_of
from tests.devcore.test_waiting import ONE, fill_through

PARTS = 20_000
"""Of one message: passing them on takes long enough for a peer to vanish in between."""


def whole(message: list[bytes]) -> bool:
    """Whether this is a message as it was sent."""
    return message == [b"begin", *[b"part"] * PARTS, b"end"]


class Breaking(zmq.Socket[Any]):
    """Loses its peer when it has sent the second part of a message that says so."""

    def send(self, data: Any, *arguments: Any, **options: Any) -> Any:
        sent = super().send(data, *arguments, **options)
        if data.bytes == b"break here":
            self.disconnect(endpoint_of(self))
        return sent


@pytest.mark.parametrize("kind", [zmq.PUSH, zmq.DEALER, zmq.PAIR])
@pytest.mark.parametrize("rest", [1, 2, 5])
def test_what_is_left_of_a_message_goes_to_nobody(kind: int, rest: int) -> None:
    """The reference reads a message whole, so its peer must vanish at the very moment; only a socket of ours does that."""
    bench = Bench(CORES["python"])
    try:
        peer = bench.bound(zmq.PULL if kind == zmq.PUSH else kind, rcvtimeo=PATIENCE)
        breaking = Breaking(bench.context, kind)
        bench.sockets.append(breaking)
        breaking.connect(endpoint_of(peer))
        device = bench.proxy(bench.bound(zmq.PULL), breaking).start()
        source = bench.peer(zmq.PUSH, device.frontend)
        source.send_multipart([b"before", b"it"])
        source.send_multipart([b"begin", b"break here", *[b"left"] * rest])
        assert peer.recv_multipart() == [b"before", b"it"]
        counts = device.settle().backend
        assert (counts.sent.messages, counts.lost, counts.held) == (1, 1, 0)
        source.send_multipart([b"after", b"it"])
        device.proxy.post("connect again")
        assert device.join() == "command"
        for socket in (peer, breaking):  # they take leave of each other; a PAIR has no second peer before
            assert not socket.poll(0)
        other = bench.bound(zmq.PULL if kind == zmq.PUSH else kind, rcvtimeo=PATIENCE)
        breaking.connect(endpoint_of(other))
        device.proxy.take()
        device.start()
        assert other.recv_multipart() == [b"after", b"it"]
    finally:
        bench.close()


@pytest.mark.parametrize("kinds", [(zmq.PULL, zmq.PUSH, zmq.PUSH, zmq.PULL), (zmq.PAIR,) * 4], ids=["push", "pair"])
def test_a_message_whose_peer_vanishes_half_way_is_lost_whole_and_counted(kinds: tuple[int, ...]) -> None:
    """The compiled core passes parts on as they come: a peer of a long message can vanish while it does."""
    bench = Bench(CORES["cython"])
    front, back, near, far = kinds
    try:
        for _ in range(300):
            device = bench.device(front, back).start()
            source, peer = bench.peer(near, device.frontend), bench.peer(far, device.backend)
            device.settle()
            for parts in (PARTS, 10 * PARTS):  # so many that whoever waits for the first has a turn, however busy the core is
                source.send_multipart([b"begin", *[b"part"] * parts, b"end"])
            assert peer.poll()  # the first has arrived, the next is on its way
            peer.close()
            counts = device.settle()
            if counts.backend.lost:
                break
            device.stop()
        assert counts.backend.lost == 1
        assert counts.frontend.received.messages == 2
        assert counts.backend.sent.messages == 1
        if back == zmq.PUSH:  # another PAIR might come too early, and be turned away for ever
            other = bench.peer(far, device.backend)
            device.settle()
            source.send_multipart([b"begin", *[b"part"] * PARTS, b"end"])
            assert whole(other.recv_multipart())
    finally:
        bench.close()


def test_a_monitor_that_vanishes_half_way_disturbs_nothing(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.PUSH, prefixes=(b"in", b"out"), mon={"sndhwm": 2}).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)
    assert device.capture is not None
    for _ in range(8):
        monitor = bench.peer(zmq.PULL, device.capture)
        device.settle()
        source.send_multipart([b"begin", *[b"part"] * PARTS, b"end"])
        assert whole(sink.recv_multipart())
        monitor.close()
    last = bench.peer(zmq.PULL, device.capture)
    device.settle()
    source.send_multipart([b"whole", b"again"])
    assert sink.recv_multipart() == [b"whole", b"again"]
    while (copy := last.recv_multipart()) != [b"in", b"whole", b"again"]:
        assert copy[0] == b"in"
        assert whole(copy[1:])
    counts = device.settle()
    assert counts.backend.sent.messages == 9
    assert counts.capture.passed + counts.capture.dropped + counts.capture.waiting == 9


def test_sources_that_vanish_leave_whole_messages(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, front=ONE, back=ONE).start()
    sink = bench.peer(zmq.PULL, device.backend, **ONE)
    device.settle()
    total = 0
    for n in range(20):
        source = bench.peer(zmq.PUSH, device.frontend, linger=-1, **ONE)
        for _ in range(2):
            source.send_multipart([b"%d" % n, b"of", b"many"])
        source.close()
        total += 2
        sink.recv_multipart()
    got = 20
    while device.statistics().backend.sent.messages < total or sink.poll(0):
        message = sink.recv_multipart()
        assert message[1:] == [b"of", b"many"]
        got += 1
        device.settle()
    assert got == total


def test_a_peer_that_vanishes_while_full_frees_the_direction(bench: Bench) -> None:
    device = bench.device(zmq.DEALER, zmq.DEALER, front=ONE, back=ONE).start()
    near, far = bench.peer(zmq.DEALER, device.frontend, **ONE), bench.peer(zmq.DEALER, device.backend, **ONE)
    sent = fill_through(device, near, [b"a", b"b"])
    delivered = device.settle().backend.sent.messages
    far.close()
    other = bench.peer(zmq.DEALER, device.backend, **ONE)
    assert [other.recv_multipart() for _ in range(sent - delivered)] == [[b"a", b"b"]] * (sent - delivered)
