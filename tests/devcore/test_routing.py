"""Before a ROUTER the core never waits: what it cannot route or take is dropped whole, and counted."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from tests.devcore.conftest import Bench, Device, Socket, assert_idle
from tests.devcore.test_waiting import ONE

MANDATORY: dict[str, Any] = {"router_mandatory": 1, **ONE}


def broker(bench: Bench) -> tuple[Device, Socket]:
    """A running ROUTER to DEALER device whose ROUTER tells what it cannot do, and a worker."""
    device = bench.device(
        zmq.ROUTER, zmq.DEALER, zmq.PUB, prefixes=(b"in", b"out"), front=MANDATORY, back={"sndhwm": 1000}
    ).start()
    return device, bench.peer(zmq.DEALER, device.backend)


def test_answers_for_nobody_are_dropped_whole_and_counted(bench: Bench) -> None:
    """Also while there is no client at all."""
    device, worker = broker(bench)
    worker.send_multipart([b"nobody", b"", b"answer"])
    worker.send_multipart([b"nobody", b"one", b"two", b"three", b"four"])
    worker.send(b"nobody")
    counts = device.wait_until(lambda counts: counts.backend.received.messages == 3)
    assert counts.frontend.unroutable == 3
    assert (counts.frontend.sent.messages, counts.frontend.held, counts.capture.passed) == (0, 0, 0)
    client = bench.peer(zmq.DEALER, device.frontend, routing_id=b"client")
    device.settle()
    worker.send_multipart([b"client", b"answer"])
    assert client.recv_multipart() == [b"answer"]


def test_a_client_that_went_does_not_end_the_device(bench: Bench) -> None:
    device, worker = broker(bench)
    gone, stays = (bench.peer(zmq.DEALER, device.frontend, routing_id=name) for name in (b"gone", b"stays"))
    for client in (gone, stays):
        client.send_multipart([b"", b"question"])
    questions = [worker.recv_multipart() for _ in range(2)]
    gone.close()
    device.wait_until(lambda counts: _answer(worker, [b"gone", b"", b"?"]) and counts.frontend.unroutable > 0)
    for question in questions:
        worker.send_multipart(question)
    assert stays.recv_multipart() == [b"", b"question"]


def _answer(worker: Socket, answer: list[bytes]) -> bool:
    worker.send_multipart(answer)
    return True


def test_one_slow_client_does_not_stop_the_others(bench: Bench) -> None:
    device, worker = broker(bench)
    slow, quick = (bench.peer(zmq.DEALER, device.frontend, routing_id=name, **ONE) for name in (b"slow", b"quick"))
    device.settle()
    for i in range(50):
        worker.send_multipart([b"slow", b"%d" % i, b"end"])
        worker.send_multipart([b"quick", b"%d" % i, b"end"])
        assert quick.recv_multipart() == [b"%d" % i, b"end"]
    counts = device.settle().frontend
    assert counts.sent.messages + counts.full == 100
    assert counts.full >= 40
    kept = counts.sent.messages - 50
    assert [slow.recv_multipart() for _ in range(kept)] == [[b"%d" % i, b"end"] for i in range(kept)]
    assert_idle(bench, device)


def test_a_full_client_that_is_the_only_one(bench: Bench) -> None:
    device, worker = broker(bench)
    client = bench.peer(zmq.DEALER, device.frontend, routing_id=b"client", **ONE)
    device.settle()
    for i in range(20):
        worker.send_multipart([b"client", b"%d" % i])
    counts = device.wait_until(lambda counts: counts.backend.received.messages == 20).frontend
    assert (counts.sent.messages, counts.full) == (2, 18)
    assert [client.recv() for _ in range(2)] == [b"0", b"1"]


def test_a_router_that_does_not_tell_counts_as_sent(bench: Bench) -> None:
    """The caller's own sockets keep their options."""
    device = bench.device(zmq.ROUTER, zmq.DEALER).start()
    worker = bench.peer(zmq.DEALER, device.backend)
    worker.send_multipart([b"nobody", b"answer"])
    counts = device.wait_until(lambda counts: counts.backend.received.messages == 1)
    assert (counts.frontend.sent.messages, counts.frontend.unroutable) == (1, 0)


def test_swapped_messages_for_nobody_are_dropped_whole(bench: Bench) -> None:
    device = bench.device(
        zmq.ROUTER, zmq.ROUTER, zmq.PUB, prefixes=(b"in", b"out"), swap=True, front=MANDATORY, back=MANDATORY
    ).start()
    client = bench.peer(zmq.DEALER, device.frontend, routing_id=b"client")
    worker = bench.peer(zmq.DEALER, device.backend, routing_id=b"worker")
    assert device.capture is not None
    monitor = bench.peer(zmq.SUB, device.capture)
    device.settle()
    client.send_multipart([b"nobody", b"job", b"more"])
    client.send_multipart([b"worker", b"job"])
    assert worker.recv_multipart() == [b"client", b"job"]
    counts = device.settle()
    assert (counts.backend.unroutable, counts.backend.sent.messages, counts.capture.passed) == (1, 1, 1)
    assert monitor.recv_multipart() == [b"in", b"worker", b"client", b"job"]


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_a_stream_socket_is_a_kind_of_router(bench: Bench, parts: int) -> None:
    device = bench.device(zmq.PULL, zmq.STREAM).start()
    source = bench.peer(zmq.PUSH, device.frontend)
    source.send_multipart([b"nobody"] * parts)
    assert device.wait_until(lambda counts: counts.frontend.received.messages == 1).backend.unroutable == 1
