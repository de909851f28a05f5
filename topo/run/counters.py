"""The counters of the devices of one process, in memory that outlives it.

The loop of each device writes its own, the supervisor reads all of them at any rate, and nobody asks a device for them. The
memory is a file without a name: nothing is left of it when the last who knows it has ended.
"""

from __future__ import annotations

import mmap
import os
import tempfile

from topo.devcore import STATISTICS_SIZE, Statistics, read_statistics

__all__ = ["Counters", "Slots"]

STEP = 256
"""How many slots it grows by."""


class Counters:
    """The supervisor's side: who has which slot, and what stands there."""

    def __init__(self) -> None:
        self.handle = _nameless()
        """The file's descriptor, for the process whose devices write there."""
        self._slots: dict[str, int] = {}
        self._memory: mmap.mmap | None = None

    def slot(self, device: str) -> int:
        """The slot of a device, the same in all its lives. Raises OSError if there is no memory for it."""
        slot = self._slots.setdefault(device, len(self._slots))
        needed = (slot // STEP + 1) * STEP * STATISTICS_SIZE
        if self._memory is None or len(self._memory) < needed:
            os.posix_fallocate(self.handle, 0, needed)
            self._memory = mmap.mmap(self.handle, needed)
        return slot

    def read(self, device: str) -> Statistics | None:
        """What a device has done in its last life, or None if it has not run."""
        slot = self._slots.get(device)
        if slot is None or self._memory is None:
            return None
        with memoryview(self._memory) as view, view[slot * STATISTICS_SIZE : (slot + 1) * STATISTICS_SIZE] as words:
            return read_statistics(words) if any(words[:8]) else None

    def clear(self, device: str) -> None:
        """Forget what a device has done. It has ended."""
        slot = self._slots.get(device)
        if slot is not None and self._memory is not None:
            self._memory[slot * STATISTICS_SIZE : (slot + 1) * STATISTICS_SIZE] = bytes(STATISTICS_SIZE)

    def close(self) -> None:
        """Give the descriptor back. What stands there can still be read."""
        os.close(self.handle)


class Slots:
    """The side of the process whose devices write there."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._memory: memoryview | None = None

    def memory(self, slot: int) -> memoryview:
        """Where a device is to count, all zeros."""
        end = (slot + 1) * STATISTICS_SIZE
        if self._memory is None or len(self._memory) < end:
            self._memory = memoryview(mmap.mmap(self._handle, 0))  # the old map stays with those who write there
        words = self._memory[end - STATISTICS_SIZE : end]
        words[:] = bytes(STATISTICS_SIZE)
        return words


def _nameless() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("ztopo counters")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
