"""What a change of a running topology is made of: steps, as plain data, and the plan that holds after each of them.

A change plan is made by `topo/change.py`, which cannot act; whoever carries it out does the steps in their order and nothing else.
`after` says what is wanted once a step is done, `inverse` gives the step that takes it back. If a step cannot be done, the inverses
of those that were done, the last first, lead back to what ran before: `after` of a step and then of its inverse is the same plan.

What no step is needed for (places, restart policies, the order of stopping) takes effect with `ChangePlan.wanted`, at the end.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

import msgspec

from topo.links import Flow
from topo.plan import AppPlan, BindPlan, ConnectPlan, DevicePlan, OptionPlan, Origin, Place, Plan, ProcessPlan, SocketPlan

__all__ = [
    "FORMAT_VERSION",
    "Attach",
    "Bind",
    "ChangePlan",
    "ComponentChange",
    "Connect",
    "Detach",
    "Difference",
    "Disconnect",
    "Effect",
    "Empty",
    "End",
    "Home",
    "Lodger",
    "Loss",
    "Noticed",
    "Pause",
    "Resume",
    "SetOption",
    "Start",
    "Step",
    "Unbind",
    "after",
    "inverse",
    "replace",
    "said",
    "where",
    "with_connects",
]

FORMAT_VERSION = 1
"""Of a change plan that is saved. Whatever changes the meaning of a field changes it."""

T = TypeVar("T")


# The flow of messages


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Let these sockets send nothing more: a device reads no more from its other side, `topo.socket` of an app waits.

    It is done when the last message that was being sent has been counted. The other way through a device goes on, so what is on its way
    back still arrives.
    """

    senders: tuple[str, ...]


class Resume(msgspec.Struct, frozen=True, tag=True):
    """Let these sockets send again."""

    senders: tuple[str, ...]


class Empty(msgspec.Struct, frozen=True, tag=True):
    """Wait until nothing is under way: all that the senders of a flow have sent, its receivers have received.

    All senders are paused by then, or hold nothing more: those of `through`, devices that are about to end, have also passed on, or
    counted as undeliverable, whatever they have received. It fails if that does not come about in time. It changes nothing, and has
    no inverse.
    """

    flow: Flow
    through: tuple[str, ...] = ()


class Noticed(msgspec.Struct, frozen=True, tag=True):
    """Wait until these sockets have noticed that connections to them have ended, each once for every time that it stands here.

    They are bound; the steps before have disconnected others from them. Before that a sender would still send into the old
    connection, and a PAIR or ROUTER would not hear the new one. Their socket monitors say `DISCONNECTED`, if they were opened before
    the disconnect; over inproc there is nothing to wait for. It changes nothing, and has no inverse.
    """

    sockets: tuple[str, ...]


# Sockets of devices that live


class Bind(msgspec.Struct, frozen=True, tag=True):
    """Bind a socket to one endpoint more, the bind `index` of it from then on.

    If `bind.address` is set, to that: it is what the endpoint was before. An address that is just being given up may be refused for
    a moment, and is then tried again.
    """

    device: str
    socket: str
    bind: BindPlan
    index: int


class Unbind(msgspec.Struct, frozen=True, tag=True):
    """Give up the bind `index` of a socket, which is at the address `bind.address`.

    That ends its connections, except over inproc; what it has received over them it still reads.
    """

    device: str
    socket: str
    bind: BindPlan
    index: int


class Connect(msgspec.Struct, frozen=True, tag=True):
    """Connect a socket to one address more, by the connect `index` of it from then on.

    `address` is where to; if it is empty, where `connect.origin` was bound by a step before.
    """

    device: str
    socket: str
    connect: ConnectPlan
    index: int
    address: str


class Disconnect(msgspec.Struct, frozen=True, tag=True):
    """Disconnect a socket from `address`, to which its connect `index` has connected it."""

    device: str
    socket: str
    connect: ConnectPlan
    index: int
    address: str


class SetOption(msgspec.Struct, frozen=True, tag=True):
    """Set an option of a socket: `set`, which `back` takes back.

    `old` is what the plan has of it before, and `new` what it has then; None is not said, for which `set` or `back` is the default.
    For a subscription that goes, `set` is UNSUBSCRIBE.
    """

    device: str
    socket: str
    set: OptionPlan
    back: OptionPlan
    old: OptionPlan | None = None
    new: OptionPlan | None = None
    index: int = 0
    """Where the option stands among those of the socket."""


class Attach(msgspec.Struct, frozen=True, tag=True):
    """Give a device that has no monitor this one."""

    device: str
    socket: SocketPlan


class Detach(msgspec.Struct, frozen=True, tag=True):
    """Take its monitor from a device, and close it."""

    device: str
    socket: SocketPlan


