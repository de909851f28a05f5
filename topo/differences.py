"""What differs between what runs and what is wanted, and what would have to be done about it.

Compared is what *runs*: a device that has ended for good is not as it should be, and an address that the system chose is the same as
`*`, and as itself written down. Where things are declared is no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Protocol

import msgspec

from topo.losses import Losses, Touched
from topo.plan import AppPlan, BindPlan, ConnectPlan, DevicePlan, OptionPlan, Origin, Place, Plan, SocketPlan
from topo.steps import (
    Attach,
    Bind,
    Connect,
    Detach,
    Difference,
    Disconnect,
    Home,
    Lodger,
    SetOption,
    Unbind,
    replace,
    with_connects,
)
from topo.zeromq.options import OPTIONS
from topo.zeromq.transports import bound_keys, for_connecting, parse, reached_keys

__all__ = ["Before", "Target", "Work", "World", "bound_by_apps", "known", "meaning", "operations", "sockets_of", "works"]

ENDED, WAITING = "ended", "waiting"
SECRET = "(secret)"
USUAL = {"sndhwm": 1000, "rcvhwm": 1000, "linger": -1}
"""What libzmq takes for options that act at once and are not set. The others are off."""


class _SocketThere(Protocol):
    """As much as is needed of a socket that runs."""

    @property
    def id(self) -> str: ...
    @property
    def bound(self) -> tuple[str, ...]: ...
    @property
    def connected(self) -> tuple[str, ...]: ...


class _DeviceThere(Protocol):
    """As much as is needed of a device that runs."""

    @property
    def name(self) -> str: ...
    @property
    def life(self) -> str: ...
    @property
    def sockets(self) -> Sequence[_SocketThere]: ...


class _AppThere(Protocol):
    """As much as is needed of an app that runs."""

    @property
    def name(self) -> str: ...
    @property
    def life(self) -> str: ...
    @property
    def status(self) -> int | None: ...


class World(Protocol):
    """What runs, at one moment: as much of `topo.run.snapshot.Snapshot` as is needed."""

    @property
    def serial(self) -> int:
        """Changes with whatever happens."""
        ...

    @property
    def devices(self) -> Sequence[_DeviceThere]:
        """Those that were started."""
        ...

    @property
    def apps(self) -> Sequence[_AppThere]:
        """Those that were started."""
        ...


# What runs, and what is to run


class Before:
    """What runs, by name and with real addresses."""

    def __init__(self, plan: Plan, world: World) -> None:
        self.plan = plan
        self.devices = _lodgers(plan)
        self.apps = {app.name: app for app in plan.apps}
        members: tuple[_DeviceThere | _AppThere, ...] = (*world.devices, *world.apps)
        ended = {member.name for member in members if member.life == ENDED}
        self.waiting = frozenset(member.name for member in members if member.life == WAITING)
        """Devices and apps that have failed, and are to be started again when their time has come."""
        self.dead = self.waiting | ended
        """Those that do not run."""
        done = {app.name for app in world.apps if app.status == 0}
        self.ended = (ended - done) & (self.devices.keys() | self.apps.keys())
        """Those that should run, and will not: an app that has ended as it should has done what it was for."""
        there = {socket.id: socket for device in world.devices for socket in device.sockets}
        self._binds = {s.id: s for lodger in self.devices.values() for s in lodger.device.sockets if s.binds}
        self._bound = {id: socket.bound for id, socket in there.items()}
        self._connected = {id: socket.connected for id, socket in there.items()}

    def bound(self, socket: SocketPlan) -> tuple[str, ...]:
        """The real addresses of a socket's binds; empty ones if they are not known."""
        known = self._bound.get(socket.id, ())
        return known if len(known) == len(socket.binds) else tuple(_certain(bind) for bind in socket.binds)

    def connected(self, socket: SocketPlan) -> tuple[str, ...]:
        """Where a socket's connects go to."""
        known = self._connected.get(socket.id, ())
        return known if len(known) == len(socket.connects) else tuple(map(self.goes_to, socket.connects))

    @cached_property
    def _at(self) -> dict[str, str]:
        bound = {address: id for id, socket in self._binds.items() for address in self.bound(socket) if address}
        return {**bound, **{for_connecting(address): id for address, id in bound.items()}}

    def peer(self, connect: ConnectPlan, address: str) -> str:
        """The socket of a device that something is connected to; empty if it is none of those."""
        return connect.origin.socket if connect.origin is not None else self._at.get(address, "")

    @cached_property
    def at_apps(self) -> dict[str, str]:
        """The sockets of apps, by where one connects to them."""
        return bound_by_apps(self.plan)

    def goes_to(self, connect: ConnectPlan) -> str:
        """Where a connect goes to."""
        if connect.origin is None or connect.origin.socket not in self._binds:
            return connect.endpoint
        address = self.bound(self._binds[connect.origin.socket])[connect.origin.index]
        return for_connecting(address) if address else connect.endpoint


