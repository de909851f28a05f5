"""Signals, while the main thread is in a loop that must be left between two messages only."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

__all__ = ["HeldBack", "SignalPipe", "in_main_thread"]


def in_main_thread() -> bool:
    """Whether this is the thread that runs Python's signal handlers."""
    return threading.current_thread() is threading.main_thread()


class SignalPipe:
    """Makes `fd` readable when a signal comes in for the main thread.

    Without it a signal that comes in just before the loop goes to sleep would wait for the next message.
    """

    def __init__(self) -> None:
        self.fd, self._writer = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._writer, False)
        self._former = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def pass_on(self) -> None:
        """Take what came in, and give it to whoever was told before."""
        try:
            numbers = os.read(self.fd, 4096)
            if self._former >= 0:
                os.write(self._former, numbers)
        except BlockingIOError:
            pass  # nothing came in; or the former reader has so much to read that it will wake anyway

    def close(self) -> None:
        """Be as if it had never been."""
        signal.set_wakeup_fd(self._former)
        self.pass_on()
        os.close(self.fd)
        os.close(self._writer)


class HeldBack(SignalPipe):
    """Also puts off Python's signal handlers, which could otherwise run between any two steps of a loop in Python."""

    def __init__(self) -> None:
        super().__init__()
        self._came: list[tuple[int, FrameType | None]] = []
        self._handlers = {
            int(number): handler for number in signal.valid_signals() if callable(handler := signal.getsignal(number))
        }
        for number in self._handlers:
            signal.signal(number, lambda number, frame: self._came.append((number, frame)))

    def run_handlers(self) -> None:
        """Run the handlers of the signals that have come in."""
        self.pass_on()
        while self._came:
            number, frame = self._came.pop(0)
            self._handlers[number](number, frame)

    def close(self) -> None:
        """Be as if it had never been, and run what is still to be run."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        super().close()
        for came, frame in self._came:
            self._handlers[came](came, frame)
