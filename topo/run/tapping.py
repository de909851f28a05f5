"""The other side of `taps.py`: it listens to the copies of devices, says from which side they come, and how many it missed.

A device counts the copies that it passes to its monitor. What of them does not arrive here was dropped on the way, because here
it was not read fast enough; so `missed` is the difference of two counts. While messages are under way, it is at least that much
less what is under way; when all is quiet, it is exact. Where others read the same monitor, the few copies that were passed between
the request and the subscription count as missed, too.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Self

import msgspec
import zmq

from topo.run.client import NotRunning, Refused, Topology, Unreachable
from topo.run.taps import Tapped

__all__ = ["Seen", "Tapping"]

PATIENCE = 15.0
"""Seconds that each tap may take to open."""
ELSEWHERE = 16
"""Room in the context beside the sockets of the taps."""
MOST_AT_ONCE = 1000
"""So many messages are read before anything else is looked at."""

Socket = zmq.Socket[bytes]


class Seen(NamedTuple):
    """A copy of a message: when it was read, on a clock that never jumps, in nanoseconds; where it came from; its parts."""

    at: int
    device: str
    side: str
    prefix: bytes
    parts: list[bytes]


class Line:
    """The copies of one device."""

    def __init__(self, device: str, context: zmq.Context[Socket]) -> None:
        self.device = device
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.subscribe(b"")
        self._sides: dict[bytes, str] = {}
        self._address = ""
        self._base = self._last = self._seen = self._before = 0

    @property
    def runs(self) -> bool:
        """Whether the device is there to listen to."""
        return bool(self._address)

    def go_to(self, where: Tapped) -> None:
        """Listen there from now on; the device has begun to count anew."""
        if self._address:
            with suppress(zmq.ZMQError):  # nobody is there any more
                self.socket.disconnect(self._address)
        self._before += self.missed
        self._base = self._last = where.passed
        self._seen = 0
        self._address = where.address
        one, other = (bytes.fromhex(prefix) for prefix in where.prefixes)
        self._sides = {other: where.sides[1], one: where.sides[0]}
        if where.address:
            self.socket.connect(where.address)

    def read_all(self, most: int) -> Iterator[Seen]:
        """The copies that are there."""
        for _ in range(most):
            try:
                prefix, *parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._seen += 1
            yield Seen(time.monotonic_ns(), self.device, self._sides.get(prefix, ""), prefix, parts)

    def counted(self, passed: int) -> None:
        """So many has the device passed to its monitor."""
        self._last = passed

    @property
    def missed(self) -> int:
        """How many copies did not arrive, of those that the device had passed when it was asked."""
        return self._before + max(0, self._last - self._base - self._seen)


class Tapping:
    """Taps of devices, open within its block."""

    def __init__(self, topology: Topology, devices: Sequence[str]) -> None:
        self._topology = topology
        self._context: zmq.Context[Socket] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, len(devices) + ELSEWHERE)
        self._poller = zmq.Poller()
        self._news = b""
        self._asking: socket.socket | None = None
        self._bell, self._string = socket.socketpair()
        self.lines = {device: Line(device, self._context) for device in devices}

    def __enter__(self) -> Self:
        self._poller.register(self._bell, zmq.POLLIN)
        for line in self.lines.values():
            self._poller.register(line.socket, zmq.POLLIN)
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wake(self) -> None:
        """Let who waits for copies wait no longer, now or the next time. From any thread, and from a signal handler."""
        self._string.send(b"!")

    def close(self) -> None:
        """Let go of all devices."""
        self._bell.close()
        self._string.close()
        if self._asking is not None:
            self._asking.close()
        for line in self.lines.values():
            line.socket.close(0)
        self._context.term()

    def _open(self) -> None:
        self._asking = self._topology.begin("tap", devices=list(self.lines))
        self._asking.settimeout(PATIENCE)
        self._poller.register(self._asking, zmq.POLLIN)
        left = set(self.lines)
        while left:
            left -= set(self._hear(self._asking))

    def _hear(self, asking: socket.socket) -> list[str]:
        """Take what the topology says, and return the devices that it is about."""
        try:
            data = asking.recv(1 << 16)
        except TimeoutError:
            raise Unreachable(f"{self._topology.id} runs, and does not answer") from None
        if not data:
            raise NotRunning(f"{self._topology.id} has ended")
        *lines, self._news = (self._news + data).split(b"\n")
        heard = []
        for line in lines:
            answer = json.loads(line)
            if "error" in answer:
                raise Refused(answer["error"]["message"], answer["error"]["exit"])
            if "end" in answer:
                raise NotRunning(f"{self._topology.id} has ended")
            where = msgspec.convert(answer, Tapped)
            self.lines[where.device].go_to(where)
            heard.append(where.device)
        return heard

    def read(self, timeout: float) -> list[Seen]:
        """The copies that are there, or that come within so many seconds. Raises NotRunning when the topology has ended."""
        ready = dict(self._poller.poll(max(0, int(1000 * timeout))))
        if self._bell.fileno() in ready:
            self._bell.recv(4096)
        if self._asking is not None and self._asking.fileno() in ready:
            self._hear(self._asking)
        found: list[Seen] = []
        for line in self.lines.values():
            if line.socket in ready:
                found += line.read_all(MOST_AT_ONCE)
        return found

    def settle(self, quiet: float = 0.5, patience: float = 3.0) -> bool:
        """Read on, and throw away, until all has come or nothing comes any more: then it is known what was missed. Says whether it is."""
        (answer,) = self._topology.ask("copies", devices=list(self.lines))
        for device, passed in answer["passed"].items():
            self.lines[device].counted(passed)
        last = time.monotonic()
        end = last + patience
        while self.missed and (now := time.monotonic()) < end:
            if now - last >= quiet:
                return True
            if self.read(last + quiet - now):  # it may also be woken by something else than copies
                last = time.monotonic()
        return not self.missed

    @property
    def missed(self) -> int:
        """How many copies did not arrive, as far as that was asked."""
        return sum(line.missed for line in self.lines.values())
