"""What is said while a topology runs: by those who run to the supervisor, by the supervisor to whoever listens.

Devices in a worker process write theirs as lines of JSON; those in threads of this process hand them over as they are.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from topo.diagnostic import Diagnostic
from topo.host import Holder

__all__ = [
    "Bound",
    "Busy",
    "Connect",
    "Event",
    "Exited",
    "Failed",
    "FromDevice",
    "Gone",
    "Halted",
    "Phase",
    "Phased",
    "Ready",
    "Refused",
    "ReloadAsked",
    "Resumed",
    "Said",
    "Started",
    "StarterLost",
    "Step",
    "Stop",
    "StopAsked",
    "Stopped",
    "Stopping",
    "TimeOver",
    "ToWorker",
    "Told",
]

Addresses = dict[str, tuple[str, ...]]
"""The real addresses of sockets, by id, in the order of their binds."""

Step = Literal["socket", "option", "bind", "connect", "run", "mistake"]
"""What a device was about when it failed; `mistake` is one of ours."""

Phase = Literal["binding", "connecting", "running", "stopping", "killing", "ended"]


# Devices say


class Bound(msgspec.Struct, frozen=True, tag=True):
    """A device has bound everything."""

    device: str
    addresses: Addresses


class Ready(msgspec.Struct, frozen=True, tag=True):
    """A device has connected, and passes messages on."""

    device: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A device could not go on. `index` is that of the option, bind or connect; sockets are closed."""

    device: str
    step: Step
    socket: str = ""
    index: int = -1
    endpoint: str = ""
    errno: int = 0
    reason: str = ""
    holder: Holder | None = None


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """A device has ended and closed its sockets."""

    device: str
    reason: str
    statistics: dict[str, object] = {}


FromDevice = Bound | Ready | Failed | Stopped

# The supervisor says to a worker


class Connect(msgspec.Struct, frozen=True, tag=True):
    """Everything is bound, there: connect, and run."""

    addresses: Addresses


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End these devices."""

    devices: tuple[str, ...]


ToWorker = Connect | Stop

# The starter says of processes


class Started(msgspec.Struct, frozen=True, tag=True):
    """A process runs."""

    name: str
    pid: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A process could not be started: `what` is what the system refused."""

    name: str
    errno: int
    what: str


class Halted(msgspec.Struct, frozen=True, tag=True):
    """A process was stopped by this signal: it lives, and does nothing."""

    name: str
    number: int


class Resumed(msgspec.Struct, frozen=True, tag=True):
    """A process that was stopped goes on."""

    name: str


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A process has ended, by itself (0 and up) or by a signal (its negative number)."""

    name: str
    status: int


class Gone(msgspec.Struct, frozen=True, tag=True):
    """Nothing is left of a process and what it had started."""

    name: str


FromStarter = Started | Refused | Halted | Resumed | Exited | Gone


class StarterLost(msgspec.Struct, frozen=True):
    """The starter has ended, and so has everything that it had started."""


# The supervisor says to itself


class TimeOver(msgspec.Struct, frozen=True):
    """Something took longer than it may: a start, a stop, the end after SIGKILL; or is worth a word (`busy`)."""

    what: Literal["start", "stop", "kill", "busy"]
    name: str = ""
    devices: tuple[str, ...] = ()
    """Of the process `name`, those that this is about."""


class StopAsked(msgspec.Struct, frozen=True):
    """Somebody wants it to end. Asked once more by one who insists, it ends at once."""

    by: str
    insists: bool = True


class ReloadAsked(msgspec.Struct, frozen=True):
    """Somebody wants the file to be read again."""

    by: str


Event = FromDevice | FromStarter | StarterLost | TimeOver | StopAsked | ReloadAsked

# The supervisor says to whoever listens


class Phased(msgspec.Struct, frozen=True):
    """The whole topology has come to another phase. `running` is what a reader calls ready."""

    phase: Phase
    addresses: Addresses = {}


class Stopping(msgspec.Struct, frozen=True):
    """The topology stops, because of this."""

    why: str


class Busy(msgspec.Struct, frozen=True):
    """These were asked to end and have not yet."""

    names: tuple[str, ...]


class Said(msgspec.Struct, frozen=True):
    """Something went wrong."""

    diagnostic: Diagnostic


Told = FromDevice | FromStarter | ReloadAsked | Phased | Stopping | Busy | Said
