"""Writing to somebody who may not read: at a terminal that Ctrl-S holds, into a pipe whose other end sleeps.

What is to be written waits in a queue, and a thread writes it, so that nobody else is held up. Output for which there is no room
is held back as a pipe would do it, as long as the reader takes anything at all. If they take nothing for a while it is dropped and
counted, and they find the number in its place once they read again.

Standard output and standard error have one queue, in which their order is kept, if they are one file; else neither waits for the
other.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TextIO

from topo.render import plural

__all__ = ["Queue", "Writer"]

ROOM = 1 << 20
"""Bytes of output that wait for a reader."""
PIECE = 4096
"""Bytes that are written at once: after each the reader is known to read."""
PATIENCE = 3.0
"""Seconds that a reader may take nothing until what has no room is dropped."""
LAST_PATIENCE = 0.5
"""The same, once everything is about to end."""


class Writer:
    """Writes to standard output and standard error. Any thread may use it."""

    def __init__(self, out: TextIO, err: TextIO, on_failed: Callable[[OSError], None]) -> None:
        """`on_failed` is called, in a thread of its own, when standard output takes nothing any more."""
        self._out, self._err = out, err
        self._on_failed = on_failed
        self._out_queue = self._err_queue = Queue(self._failed)
        if not os.path.sameopenfile(out.fileno(), err.fileno()):
            self._err_queue = Queue(self._failed)

    def offer(self, line: str) -> None:
        """Write a line of output, which may be held up or dropped."""
        self._out_queue.offer(self._out.fileno(), _encoded(line, self._out))

    def write(self, text: str) -> None:
        """Write output that nobody is held up for, and which is not dropped."""
        self._out_queue.put(self._out.fileno(), _encoded(text, self._out))

    def say(self, text: str) -> None:
        """Write something for people to standard error. It is not dropped either."""
        self._err_queue.put(self._err.fileno(), _encoded(text + "\n", self._err))

    def hurry(self) -> None:
        """Everything is about to end: be less patient with readers."""
        for queue in {self._out_queue, self._err_queue}:
            queue.hurry()

    def close(self) -> None:
        """Wait until all is written, or the readers take nothing for a while."""
        for queue in {self._out_queue, self._err_queue}:
            queue.close()

    def _failed(self, handle: int, error: OSError) -> None:
        if handle == self._out.fileno():
            self._on_failed(error)


def _encoded(text: str, stream: TextIO) -> bytes:
    return text.encode(stream.encoding, stream.errors or "strict")


class Piece(NamedTuple):
    """Something to be written."""

    handle: int
    data: bytes


class Dropped:
    """Where lines are missing, and how many."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.lines = 0

    def __str__(self) -> str:
        return f"[{plural(self.lines, 'line')} of output dropped here: nobody read]\n"


class Queue:
    """What waits to be written to one file, and the thread that writes it."""

    def __init__(self, on_failed: Callable[[int, OSError], None], *, room: int = ROOM, patience: float = PATIENCE) -> None:
        """`on_failed` hears once of each descriptor that cannot be written to, in the queue's own thread."""
        self._on_failed = on_failed
        self._room = room
        self._patience = patience
        self._changed = threading.Condition()
        self._waiting: deque[Piece | Dropped] = deque()
        self._size = 0
        self._moves = 0
        """How often the reader has taken something."""
        self._stuck = False
        """Whether the reader takes nothing."""
        self._failed: set[int] = set()
        """What is written there goes nowhere."""
        self._closing = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="ztopo writer", daemon=True)
        self._thread.start()

    def put(self, handle: int, data: bytes) -> None:
        """Have this written, whatever waits already."""
        with self._changed:
            self._add(Piece(handle, data))

    def offer(self, handle: int, line: bytes) -> None:
        """Have a line written. Wait for room if there is none; drop it if the reader takes nothing."""
        with self._changed:
            while self._size >= self._room and not self._stuck:
                self._wait_for_reader()
            if self._size < self._room:
                self._add(Piece(handle, line))
            else:
                self._drop(handle)

    def hurry(self) -> None:
        """Be less patient."""
        self._patience = min(self._patience, LAST_PATIENCE)

    def close(self, patience: float = LAST_PATIENCE) -> bool:
        """Wait until all is written, or the reader takes nothing for a while; say whether all is written."""
        with self._changed:
            self._patience, self._stuck = patience, False
            self._closing = True
            self._changed.notify_all()
            while not (self._ended or self._stuck):
                self._wait_for_reader()
        if self._ended:
            self._thread.join()
        return self._ended

    def _wait_for_reader(self) -> None:
        before = self._moves
        if not self._changed.wait_for(lambda: self._moves != before or self._stuck, self._patience):
            self._stuck = True
            self._changed.notify_all()

    def _add(self, piece: Piece) -> None:
        self._waiting.append(piece)
        self._size += len(piece.data)
        self._changed.notify_all()

    def _drop(self, handle: int) -> None:
        last = self._waiting[-1]
        if not isinstance(last, Dropped):
            last = Dropped(handle)
            self._waiting.append(last)
        last.lines += 1

    # In the thread

    def _run(self) -> None:
        while (piece := self._take()) is not None:
            for start in range(0, len(piece.data), PIECE):
                self._write(piece.handle, piece.data[start : start + PIECE])
                self._moved()
        with self._changed:
            self._ended = True
        self._moved()

    def _moved(self) -> None:
        with self._changed:
            self._stuck = False
            self._moves += 1
            self._changed.notify_all()

    def _take(self) -> Piece | None:
        """What comes next, several lines in one if they are short; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if not self._waiting:
                return None
            first = self._waiting.popleft()
            if isinstance(first, Dropped):
                return Piece(first.handle, str(first).encode())
            lines, size = [first.data], len(first.data)
            while size < PIECE and self._waiting:
                following = self._waiting[0]
                if isinstance(following, Dropped) or following.handle != first.handle:
                    break
                self._waiting.popleft()
                lines.append(following.data)
                size += len(following.data)
            self._size -= size
            return Piece(first.handle, b"".join(lines))

    def _write(self, handle: int, data: bytes) -> None:
        while data and handle not in self._failed:
            try:
                data = data[os.write(handle, data) :]
            except BlockingIOError:  # somebody has made the file one that does not block
                select.select([], [handle], [])
            except OSError as error:
                self._failed.add(handle)
                self._on_failed(handle, error)
