"""The cyclic garbage collector, paused while a great many objects are made.

A tree and a model have no cycles. Looking for some among a million fresh objects takes longer than making them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

__all__ = ["paused"]


class _Pauses:
    """How many pauses there are now. There is one collector in a process, so there is one of these."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.count = 0
        self.enabled = False
        """Whether the collector ran before the first of them."""


_pauses = _Pauses()


@contextmanager
def paused() -> Iterator[None]:
    """Pause the collector in the block. It goes on when the last of several blocks ends, unless it was off before the first."""
    with _pauses.lock:
        if not _pauses.count:
            _pauses.enabled = gc.isenabled()
            gc.disable()
        _pauses.count += 1
    try:
        yield
    finally:
        with _pauses.lock:
            _pauses.count -= 1
            if not _pauses.count and _pauses.enabled:
                gc.enable()
