"""What is said while a topology runs: by those who run to the supervisor, by the supervisor to whoever listens.

Devices in a worker process write theirs as lines of JSON; those in threads of this process hand them over as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from topo.diagnostic import Diagnostic
from topo.host import Holder
from topo.plan import DevicePlan, Origin, Plan, SocketPlan

__all__ = [
    "Addresses",
    "Attach",
    "Begin",
    "BindTo",
    "Bound",
    "Busy",
    "ChangeBegun",
    "ChangeOver",
    "ChangeStep",
    "Changed",
    "Changing",
    "Command",
    "CommandError",
    "Connect",
    "ConnectTo",
    "CountEnded",
    "Detach",
    "DisconnectFrom",
    "Dismiss",
    "Do",
    "Done",
    "Drain",
    "EndAsked",
    "Event",
    "Exited",
    "Failed",
    "FromDevice",
    "FromStarter",
    "Gone",
    "Halted",
    "Looked",
    "NotDone",
    "Pause",
    "Phase",
    "Phased",
    "PlanChanged",
    "Ready",
    "Refused",
    "ReloadAsked",
    "ReloadRefused",
    "Restarting",
    "Resume",
    "Resumed",
    "RolledBack",
    "Said",
    "SetOption",
    "Standing",
    "StartAsked",
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
    "UnbindFrom",
    "Undrained",
    "WatchPeers",
    "Wish",
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
    thread: int = 0
    """The number that the kernel has for its thread."""


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


class Done(msgspec.Struct, frozen=True, tag=True):
    """A device has carried out a command, its thread being between two messages."""

    device: str
    number: int
    addresses: tuple[str, ...] = ()
    """The real addresses, if something was bound."""
    count: int = 0
    """How many there were, if something was counted."""

    @property
    def address(self) -> str:
        """The real address, if one was bound."""
        return self.addresses[0] if self.addresses else ""


class NotDone(msgspec.Struct, frozen=True, tag=True):
    """A device could not carry out a command. All is as it was before."""

    device: str
    number: int
    errno: int
    reason: str


class CommandError(OSError):
    """A device could not carry out a command. All is as it was before. `errno` is the system's or libzmq's."""


FromDevice = Bound | Ready | Failed | Stopped | Done | NotDone

# A device is told


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Pass nothing on to a socket, by id, until told to go on; without one, to none."""

    sender: str = ""


class Resume(msgspec.Struct, frozen=True, tag=True):
    """Go on, likewise."""

    sender: str = ""


class Turn(msgspec.Struct, frozen=True, tag=True):
    """Go round once more: pass on what has come meanwhile, and count it."""


class Drain(msgspec.Struct, frozen=True, tag=True):
    """The sources have stopped: pass on what still comes, then end.

    That is when nothing has come for `quiet` seconds, or when frontend and backend have received so many messages in all.
    """

    quiet: float | None = None
    received: tuple[int, int] | None = None


class BindTo(msgspec.Struct, frozen=True, tag=True):
    """Bind a socket, by id, to one address more: to the one that the endpoint was bound as before, if there is one."""

    socket: str
    endpoint: str
    before: str = ""


class UnbindFrom(msgspec.Struct, frozen=True, tag=True):
    """Give up an address, named as it was bound in truth; or, if nobody has heard of that, as it was wanted last."""

    socket: str
    address: str


class ConnectTo(msgspec.Struct, frozen=True, tag=True):
    """Connect a socket to one address more."""

    socket: str
    address: str


class DisconnectFrom(msgspec.Struct, frozen=True, tag=True):
    """Disconnect a socket from an address."""

    socket: str
    address: str


class SetOption(msgspec.Struct, frozen=True, tag=True):
    """Set an option of libzmq, by its number, on a socket that lives."""

    socket: str
    number: int
    value: int | bytes


class WatchPeers(msgspec.Struct, frozen=True, tag=True):
    """Count from now on the connections to a socket that end; or (`on` is false) no longer."""

    socket: str
    on: bool = True