def _lodgers(plan: Plan) -> dict[str, Lodger]:
    homes = [(Home(h.name, h.io_threads, h.max_sockets, h is plan.hosted), h.devices) for h in plan.hosts]
    return {device.name: Lodger(device, home) for home, devices in homes for device in devices}


def bound_by_apps(plan: Plan) -> dict[str, str]:
    """The sockets of apps, by where one connects to them, as far as the file tells."""
    bound = ((_certain(bind), socket.id) for app in plan.apps for socket in app.sockets for bind in socket.binds)
    return {for_connecting(address): id for address, id in bound if address}


def _certain(bind: BindPlan) -> str:
    """Where something will be bound, if that is known before."""
    return "" if parse(bind.endpoint).wild_port else bind.endpoint


class Target:
    """What is to run: what of it stays where it is, and where the rest goes.

    In `plan` the binds that stay come first, in the order that they have, so that each has one number before and after.
    """

    def __init__(self, before: Before, wanted: Plan) -> None:
        self.before = before
        self.kept: dict[str, tuple[int, ...]] = {}
        """Of sockets whose binds change, the numbers of those that stay, among those there were."""
        self.reborn: set[str] = set()
        """Addresses that are given up and bound again, and whose peers do not come again by themselves: those over inproc."""
        self.plan = self._settled(wanted)
        self.devices = _lodgers(self.plan)
        self.apps = {app.name: app for app in self.plan.apps}
        self._binds = {s.id: s for lodger in self.devices.values() for s in lodger.device.sockets if s.binds}
        self._there = {s.id: s for lodger in before.devices.values() for s in lodger.device.sockets if s.binds}

    def bound(self, socket: SocketPlan) -> tuple[str, ...]:
        """Where a socket's binds will be; empty if the system is to choose."""
        there = self._there.get(socket.id)
        if there is None:
            return tuple(map(_certain, socket.binds))
        addresses = self.before.bound(there)
        kept = self.kept.get(socket.id)
        if kept is None:
            return addresses
        return (*(addresses[index] for index in kept), *map(_certain, socket.binds[len(kept) :]))

    def had(self, socket: SocketPlan) -> tuple[str, ...]:
        """Where a socket's binds were, if they were; empty for others."""
        there = self._there.get(socket.id)
        addresses = self.before.bound(there) if there is not None else ()
        kept = self.kept.get(socket.id, range(len(addresses)))
        return (*(addresses[index] for index in kept), *[""] * (len(socket.binds) - len(kept)))

    def goes_to(self, connect: ConnectPlan) -> str:
        """Where a connect will go to; empty if that is not known yet."""
        if connect.origin is None or connect.origin.socket not in self._binds:
            return connect.endpoint
        address = self.bound(self._binds[connect.origin.socket])[connect.origin.index]
        return for_connecting(address) if address else ""

    def stays(self, old: DevicePlan, new: DevicePlan) -> bool:
        """Whether it is plain that nothing changes: it is declared as it was, and so is what it connects to."""
        return old == new and not any(
            connect.origin is None or connect.origin.socket in self.kept or bool(self.reborn)
            for socket in new.sockets
            for connect in socket.connects
        )

    def _settled(self, wanted: Plan) -> Plan:
        """The plan with the binds that stay first; what comes from them still does."""
        moved: dict[str, dict[int, int]] = {}

        def settle(socket: SocketPlan | None, there: SocketPlan | None) -> SocketPlan | None:
            if socket is None or there is None or _texts(socket.binds) == _texts(there.binds):
                return socket
            pairs = _matching(there, self.before.bound(there), socket)
            kept = sorted(pairs)
            new = [index for index in range(len(socket.binds)) if index not in pairs.values()]
            order = [*(pairs[index] for index in kept), *new]
            self.kept[socket.id] = tuple(kept)
            if order != list(range(len(order))):
                moved[socket.id] = {old: index for index, old in enumerate(order)}
            return replace(socket, binds=tuple(socket.binds[index] for index in order))

        def device(new: DevicePlan) -> DevicePlan:
            there = self.before.devices.get(new.name)
            if there is None or there.device == new:
                return new
            old = {socket.id: socket for socket in there.device.sockets}
            sides = {side: getattr(new, side) for side in ("frontend", "backend", "capture")}
            settled = {side: settle(socket, old.get(socket.id)) for side, socket in sides.items() if socket is not None}
            return replace(new, **settled) if any(settled[side] is not sides[side] for side in settled) else new

        plan = _with_devices(wanted, device)
        if not moved:
            return plan

        def connect(old: ConnectPlan) -> ConnectPlan:
            origin = old.origin
            if origin is None or origin.socket not in moved:
                return old
            return replace(old, origin=Origin(origin.socket, moved[origin.socket][origin.index]))

        return with_connects(plan, connect)


