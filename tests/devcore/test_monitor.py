"""The monitor sees every message, and never slows or stops the traffic."""

from __future__ import annotations

import pytest
import zmq

from tests.devcore.conftest import Bench, Device, Socket, endpoint_of

PREFIXES = (b"in", b"out")
HWM_3 = {"sndhwm": 3, "rcvhwm": 3}


def streamer(bench: Bench, capture: int | None, **options: object) -> tuple[Device, Socket, Socket]:
    """A running PULL to PUSH device and its two ends."""
    device = bench.device(zmq.PULL, zmq.PUSH, capture, prefixes=PREFIXES, **options).start()
    return device, bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)


def listen(bench: Bench, device: Device, kind: int, **options: object) -> Socket:
    """A peer of the capture socket."""
    assert device.capture is not None
    return bench.peer(kind, device.capture, **options)


def move(source: Socket, sink: Socket, first: int, last: int) -> list[list[bytes]]:
    """Pass messages through, one by one."""
    messages = [[b"%d" % i, b"body"] for i in range(first, last)]
    for message in messages:
        source.send_multipart(message)
        assert sink.recv_multipart() == message
    return messages


@pytest.mark.parametrize(
    ("capture", "listener"), [(zmq.PUB, zmq.SUB), (zmq.XPUB, zmq.SUB), (zmq.PUSH, zmq.PULL), (zmq.PAIR, zmq.PAIR)]
)
def test_copies_have_the_prefix_of_the_side_they_came_from(bench: Bench, capture: int, listener: int) -> None:
    device = bench.device(zmq.DEALER, zmq.DEALER, capture, prefixes=PREFIXES).start()
    near, far = bench.peer(zmq.DEALER, device.frontend), bench.peer(zmq.DEALER, device.backend)
    monitor = listen(bench, device, listener)
    device.settle()
    near.send_multipart([b"question", b"", b"?"])
    assert far.recv_multipart() == [b"question", b"", b"?"]
    far.send_multipart([b"answer"])
    assert near.recv_multipart() == [b"answer"]
    assert monitor.recv_multipart() == [b"in", b"question", b"", b"?"]
    assert monitor.recv_multipart() == [b"out", b"answer"]
    assert device.settle().capture.passed == 2


def test_without_prefixes_copies_are_as_the_messages(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.PUB).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)
    monitor = listen(bench, device, zmq.SUB)
    assert [monitor.recv_multipart() for _ in move(source, sink, 0, 3)] == [[b"%d" % i, b"body"] for i in range(3)]


def test_between_two_routers_the_monitor_sees_what_was_sent_on(bench: Bench) -> None:
    device = bench.device(zmq.ROUTER, zmq.ROUTER, zmq.PUB, prefixes=PREFIXES, swap=True).start()
    client = bench.peer(zmq.DEALER, device.frontend, routing_id=b"client")
    worker = bench.peer(zmq.DEALER, device.backend, routing_id=b"worker")
    monitor = listen(bench, device, zmq.SUB)
    device.settle()
    client.send_multipart([b"worker", b"job"])
    assert worker.recv_multipart() == [b"client", b"job"]
    assert monitor.recv_multipart() == [b"in", b"worker", b"client", b"job"]


@pytest.mark.parametrize("capture", [zmq.PUSH, zmq.DEALER, zmq.PAIR])
def test_up_to_sndhwm_copies_wait_for_a_late_monitor(bench: Bench, capture: int) -> None:
    """Beyond that they are dropped whole and counted; the traffic goes on."""
    device, source, sink = streamer(bench, capture, mon=HWM_3)
    messages = move(source, sink, 0, 10)
    counts = device.settle().capture
    assert (counts.passed, counts.waiting, counts.dropped) == (0, 3, 7)
    monitor = listen(bench, device, zmq.PULL if capture == zmq.PUSH else capture, rcvhwm=100)
    assert [monitor.recv_multipart() for _ in range(3)] == [[b"in", *m] for m in messages[:3]]
    device.settle()
    messages = move(source, sink, 10, 20)
    assert [monitor.recv_multipart() for _ in range(10)] == [[b"in", *m] for m in messages]
    counts = device.settle().capture
    assert (counts.passed, counts.waiting, counts.dropped) == (13, 0, 7)


def test_a_slow_monitor_gets_whole_copies_in_order(bench: Bench) -> None:
    device, source, sink = streamer(bench, zmq.PUSH, mon=HWM_3)
    monitor = listen(bench, device, zmq.PULL, rcvhwm=3)
    messages = move(source, sink, 0, 50)
    counts = device.settle().capture
    assert counts.passed + counts.waiting + counts.dropped == 50
    assert counts.waiting == 3
    kept = counts.passed + counts.waiting
    assert [monitor.recv_multipart() for _ in range(kept)] == [[b"in", *m] for m in messages[:kept]]
    assert move(source, sink, 50, 51)
    assert monitor.recv_multipart() == [b"in", b"50", b"body"]


def test_with_hwm_0_any_number_of_copies_waits(bench: Bench) -> None:
    device, source, sink = streamer(bench, zmq.PUSH, mon={"sndhwm": 0})
    messages = move(source, sink, 0, 2000)
    assert device.settle().capture.waiting == 2000
    monitor = listen(bench, device, zmq.PULL, rcvhwm=0)
    assert [monitor.recv_multipart() for _ in range(2000)] == [[b"in", *m] for m in messages]
    assert device.settle().capture.waiting == 0


def test_copies_are_handed_over_while_the_traffic_pauses(bench: Bench) -> None:
    device, source, sink = streamer(bench, zmq.PUSH, mon=HWM_3)
    move(source, sink, 0, 2)
    device.command(b"PAUSE")
    monitor = listen(bench, device, zmq.PULL)
    assert [monitor.recv_multipart()[1] for _ in range(2)] == [b"0", b"1"]