class CountEnded(msgspec.Struct, frozen=True, tag=True):
    """Say how many connections to a socket have ended since it was watched.

    libzmq tells that a moment before the socket knows it; if it is to be `sure`, that moment has passed.
    """

    socket: str
    sure: bool = False


TAP = ".tap"
"""What the id of a tap's monitor ends with. It gives way to one that is declared; see `taps.py`."""


class Attach(msgspec.Struct, frozen=True, tag=True):
    """Show copies to this socket from now on, bound and connected as planned. The device has no monitor now, or that of a tap."""

    socket: SocketPlan


class Detach(msgspec.Struct, frozen=True, tag=True):
    """Show no copies any more, and close the monitor; if a socket is named, only if it is that."""

    socket: str = ""


Command = (
    Pause
    | Resume
    | Turn
    | Drain
    | BindTo
    | UnbindFrom
    | ConnectTo
    | DisconnectFrom
    | SetOption
    | WatchPeers
    | CountEnded
    | Attach
    | Detach
)

# The supervisor says to a worker


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Start these devices. The counters of each are in its slot; `handles` are binds whose listening descriptors come along."""

    devices: tuple[DevicePlan, ...]
    slots: tuple[int, ...]
    handles: tuple[Origin, ...] = ()


class Connect(msgspec.Struct, frozen=True, tag=True):
    """What these devices need is bound, there: connect, and run."""

    addresses: Addresses
    devices: tuple[str, ...]


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End these devices: at once, or when they are drained."""

    devices: tuple[str, ...]
    drain: Drain | None = None


class Do(msgspec.Struct, frozen=True, tag=True):
    """Let a device carry out a command, and answer with this number."""

    device: str
    number: int
    command: Command


class Dismiss(msgspec.Struct, frozen=True, tag=True):
    """Nothing more is wanted: end."""


ToWorker = Begin | Connect | Stop | Do | Dismiss

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
    asked: bool = False
    """Whether it was to end, and did by the signal that asks for it."""


class Gone(msgspec.Struct, frozen=True, tag=True):
    """Nothing is left of a process and what it had started."""

    name: str


FromStarter = Started | Refused | Halted | Resumed | Exited | Gone


class StarterLost(msgspec.Struct, frozen=True):
    """The starter has ended, and so has everything that it had started."""


# The supervisor says to itself


class TimeOver(msgspec.Struct, frozen=True):
    """Something took longer than it may: a start, a stop, the end after SIGKILL; or is worth a word (`busy`).

    Or it is time to start something again (`restart`), or what was started later is not ready (`late`); to look again at those who
    drain (`look`), or to wait for them no longer (`drain`).
    """

    what: Literal["start", "stop", "kill", "busy", "restart", "late", "look", "drain"]
    name: str = ""
    devices: tuple[str, ...] = ()
    """Of the process `name`, those that this is about."""
    life: int = 1
    """Which life of the app or process `name` this is about: what comes too late means nothing to the next one.

    With `busy` it is the stage that is stopped.
    """
    asked: tuple[int, ...] = ()
    """Of each device, how often it had been asked to end by then."""


class StopAsked(msgspec.Struct, frozen=True):
    """Somebody wants it to end. Asked once more by one who insists, it ends at once."""

    by: str
    insists: bool = True
    timeout: float | None = None
    """For how many seconds it may drain, if not for as long as usual."""


class Standing(msgspec.Struct, frozen=True):
    """How much a device, or an app that counts, has to do yet, at one moment."""

    held: int = 0
    """How many messages it has in hand: read, and not taken by the other side."""
    waiting: bool = False
    """Whether a side does not take what is there for it."""
    coming: int = 0
    """How many are on their way to it, over flows of ours."""
    going: int = 0
    """How many are on their way from it, over flows of ours, to somebody who lives."""
    listens: bool = False
    """Whether it receives from others, too, of whom nobody knows what they have sent; of an app, whether it receives at all."""
    heard: int = 0
    """How many messages it has received from those; of an app, all that it has received and sent."""
    turns: int = 0
    """How often the loop of a device has gone round, and counted."""
    paused: bool = False
    """Whether it passes nothing on, or sends nothing."""
    role: Literal["device", "app", "source"] = "device"
    """What it is; a source is an app to which nobody sends but in answer."""

    @property
    def left(self) -> bool:
        """Whether something is left for it to pass on, as far as that is known."""
        return bool(self.held or self.waiting or self.coming)


