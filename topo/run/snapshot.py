"""What runs, at one moment: what `status`, `top`, metrics and a Python program get to see. Frozen data, with a version.

It is written as JSON when it leaves the process. Whatever changes the meaning of a field changes `FORMAT_VERSION`.
"""

from __future__ import annotations

import msgspec

from topo.devcore import Statistics
from topo.plan import Plan
from topo.run.events import Phase

__all__ = ["FORMAT_VERSION", "AppSnapshot", "DeviceSnapshot", "Present", "Snapshot", "SocketSnapshot"]

FORMAT_VERSION = 1


class SocketSnapshot(msgspec.Struct, frozen=True):
    """A socket of a device."""

    id: str
    """Of the device, and the side: `broker.in`, `broker.out`, `broker.monitor`."""
    type: str
    """The socket type, in capitals."""
    bound: tuple[str, ...] = ()
    """The real addresses that it has bound, in the order of the binds."""
    connected: tuple[str, ...] = ()
    """The real addresses that it was told to connect to, whether anybody is there or not."""


class DeviceSnapshot(msgspec.Struct, frozen=True):
    """A device."""

    name: str
    kind: str
    """What the file calls it: queue, forwarder, streamer, proxy."""
    host: str
    """The process that it lives in; its own name if that is its own."""
    life: str
    """One of the values of `topo.run.lives.Life`."""
    where: str
    """`file:line` of its declaration."""
    pid: int | None = None
    """Of its process."""
    thread: int | None = None
    """The number that the kernel has for its thread."""
    restarts: int = 0
    """How often it was started again."""
    since: float | None = None
    """When it became ready, in seconds since the epoch."""
    sockets: tuple[SocketSnapshot, ...] = ()
    statistics: Statistics | None = None
    """What it has done since it was started the last time; None before it runs."""
    halted: bool = False
    """Whether a signal (SIGSTOP, say) holds its process up at present."""

    @property
    def standing(self) -> str:
        """Its life in a word, or that it is halted."""
        return "halted" if self.halted else self.life


class AppSnapshot(msgspec.Struct, frozen=True):
    """An app that ztopo has started."""

    name: str
    command: tuple[str, ...]
    life: str
    where: str
    pid: int | None = None
    restarts: int = 0
    since: float | None = None
    """When its process was started, in seconds since the epoch."""
    status: int | None = None
    """What it ended with, or its signal as a negative number; None while it runs."""
    halted: bool = False
    """Whether a signal (SIGSTOP, say) holds its process up at present."""

    @property
    def standing(self) -> str:
        """Its life in a word, or that it is halted; of one that has ended, how."""
        if self.halted:
            return "halted"
        if self.status is None or self.life != "ended":
            return self.life
        return "done" if self.status == 0 else f"ended {self.status}"


class Snapshot(msgspec.Struct, frozen=True):
    """A whole topology."""

    name: str
    file: str
    """The path of what it was read from, or what a program calls itself."""
    phase: Phase
    pid: int
    """Of the supervisor's process."""
    started: float
    """When it was started, in seconds since the epoch."""
    serial: int = 0
    """Changes whenever something starts, ends, binds, or is changed: what a saved plan was made for."""
    devices: tuple[DeviceSnapshot, ...] = ()
    apps: tuple[AppSnapshot, ...] = ()
    format_version: int = FORMAT_VERSION


class Present(msgspec.Struct, frozen=True):
    """All that a change is planned from, at one moment."""

    plan: Plan
    """What is wanted."""
    snapshot: Snapshot
    joined: tuple[str, ...] = ()
    """The sockets of apps that count what they send and receive."""