def _with_devices(plan: Plan, change: Callable[[DevicePlan], DevicePlan]) -> Plan:
    hosts = [replace(host, devices=tuple([change(device) for device in host.devices])) for host in plan.hosts]
    hosted = hosts.pop(0) if plan.hosted is not None else None
    return replace(plan, hosted=hosted, processes=tuple(hosts))


def _texts(binds: Iterable[BindPlan]) -> list[str]:
    return [bind.endpoint for bind in binds]


def _matching(there: SocketPlan, real: Sequence[str], wanted: SocketPlan) -> dict[int, int]:
    """Which of the binds that are there are which of those that are wanted: first those written alike, then those at one address."""
    pairs: dict[int, int] = {}
    for alike in (_written_alike, _at_one_address):
        for index, bind in enumerate(wanted.binds):
            if index in pairs.values():
                continue
            for old, was in enumerate(there.binds):
                if old not in pairs and alike(was, real[old], bind, _ipv6(wanted)):
                    pairs[old] = index
                    break
    return pairs


def _ipv6(socket: SocketPlan) -> bool:
    return any(option.name == "ipv6" and option.value == 1 for option in socket.options)


def _written_alike(was: BindPlan, real: str, wanted: BindPlan, ipv6: bool) -> bool:
    return was.endpoint == wanted.endpoint


def _at_one_address(was: BindPlan, real: str, wanted: BindPlan, ipv6: bool) -> bool:
    """Whether what is bound is what is wanted: the same address, or any where any is wanted."""
    if not real:
        return False
    address, there = parse(wanted.endpoint), parse(real)
    if address.transport != there.transport:
        return False
    if not address.wild_port:
        return not set(bound_keys(address, ipv6)).isdisjoint(bound_keys(there, ipv6))
    if not address.ported:
        return True
    same_port = parse(f"{address.transport}://{address.host}:{there.port}")
    return not set(bound_keys(same_port, ipv6)).isdisjoint(bound_keys(there, ipv6))


# What differs


