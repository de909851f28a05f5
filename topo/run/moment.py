"""A moment that comes once, for threads and for event loops to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Moment"]


class Moment:
    """It has not come yet, or it has. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._come = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []

    def set(self) -> None:
        """It has come."""
        with self._lock:
            self._come.set()
            waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell()

    def then(self, tell: Callable[[], None]) -> None:
        """Call this when it comes, in the thread of whoever says so; here, if it has come."""
        with self._lock:
            if not self._come.is_set():
                self._waiting.append(tell)
                return
        tell()

    def is_set(self) -> bool:
        """Whether it has come."""
        return self._come.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it, for so many seconds at most, and say whether it has come."""
        return self._come.wait(timeout)

    async def come(self, timeout: float | None = None) -> bool:
        """The same for a task: its event loop goes on, and no thread waits."""
        import asyncio  # which takes as long as much of the rest, and most programs do not use it

        loop = asyncio.get_running_loop()
        seen = asyncio.Event()

        def tell() -> None:
            try:
                loop.call_soon_threadsafe(seen.set)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

        with self._lock:
            if self._come.is_set():
                return True
            self._waiting.append(tell)
        try:
            async with asyncio.timeout(timeout):
                await seen.wait()
        except TimeoutError:
            return self._come.is_set()
        finally:
            with self._lock:
                if tell in self._waiting:
                    self._waiting.remove(tell)
        return True
