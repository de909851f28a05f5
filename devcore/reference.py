"""The forwarding loop in plain Python: what the core in Cython does, said as shortly as it can be said.

It is the specification, the oracle of the tests, and what runs with ZTOPO_CORE=python. How it works is said at the head of
`_core.pyx`; what differs is only how. A message is read whole before it is passed on, and zmq_poll waits: for a target where
something is there for it, for a source otherwise. What is asked for POLLERR alone wakes nothing, but lets libzmq work, and
notices the end of the context.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import weakref
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import zmq

from topo.devcore import report
from topo.devcore.report import ProxyError, Statistics
from topo.devcore.signals import HeldBack, in_main_thread

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Proxy"]

BURST = 512
MONITOR_BURST = 64
LONGEST_DELAY = 10
GENERATION = report.WORDS.index("generation")
SIDES = ("frontend", "backend")
CAPTURES = {zmq.PUB, zmq.XPUB, zmq.PUSH, zmq.DEALER, zmq.PAIR}
SEND_ONLY, RECEIVE_ONLY = {zmq.PUSH, zmq.PUB}, {zmq.PULL, zmq.SUB}
ROUTES = {zmq.ROUTER, zmq.STREAM}
NOT_NOW = {zmq.EAGAIN, zmq.EFSM}

Socket = zmq.Socket[Any]
Message = list[zmq.Frame]


class Way(NamedTuple):
    """One of the two directions. `came` and `went` name the counters; `hand` holds the message that the target refused."""

    source: str
    target: str
    came: str
    went: str
    prefix: list[zmq.Frame]
    hand: list[Message]


class Proxy:
    """A device: passes messages between two sockets, each way, until it is told to end."""

    def __init__(
        self,
        frontend: Socket,
        backend: Socket,
        capture: Socket | None = None,
        *,
        prefixes: tuple[bytes, bytes] | None = None,
        swap: bool = False,
        control: Socket | None = None,
        memory: WriteableBuffer | None = None,
    ) -> None:
        forth, back = ([], []) if prefixes is None else ([zmq.Frame(prefix)] for prefix in prefixes)
        self._sockets: dict[str, Socket] = {"frontend": frontend}
        if frontend.underlying == backend.underlying:
            ways = [Way("frontend", "frontend", "frontend", "backend", forth, [])]
        else:
            self._sockets["backend"] = backend
            ways = [
                Way("frontend", "backend", "frontend", "backend", forth, []),
                Way("backend", "frontend", "backend", "frontend", back, []),
            ]
        self._swap = swap
        if control is not None:
            self._sockets["control"] = control
        self._check()
        self._ways = [way for way in ways if self._can_go(way)]
        self._words = dict.fromkeys(report.WORDS, 0)
        self._words.update(magic=report.MAGIC, version=report.VERSION, words=len(report.WORDS))
        self._memory = _words_in(bytearray(report.STATISTICS_SIZE) if memory is None else memory)
        self._copies: deque[Message] = deque()
        self._subscriptions: weakref.WeakKeyDictionary[Socket, int] = weakref.WeakKeyDictionary()  # of all that were capture
        self._running = self._terminate = False
        self._paused = dict.fromkeys(SIDES, False)
        self._drain: tuple[float | None, tuple[int, int] | None] | None = None
        self._quiet_since = 0.0
        self._commands: deque[Any] = deque()
        self._lied = False
        self._wake_fd, self._waker = _wake_descriptors()
        weakref.finalize(self, _close, {self._wake_fd, self._waker})
        if capture is not None:
            self.capture = capture
        self._publish("stopped")

    # From any thread

    def terminate(self) -> None:
        """End `run`, between two messages; if it is not running, as soon as it is called."""
        self._terminate = True
        self._wake()

    def pause(self, side: str | None = None) -> None:
        """Pass nothing on, or nothing that comes from a side, until `resume`."""
        self._let_pause(side, True)

    def resume(self, side: str | None = None) -> None:
        """Go on after `pause`."""
        self._let_pause(side, False)

    def _let_pause(self, side: str | None, wish: bool) -> None:
        if side not in (None, *SIDES):
            raise ValueError(f"there is no side {side!r}")
        self._paused.update(dict.fromkeys(SIDES if side is None else (side,), wish))
        self._wake()

    def drain(self, *, quiet: float | None = None, received: tuple[int, int] | None = None) -> None:
        """The sources have stopped: pass on what still comes, then end `run`."""
        if quiet is None and received is None:
            raise ValueError("draining ends after a quiet time or when given counts have come in: say which")
        self._drain = (quiet, received)
        self._wake()

    def post(self, command: object) -> None:
        """End `run` between two messages, for something that the caller of `run` is to do in its thread."""
        self._commands.append(command)
        self._wake()

    def take(self) -> Any:
        """The first command posted and not yet taken, or None."""
        return self._commands.popleft() if self._commands else None

    def statistics(self) -> Statistics:
        """What it has done so far."""
        return report.from_words(list(self._published))

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._waker, (1).to_bytes(8, "little"))

    # Between two runs

    @property
    def capture(self) -> Socket | None:
        """The capture socket. It may be set between two runs; copies that the old one did not take are dropped."""
        return self._sockets.get("capture")

    @capture.setter
    def capture(self, socket: Socket | None) -> None:
        if self._running:
            raise RuntimeError("the capture socket can be changed between two runs only")
        if socket is not None and not socket.underlying:
            raise ProxyError(zmq.ENOTSOCK, "capture")
        self._words["capture.dropped"] += len(self._copies)
        self._copies.clear()
        self._sockets.pop("capture", None)
        if socket is not None:
            if socket.type not in CAPTURES:
                raise ProxyError(zmq.EINVAL, "capture")
            self._sockets["capture"] = socket
            self._subscriptions.setdefault(socket, 0)
        self._publish("stopped")

    def _can_go(self, way: Way) -> bool:
        """Whether messages ever go this way."""
        return self._sockets[way.source].type not in SEND_ONLY and self._sockets[way.target].type not in RECEIVE_ONLY

    def _check(self) -> None:
        for side, socket in self._sockets.items():
            if not socket.underlying:
                raise ProxyError(zmq.ENOTSOCK, side)

    # The loop

    def run(self) -> str:
        """Pass messages on until told to end, and say why it ended."""
        if self._running:
            raise RuntimeError("this Proxy runs already")
        self._running = True
        signals = None
        try:
            self._check()
            signals = HeldBack() if in_main_thread() else None
            return self._turn_until_told(signals)
        except ProxyError as error:
            if error.errno != zmq.ETERM:
                raise
            return "context terminated"
        finally:
            self._publish("stopped")
            self._running = False
            if signals is not None:
                signals.close()

    def _turn_until_told(self, signals: HeldBack | None) -> str:
        delay = 1
        while True:
            if signals is not None:
                signals.run_handlers()
            if reason := self._heed():
                return reason
            self._words["turns"] += 1
            self._lied = False
            self._attend_capture()  # first: who has subscribed before a message came gets its copy
            moved = self._pass_on()
            self._words["waiting"] = 0 if moved else self._waiting()
            moved |= self._attend_control()
            paused = any(self._paused.values()) and not self._going()
            self._publish("paused" if paused else "draining" if self._drain else "running")
            if not moved:
                self._sleep(delay if self._lied else None, signals)
            delay = min(2 * delay, LONGEST_DELAY) if self._lied else 1

    def _heed(self) -> str:
        if self._terminate:
            self._terminate = False
            return "terminated"
        if self._drain and self._drained(*self._drain):
            self._drain, self._quiet_since = None, 0.0
            return "drained"
        return "command" if self._commands else ""

    def _drained(self, quiet: float | None, received: tuple[int, int] | None) -> bool:
        if quiet is not None and self._quiet_since and time.monotonic() - self._quiet_since >= quiet:
            return True
        if received is None or any(way.hand for way in self._ways):
            return False
        return all(self._words[f"{side}.received.messages"] >= n for side, n in zip(SIDES, received, strict=True))

    def _pass_on(self) -> bool:
        moved = False
        for way in self._going():
            if self._ready(way) and self._takes(way):
                burst = 0
                while burst < BURST and self._forward(way):
                    burst += 1
                moved |= burst > 0
        if moved:
            self._words["last_message"] = time.time_ns()
            self._quiet_since = 0.0
        return moved

    def _going(self) -> list[Way]:
        """The ways that are not paused."""
        return [way for way in self._ways if not self._paused[way.source]]

    def _ready(self, way: Way) -> bool:
        return bool(way.hand) or bool(self._events(way.source) & zmq.POLLIN)

    def _takes(self, way: Way) -> bool:
        kind = self._sockets[way.target].type
        if kind == zmq.REP and way.source == way.target:  # it says that it can send only once it has received
            return True
        return kind in ROUTES or bool(self._events(way.target) & zmq.POLLOUT)

    def _waiting(self) -> int:
        return sum(
            1 << SIDES.index(way.went) for way in self._ways if self._ready(way) and not (self._takes(way) and not way.hand)
        )

    def _sleep(self, delay: int | None, signals: HeldBack | None) -> None:
        wanted = dict.fromkeys(self._sockets, zmq.POLLERR)
        for way in self._going():
            if not self._ready(way):
                wanted[way.source] |= zmq.POLLIN
            elif not self._takes(way):
                wanted[way.target] |= zmq.POLLOUT
            elif delay is None:
                return  # it came, or there was room, just now
        if self._copies and delay is None:
            wanted["capture"] |= zmq.POLLOUT
        if "control" in wanted:
            wanted["control"] |= zmq.POLLIN
        if self._is_xpub():
            wanted["capture"] |= zmq.POLLIN
        poller = zmq.Poller()
        for side, events in wanted.items():
            poller.register(self._sockets[side], events)
        poller.register(self._wake_fd, zmq.POLLIN)
        if signals is not None:
            poller.register(signals.fd, zmq.POLLIN)
        with _blaming("frontend"):
            came = dict(poller.poll(self._until_quiet(delay)))
        if self._wake_fd in came:
            os.read(self._wake_fd, 4096)

    def _until_quiet(self, delay: int | None) -> int | None:
        if not self._drain or self._drain[0] is None:
            return delay
        self._quiet_since = self._quiet_since or time.monotonic()
        rest = max(0, int((self._quiet_since + self._drain[0] - time.monotonic()) * 1000) + 1)
        return rest if delay is None else min(rest, delay)

    def _publish(self, state: str) -> None:
        self._words["state"] = report.STATES.index(state)
        for way in self._ways:
            self._words[f"{way.went}.held"] = len(way.hand)
        self._words["capture.waiting"] = len(self._copies)
        self._words["generation"] += 2
        self._published = list(self._words.values())
        self._memory[GENERATION] = self._words["generation"] - 1
        for i, word in enumerate(self._published):
            if i != GENERATION:
                self._memory[i] = word
        self._memory[GENERATION] = self._words["generation"]

    # One message

    def _forward(self, way: Way) -> bool:
        """Pass on one message, the one in hand first; False: not now."""
        message = way.hand.pop() if way.hand else self._read(way)
        if message is None:
            return False
        routed = self._sockets[way.target].type in ROUTES
        if routed and len(message) == 1:
            return self._count(f"{way.went}.unroutable")
        copying = self._monitored()
        try:
            if routed:
                self._events(way.target)  # or it might not yet know that there is room again
            whole = self._send(way.target, message)
        except ProxyError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return self._count(f"{way.went}.unroutable")
            if error.errno == zmq.EAGAIN and routed:
                return self._count(f"{way.went}.full")
            way.hand.append(message)
            if error.errno in NOT_NOW:
                self._lied |= self._takes(way)
                return False
            raise
        if whole:
            self._count_traffic(f"{way.went}.sent", message)
        else:
            self._count(f"{way.went}.lost")
        if copying:
            self._hand_over_copy([*way.prefix, *message])
        return True

    def _read(self, way: Way) -> Message | None:
        with _blaming(way.source):
            try:
                message = self._sockets[way.source].recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.ZMQError as error:
                if error.errno in NOT_NOW:
                    return None
                raise
        self._count_traffic(f"{way.came}.received", message)
        if self._swap:
            message[:2] = reversed(message[:2])
        return message

    def _send(self, side: str, message: Message) -> bool:
        """Send a message; False: its peer vanished between two parts, and the message with it."""
        socket, whole = self._sockets[side], True
        for i, part in enumerate(message):
            if not whole and socket.type == zmq.PAIR:
                break
            with _blaming(side):
                try:
                    socket.send(part, zmq.DONTWAIT | zmq.SNDMORE * (i + 1 < len(message)), copy=False)
                except zmq.Again:
                    if i == 0:
                        raise
                    whole = False
        return whole

    def _events(self, side: str) -> int:
        with _blaming(side):
            return int(self._sockets[side].get(zmq.EVENTS))

    def _count(self, word: str) -> bool:
        self._words[word] += 1
        return True

    def _count_traffic(self, words: str, message: Message) -> None:
        self._words[f"{words}.messages"] += 1
        self._words[f"{words}.parts"] += len(message)
        self._words[f"{words}.bytes"] += sum(len(part) for part in message)

    # The monitor

    def _is_xpub(self) -> bool:
        return "capture" in self._sockets and self._sockets["capture"].type == zmq.XPUB

    def _monitored(self) -> bool:
        return "capture" in self._sockets and (self._subscriptions[self._sockets["capture"]] > 0 or not self._is_xpub())

    def _hand_over_copy(self, message: Message) -> None:
        self._copies.append(message)
        self._flush_copies()
        if 0 < int(self._sockets["capture"].get(zmq.SNDHWM)) < len(self._copies):
            self._copies.pop()
            self._count("capture.dropped")

    def _flush_copies(self) -> None:
        while self._copies:
            try:
                whole = self._send("capture", self._copies[0])
            except ProxyError as error:
                if error.errno == zmq.EAGAIN:
                    return
                raise
            self._copies.popleft()
            self._count("capture.passed" if whole else "capture.dropped")

    def _attend_capture(self) -> None:
        if self._is_xpub():
            capture = self._sockets["capture"]
            for _ in range(MONITOR_BURST):
                if not self._events("capture") & zmq.POLLIN:
                    break
                change = {b"\1": 1, b"\0": -1}.get(capture.recv(zmq.DONTWAIT)[:1], 0)
                self._subscriptions[capture] = max(0, self._subscriptions[capture] + change)
        if self._copies and self._events("capture") & zmq.POLLOUT:
            self._flush_copies()
            self._lied |= bool(self._copies and self._events("capture") & zmq.POLLOUT)

    # The control socket

    def _attend_control(self) -> bool:
        if "control" not in self._sockets or not self._events("control") & zmq.POLLIN:
            return False
        with _blaming("control"):
            control = self._sockets["control"]
            command, *_ = control.recv_multipart(zmq.DONTWAIT)
            with contextlib.suppress(zmq.Again):  # who does not take the answer does not get it
                if command == b"STATISTICS":
                    control.send_multipart(self._as_libzmq_counts(), zmq.DONTWAIT)
                    return True
                if command in (b"PAUSE", b"RESUME"):
                    self._paused = dict.fromkeys(SIDES, command == b"PAUSE")
                self._terminate |= command == b"TERMINATE"
                if control.type == zmq.REP:
                    control.send(b"", zmq.DONTWAIT)
        return True

    def _as_libzmq_counts(self) -> list[bytes]:
        """Parts and bytes, as zmq_proxy_steerable(3) says."""
        words = [f"{side}.{what}.{unit}" for side in SIDES for what in ("received", "sent") for unit in ("parts", "bytes")]
        return [self._words[word].to_bytes(8, sys.byteorder) for word in words]


@contextlib.contextmanager
def _blaming(side: str) -> Iterator[None]:
    """Say which socket it was."""
    try:
        yield
    except ProxyError:
        raise
    except zmq.ZMQError as error:
        raise ProxyError(error.errno or 0, side) from None


def _words_in(memory: WriteableBuffer) -> memoryview[int]:
    """The memory for the counters, word by word."""
    view = memoryview(memory).cast("B")
    if view.readonly or len(view) < report.STATISTICS_SIZE:
        raise ValueError(f"the memory for statistics must have {report.STATISTICS_SIZE} bytes that can be written")
    return view[: report.STATISTICS_SIZE].cast("Q")


def _wake_descriptors() -> tuple[int, int]:
    """Where a wish is noticed, and where it is made: an eventfd, or a pipe where there is none."""
    if hasattr(os, "eventfd"):
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        return fd, fd
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    return reader, writer


def _close(descriptors: set[int]) -> None:
    for fd in descriptors:
        os.close(fd)