class Work(msgspec.Struct):
    """What is to be done with one device or app. It grows while it is found out."""

    name: str
    old: Lodger | AppPlan | None
    new: Lodger | AppPlan | None
    differences: list[Difference] = msgspec.field(default_factory=list)
    renewed: str = ""
    """Why it must be started anew; nothing if it need not."""
    ended: bool = False
    """It does not run: it has ended, or waits to be started again."""
    joins: bool = False
    """It connects again to the same address."""
    options: list[SetOption] = msgspec.field(default_factory=list)
    binds: list[Bind] = msgspec.field(default_factory=list)
    unbinds: list[Unbind] = msgspec.field(default_factory=list)
    connects: list[Connect] = msgspec.field(default_factory=list)
    disconnects: list[Disconnect] = msgspec.field(default_factory=list)
    attach: Attach | None = None
    detach: Detach | None = None

    @property
    def place(self) -> Place:
        """Of what is wanted, or of what there was."""
        there = self.new or self.old
        assert there is not None
        return there.device.place if isinstance(there, Lodger) else there.place

    @property
    def anew(self) -> bool:
        """Whether it ends and starts again."""
        return bool(self.renewed) and self.old is not None and self.new is not None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is done so, in words."""
        return (self.renewed,) if self.anew else (JOINS,) if self.joins else ()

    @property
    def ends(self) -> bool:
        """Whether what there was ends, if it has not yet."""
        return self.old is not None and (self.new is None or self.anew)

    @property
    def starts(self) -> bool:
        """Whether something starts."""
        return self.new is not None and (self.old is None or self.anew)


def works(before: Before, target: Target, losses: Losses) -> list[Work]:
    """All that changes. Where that ends somebody who is reached over inproc, those who reach it must connect again."""
    while True:
        works = _once(before, target)
        for work in works:
            _renew(work, before, losses)
        renewed = (work.old for work in works if work.anew and isinstance(work.old, Lodger))
        bound = {address for lodger in renewed for socket in lodger.device.sockets for address in before.bound(socket)}
        reborn = {address for address in bound if address.startswith("inproc:")}
        if reborn <= target.reborn:
            return works
        target.reborn |= reborn


def _once(before: Before, target: Target) -> list[Work]:
    """What changes, in the order of what is wanted, and then what is not wanted any more."""
    found: dict[str, Work] = {}
    for name, lodger in target.devices.items():
        work = _compared(before, target, name, before.devices.get(name), lodger)
        if work is not None:
            found[name] = work
    for name, app in target.apps.items():
        work = _compared_app(before, target, name, before.apps.get(name), app)
        if work is not None:
            found[name] = work
    for name, old in before.devices.items():
        if name not in target.devices:
            found[name] = Work(name, old, None, ended=name in before.ended | before.waiting)
    for name, gone in before.apps.items():
        if name not in target.apps:
            found[name] = Work(name, gone, None, ended=name in before.ended | before.waiting)
    return list(found.values())


def _compared(before: Before, target: Target, name: str, old: Lodger | None, new: Lodger) -> Work | None:
    """What is to be done with a device, or None if nothing is."""
    if old is None:
        return Work(name, None, new)
    if name not in before.ended and old.home == new.home and target.stays(old.device, new.device):
        return None
    work = Work(name, old, new)
    if name in before.ended:
        work.ended, work.renewed = True, "it has ended"
        work.differences.append(Difference("life", "ended", "running", new.device.place))
    if old != new:
        _compare_devices(work, old, new)
    for was, socket in _sides(old.device, new.device):
        _compare_sockets(work, before, target, was, socket, socket is new.device.capture)
    return _brought_forward(work, before) if work.differences else None


def _brought_forward(work: Work, before: Before) -> Work:
    """What waits to be started again, and is changed, is started at once: it may be what it has failed for."""
    if work.name in before.waiting:
        work.ended, work.renewed = True, work.renewed or WAITS
    return work


def _sides(old: DevicePlan, new: DevicePlan) -> Iterator[tuple[SocketPlan, SocketPlan]]:
    """The sockets that are there before and after."""
    there = {socket.id: socket for socket in old.sockets}
    for socket in new.sockets:
        if socket.id in there:
            yield there[socket.id], socket


def _compare_devices(work: Work, old: Lodger, new: Lodger) -> None:
    """What differs of a device as a whole."""
    was, device = old.device, new.device
    for what, value, other in (
        ("kind", was.kind, device.kind),
        ("placement", _placement(old), _placement(new)),
        ("io_threads", str(old.home.io_threads or ""), str(new.home.io_threads or "")),
        ("max_sockets", str(old.home.max_sockets or ""), str(new.home.max_sockets or "")),
        ("swap", "on" if was.swap else "off", "on" if device.swap else "off"),
        ("prefix", _prefixes(was, device), _prefixes(device, device)),
    ):
        if value != other:
            work.differences.append(Difference(what, value, other, device.place))
            work.renewed = work.renewed or REASONS[what]
    _compare_members(work, was, device)
    if was.restart != device.restart:
        work.differences.append(Difference("restart", was.restart.policy, _policy(was, device), device.place))


WAITS = "it has failed, and would be started again later"
JOINS = "over inproc nobody connects again by himself to what is made anew"
REASONS = {
    "kind": "a device of another kind is another device",
    "placement": "it lives elsewhere",
    "io_threads": "its process gets another context",
    "max_sockets": "its process gets another context",
    "swap": "what it does with the parts of messages is said when it starts",
    "prefix": "what goes before copies is said when it starts",
}


def _placement(lodger: Lodger) -> str:
    if lodger.home.hosted:
        return "thread"
    return "process" if lodger.home.name == lodger.device.name else f"process {lodger.home.name}"


def _prefixes(device: DevicePlan, new: DevicePlan) -> str:
    """What goes before copies, where there is to be a monitor."""
    return " ".join(map(_shown, device.prefixes)) if new.capture is not None else ""


def _policy(was: DevicePlan | AppPlan, new: DevicePlan | AppPlan) -> str:
    same = was.restart.policy == new.restart.policy
    return f"{new.restart.policy}, other limits" if same else new.restart.policy


def _compare_members(work: Work, was: DevicePlan, device: DevicePlan) -> None:
    """Sides and monitors that come or go."""
    old, new = {s.id: s for s in was.sockets}, {s.id: s for s in device.sockets}
    for id in old.keys() - new.keys():
        work.differences.append(Difference(_side(id), f"{old[id].type}", "", device.place))
        if was.capture is not None and id == was.capture.id:
            work.detach = Detach(work.name, was.capture)
        else:
            work.renewed = work.renewed or "it gets other sides"
    for id in new.keys() - old.keys():
        work.differences.append(Difference(_side(id), "", f"{new[id].type}", new[id].place))
        if device.capture is not None and id == device.capture.id:
            work.attach = Attach(work.name, device.capture)
        else:
            work.renewed = work.renewed or "it gets other sides"


def _side(id: str) -> str:
    return id.rpartition(".")[2]


def _compare_sockets(work: Work, before: Before, target: Target, was: SocketPlan, socket: SocketPlan, monitor: bool) -> None:
    """What differs of a socket. A monitor is made anew for it, which the traffic does not notice."""
    found = Work(work.name, work.old, work.new) if monitor else work
    if was.type != socket.type:
        found.differences.append(Difference(f"{_side(socket.id)} type", was.type, socket.type, socket.place))
        found.renewed = found.renewed or "a socket cannot become one of another type"
    if was.options != socket.options:
        _compare_options(found, was, socket)
    _compare_binds(found, before, target, was, socket)
    _compare_connects(found, before, target, was, socket)
    if monitor and found.differences:
        work.differences += found.differences
        work.detach = Detach(work.name, replace(was, binds=_bound(was.binds, before.bound(was))))
        work.attach = Attach(work.name, replace(socket, binds=_bound(socket.binds, target.had(socket))))


def _compare_options(work: Work, was: SocketPlan, socket: SocketPlan) -> None:
    """What differs of a socket's options, and how they are set."""
    there = list(was.options)
    for name in dict.fromkeys(option.name for option in (*was.options, *socket.options)):
        old = [option for option in there if option.name == name]
        new = [option for option in socket.options if option.name == name]
        if [option.value for option in old] == [option.value for option in new]:
            continue
        place = new[-1].place if new else socket.place
        before, after = (", ".join(_value(option) for option in options) for options in (old, new))
        work.differences.append(Difference(f"{_side(socket.id)} option {name}", before, after, place))
        row = OPTIONS[name]
        if not row.live or (not row.many and max(len(old), len(new)) > 1):
            work.renewed = work.renewed or f"{name} acts only on connections that are made later"
        elif row.many:
            work.options += _many(work.name, socket.id, there, old, new)
        else:
            work.options.append(_single(work.name, socket.id, there, old, new))


