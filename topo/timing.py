"""How long each part of the work took, for whoever wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

__all__ = ["Timings", "Watch", "unwatched"]

Watch = Callable[[str], AbstractContextManager[None]]
"""What a part of the work is done within, by its name."""

_nothing = nullcontext()


def unwatched(name: str) -> AbstractContextManager[None]:
    """Nobody wants to know."""
    return _nothing


class Timings:
    """Seconds by name, in the order in which they were first spent. What is done more than once adds up."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.spent: dict[str, float] = {}
        self._clock = clock

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Watch what is done in the block."""
        begin = self._clock()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + self._clock() - begin
