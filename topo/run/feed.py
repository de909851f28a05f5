"""What somebody who looks on is told, from the thread in which it happens to the one that passes it on.

Whoever tells never waits. What there is no room for is left out, and how much that was stands in its place.
"""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Feed", "Missed"]

ROOM = 4096
"""How many things may wait."""

T = TypeVar("T")


class Missed:
    """So many things were left out here."""

    def __init__(self) -> None:
        self.count = 0


class Feed(Generic[T]):
    """What waits to be passed on. `put` and `close` may be called from any thread."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._waiting: deque[T | Missed] = deque()
        self._closed = False
        self._bell, self._string = socket.socketpair()
        self._string.setblocking(False)

    def put(self, thing: T) -> None:
        """Tell this, if there is room for it."""
        with self._lock:
            if self._closed:
                return
            if len(self._waiting) < self._room:
                self._waiting.append(thing)
            else:
                self._miss()
        self._ring()

    def close(self) -> None:
        """Say that no more comes. What waits is still passed on."""
        with self._lock:
            self._closed = True
        self._ring()

    def discard(self) -> None:
        """Nobody follows it any more, or ever will."""
        self.close()
        self._bell.close()
        self._string.close()

    def follow(self, reader: socket.socket) -> Iterator[T | Missed]:
        """What is told, until no more comes or the reader has gone, or has said something. To be used once."""
        waiting = select.poll()
        for heard in (self._bell, reader):
            waiting.register(heard, select.POLLIN)
        with self._bell, self._string:
            while True:
                yield from self._take_all()
                ready = [handle for handle, _ in waiting.poll()]
                if reader.fileno() in ready:
                    return
                self._bell.recv(4096)
                if self._closed:
                    yield from self._take_all()
                    return

    def _take_all(self) -> Iterator[T | Missed]:
        while self._waiting:
            with self._lock:
                thing = self._waiting.popleft()
            yield thing

    def _miss(self) -> None:
        last = self._waiting[-1]
        if not isinstance(last, Missed):
            last = Missed()
            self._waiting.append(last)
        last.count += 1

    def _ring(self) -> None:
        with suppress(OSError):  # it rings already, or nobody is there any more
            self._string.send(b"!")