def _single(device: str, socket: str, there: list[OptionPlan], old: list[OptionPlan], new: list[OptionPlan]) -> SetOption:
    """Set an option that has one value."""
    known = (old or new)[0]
    usual = replace(known, value=USUAL.get(known.name, 0))
    index = there.index(old[0]) if old else len(there)
    there[index : index + len(old)] = new
    return SetOption(
        device,
        socket,
        new[0] if new else usual,
        old[0] if old else usual,
        old[0] if old else None,
        new[0] if new else None,
        index,
    )


OPPOSITES = {"subscribe": "unsubscribe", "unsubscribe": "subscribe"}


def _many(device: str, socket: str, there: list[OptionPlan], old: list[OptionPlan], new: list[OptionPlan]) -> Iterator[SetOption]:
    """Add and remove subscriptions: first the new ones, so that nothing is missed that both match."""
    left = [option.value for option in old]
    for option in new:
        if option.value in left:
            left.remove(option.value)
        else:
            yield SetOption(device, socket, option, _opposite(option), None, option, len(there))
            there.append(option)
    for option in old:
        if option.value in left:
            left.remove(option.value)
            index = there.index(option)
            yield SetOption(device, socket, _opposite(option), option, option, None, index)
            del there[index]


def _opposite(option: OptionPlan) -> OptionPlan:
    name = OPPOSITES[option.name]
    return replace(option, name=name, number=OPTIONS[name].number)


