"""What signals ask of `ztopo up`, from its first moment to its last.

As long as nothing is started, a wish to stop is an exception, and the end of it. Then wishes are events of the supervisor, which
a thread of its own takes from the system: Python runs handlers between two steps of the main thread only, and a signal that comes
just before that begins to wait for the next event would be heard after it. Once the supervisor has ended, they change nothing.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Self

from topo.signals import hold_back, let_through

if TYPE_CHECKING:
    from topo.run.events import ReloadAsked, StopAsked
    from topo.run.supervisor import Supervisor

__all__ = ["Unwanted", "Wishes"]


class Unwanted(BaseException):
    """Somebody wants it to end, and nothing is started yet. No error: only `up` itself is to catch it."""


class Wishes:
    """Hears signals within its block, and has them ignored after it."""

    def __init__(self) -> None:
        from topo.run.events import ReloadAsked, StopAsked

        self._stop = StopAsked
        self._meanings: dict[int, type[StopAsked | ReloadAsked]] = {signal.SIGINT: StopAsked, signal.SIGTERM: StopAsked}
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup wants it to be ignored
            self._meanings[signal.SIGHUP] = StopAsked if _has_terminal() else ReloadAsked
        self._interrupts = False
        self._early = ""
        """Who wanted it to end before there was a supervisor."""

    def __enter__(self) -> Self:
        for number in self._meanings:
            signal.signal(number, self._come_early)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._meanings:
            signal.signal(number, signal.SIG_IGN)  # it is over, and ends with what it has come to

    def listen(self) -> None:
        """From now on a wish to stop raises Unwanted; one that has come before does so here."""
        let_through()
        self._interrupts = True
        self._raise_early()

    def hold_back(self) -> None:
        """From now on nothing is interrupted: wishes wait until it is known whom they go to. To be called before any thread starts."""
        hold_back()
        self._raise_early()  # an exception is lost where it meets one that nobody can hear, such as in a finalizer

    def go_to(self, supervisor: Supervisor) -> None:
        """From now on wishes are events of the supervisor."""
        threading.Thread(target=self._pass_on, args=(supervisor,), name="ztopo signals", daemon=True).start()

    def _pass_on(self, supervisor: Supervisor) -> None:
        while True:
            number = signal.sigwait(self._meanings)
            supervisor.post(self._meanings[number](signal.Signals(number).name))

    def _come_early(self, number: int, frame: object) -> None:
        if self._meanings[number] is self._stop:  # else the file is about to be read anyway
            self._early = self._early or signal.Signals(number).name
        if self._interrupts:
            self._raise_early()

    def _raise_early(self) -> None:
        if self._early:
            self._interrupts = False
            raise Unwanted(self._early)


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal, which SIGHUP says is gone."""
    try:
        open("/dev/tty").close()
    except OSError:
        return False
    return True