# Devices and apps


class Home(msgspec.Struct, frozen=True):
    """A process of devices, as `ProcessPlan` has it. `hosted` says that it is that of the thread devices."""

    name: str
    io_threads: int | None = None
    max_sockets: int | None = None
    hosted: bool = False


class Lodger(msgspec.Struct, frozen=True):
    """A device, and the process that it lives in."""

    device: DevicePlan
    home: Home


class End(msgspec.Struct, frozen=True, tag=True):
    """Let these end, and stay so. Devices are drained first: what they have in hand, they pass on. A process without devices ends.

    What was bound stands in `BindPlan.address`: to be bound again if this is taken back.
    """

    devices: tuple[Lodger, ...] = ()
    apps: tuple[AppPlan, ...] = ()


class Start(msgspec.Struct, frozen=True, tag=True):
    """Start these: all devices bind, then all connect, then apps start. A process that is not there is started.

    Where `BindPlan.address` is set, that is bound: the address that the endpoint had.
    """

    devices: tuple[Lodger, ...] = ()
    apps: tuple[AppPlan, ...] = ()


Step = Pause | Resume | Empty | Noticed | Bind | Unbind | Connect | Disconnect | SetOption | Attach | Detach | End | Start


# What a plan says of each component

Effect = Literal["live", "drain", "restart", "may drop"]
"""What a change means for messages: none lost; none lost, and a pause; none lost, and it starts anew; some may be lost."""
EFFECTS: tuple[Effect, ...] = ("live", "drain", "restart", "may drop")
"""From the least to the worst."""


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not as it was: `endpoint`, `option sndhwm`, `kind`. Values are as they may be shown; empty is not said."""

    what: str
    before: str
    after: str
    place: Place


class Loss(msgspec.Struct, frozen=True):
    """Messages that may be lost: why, and how many at most.

    The bound is that of the queues, by their high water marks; what lies in the buffers of the system comes on top.
    """

    why: str
    most: int | None = None
    """None is without a bound."""
    each: str = ""
    """For each peer called so, if nobody knows how many there are."""


class ComponentChange(msgspec.Struct, frozen=True):
    """A device or an app that is added, removed or changed."""

    name: str
    kind: Literal["device", "app", "socket"]
    """`socket` is one of the program that runs the topology, which gets it so when it next asks for it."""
    action: Literal["added", "removed", "changed"]
    place: Place
    """Of the declaration; of what is removed, of that which is gone."""
    effect: Effect = "live"
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why it has this effect, in words."""
    losses: tuple[Loss, ...] = ()


class ChangePlan(msgspec.Struct, frozen=True):
    """What is to be done so that what is wanted runs. It holds for the world as it was at `serial`, and for no other."""

    name: str
    serial: int
    steps: tuple[Step, ...]
    wanted: Plan
    """What runs in the end. Binds and connects that stay are the first of their socket, in the order that they had."""
    changes: tuple[ComponentChange, ...] = ()
    unchanged: tuple[str, ...] = ()
    """Devices and apps in which nothing changes."""
    format_version: int = FORMAT_VERSION


# Taking back

OPPOSITE: dict[type[Any], type[Any]] = {  # Any: two types with the same fields
    a: b
    for pair in ((Pause, Resume), (Bind, Unbind), (Connect, Disconnect), (Attach, Detach), (Start, End))
    for a, b in (pair, pair[::-1])
}


def inverse(step: Step) -> Step | None:
    """The step that takes this one back; None for one that only waits."""
    if isinstance(step, SetOption):
        return SetOption(step.device, step.socket, step.back, step.set, step.new, step.old, step.index)
    opposite = OPPOSITE.get(type(step))
    if opposite is None:
        return None
    taken_back: Step = opposite(**msgspec.structs.asdict(step))
    return taken_back


# What is wanted after a step


def after(plan: Plan, *steps: Step) -> Plan:
    """What is wanted after these steps. Links and the order of stopping are brought in order only by `ChangePlan.wanted`."""
    for step in steps:
        plan = _after(plan, step)
    return plan


