"""What a socket of an app has counted, in memory that the app and the supervisor both map.

One writes and the other reads, so nobody asks and nobody waits. The app removes the file's name once it has mapped it; what is
counted can be read as long as one of the two lives.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

__all__ = ["PREFIX", "Tally", "make", "open_file"]

PREFIX = "tally-"
"""How the names of the files begin, for as long as they have one."""
SENT, RECEIVED, HEEDED, WAITING = range(4)
SIZE = 32


class Tally:
    """The counters of one socket."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._words = memoryview(memory).cast("Q")

    @property
    def sent(self) -> int:
        """How many whole messages it has sent."""
        return self._words[SENT]

    @sent.setter
    def sent(self, count: int) -> None:
        self._words[SENT] = count

    @property
    def received(self) -> int:
        """How many whole messages it has received."""
        return self._words[RECEIVED]

    @received.setter
    def received(self, count: int) -> None:
        self._words[RECEIVED] = count

    @property
    def heeded(self) -> int:
        """The number of the last wish that it has done. If that was to pause, it sends nothing, and no message is half sent."""
        return self._words[HEEDED]

    @heeded.setter
    def heeded(self, number: int) -> None:
        self._words[HEEDED] = number

    @property
    def waiting(self) -> bool:
        """Whether somebody waits to send until it is no longer paused, and so receives nothing meanwhile."""
        return bool(self._words[WAITING])

    @waiting.setter
    def waiting(self, waiting: bool) -> None:
        self._words[WAITING] = waiting


def open_file(path: str) -> Tally:
    """Map the file, and remove its name."""
    with open(path, "r+b") as file:
        tally = Tally(mmap.mmap(file.fileno(), SIZE))
    os.unlink(path)
    return tally


def make(folder: Path) -> tuple[str, Tally]:
    """Make a file in a folder, all zeros, and map it. Raises OSError."""
    handle, path = tempfile.mkstemp(prefix=PREFIX, dir=folder)
    try:
        os.posix_fallocate(handle, 0, SIZE)
        return path, Tally(mmap.mmap(handle, SIZE))
    finally:
        os.close(handle)