def _value(option: OptionPlan) -> str:
    return (
        SECRET if OPTIONS[option.name].secret else _shown(option.value) if isinstance(option.value, bytes) else str(option.value)
    )


def _shown(value: bytes) -> str:
    return '"' + value.decode("utf-8", "backslashreplace") + '"'


def _compare_binds(work: Work, before: Before, target: Target, was: SocketPlan, socket: SocketPlan) -> None:
    kept = target.kept.get(socket.id)
    if kept is None:
        return
    addresses = before.bound(was)
    gone = [index for index in range(len(was.binds)) if index not in kept]
    new = socket.binds[len(kept) :]
    for index in reversed(gone):
        work.unbinds.append(Unbind(work.name, socket.id, replace(was.binds[index], address=addresses[index]), index))
    for number, bind in enumerate(new, len(kept)):
        work.binds.append(Bind(work.name, socket.id, bind, number))
    work.differences += _moves(
        f"{_side(socket.id)} bind",
        [_certain(was.binds[index]) or addresses[index] or was.binds[index].endpoint for index in gone],
        [(bind.endpoint, bind.place) for bind in new],
        socket.place,
    )


def _compare_connects(work: Work, before: Before, target: Target, was: SocketPlan, socket: SocketPlan) -> None:
    if not was.connects and not socket.connects:
        return
    there = before.connected(was)
    wanted = [target.goes_to(connect) for connect in socket.connects]
    if list(there) == wanted and target.reborn.isdisjoint(wanted):
        return
    left = dict(enumerate(there))
    new: list[int] = []
    for index, address in enumerate(wanted):
        same = next((n for n, old in left.items() if address and old not in target.reborn and _same(old, address)), None)
        if same is None:
            new.append(index)
        else:
            del left[same]
    work.joins = work.joins or any(there[index] in target.reborn for index in left)
    for index in reversed(left):
        work.disconnects.append(Disconnect(work.name, socket.id, was.connects[index], index, there[index]))
    for number, index in enumerate(new, len(was.connects) - len(left)):
        work.connects.append(Connect(work.name, socket.id, socket.connects[index], number, wanted[index]))
    work.differences += _moves(
        f"{_side(socket.id)} connect",
        list(left.values()),
        [(wanted[index] or socket.connects[index].endpoint, socket.connects[index].place) for index in new],
        socket.place,
    )


def _same(address: str, other: str) -> bool:
    return address == other or reached_keys(parse(address)) == reached_keys(parse(other))


def _moves(what: str, old: list[str], new: list[tuple[str, Place]], place: Place) -> Iterator[Difference]:
    """What goes and what comes, in pairs."""
    for index in range(max(len(old), len(new))):
        endpoint, where = new[index] if index < len(new) else ("", place)
        yield Difference(what, old[index] if index < len(old) else "", endpoint, where)


def _bound(binds: Sequence[BindPlan], addresses: Sequence[str]) -> tuple[BindPlan, ...]:
    """Binds that know the addresses that they have."""
    return tuple(replace(bind, address=address) for bind, address in zip(binds, addresses, strict=True))


