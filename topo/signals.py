"""Signals that come before there is somebody to hear them.

What the `ztopo` command needs takes a moment to import. Until a verb has come to act, signals wait, so that none of them ends it
halfway, with a traceback or without a word.
"""

from __future__ import annotations

import signal

__all__ = ["hold_back", "let_through"]

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


def _signals() -> set[signal.Signals]:
    return {signal.Signals[name] for name in NAMES}
