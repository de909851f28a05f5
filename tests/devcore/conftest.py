"""A device under test: its sockets, its thread, and an event for everything one could want to wait for.

All tests run on both cores. Sockets meet over inproc, where what was sent is there at once; a pair of control sockets says when
the loop has gone round.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from topo.devcore import Statistics, _core, reference

PATIENCE = 30_000
"""Milliseconds after which a test gives up; nothing waits that long in a test that passes."""

CORES: dict[str, Any] = {"cython": _core.Proxy, "python": reference.Proxy}

Socket = zmq.Socket[Any]


class Bench:
    """A context, and what is made in it for one test."""

    def __init__(self, core: Any) -> None:
        self.core = core
        self.context = zmq.Context()
        self.devices: list[Device] = []
        self.sockets: list[Socket] = []
        self.names = 0

    def socket(self, kind: int, **options: Any) -> Socket:
        """A socket that gives up instead of hanging, and loses nothing by itself."""
        socket = self.context.socket(kind)
        self.sockets.append(socket)
        for name, value in {"linger": 0, "rcvtimeo": PATIENCE, "sndtimeo": PATIENCE, **options}.items():
            setattr(socket, name, value)
        return socket

    def bound(self, kind: int, **options: Any) -> Socket:
        """A socket for the device: bound, and with libzmq's own timeouts."""
        socket = self.socket(kind, **{"rcvtimeo": -1, "sndtimeo": -1, **options})
        self.names += 1
        socket.bind(f"inproc://{self.names}")
        return socket

    def peer(self, kind: int, other: Socket, **options: Any) -> Socket:
        """A socket that is connected to what `other` is bound to."""
        socket = self.socket(kind, **options)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(endpoint_of(other))
        return socket

    def device(self, frontend: int, backend: int, capture: int | None = None, **options: Any) -> Device:
        """A device with new sockets, not yet running. Options: of the three sockets, and for the Proxy."""
        made = [self.bound(kind, **options.pop(name, {})) for kind, name in ((frontend, "front"), (backend, "back"))]
        monitor = options.pop("mon", {})
        captured = None if capture is None else self.bound(capture, **monitor)
        return self.proxy(made[0], made[1], captured, **options)

    def proxy(self, frontend: Socket, backend: Socket, capture: Socket | None = None, **options: Any) -> Device:
        """A device with these sockets, not yet running."""
        device = Device(self, frontend, backend, capture, **options)
        self.devices.append(device)
        return device

    def close(self) -> None:
        """End everything."""
        for device in self.devices:
            device.stop()
        for socket in self.sockets:
            socket.close(0)
        self.context.term()


class Device:
    """A Proxy in a thread."""

    def __init__(self, bench: Bench, frontend: Socket, backend: Socket, capture: Socket | None, **options: Any) -> None:
        self.frontend, self.backend, self.capture = frontend, backend, capture
        self.control = bench.bound(zmq.REP)
        self.commander = bench.peer(zmq.REQ, self.control)
        self.proxy = bench.core(frontend, backend, capture, control=self.control, **options)
        self.thread: threading.Thread | None = None
        self.ended: list[Any] = []

    def start(self) -> Device:
        """Enter run() in a new thread."""
        self.ended = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def _run(self) -> None:
        try:
            self.ended.append(self.proxy.run())
        except Exception as error:
            self.ended.append(error)

    def join(self) -> Any:
        """Wait until run() has ended, and say how."""
        assert self.thread is not None
        self.thread.join(PATIENCE / 1000)
        assert self.ended, f"still running: {self.statistics()}"
        return self.ended[0]

    def stop(self) -> Any:
        """End run(), if it is running; an error that ended it is raised."""
        if self.thread is None:
            return None
        if self.thread.is_alive():
            self.proxy.terminate()
        if isinstance(how := self.join(), Exception):
            raise how
        return how

    def command(self, word: bytes) -> list[bytes]:
        """Send a command through the control socket, and return the answer."""
        self.commander.send(word)
        return self.commander.recv_multipart()

    def settle(self) -> Statistics:
        """Wait until the loop has done all that it could do with what was there before, and has counted it.

        Several commands may be answered in one turn, which counts at its end. The turn under way may be too late to see all, the
        next one does, and the one after it passes on what that one had left.
        """
        seen = self.statistics().turns
        while self.statistics().turns < seen + 3:
            self.command(b"STATISTICS")
        return self.statistics()

    def statistics(self) -> Statistics:
        """What it has done so far."""
        counts: Statistics = self.proxy.statistics()
        return counts

    def wait_until(self, holds: Callable[[Statistics], bool]) -> Statistics:
        """Let the loop go round until its statistics are so."""
        for _ in range(PATIENCE):
            counts = self.settle()
            if holds(counts):
                return counts
        raise AssertionError(self.statistics())


def endpoint_of(socket: Socket) -> str:
    """What a socket was bound to last."""
    endpoint = socket.last_endpoint
    assert isinstance(endpoint, bytes)
    return endpoint.decode()


def exchange(bench: Bench, times: int) -> None:
    """Something that takes a while and does not touch the device: questions and answers between two other threads' sockets."""
    answers = bench.bound(zmq.PAIR, rcvtimeo=PATIENCE)
    asks = bench.peer(zmq.PAIR, answers)

    def answer() -> None:
        for _ in range(times):
            answers.send(answers.recv())

    thread = threading.Thread(target=answer)
    thread.start()
    for _ in range(times):
        asks.send(b"")
        asks.recv()
    thread.join()
    asks.close()
    answers.close()


def assert_idle(bench: Bench, device: Device) -> None:
    """The loop does not go round while others do something, once it has come to rest; on a busy machine that may take a while."""
    device.settle()
    for _ in range(20):
        before = device.statistics().turns
        exchange(bench, 300)
        if device.statistics().turns == before:
            return
    raise AssertionError(f"{device.statistics().turns - before} turns while nothing happens")


@pytest.fixture(params=CORES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(CORES[request.param])
    try:
        yield bench
    finally:
        bench.close()
