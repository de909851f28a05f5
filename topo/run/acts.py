"""What the machine of a topology may want to be done: it acts on nothing itself, and the loop around it does just these."""

from __future__ import annotations

import msgspec

from topo.run.events import Drain, Event, Phase, Standing, TimeOver

__all__ = [
    "Act",
    "After",
    "Announce",
    "ConnectDevices",
    "DismissHost",
    "ForgetDevice",
    "Look",
    "PauseMember",
    "Report",
    "SayBusy",
    "SayRestart",
    "SayUndrained",
    "SayWhy",
    "SendSignal",
    "StartApp",
    "StartDevices",
    "StartHost",
    "StopDevices",
    "TurnDevice",
]


class StartHost(msgspec.Struct, frozen=True):
    """Start a process, and in it these devices."""

    name: str
    devices: tuple[str, ...]


class StartDevices(msgspec.Struct, frozen=True):
    """Start devices in a process that lives."""

    host: str
    devices: tuple[str, ...]


class ConnectDevices(msgspec.Struct, frozen=True):
    """Tell devices of a process that everything is bound."""

    host: str
    devices: tuple[str, ...]


class StopDevices(msgspec.Struct, frozen=True):
    """Ask devices of a process to end, or to drain and then end."""

    host: str
    devices: tuple[str, ...]
    drain: Drain | None = None


class Look(msgspec.Struct, frozen=True):
    """See how these stand, and say it by `Looked`: the `last` time, for then the time is over."""

    names: tuple[str, ...]
    last: bool = False


class TurnDevice(msgspec.Struct, frozen=True):
    """Let a device go round once more."""

    name: str


class PauseMember(msgspec.Struct, frozen=True):
    """Let a device pass nothing more on, or an app send nothing more."""

    name: str


class DismissHost(msgspec.Struct, frozen=True):
    """Let a process end: no device of it is left."""

    name: str


class ForgetDevice(msgspec.Struct, frozen=True):
    """A device will not be started again: what is kept for it can go."""

    name: str


class StartApp(msgspec.Struct, frozen=True):
    """Start an app."""

    name: str


class SendSignal(msgspec.Struct, frozen=True):
    """Send a signal to an app or a process of devices, and to all that it has started."""

    name: str
    number: int


class After(msgspec.Struct, frozen=True):
    """Let this event come after so many seconds."""

    seconds: float
    event: TimeOver


class Announce(msgspec.Struct, frozen=True):
    """Say that the topology has come to another phase."""

    phase: Phase


class Report(msgspec.Struct, frozen=True):
    """Say that something went wrong, or (`warning`) at least not as it should."""

    event: Event
    names: tuple[str, ...] = ()
    """Who it is about, where the event does not say."""
    warning: bool = False
    spent: tuple[str, ...] = ()
    """Those of them that were started again as often as they may be."""


class SayRestart(msgspec.Struct, frozen=True):
    """Say that something is started again, for the `attempt`th time, in so many seconds."""

    name: str
    attempt: int
    delay: float


class SayWhy(msgspec.Struct, frozen=True):
    """Say why it stops."""

    why: str


class SayBusy(msgspec.Struct, frozen=True):
    """Say who has not ended yet."""

    names: tuple[str, ...]


class SayUndrained(msgspec.Struct, frozen=True):
    """Say that a device ends with something left; `quiet` is whether nothing more came to it."""

    name: str
    standing: Standing
    quiet: bool


Act = (
    StartHost
    | StartDevices
    | ConnectDevices
    | StopDevices
    | Look
    | TurnDevice
    | PauseMember
    | DismissHost
    | ForgetDevice
    | StartApp
    | SendSignal
    | After
    | Announce
    | Report
    | SayRestart
    | SayWhy
    | SayBusy
    | SayUndrained
)
