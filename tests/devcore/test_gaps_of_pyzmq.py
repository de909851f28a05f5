"""What is known to go wrong with pyzmq's devices and libzmq's proxy, and does not here. Each test is named after its gap."""

from __future__ import annotations

import gc
import os
import resource
import threading
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.devcore.conftest import PATIENCE, Bench, Socket, assert_idle
from tests.devcore.test_waiting import ONE, fill_through

PREFIXES = (b"in", b"out")


def test_no_stop(bench: Bench) -> None:
    """pyzmq's device ends with its context, or not at all."""
    device = bench.device(zmq.ROUTER, zmq.DEALER).start()
    device.proxy.terminate()
    assert device.join() == "terminated"
    assert not bench.context.closed


def test_message_without_body_through_router_router_corrupts_the_next_one(bench: Bench) -> None:
    device = bench.device(zmq.ROUTER, zmq.ROUTER, zmq.PUB, prefixes=PREFIXES, swap=True).start()
    a, b = bench.peer(zmq.DEALER, device.frontend, routing_id=b"a"), bench.peer(zmq.DEALER, device.backend, routing_id=b"b")
    assert device.capture is not None
    monitor = bench.peer(zmq.SUB, device.capture)
    device.settle()
    a.send_multipart([b"b"])
    a.send_multipart([b"b", b"second"])
    assert b.recv_multipart() == [b"a"]
    assert b.recv_multipart() == [b"a", b"second"]
    assert [monitor.recv_multipart() for _ in range(2)] == [[b"in", b"b", b"a"], [b"in", b"b", b"a", b"second"]]


def test_req_client_cannot_use_router_router(bench: Bench) -> None:
    """It still cannot: its empty delimiter is taken for the address. But somebody counts it."""
    device = bench.device(zmq.ROUTER, zmq.ROUTER, swap=True, back={"router_mandatory": 1}).start()
    bench.peer(zmq.DEALER, device.backend, routing_id=b"worker")
    client = bench.peer(zmq.REQ, device.frontend)
    device.settle()
    client.send_multipart([b"worker", b"job"])
    assert device.wait_until(lambda counts: counts.frontend.received.messages == 1).backend.unroutable == 1


def test_blocking_monitor_blocks_everything(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.PUSH, prefixes=PREFIXES).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)
    for i in range(2000):
        source.send(b"%d" % i)
        assert sink.recv() == b"%d" % i
    counts = device.settle().capture
    assert (counts.waiting, counts.dropped) == (1000, 1000)


def test_one_full_direction_blocks_the_other(bench: Bench) -> None:
    device = bench.device(zmq.DEALER, zmq.DEALER, front=ONE, back=ONE).start()
    near, far = bench.peer(zmq.DEALER, device.frontend, **ONE), bench.peer(zmq.DEALER, device.backend, **ONE)
    fill_through(device, near, [b"full"])
    far.send(b"gets through")
    assert near.recv() == b"gets through"


@pytest.mark.parametrize("timeout", [0, 1])
def test_sndtimeo_on_a_device_socket_kills_monitored_queue(bench: Bench, timeout: int) -> None:
    timeouts: dict[str, Any] = {**ONE, "sndtimeo": timeout, "rcvtimeo": timeout}
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.PUSH, prefixes=PREFIXES, front=timeouts, back=timeouts, mon=timeouts).start()
    source = bench.peer(zmq.PUSH, device.frontend, **ONE)
    sent = fill_through(device, source, [b"a", b"b"])
    sink = bench.peer(zmq.PULL, device.backend, **ONE)
    assert [sink.recv_multipart() for _ in range(sent)] == [[b"a", b"b"]] * sent


def test_unroutable_message_with_router_mandatory_kills_the_device(bench: Bench) -> None:
    device = bench.device(zmq.ROUTER, zmq.DEALER, front={"router_mandatory": 1}).start()
    worker, client = bench.peer(zmq.DEALER, device.backend), bench.peer(zmq.DEALER, device.frontend, routing_id=b"client")
    device.settle()
    worker.send_multipart([b"nobody", b"x"])
    worker.send_multipart([b"client", b"y"])
    assert client.recv_multipart() == [b"y"]


def hold(bench: Bench) -> None:
    """Let a device end with a message in hand and copies that wait, all of them long."""
    device = bench.device(zmq.PULL, zmq.PUSH, zmq.PUSH, prefixes=PREFIXES, back=ONE)
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend, **ONE)
    for _ in range(5):
        source.send_multipart([bytes(100_000), bytes(100_000)])
    device.start().settle()
    device.stop()
    counts = device.statistics()
    assert (counts.backend.held, counts.capture.waiting) == (1, 2)
    sink.close()


