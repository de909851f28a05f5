"""Watching a process by what it prints, or by what can be asked: waiting for lines and states, never for time."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

__all__ = ["PATIENCE", "Lines", "wait_until"]

PATIENCE = 60.0
"""How many seconds something may take before a test gives it up; nothing waits that long in a test that passes."""
PAUSE = 0.001
"""Seconds between two questions that nobody answers by himself."""


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Ask until it holds. Nobody tells when that is."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(PAUSE)


class Lines:
    """The lines that a process prints to its standard output, read in a thread so that it is never held up."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._stream = process.stdout
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self.seen: list[str] = []
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    @property
    def text(self) -> str:
        """All that was printed so far and looked at."""
        return "\n".join(self.seen)

    def next(self) -> str | None:
        """The next line, or None at the end."""
        if self._ended:
            return None
        try:
            line = self._queue.get(timeout=PATIENCE)
        except Empty:
            raise AssertionError(f"nothing more came after:\n{self.text}") from None
        if line is None:
            self._ended = True
        else:
            self.seen.append(line)
        return line

    def came(self) -> bool:
        """Take the lines that have come, without waiting, and say whether there were any."""
        some = False
        while not self._queue.empty() and self.next() is not None:
            some = True
        return some

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read on until a line has the pattern."""
        while (line := self.next()) is not None:
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"it ended before {pattern!r} came:\n{self.text}")

    def wait_for_all(self, patterns: Iterable[re.Pattern[str]]) -> None:
        """Read on until each pattern has been in a line."""
        left = list(patterns)
        while left:
            line = self.next()
            assert line is not None, f"it ended before {[p.pattern for p in left]} came:\n{self.text}"
            left = [p for p in left if not p.search(line)]

    def wait_for_end(self) -> None:
        """Read on until the process closes its output."""
        while self.next() is not None:
            pass

    def close(self) -> None:
        """Wait for the reading thread; the process has ended."""
        self._thread.join(PATIENCE)
        self._stream.close()