def _compared_app(before: Before, target: Target, name: str, old: AppPlan | None, new: AppPlan) -> Work | None:
    """What is to be done with an app, or None if nothing is. One that has ended as it should has done what it was for."""
    if old is None:
        return Work(name, None, new)
    work = Work(name, old, new)
    if name in before.ended:
        work.ended, work.renewed = True, "it has failed"
        work.differences.append(Difference("life", "ended", "running", new.place))
    for what, value, other in (
        ("command", " ".join(old.command), " ".join(new.command)),
        ("folder", old.folder, new.folder),
        ("bind", " ".join(old.binds), " ".join(new.binds)),
    ):
        if value != other:
            work.differences.append(Difference(what, value, other, new.place))
            work.renewed = work.renewed or "a program is told that when it starts"
    for variable in dict.fromkeys((*old.environment, *new.environment)):
        was = [before.goes_to(connect) for connect in old.environment.get(variable, ())]
        to = [target.goes_to(connect) for connect in new.environment.get(variable, ())]
        if was != to:
            shown = [a or c.endpoint for a, c in zip(to, new.environment.get(variable, ()), strict=True)]
            work.differences.append(Difference(variable, " ".join(was), " ".join(shown), new.place))
            work.renewed = work.renewed or "a program is told addresses only when it starts"
    _compare_own_sockets(work, old, new)
    if old.restart != new.restart:
        work.differences.append(Difference("restart", old.restart.policy, _policy(old, new), new.place))
    return _brought_forward(work, before) if work.differences else None


def _compare_own_sockets(work: Work, old: AppPlan, new: AppPlan) -> None:
    """What differs of an app's own sockets. Where they bind and connect is compared by its variables.

    Whether ztopo makes them, by `topo.socket`, does not matter: a program that makes them itself takes up what has changed only when it
    starts, too. That no socket of an app has joined so far says nothing, and if it went on, no later plan would see the difference.
    """
    there = {socket.id: socket for socket in old.sockets}
    found = Work(work.name, old, new)
    for socket in new.sockets:
        was = there.get(socket.id)
        if was is None or was == socket:
            continue
        if was.type != socket.type:
            found.differences.append(Difference(f"{_side(socket.id)} type", was.type, socket.type, socket.place))
        if was.options != socket.options:
            _compare_options(found, was, socket)
    if found.differences:
        work.differences += found.differences
        work.renewed = work.renewed or "a program makes its sockets when it starts"


def _renew(work: Work, before: Before, losses: Losses) -> None:
    """See whether what is to be done in place can be; else it is started anew."""
    if not work.anew:
        for touched in operations(work, before):
            work.renewed = work.renewed or losses.impossible(touched)
    if work.anew:
        for steps in (work.options, work.binds, work.unbinds, work.connects, work.disconnects):
            steps.clear()
        work.attach = work.detach = None


def sockets_of(there: Lodger | AppPlan) -> dict[str, SocketPlan]:
    """The sockets that messages go through."""
    if isinstance(there, AppPlan):
        return {socket.id: socket for socket in there.sockets}
    return {s.id: s for s in (there.device.frontend, there.device.backend) if s is not None}


def operations(work: Work, before: Before) -> Iterator[Touched]:
    """What is done to sockets that have connections."""
    if work.old is None or work.ended:
        return
    sockets = sockets_of(work.old)
    if work.ends:
        program = isinstance(work.old, AppPlan)
        yield from (Touched(socket, "close", _all_inproc(socket), program=program) for socket in sockets.values())
        return
    for gone in work.unbinds:
        yield Touched(sockets[gone.socket], "unbind", gone.bind.endpoint.startswith("inproc:"))
    for left in work.disconnects:
        peer = before.peer(left.connect, left.address)
        yield Touched(sockets[left.socket], "disconnect", left.address.startswith("inproc:"), peer)


def known(device: DevicePlan, bound: Callable[[SocketPlan], Sequence[str]]) -> DevicePlan:
    """The device with the addresses of its binds, as far as there are any."""
    sides = {side: getattr(device, side) for side in ("frontend", "backend", "capture")}
    return replace(
        device, **{side: replace(s, binds=_bound(s.binds, bound(s))) for side, s in sides.items() if s is not None and s.binds}
    )


def meaning(socket: SocketPlan) -> object:
    """What a socket is, wherever that is declared."""
    options = [(option.number, option.value) for option in socket.options]
    return socket.type, options, _texts(socket.binds), [(connect.endpoint, connect.origin) for connect in socket.connects]


def _all_inproc(socket: SocketPlan) -> bool:
    endpoints = (*(bind.endpoint for bind in socket.binds), *(connect.endpoint for connect in socket.connects))
    return all(endpoint.startswith("inproc:") for endpoint in endpoints)
