"""What cannot be passed on is not read, one full direction does not stop the other, and who waits takes no time."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
import zmq

from tests.devcore.conftest import Bench, Device, Socket, assert_idle, exchange

ONE: dict[str, Any] = {"sndhwm": 1, "rcvhwm": 1}


def fill(socket: Socket, message: list[bytes], limit: int = 10_000) -> int:
    """Send until the socket takes no more, and say how many it took."""
    for n in range(limit):
        if not socket.poll(0, zmq.POLLOUT):  # a send alone may not yet know that there is room again
            return n
        socket.send_multipart(message, zmq.DONTWAIT)
    return limit


def fill_through(device: Device, socket: Socket, message: list[bytes]) -> int:
    """Send until neither the socket nor the device takes any more."""
    sent = 0
    while n := fill(socket, message):
        sent += n
        device.settle()
    return sent


def drain(socket: Socket, count: int) -> list[list[bytes]]:
    return [socket.recv_multipart() for _ in range(count)]


def test_nothing_is_read_while_there_is_no_peer(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, front=ONE, back=ONE).start()
    source = bench.peer(zmq.PUSH, device.frontend, **ONE)
    sent = fill_through(device, source, [b"a", b"b"])
    counts = device.settle()
    assert sent == 2
    assert counts.frontend.received.messages == 0
    assert counts.waiting == ("backend",)
    sink = bench.peer(zmq.PULL, device.backend, **ONE)
    assert drain(sink, sent) == [[b"a", b"b"]] * sent
    assert device.settle().waiting == ()


def test_a_full_peer_holds_up_no_more_than_one_message(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, front=ONE, back=ONE).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend, **ONE), bench.peer(zmq.PULL, device.backend, **ONE)
    sent = fill_through(device, source, [b"x" * 100, b"y"])
    counts = device.settle()
    assert counts.frontend.received.messages == counts.backend.sent.messages + counts.backend.held
    assert counts.backend.held <= 1
    assert counts.waiting == ("backend",)
    assert drain(sink, sent) == [[b"x" * 100, b"y"]] * sent
    assert device.settle().backend.sent.messages == sent


def test_one_full_direction_does_not_stop_the_other(bench: Bench) -> None:
    device = bench.device(zmq.DEALER, zmq.DEALER, front=ONE, back=ONE).start()
    near, far = bench.peer(zmq.DEALER, device.frontend, **ONE), bench.peer(zmq.DEALER, device.backend, **ONE)
    sent = fill_through(device, near, [b"forth"])
    for i in range(100):
        far.send(b"back %d" % i)
        assert near.recv() == b"back %d" % i
    assert device.settle().waiting == ("backend",)
    assert drain(far, sent) == [[b"forth"]] * sent


def test_messages_in_hand_wait_in_both_directions(bench: Bench) -> None:
    device = bench.device(zmq.DEALER, zmq.DEALER, front=ONE, back=ONE).start()
    near, far = bench.peer(zmq.DEALER, device.frontend, **ONE), bench.peer(zmq.DEALER, device.backend, **ONE)
    forth, back = fill_through(device, near, [b"forth", b""]), fill_through(device, far, [b"back"])
    assert device.settle().waiting == ("frontend", "backend")
    assert drain(near, back) == [[b"back"]] * back
    assert drain(far, forth) == [[b"forth", b""]] * forth


def test_with_hwm_1_everywhere_all_arrives_in_order(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.PUB, prefixes=(b"in", b"out"), front=ONE, back=ONE, mon=ONE).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend, **ONE), bench.peer(zmq.PULL, device.backend, **ONE)
    sent = got = 0
    while got < 500:
        while sent < 500 and fill(source, [b"%d" % sent, b"body"], 1):
            sent += 1
        assert sink.recv_multipart() == [b"%d" % got, b"body"]
        got += 1


def test_what_one_peer_left_another_gets(bench: Bench) -> None:
    """The message in hand is for whoever comes."""
    device = bench.device(zmq.PULL, zmq.PUSH, front=ONE, back=ONE).start()
    source, slow = bench.peer(zmq.PUSH, device.frontend, **ONE), bench.peer(zmq.PULL, device.backend, **ONE)
    sent = fill_through(device, source, [b"a", b"b"])
    before = device.settle()
    slow.close()
    other = bench.peer(zmq.PULL, device.backend, **ONE)
    left = sent - before.backend.sent.messages
    assert drain(other, left) == [[b"a", b"b"]] * left
    counts = device.settle()
    assert (counts.frontend.received.messages, counts.backend.sent.messages) == (sent, sent)


# No time is taken


def no_peer(bench: Bench) -> Device:
    device = bench.device(zmq.PULL, zmq.PUSH).start()
    bench.peer(zmq.PUSH, device.frontend).send(b"waits")
    return device


def no_peer_behind_a_router(bench: Bench) -> Device:
    device = bench.device(zmq.ROUTER, zmq.DEALER).start()
    bench.peer(zmq.DEALER, device.frontend).send(b"waits")
    return device


def full_peer(bench: Bench) -> Device:
    device = bench.device(zmq.PULL, zmq.PUSH, front=ONE, back=ONE).start()
    bench.peer(zmq.PULL, device.backend, **ONE)
    fill_through(device, bench.peer(zmq.PUSH, device.frontend, **ONE), [b"waits"])
    return device


def both_full(bench: Bench) -> Device:
    device = bench.device(zmq.DEALER, zmq.DEALER, front=ONE, back=ONE).start()
    near, far = bench.peer(zmq.DEALER, device.frontend, **ONE), bench.peer(zmq.DEALER, device.backend, **ONE)
    fill_through(device, near, [b"waits"])
    fill_through(device, far, [b"waits"])
    return device


def paused_with_input(bench: Bench) -> Device:
    device = bench.device(zmq.DEALER, zmq.DEALER).start()
    device.command(b"PAUSE")
    for side in (device.frontend, device.backend):
        bench.peer(zmq.DEALER, side).send(b"waits")
    return device


def both_receive_only(bench: Bench) -> Device:
    device = bench.device(zmq.PULL, zmq.PULL).start()
    for side in (device.frontend, device.backend):
        bench.peer(zmq.PUSH, side).send(b"waits")
    return device


def both_send_only(bench: Bench) -> Device:
    device = bench.device(zmq.PUSH, zmq.PUSH).start()
    bench.peer(zmq.PULL, device.frontend)
    return device


def subscription_for_a_sub(bench: Bench) -> Device:
    device = bench.device(zmq.SUB, zmq.XPUB).start()
    bench.peer(zmq.SUB, device.backend)
    return device


def request_that_rep_cannot_read(bench: Bench) -> Device:
    """A REP that was sent no delimiter says that it is ready, and gives nothing."""
    device = bench.device(zmq.REP, zmq.REQ).start()
    bench.peer(zmq.REP, device.backend)
    bench.peer(zmq.DEALER, device.frontend).send_multipart([b"no", b"delimiter"])
    return device


def monitor_that_takes_nothing(bench: Bench) -> Device:
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.PUSH, mon=ONE).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)
    for _ in range(3):
        source.send(b"")
        sink.recv()
    return device


def monitor_that_is_talked_to(bench: Bench) -> Device:
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.DEALER).start()
    assert device.capture is not None
    bench.peer(zmq.DEALER, device.capture).send(b"nobody reads this")
    return device


def nothing_to_do(bench: Bench) -> Device:
    return bench.device(zmq.ROUTER, zmq.DEALER, zmq.XPUB).start()


@pytest.mark.parametrize(
    "blocked",
    [
        nothing_to_do,
        no_peer,
        no_peer_behind_a_router,
        full_peer,
        both_full,
        paused_with_input,
        both_receive_only,
        both_send_only,
        subscription_for_a_sub,
        request_that_rep_cannot_read,
        monitor_that_takes_nothing,
        monitor_that_is_talked_to,
    ],
)
def test_a_loop_with_nothing_to_do_takes_no_time(bench: Bench, blocked: Callable[[Bench], Device]) -> None:
    assert_idle(bench, blocked(bench))


def test_an_xpub_that_says_it_is_ready_and_refuses_is_asked_rarely(bench: Bench) -> None:
    """With NODROP nothing tells when it takes the next one: a timer that doubles does."""
    device = bench.device(zmq.PULL, zmq.XPUB, back={**ONE, "xpub_nodrop": 1}).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend, sndhwm=1), bench.peer(zmq.SUB, device.backend, **ONE)
    device.settle()
    sent = fill_through(device, source, [b"a", b"b"])
    assert device.settle().waiting == ("backend",)
    before, since = device.statistics().turns, time.monotonic()
    exchange(bench, 2000)
    turns, milliseconds = device.statistics().turns - before, 1000 * (time.monotonic() - since)
    assert turns < 100 + milliseconds, "it rests for 10 ms, and looks twice each time"
    assert drain(sink, sent) == [[b"a", b"b"]] * sent


# Fairness


def test_neither_side_starves_under_a_flood_from_the_other(bench: Bench) -> None:
    """The monitor tells who had its turn: while both have something, they alternate."""
    free: dict[str, Any] = {"sndhwm": 0, "rcvhwm": 0}
    device = bench.device(zmq.DEALER, zmq.DEALER, zmq.PUB, prefixes=(b"in", b"out"), front=free, back=free, mon=free)
    near, far = bench.peer(zmq.DEALER, device.frontend, **free), bench.peer(zmq.DEALER, device.backend, **free)
    assert device.capture is not None
    monitor = bench.peer(zmq.SUB, device.capture, **free)
    for _ in range(3000):
        near.send(b"")
        far.send(b"")
    device.start()
    order = [monitor.recv_multipart()[0] for _ in range(6000)]
    runs = [(side, len(list(run))) for side, run in groupby(order)]
    assert max(length for _, length in runs) <= 1024  # two bursts may meet where the other side is done
    assert len(runs) >= 2 * 3000 // 512


def test_control_does_not_starve_under_a_flood(bench: Bench) -> None:
    free: dict[str, Any] = {"sndhwm": 0, "rcvhwm": 0}
    device = bench.device(zmq.PULL, zmq.PUSH, front=free, back=free)
    source, sink = bench.peer(zmq.PUSH, device.frontend, **free), bench.peer(zmq.PULL, device.backend, **free)
    for _ in range(5000):
        source.send(b"")
    device.commander.send(b"PAUSE")
    device.start()
    assert device.commander.recv() == b""
    assert device.settle().frontend.received.messages < 5000
    device.command(b"RESUME")
    drain(sink, 5000)


def test_traffic_does_not_starve_under_a_flood_of_commands(bench: Bench) -> None:
    control = bench.bound(zmq.PAIR, sndhwm=0, rcvhwm=0)
    front, back = bench.bound(zmq.PULL), bench.bound(zmq.PUSH)
    commander = bench.peer(zmq.PAIR, control, sndhwm=0, rcvhwm=0)
    source, sink = bench.peer(zmq.PUSH, front), bench.peer(zmq.PULL, back)
    proxy = bench.core(front, back, control=control)
    for _ in range(5000):
        commander.send(b"STATISTICS")
    source.send(b"gets through")
    commander.send(b"TERMINATE")
    assert proxy.run() == "terminated"
    assert sink.recv() == b"gets through"
    answers = [int.from_bytes(commander.recv_multipart()[0], "little") for _ in range(5000)]
    assert answers[200] == 1