def test_leak_on_termination(bench: Bench) -> None:
    """What a device still holds at its end goes with it: memory, descriptors, threads."""
    for _ in range(30):
        hold(bench)
    bench.close()
    gc.collect()  # what other tests have left
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10):
        other = Bench(bench.core)
        for _ in range(30):
            hold(other)
        other.close()
        other.devices.clear()
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert threading.active_count() <= threads
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 30_000  # KiB; each round holds about 18 MB


def test_terminating_while_a_message_waits_hangs(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH, front=ONE, back=ONE).start()
    source = bench.peer(zmq.PUSH, device.frontend, **ONE)
    fill_through(device, source, [b"waits"])
    device.proxy.terminate()
    assert device.join() == "terminated"


def test_errors_are_invisible_to_the_caller(bench: Bench) -> None:
    """Whoever runs a device learns what went wrong, and where."""
    from topo.devcore import ProxyError

    closed = bench.bound(zmq.PUSH)
    proxy = bench.core(bench.bound(zmq.PULL), closed)
    closed.close()
    with pytest.raises(ProxyError) as caught:
        proxy.run()
    assert (caught.value.errno, caught.value.side) == (zmq.ENOTSOCK, "backend")


def test_monitor_prefix_that_is_text_dies_in_the_background(bench: Bench) -> None:
    with pytest.raises(TypeError):
        bench.core(bench.bound(zmq.PULL), bench.bound(zmq.PUSH), bench.bound(zmq.PUB), prefixes=("in", "out"))


# libzmq's proxy


def test_pause_and_resume_are_exchanged(bench: Bench) -> None:
    device = bench.device(zmq.PULL, zmq.PUSH).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)
    device.command(b"PAUSE")
    source.send(b"x")
    assert device.settle().frontend.received.messages == 0
    device.command(b"RESUME")
    assert sink.recv() == b"x"


def test_a_core_burns_while_a_peer_is_missing(bench: Bench) -> None:
    device = bench.device(zmq.ROUTER, zmq.DEALER).start()
    bench.peer(zmq.DEALER, device.frontend).send(b"waits")
    assert_idle(bench, device)


def test_rep_and_req_die_after_the_first_message(bench: Bench) -> None:
    device = bench.device(zmq.REP, zmq.REQ).start()
    client, worker = bench.peer(zmq.REQ, device.frontend), bench.peer(zmq.REP, device.backend)
    for i in range(3):
        client.send(b"%d" % i)
        assert worker.recv() == b"%d" % i
        worker.send(b"done")
        assert client.recv() == b"done"


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_over_the_network_as_well(bench: Bench, tmp_path: Path, transport: str) -> None:
    """Everything else is tested over inproc; here are sockets with an I/O thread in between."""

    def bound(kind: int, name: str) -> Socket:
        socket = bench.socket(kind, rcvtimeo=-1, sndtimeo=-1, sndhwm=2, rcvhwm=2)
        socket.bind("tcp://127.0.0.1:*" if transport == "tcp" else f"ipc://{tmp_path}/{name}")
        return socket

    device = bench.proxy(bound(zmq.ROUTER, "f"), bound(zmq.DEALER, "b"), bound(zmq.XPUB, "m"), prefixes=PREFIXES).start()
    clients = [bench.peer(zmq.REQ, device.frontend) for _ in range(3)]
    stop = threading.Event()

    def work() -> None:
        worker = bench.peer(zmq.REP, device.backend, rcvtimeo=50)
        while not stop.is_set():
            try:
                worker.send_multipart(worker.recv_multipart()[::-1])
            except zmq.Again:
                continue

    workers = [threading.Thread(target=work) for _ in range(2)]
    for thread in workers:
        thread.start()
    try:
        for i in range(100):
            for n, client in enumerate(clients):
                client.send_multipart([b"%d" % i, bytes(n * 10_000), b"end"])
            for n, client in enumerate(clients):
                assert client.recv_multipart() == [b"end", bytes(n * 10_000), b"%d" % i]
    finally:
        stop.set()
        for thread in workers:
            thread.join(PATIENCE / 1000)
    counts = device.settle()
    assert counts.frontend.received.messages == counts.frontend.sent.messages == 300