def _after(plan: Plan, step: Step) -> Plan:
    match step:
        case Bind(device, socket, bind, index):
            bind = replace(bind, address="")
            plan = _shifted(plan, socket, index, 1)
            return _with_socket(plan, device, socket, lambda s: replace(s, binds=_inserted(s.binds, index, bind)))
        case Unbind(device, socket, _, index):
            plan = _with_socket(plan, device, socket, lambda s: replace(s, binds=_without(s.binds, index)))
            return _shifted(plan, socket, index, -1)
        case Connect(device, socket, connect, index):
            return _with_socket(plan, device, socket, lambda s: replace(s, connects=_inserted(s.connects, index, connect)))
        case Disconnect(device, socket, _, index):
            return _with_socket(plan, device, socket, lambda s: replace(s, connects=_without(s.connects, index)))
        case SetOption(device, socket, _, _, old, new, index):
            return _with_socket(plan, device, socket, lambda s: replace(s, options=_set(s.options, old, new, index)))
        case Attach(device, monitor):
            return _with_device(plan, device, lambda d: replace(d, capture=_without_addresses(monitor)))
        case Detach(device):
            return _with_device(plan, device, lambda d: replace(d, capture=None))
        case Start(devices, apps):
            return _with_started(plan, devices, apps)
        case End(devices, apps):
            return _with_ended(plan, frozenset((*(lodger.device.name for lodger in devices), *(app.name for app in apps))))
    return plan


def replace(struct: T, **fields: Any) -> T:  # Any: whatever the fields of T are
    """The same with some fields other."""
    return msgspec.structs.replace(struct, **fields)  # type: ignore[type-var]  # T is a Struct wherever this is called


def _inserted(there: tuple[T, ...], index: int, new: T) -> tuple[T, ...]:
    return (*there[:index], new, *there[index:])


def _without(there: tuple[T, ...], index: int) -> tuple[T, ...]:
    return there[:index] + there[index + 1 :]


def _set(there: tuple[OptionPlan, ...], old: OptionPlan | None, new: OptionPlan | None, index: int) -> tuple[OptionPlan, ...]:
    if old is not None:
        there = _without(there, index)
    return there if new is None else _inserted(there, index, new)


def _with_device(plan: Plan, name: str, change: Callable[[DevicePlan], DevicePlan]) -> Plan:
    """The plan with one device other."""

    def changed(host: ProcessPlan) -> ProcessPlan:
        for index, device in enumerate(host.devices):
            if device.name == name:
                return replace(host, devices=(*host.devices[:index], change(device), *host.devices[index + 1 :]))
        return host

    hosted = changed(plan.hosted) if plan.hosted is not None else None
    if hosted is not plan.hosted:
        return replace(plan, hosted=hosted)
    return replace(plan, processes=tuple(changed(process) for process in plan.processes))


def _with_socket(plan: Plan, device: str, id: str, change: Callable[[SocketPlan], SocketPlan]) -> Plan:
    """The plan with one socket other."""

    def changed(plan: DevicePlan) -> DevicePlan:
        for side in ("frontend", "backend", "capture"):
            socket: SocketPlan | None = getattr(plan, side)
            if socket is not None and socket.id == id:
                return replace(plan, **{side: change(socket)})
        return plan

    return _with_device(plan, device, changed)


def _without_addresses(socket: SocketPlan) -> SocketPlan:
    """The socket as a plan has it: where it is bound is not said there."""
    if not any(bind.address for bind in socket.binds):
        return socket
    return replace(socket, binds=tuple(replace(bind, address="") for bind in socket.binds))


def _as_planned(device: DevicePlan) -> DevicePlan:
    """The device as a plan has it."""
    sides = {side: getattr(device, side) for side in ("frontend", "backend", "capture")}
    return replace(device, **{side: _without_addresses(socket) for side, socket in sides.items() if socket is not None})


def _with_started(plan: Plan, lodgers: tuple[Lodger, ...], apps: tuple[AppPlan, ...]) -> Plan:
    hosted, processes = plan.hosted, {process.name: process for process in plan.processes}
    for lodger in lodgers:
        home, device = lodger.home, _as_planned(lodger.device)
        there = hosted if home.hosted else processes.get(home.name)
        host = there or ProcessPlan(home.name, (), home.io_threads, home.max_sockets)
        host = replace(host, devices=(*host.devices, device))
        if home.hosted:
            hosted = host
        else:
            processes[home.name] = host
    names = (*(lodger.device.name for lodger in lodgers), *(app.name for app in apps))
    return replace(
        plan,
        hosted=hosted,
        processes=tuple(processes.values()),
        apps=(*plan.apps, *apps),
        stages=(*plan.stages, names),
        order=(*plan.order, *names),
    )


def _with_ended(plan: Plan, names: frozenset[str]) -> Plan:
    def left(host: ProcessPlan) -> ProcessPlan | None:
        devices = tuple(device for device in host.devices if device.name not in names)
        if len(devices) == len(host.devices):
            return host
        return replace(host, devices=devices) if devices else None

    stages = (tuple(name for name in stage if name not in names) for stage in plan.stages)
    owners: tuple[DevicePlan | AppPlan, ...] = (*plan.devices, *plan.apps)
    gone = {socket.id for owner in owners if owner.name in names for socket in owner.sockets}
    return replace(
        plan,
        hosted=left(plan.hosted) if plan.hosted is not None else None,
        processes=tuple(process for process in map(left, plan.processes) if process is not None),
        apps=tuple(app for app in plan.apps if app.name not in names),
        stages=tuple(stage for stage in stages if stage),
        order=tuple(name for name in plan.order if name not in names),
        links=tuple(link for link in plan.links if link.sender not in gone and link.receiver not in gone),
    )