class Looked(msgspec.Struct, frozen=True):
    """How some stand. After the `last` look nobody drains any more."""

    standings: dict[str, Standing]
    last: bool = False


class ReloadAsked(msgspec.Struct, frozen=True):
    """Somebody wants the file to be read again."""

    by: str


class EndAsked(msgspec.Struct, frozen=True):
    """These devices and apps are to end and stay so, while the rest goes on."""

    names: tuple[str, ...]
    drain: Drain | None = None


class StartAsked(msgspec.Struct, frozen=True):
    """These devices and apps, which do not run, are to start."""

    names: tuple[str, ...]


class PlanChanged(msgspec.Struct, frozen=True):
    """From now on this is what is wanted. What is gone from it has ended, what is other has ended or was changed alive."""

    plan: Plan
    addresses: Addresses = {}
    """Those of sockets that have bound something else meanwhile."""


class ChangeBegun(msgspec.Struct, frozen=True):
    """A change is being carried out: that nothing is left to run does not mean the end before it is over."""


class ChangeOver(msgspec.Struct, frozen=True):
    """The change is over, one way or the other."""


class Wish(msgspec.Struct, frozen=True):
    """Something is to be done in the thread of the supervisor."""

    act: Callable[[], None]


# Whoever changes what runs says to all who listen


class Changing(msgspec.Struct, frozen=True):
    """A change of what runs begins: what it is in all, how many steps it has, and what is `wanted` in the end.

    There may be secrets in that: it is for those who look names up, and not to be written anywhere.
    """

    what: str
    steps: int
    wanted: Plan


class ChangeStep(msgspec.Struct, frozen=True):
    """A step of a change begins: the `number`th, what it does, and the `file:line` of who or what it is about."""

    number: int
    what: str
    where: str = ""


class Changed(msgspec.Struct, frozen=True):
    """The change is done."""

    what: str


class RolledBack(msgspec.Struct, frozen=True):
    """A step could not be done, so everything is as it was before the change, but for what is `left`."""

    what: str
    """The step, as it was said."""
    why: str
    where: str = ""
    """The `file:line` of what could not be done."""
    left: tuple[str, ...] = ()
    """What could not be taken back, and why."""


class ReloadRefused(msgspec.Struct, frozen=True):
    """What was to be read again is not taken up: why, and what there is to say of it. What runs goes on as it is."""

    by: str
    why: str
    diagnostics: tuple[Diagnostic, ...] = ()


ByChange = EndAsked | StartAsked | PlanChanged | ChangeBegun | ChangeOver
OfChange = Changing | ChangeStep | Changed | RolledBack | ReloadRefused
Event = FromDevice | FromStarter | StarterLost | TimeOver | StopAsked | Looked | ReloadAsked | ByChange | OfChange | Wish

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


class Undrained(msgspec.Struct, frozen=True):
    """A device or an app ends with messages that are lost with it, or may be."""

    name: str
    held: int = 0
    """In its hand."""
    coming: int = 0
    """On their way to it, over flows of ours."""
    at_most: int | None = 0
    """As many more may wait for it in its sockets; None if there is no bound."""


class Restarting(msgspec.Struct, frozen=True):
    """A device or an app that has ended is started again, the `attempt`th time, in `delay` seconds."""

    name: str
    attempt: int
    delay: float


class Said(msgspec.Struct, frozen=True):
    """Something went wrong."""

    diagnostic: Diagnostic


Told = FromDevice | FromStarter | ReloadAsked | OfChange | Phased | Stopping | Busy | Undrained | Restarting | Said
