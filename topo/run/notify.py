"""Telling systemd how a topology is, as sd_notify(3) describes it: datagrams to a socket that NOTIFY_SOCKET names.

A thread sends them, so that a service manager that does not read holds nobody up. If systemd wants to hear again and again that all
is well, the thread asks the supervisor's loop each time, and says nothing unless that answers: a loop that is stuck is noticed.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, MutableMapping
from queue import Empty, SimpleQueue
from typing import Protocol, Self, TypeVar

from topo.run.journal import Journal, Record

__all__ = ["Notifier"]

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that the service manager has to take a message."""
RELOADED = ("changed", "rolled back", "reload refused")
"""The events with which a change is over, one way or the other."""
WORTH_SAYING = ("begun", "stopping", "busy")
"""The events that become the status of the service."""


class Asked(Protocol):
    """As much of the supervisor as is needed here."""

    def call(self, question: Callable[[Asked], T], timeout: float | None = None) -> T:
        """Ask something in the thread of the loop."""
        ...


class Notifier:
    """Tells what happens within its block. Does nothing if there is nobody to be told."""

    def __init__(self, supervisor: Asked, journal: Journal, environment: MutableMapping[str, str] = os.environ) -> None:
        """What the environment says is for this process alone, and taken out of it, or apps would find it there."""
        address = environment.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._interval = _interval(environment)
        self._supervisor = supervisor
        self._journal = journal
        self._failed = False
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ztopo notify", daemon=True)

    def __enter__(self) -> Self:
        if self._address:
            self._unsubscribe = self._journal.subscribe(self._heard)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._address:
            self._unsubscribe()
            self._waiting.put(None)
            self._thread.join(2 * PATIENCE)

    def _heard(self, record: Record) -> None:
        phase = record.data.get("phase")
        if phase == "running":
            self._waiting.put("READY=1\nSTATUS=ready")
        elif phase == "stopping":
            self._waiting.put("STOPPING=1")
        elif record.event == "reload asked":
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._waiting.put(f"RELOADING=1\nMONOTONIC_USEC={now}")
        elif record.event in RELOADED:
            self._waiting.put(f"READY=1\nSTATUS={record.message}")
        elif record.event in WORTH_SAYING:
            self._waiting.put(f"STATUS={record.message}")

    # In the thread

    def _run(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.settimeout(PATIENCE)
            while (message := self._next()) is not None:
                self._send(sending, message)

    def _next(self) -> str | None:
        """What is to be sent next; None at the end."""
        due = time.monotonic() + (self._interval or 0.0)
        while True:
            try:
                return self._waiting.get(timeout=None if self._interval is None else max(0.0, due - time.monotonic()))
            except Empty:
                if self._loop_answers():
                    return "WATCHDOG=1"
                due = time.monotonic() + (self._interval or 0.0)

    def _loop_answers(self) -> bool:
        try:
            self._supervisor.call(lambda _: None, self._interval)
        except (TimeoutError, RuntimeError):  # it is stuck, or has ended
            return False
        return True

    def _send(self, sending: socket.socket, message: str) -> None:
        try:
            sending.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError as error:
            if not self._failed:
                self._failed = True
                self._journal.note("warning", "notify", f"systemd cannot be told anything: {error.strerror or error}")


def _interval(environment: MutableMapping[str, str]) -> float | None:
    """Seconds from one sign of life to the next, half of those after which systemd would lose patience; None if it wants none."""
    period, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
    if not period.isdecimal() or int(period) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(period) / 2e6