def _shifted(plan: Plan, socket: str, index: int, by: int) -> Plan:
    """The plan with what comes from the binds behind `index` of a socket still coming from the same ones."""
    behind = index + 1 if by < 0 else index

    def connect(old: ConnectPlan) -> ConnectPlan:
        origin = old.origin
        if origin is None or origin.socket != socket or origin.index < behind:
            return old
        return replace(old, origin=Origin(socket, origin.index + by))

    return with_connects(plan, connect)


def with_connects(plan: Plan, change: Callable[[ConnectPlan], ConnectPlan]) -> Plan:
    """The plan with each connect as it is changed to; what does not change stays the same object."""

    def connects(there: tuple[ConnectPlan, ...]) -> tuple[ConnectPlan, ...]:
        new = tuple([change(connect) for connect in there])
        return there if all(map(operator.is_, there, new)) else new

    def socket(old: SocketPlan | None) -> SocketPlan | None:
        if old is None or not old.connects:
            return old
        new = connects(old.connects)
        return old if new is old.connects else replace(old, connects=new)

    def device(old: DevicePlan) -> DevicePlan:
        sides = (socket(old.frontend), socket(old.backend), socket(old.capture))
        if all(map(operator.is_, sides, (old.frontend, old.backend, old.capture))):
            return old
        return replace(old, frontend=sides[0], backend=sides[1], capture=sides[2])

    def host(old: ProcessPlan) -> ProcessPlan:
        return replace(old, devices=tuple([device(d) for d in old.devices]))

    def app(old: AppPlan) -> AppPlan:
        environment = {name: connects(there) for name, there in old.environment.items()}
        return replace(old, environment=environment, sockets=tuple([s for s in map(socket, old.sockets) if s is not None]))

    return replace(
        plan,
        hosted=host(plan.hosted) if plan.hosted is not None else None,
        processes=tuple([host(process) for process in plan.processes]),
        apps=tuple([app(a) for a in plan.apps]),
        sockets=tuple([s for s in map(socket, plan.sockets) if s is not None]),
    )


# In words


def said(step: Step) -> str:
    """A step in words, without the value of any option: that may be a secret."""
    match step:
        case Pause(senders):
            return f"pause {_names(senders)}"
        case Resume(senders):
            return f"let {_names(senders)} go on"
        case Empty(flow):
            return f"empty what is between {_names(flow.senders)} and {_names(flow.receivers)}"
        case Noticed(sockets):
            return f"wait until {_names(sockets)} noticed that"
        case Bind(_, socket, bind):
            return f"bind {socket} to {bind.address or bind.endpoint}"
        case Unbind(_, socket, bind):
            return f"unbind {socket} from {bind.address or bind.endpoint}"
        case Connect(_, socket, connect, _, address):
            return f"connect {socket} to {address or connect.endpoint}"
        case Disconnect(_, socket, _, _, address):
            return f"disconnect {socket} from {address}"
        case SetOption(_, socket, option):
            return f"set {option.name} of {socket}"
        case Attach(_, socket):
            return f"add {socket.id}"
        case Detach(_, socket):
            return f"remove {socket.id}"
        case Start(devices, apps):
            return f"start {_names((*(lodger.device.name for lodger in devices), *(app.name for app in apps)))}"
        case End(devices, apps):
            return f"end {_names((*(lodger.device.name for lodger in devices), *(app.name for app in apps)))}"


def where(step: Step) -> str:
    """The `file:line` that a step is about; empty for one that is about the flow of messages."""
    match step:
        case Bind(_, _, thing) | Unbind(_, _, thing) | Connect(_, _, thing) | Disconnect(_, _, thing):
            return thing.place.where
        case SetOption(_, _, thing) | Attach(_, thing) | Detach(_, thing):
            return thing.place.where
        case Start(devices, apps) | End(devices, apps):
            places = (*(lodger.device.place for lodger in devices), *(app.place for app in apps))
            return places[0].where if places else ""
    return ""


def _names(names: Iterable[str]) -> str:
    listed = list(dict.fromkeys(names))
    return ", ".join(listed[:MOST]) + (f" and {len(listed) - MOST} more" if len(listed) > MOST else "")


MOST = 6
"""So many names a step says in words."""
