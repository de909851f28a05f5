"""What signals ask of `ztopo up`, from its first moment to its last.

As long as nothing is started, a wish to stop is an exception, and the end of it. Then wishes are events of the supervisor. Once
that has ended they change nothing any more.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Self

from topo.signals import let_through

if TYPE_CHECKING:
    from topo.run.supervisor import Supervisor

__all__ = ["Unwanted", "Wishes"]


class Unwanted(BaseException):
    """Somebody wants it to end, and nothing is started yet. No error: only `up` itself is to catch it."""


class Wishes:
    """Hears signals within its block, and has them ignored after it."""

    def __init__(self) -> None:
        self._handled: list[signal.Signals] = []
        self._interrupts = False
        self._early = ""
        """Who wanted it to end before there was a supervisor."""
        self._supervisor: Supervisor | None = None

    def __enter__(self) -> Self:
        self._handle(signal.SIGINT, self._stop)
        self._handle(signal.SIGTERM, self._stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup wants it to be ignored
            self._handle(signal.SIGHUP, self._stop if _has_terminal() else self._reload)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._handled:
            signal.signal(number, signal.SIG_IGN)  # it is over, and ends with what it has come to

    def _handle(self, number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
        signal.signal(number, handler)
        self._handled.append(number)

    def listen(self) -> None:
        """From now on a wish to stop raises Unwanted; one that has come before does so here."""
        let_through()
        self._interrupts = True
        self._raise_early()

    def go_to(self, supervisor: Supervisor) -> None:
        """From now on wishes are events of the supervisor."""
        self._supervisor = supervisor
        self._raise_early()  # an exception is lost where it meets one that nobody can hear, such as in a finalizer

    def _raise_early(self) -> None:
        if self._early:
            self._interrupts = False
            raise Unwanted(self._early)

    def _stop(self, number: int, frame: object) -> None:
        from topo.run.events import StopAsked

        if self._supervisor is not None:
            self._supervisor.post(StopAsked(signal.Signals(number).name))
            return
        self._early = self._early or signal.Signals(number).name
        if self._interrupts:
            self._raise_early()

    def _reload(self, number: int, frame: object) -> None:
        from topo.run.events import ReloadAsked

        if self._supervisor is not None:  # else the file is about to be read anyway
            self._supervisor.post(ReloadAsked(signal.Signals(number).name))


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal, which SIGHUP says is gone."""
    try:
        open("/dev/tty").close()
    except OSError:
        return False
    return True
