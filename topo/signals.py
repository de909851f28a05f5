"""Signals that come before there is somebody to hear them.

What the `ztopo` command needs takes a moment to import. Until a verb has come to act, signals wait, so that none of them ends it
halfway, with a traceback or without a word.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["hold_back", "let_through", "until_signal"]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
"""Those by which somebody wants a program to end. Not every system has them all."""


def hold_back() -> None:
    """Let signals wait."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, _signals())


def let_through() -> None:
    """Let those come that have waited, and all others."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _signals())


@contextmanager
def until_signal(wake: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Say whether Ctrl-C and SIGTERM have left it alone so far, within the block, for what an exception would tear in two.

    `wake` is called as one comes. The second of a kind does what it would have done.
    """
    came: list[int] = []

    def end(number: int, frame: object) -> None:
        signal.signal(number, before[number])
        came.append(number)
        wake()

    before = {int(number): signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: not came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals() -> set[signal.Signals]:
    return {signal.Signals[name] for name in NAMES}
