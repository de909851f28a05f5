"""PAUSE, RESUME, TERMINATE, STATISTICS, draining, and commands that are none of the loop's business."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import zmq

from tests.devcore.conftest import PATIENCE, Bench, Device, Socket, endpoint_of
from tests.devcore.test_waiting import ONE, fill_through


def streamer(bench: Bench, **options: Any) -> tuple[Device, Socket, Socket]:
    device = bench.device(zmq.PULL, zmq.PUSH, **options).start()
    return device, bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)


def test_a_paused_device_passes_nothing_on_and_loses_nothing(bench: Bench) -> None:
    device, source, sink = streamer(bench)
    assert device.command(b"PAUSE") == [b""]
    for i in range(10):
        source.send(b"%d" % i)
    counts = device.settle()
    assert (counts.state, counts.frontend.received.messages) == ("paused", 0)
    assert not sink.poll(0)
    assert device.command(b"RESUME") == [b""]
    assert [sink.recv() for _ in range(10)] == [b"%d" % i for i in range(10)]
    assert device.settle().state == "running"


def test_pause_and_resume_from_any_thread(bench: Bench) -> None:
    device, source, sink = streamer(bench)
    device.proxy.pause()
    device.wait_until(lambda counts: counts.state == "paused")
    source.send(b"x")
    assert device.settle().frontend.received.messages == 0
    device.proxy.resume()
    assert sink.recv() == b"x"


@pytest.mark.parametrize("side", ["frontend", "backend"])
def test_one_way_pauses_and_the_other_goes_on(bench: Bench, side: str) -> None:
    device = bench.device(zmq.DEALER, zmq.DEALER).start()
    near, far = bench.peer(zmq.DEALER, device.frontend), bench.peer(zmq.DEALER, device.backend)
    paused, going = (near, far) if side == "frontend" else (far, near)
    device.proxy.pause(side)
    paused.send(b"waits")
    for number in range(10):
        going.send(b"%d" % number)
        assert paused.recv() == b"%d" % number
    counts = device.settle()
    assert counts.state == "running"
    assert getattr(counts, side).received.messages == 0
    assert not going.poll(0)
    device.proxy.resume(side)
    assert going.recv() == b"waits"


def test_who_has_but_one_way_is_paused_when_that_is(bench: Bench) -> None:
    device, source, sink = streamer(bench)
    device.proxy.pause("backend")
    source.send(b"x")
    assert sink.recv() == b"x"
    assert device.settle().state == "running"
    device.proxy.pause("frontend")
    device.wait_until(lambda counts: counts.state == "paused")
    device.proxy.resume()
    device.wait_until(lambda counts: counts.state == "running")
    with pytest.raises(ValueError, match="no side 'capture'"):
        device.proxy.pause("capture")


def test_statistics_are_parts_and_bytes_as_libzmq_counts(bench: Bench) -> None:
    device = bench.device(zmq.DEALER, zmq.DEALER).start()
    near, far = bench.peer(zmq.DEALER, device.frontend), bench.peer(zmq.DEALER, device.backend)
    near.send_multipart([b"12", b"345"])
    far.recv_multipart()
    far.send(b"6789")
    near.recv()
    device.settle()
    answer = device.command(b"STATISTICS")
    assert [int.from_bytes(word, "little") for word in answer] == [2, 5, 1, 4, 1, 4, 2, 5]


@pytest.mark.parametrize("kind", [zmq.PAIR, zmq.DEALER])
def test_only_statistics_are_answered_unless_it_is_a_rep(bench: Bench, kind: int) -> None:
    control, front, back = bench.bound(kind), bench.bound(zmq.PULL), bench.bound(zmq.PUSH)
    commander = bench.peer(kind, control)
    proxy = bench.core(front, back, control=control)
    for command in (b"PAUSE", b"RESUME", b"nonsense", b"STATISTICS", b"PAUS", b"TERMINATE"):
        commander.send(command)
    assert proxy.run() == "terminated"
    assert commander.recv_multipart() == [bytes(8)] * 8
    assert not commander.poll(0)


def test_a_sub_can_command_without_answers(bench: Bench) -> None:
    control, front, back = bench.bound(zmq.SUB), bench.bound(zmq.PULL), bench.bound(zmq.PUSH)
    control.subscribe(b"")
    publisher = bench.peer(zmq.XPUB, control)
    assert control.get(zmq.EVENTS) == 0  # it notices its peer, and subscribes
    assert publisher.recv() == b"\x01"
    proxy = bench.core(front, back, control=control)
    publisher.send(b"PAUSE")
    publisher.send(b"TERMINATE")
    assert proxy.run() == "terminated"


def test_what_is_no_command_changes_nothing_and_a_rep_answers(bench: Bench) -> None:
    """libzmq 4.3.5 goes on after XXXXX, and takes PAUSE for RESUME."""
    device, source, sink = streamer(bench)
    device.command(b"PAUSE")
    assert device.command(b"XXXXX") == [b""]
    assert device.command(b"pause") == [b""]
    assert device.settle().state == "paused"
    device.commander.send_multipart([b"RESUME", b"please"])
    assert device.commander.recv_multipart() == [b""]
    assert device.settle().state == "running"
    source.send(b"x")
    assert sink.recv() == b"x"


def test_terminate_over_the_control_socket_is_answered(bench: Bench) -> None:
    device, _, _ = streamer(bench)
    assert device.command(b"TERMINATE") == [b""]
    assert device.join() == "terminated"
    assert device.statistics().state == "stopped"


def blocked_by_no_peer(bench: Bench) -> Device:
    device = bench.device(zmq.PULL, zmq.PUSH).start()
    bench.peer(zmq.PUSH, device.frontend).send(b"waits")
    return device


def blocked_by_a_full_peer(bench: Bench) -> Device:
    device = bench.device(zmq.PULL, zmq.PUSH, front=ONE, back=ONE).start()
    bench.peer(zmq.PULL, device.backend, **ONE)
    fill_through(device, bench.peer(zmq.PUSH, device.frontend, **ONE), [b"a", b"b"])
    return device


def paused(bench: Bench) -> Device:
    device = bench.device(zmq.PULL, zmq.PUSH).start()
    device.command(b"PAUSE")
    return device


def idle(bench: Bench) -> Device:
    return bench.device(zmq.ROUTER, zmq.DEALER).start()


STATES = [blocked_by_no_peer, blocked_by_a_full_peer, paused, idle]


@pytest.mark.parametrize("state", STATES)
def test_terminate_ends_it_in_every_state(bench: Bench, state: Any) -> None:
    device = state(bench)
    device.settle()
    device.proxy.terminate()
    assert device.join() == "terminated"


@pytest.mark.parametrize("state", STATES)
def test_the_end_of_the_context_ends_it_in_every_state(bench: Bench, state: Any) -> None:
    device = state(bench)
    device.settle()
    term = threading.Thread(target=bench.context.term)
    term.start()
    assert device.join() == "context terminated"
    bench.devices.clear()
    for socket in bench.sockets:
        socket.close(0)
    term.join(PATIENCE)


def test_terminate_before_run_ends_that_run_only(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH)
    device.proxy.terminate()
    device.start()
    assert device.join() == "terminated"
    device.start()
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)
    source.send(b"x")
    assert sink.recv() == b"x"


def test_a_message_in_hand_outlasts_the_run(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, front=ONE, back=ONE).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend, **ONE), bench.peer(zmq.PULL, device.backend, **ONE)
    sent = fill_through(device, source, [b"a", b"b"])
    device.proxy.terminate()
    device.join()
    device.start()
    assert [sink.recv_multipart() for _ in range(sent)] == [[b"a", b"b"]] * sent
    assert device.settle().backend.sent.messages == sent


def test_a_foreign_command_ends_the_run_between_two_messages(bench: Bench) -> None:
    """The caller acts in the thread that owns the sockets, and enters again."""
    device, source, sink = streamer(bench)
    device.proxy.post(("unbind", "backend"))
    device.proxy.post(("bind", "elsewhere"))
    assert device.join() == "command"
    assert device.proxy.take() == ("unbind", "backend")
    device.start()
    assert device.join() == "command"  # there is still one
    assert device.proxy.take() == ("bind", "elsewhere")
    assert device.proxy.take() is None
    device.backend.unbind(endpoint_of(device.backend))
    device.backend.bind("inproc://elsewhere")
    device.start()
    other = bench.peer(zmq.PULL, device.backend)
    device.settle()
    source.send(b"one")
    source.send(b"each")
    assert {sink.recv(), other.recv()} == {b"one", b"each"}


def test_run_is_entered_once_at_a_time(bench: Bench) -> None:
    device, _, _ = streamer(bench)
    device.settle()
    with pytest.raises(RuntimeError, match="runs already"):
        device.proxy.run()


# Draining


def test_drain_ends_when_what_was_announced_has_been_passed_on(bench: Bench) -> None:
    device, source, sink = streamer(bench)
    source.send(b"0")
    device.proxy.drain(received=(3, 0))
    assert sink.recv() == b"0"
    assert device.wait_until(lambda counts: counts.state == "draining")
    source.send(b"1")
    source.send(b"2")
    assert device.join() == "drained"
    assert [sink.recv(), sink.recv()] == [b"1", b"2"]
    counts = device.statistics()
    assert (counts.frontend.received.messages, counts.backend.sent.messages, counts.backend.held) == (3, 3, 0)


def test_drain_waits_for_a_full_peer(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, front=ONE, back=ONE).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend, **ONE), bench.peer(zmq.PULL, device.backend, **ONE)
    sent = fill_through(device, source, [b"a", b"b"])
    device.proxy.drain(received=(sent, 0))
    assert [sink.recv_multipart() for _ in range(sent)] == [[b"a", b"b"]] * sent
    assert device.join() == "drained"


def test_drain_ends_when_nothing_has_come_for_a_while(bench: Bench) -> None:
    device, source, sink = streamer(bench)
    for i in range(100):
        source.send(b"%d" % i)
    device.proxy.drain(quiet=0.01)
    assert device.join() == "drained"
    assert [sink.recv() for _ in range(100)] == [b"%d" % i for i in range(100)]


def test_drain_without_a_quiet_time_passes_on_what_is_there(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH)
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)
    for i in range(900):
        source.send(b"%d" % i)
    device.proxy.drain(quiet=0)
    device.start()
    assert device.join() == "drained"
    assert [sink.recv() for _ in range(900)] == [b"%d" % i for i in range(900)]


def test_drain_tells_what_it_still_held(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.PUSH, front=ONE, back=ONE).start()
    source = bench.peer(zmq.PUSH, device.frontend, **ONE)
    bench.peer(zmq.PULL, device.backend, **ONE)
    sent = fill_through(device, source, [b"a", b"b"])
    device.proxy.drain(quiet=0.01, received=(sent, 0))
    assert device.join() == "drained"
    counts = device.statistics()
    assert counts.backend.held == counts.frontend.received.messages - counts.backend.sent.messages
    assert counts.capture.waiting == counts.backend.sent.messages
    assert counts.state == "stopped"


def test_drain_must_know_its_end(bench: Bench) -> None:
    with pytest.raises(ValueError, match="say which"):
        bench.device(zmq.PULL, zmq.PUSH).proxy.drain()