def test_an_xpub_gets_copies_only_while_somebody_has_subscribed(bench: Bench) -> None:
    device, source, sink = streamer(bench, zmq.XPUB)
    move(source, sink, 0, 5)
    assert device.settle().capture.passed == 0
    first, second = listen(bench, device, zmq.SUB), listen(bench, device, zmq.SUB)
    device.settle()
    move(source, sink, 5, 7)
    assert device.settle().capture.passed == 2
    first.unsubscribe(b"")
    device.settle()
    move(source, sink, 7, 8)
    assert device.settle().capture.passed == 3
    second.unsubscribe(b"")
    device.settle()
    move(source, sink, 8, 12)
    assert device.settle().capture.passed == 3


def test_a_subscriber_that_vanished_gets_no_more_copies(bench: Bench) -> None:
    device, source, sink = streamer(bench, zmq.XPUB)
    monitor = listen(bench, device, zmq.SUB)
    device.settle()
    move(source, sink, 0, 1)
    monitor.close()
    for _ in range(1000):
        before = device.settle().capture.passed
        move(source, sink, 0, 1)
        if device.settle().capture.passed == before:
            return
    raise AssertionError("copies for nobody")


def test_a_pub_gets_every_copy(bench: Bench) -> None:
    device, source, sink = streamer(bench, zmq.PUB, mon=HWM_3)
    move(source, sink, 0, 20)
    counts = device.settle().capture
    assert (counts.passed, counts.waiting, counts.dropped) == (20, 0, 0)


def test_an_xpub_reads_its_subscriptions_under_load(bench: Bench) -> None:
    """They were there before the first of many messages: not many bursts go by unseen."""
    device = bench.device(
        zmq.PULL, zmq.PUSH, zmq.XPUB, prefixes=PREFIXES, **{name: {"sndhwm": 0, "rcvhwm": 0} for name in ("front", "back", "mon")}
    )
    source, sink = bench.peer(zmq.PUSH, device.frontend, sndhwm=0), bench.peer(zmq.PULL, device.backend, rcvhwm=0)
    for i in range(5000):
        source.send(b"%d" % i)
    monitor = listen(bench, device, zmq.SUB, rcvhwm=0)
    device.start()
    for _ in range(5000):
        sink.recv()
    first = int(monitor.recv_multipart()[1])
    assert first <= 4 * 512
    assert [int(monitor.recv_multipart()[1]) for _ in range(first + 1, 5000)] == list(range(first + 1, 5000))


def test_what_else_arrives_at_an_xpub_is_thrown_away(bench: Bench) -> None:
    device, source, sink = streamer(bench, zmq.XPUB)
    monitor = listen(bench, device, zmq.XSUB)
    monitor.send_multipart([b"hello", b"device", b""])
    monitor.send(b"\x01in")
    monitor.send(b"hello again")
    device.settle()
    move(source, sink, 0, 2)
    assert [monitor.recv_multipart()[1] for _ in range(2)] == [b"0", b"1"]
    assert device.settle().frontend.received.messages == 2


def test_subscribers_see_only_the_prefix_they_asked_for(bench: Bench) -> None:
    device = bench.device(zmq.DEALER, zmq.DEALER, zmq.XPUB, prefixes=PREFIXES).start()
    near, far = bench.peer(zmq.DEALER, device.frontend), bench.peer(zmq.DEALER, device.backend)
    assert device.capture is not None
    monitor = bench.socket(zmq.SUB)
    monitor.subscribe(b"out")
    monitor.connect(endpoint_of(device.capture))
    device.settle()
    near.send(b"question")
    far.send(far.recv() + b" answered")
    assert near.recv() == b"question answered"
    assert monitor.recv_multipart() == [b"out", b"question answered"]


def test_a_monitor_may_vanish(bench: Bench) -> None:
    device, source, sink = streamer(bench, zmq.PUSH, mon=HWM_3)
    monitor = listen(bench, device, zmq.PULL)
    move(source, sink, 0, 2)
    assert monitor.recv_multipart() == [b"in", b"0", b"body"]
    monitor.close()
    move(source, sink, 2, 50)
    counts = device.settle()
    assert counts.backend.sent.messages == 50
    assert counts.capture.passed + counts.capture.waiting + counts.capture.dropped == 50


def test_a_monitor_comes_and_goes(bench: Bench) -> None:
    """Between two runs a capture socket is attached or detached; what the old one did not take is dropped and counted."""
    device, source, sink = streamer(bench, None)

    def change(capture: Socket | None) -> None:
        device.proxy.post("change the capture socket")
        assert device.join() == "command"
        assert device.proxy.take() == "change the capture socket"
        device.proxy.capture = capture
        assert device.proxy.capture is capture
        device.start()

    with pytest.raises(RuntimeError):
        device.proxy.capture = None
    move(source, sink, 0, 1)
    push, xpub = bench.bound(zmq.PUSH, sndhwm=0), bench.bound(zmq.XPUB)
    change(push)
    move(source, sink, 1, 4)
    assert device.settle().capture.waiting == 3
    change(xpub)
    counts = device.settle().capture
    assert (counts.waiting, counts.dropped) == (0, 3)
    monitor = bench.peer(zmq.SUB, xpub)
    device.settle()
    move(source, sink, 4, 5)
    assert monitor.recv_multipart() == [b"in", b"4", b"body"]
    change(None)
    move(source, sink, 5, 9)
    assert device.settle().capture.passed == 1
    change(xpub)
    device.settle()
    move(source, sink, 9, 10)
    assert monitor.recv_multipart() == [b"in", b"9", b"body"]  # who had subscribed before, still has
    assert device.settle().backend.sent.messages == 10
