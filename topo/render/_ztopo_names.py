"""What everything is called in a text of one file, and how a text refers to it.

Names of the file itself stay. What comes from a module is called after its path, `dc[0].broker` becomes `dc-0-broker`, and
what is to be written `apart` has a declaration for each replica: `feed[1]` becomes `feed-1`; `unlike` says what must be. A socket
has up to two numbers: that of its app or device, and its own or that of the device in the app that it belongs to.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from topo.model import App, Component, Context, Device, Model, Process, Replica, Restart, Socket
from topo.spelling import Inexpressible, Point, fit

__all__ = ["NAME", "Names", "Spot", "base", "unlike"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*", re.ASCII)
ONE = -1
"""The number of what is one, or any number: it stands without brackets."""


class Spot(NamedTuple):
    """A socket as a reference names it: `server[0].clients[1].in` is `server clients in`, 0, 1."""

    names: tuple[str, ...]
    outer: int
    inner: int

    @property
    def number(self) -> int:
        """What `index` is at this socket."""
        return self.outer if self.inner == ONE else self.inner


class Choice(NamedTuple):
    """Which replicas brackets choose: all without a number, that one, or all but it."""

    number: int = ONE
    others: bool = False

    def has(self, number: int) -> bool:
        """Whether it chooses this one."""
        return self.number == ONE or (number == self.number) is not self.others


EVERY = Choice()
Wanted = dict[Point, list[Spot]]
"""For each replica of a socket what it is to reach, of what one reference can name."""


def base(thing: Component | Process) -> str:
    """What the replicas of something have in common."""
    return thing.replica.base if thing.replica else thing.name


class Names:
    """The names of one model. `apart` are the bases, and `base.inner`, whose replicas are written one by one."""

    def __init__(self, model: Model, apart: Collection[str]) -> None:
        self._apart = apart
        self._things: dict[str, Component | Process] = {c.name: c for c in (*model.processes, *model.components)}
        self._flat = _flat([self._key(c) for c in self._things.values() if not _is_part(c)])
        self._inner = {name: _flat(keys) for name, keys in self._inner_keys(model).items()}
        self.spots: dict[str, Spot] = {s.id: self._spot(c, s) for c in model.components for s in c.sockets}
        self._tables: dict[tuple[str, ...], _Table] = defaultdict(_Table)
        for spot in self.spots.values():
            self._tables[spot.names].add(spot)

    def name(self, thing: Component | Process) -> str:
        """What the declaration of something is called: of a device in an app, within that."""
        if not _is_part(thing):
            return self._flat[self._key(thing)]
        return self._inner[self.name(self._home(thing))][self._inner_key(thing)]

    def socket(self, owner: Component, socket: Socket) -> str:
        """What the declaration of an app's socket is called."""
        return self._inner[self.name(owner)][self._inner_name(owner, socket)]

    def number(self, thing: Component | Process) -> int:
        """Which replica of its declaration something is."""
        return ONE if self.key(thing) in self._apart else _number(thing.replica)

    def own_number(self, owner: Component, socket: Socket) -> int:
        """Which replica of its own declaration an app's socket is."""
        return ONE if self.socket_key(owner, socket) in self._apart else _own_number(socket)

    def key(self, thing: Component | Process) -> str:
        """What is in `apart` if the replicas of something are."""
        if _is_part(thing):
            return f"{base(self._home(thing))}.{_inner_base(thing)}"
        if isinstance(thing, Device) and thing.placement == "group" and self._home(thing).replica is not None:
            return base(self._home(thing))
        return base(thing)

    def socket_key(self, owner: Component, socket: Socket) -> str:
        """The same for the replicas of an app's socket."""
        return f"{base(owner)}.{socket.name}"

    # How names are made

    def _home(self, thing: Component | Process) -> Component | Process:
        assert isinstance(thing, Device)
        return self._things[thing.home]

    def _key(self, thing: Component | Process) -> str:
        return thing.name if self.key(thing) in self._apart else base(thing)

    def _inner_key(self, thing: Component | Process) -> str:
        assert isinstance(thing, Device)
        return thing.name[len(thing.home) + 1 :] if self.key(thing) in self._apart else _inner_base(thing)

    def _inner_name(self, owner: Component, socket: Socket) -> str:
        number = _own_number(socket)
        return f"{socket.name}[{number}]" if number != self.own_number(owner, socket) else socket.name

    def _inner_keys(self, model: Model) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for component in model.components:
            if isinstance(component, App):
                found[self.name(component)].extend(self._inner_name(component, s) for s in component.sockets)
            elif _is_part(component):
                found[self.name(self._home(component))].append(self._inner_key(component))
        return found

    def _spot(self, owner: Component, socket: Socket) -> Spot:
        if _is_part(owner):
            home = self._home(owner)
            return Spot((self.name(home), self.name(owner), socket.name), self.number(home), self.number(owner))
        if isinstance(owner, Device):
            return Spot((self.name(owner), socket.name), self.number(owner), ONE)
        if socket.id == owner.name:
            return Spot((self.name(owner),), self.number(owner), ONE)
        return Spot((self.name(owner), self.socket(owner, socket)), self.number(owner), self.own_number(owner, socket))

    # References

    def references(self, wanted: Wanted, own: Mapping[Point, Spot], variables: Sequence[str]) -> list[str]:
        """References to what is wanted, all of it with the same names: one, or as many as it takes.

        Raises Inexpressible if one text cannot say it for every replica.
        """
        spots = next(spots for spots in wanted.values() if spots)
        names, table = spots[0].names, self._tables[spots[0].names]
        axes = (list(_choices(wanted, own, variables, 0, table)), list(_choices(wanted, own, variables, 1, table)))
        for outer, inner in product(*axes):
            if all(table.gives(outer.chosen[p], inner.chosen[p], spots) for p, spots in wanted.items()):
                return [_reference(names, outer, inner)]
        if len({len(spots) for spots in wanted.values()}) > 1 or len(spots) == 1:
            raise Inexpressible("references that differ from replica to replica without a rule")
        each = [{p: [spots[n]] for p, spots in wanted.items()} for n in range(len(spots))]
        return [text for one in each for text in self.references(one, own, variables)]


class Way(NamedTuple):
    """One way to write a step of a reference, and which replicas that chooses for each replica of the socket that refers."""

    text: str
    chosen: Mapping[Point, Choice]


class _Table:
    """All sockets of the same names, counted."""

    def __init__(self) -> None:
        self.pairs: Counter[tuple[int, int]] = Counter()
        self.outer: Counter[int] = Counter()
        self.inner: Counter[int] = Counter()
        self.total = 0

    def add(self, spot: Spot) -> None:
        self.pairs[spot.outer, spot.inner] += 1
        self.outer[spot.outer] += 1
        self.inner[spot.inner] += 1
        self.total += 1

    def is_replicated(self, axis: int) -> bool:
        return ONE not in (self.outer, self.inner)[axis]

    def gives(self, outer: Choice, inner: Choice, spots: list[Spot]) -> bool:
        """Whether these choices mean exactly these sockets."""
        return len(spots) == self._count(outer, inner) and all(outer.has(s.outer) and inner.has(s.inner) for s in spots)

    def _count(self, outer: Choice, inner: Choice) -> int:
        if outer.others:
            return self._count(EVERY, inner) - self._count(Choice(outer.number), inner)
        if inner.others:
            return self._count(outer, EVERY) - self._count(outer, Choice(inner.number))
        if outer == EVERY:
            return self.total if inner == EVERY else self.inner[inner.number]
        return self.outer[outer.number] if inner == EVERY else self.pairs[outer.number, inner.number]


def _choices(wanted: Wanted, own: Mapping[Point, Spot], variables: Sequence[str], axis: int, table: _Table) -> Iterator[Way]:
    """The ways to write a step, the plainest first."""
    named = next(spots for spots in wanted.values() if spots)[0].names
    numbers = {p: {(s.outer, s.inner)[axis] for s in spots} for p, spots in wanted.items()}
    if axis == 0 and len(named) > 1 and all(o.names[0] == named[0] and numbers[p] <= {o.outer} for p, o in own.items()):
        yield Way(".", {p: Choice(o.outer) for p, o in own.items()})
    yield Way("", dict.fromkeys(wanted, EVERY))
    if not table.is_replicated(axis):
        return
    if all(o.number != ONE for o in own.values()) and len(own) > 1:
        yield Way("[others]", {p: Choice(o.number, others=True) for p, o in own.items()})
    if all(len(n) == 1 for n in numbers.values()):
        one = {p: min(n) for p, n in numbers.items()}
        try:
            yield Way(f"[{fit(one, variables)}]", {p: Choice(n) for p, n in one.items()})
        except Inexpressible:
            return


def _reference(names: Sequence[str], outer: Way, inner: Way) -> str:
    steps = list(names)
    steps[0] = "" if outer.text == "." else steps[0] + outer.text
    if len(steps) > 1:
        steps[1] += inner.text
    return ".".join(steps)


def _is_part(thing: Component | Process) -> bool:
    """Whether it is a device in an app."""
    return isinstance(thing, Device) and thing.placement == "app"


def _inner_base(thing: Component | Process) -> str:
    assert isinstance(thing, Device)
    return base(thing)[len(thing.home) + 1 :]


def _number(replica: Replica | None) -> int:
    return ONE if replica is None or replica.count is None else replica.index


def _own_number(socket: Socket) -> int:
    """The number of an app's socket that is one of several: 2 of `s.w[2]`."""
    if socket.id == socket.owner or not socket.id.endswith("]"):
        return ONE
    return int(socket.id.rpartition("[")[2][:-1])


def _flat(keys: Sequence[str]) -> dict[str, str]:
    """For each key a name that the language can write, and nothing else has; whole names stay."""
    found = {key: key for key in keys if NAME.fullmatch(key)}
    taken = set(found)
    for key in dict.fromkeys(keys):
        if key in found:
            continue
        wanted = re.sub(r"[^A-Za-z0-9_]+", "-", key, flags=re.ASCII).strip("-") or "_"
        name = wanted = wanted if NAME.fullmatch(wanted) else f"_{wanted}"
        number = 2
        while name in taken:
            name = f"{wanted}-{number}"
            number += 1
        found[key] = name
        taken.add(name)
    return found


# Which replicas are alike: those of a text are, for they come from one, and in JSON each may be anything


class _One(NamedTuple):
    """One of what a declaration stands for: what it stands in, what is written apart if those in that differ, or if others do."""

    home: str
    inner: str
    outer: str
    form: Any


def unlike(model: Model, names: Names) -> set[str]:
    """What is to be written apart, since its replicas have more than numbers that differ."""
    found: set[str] = set()
    for several in _declared(model, names).values():
        if all(one.form == several[0].form for one in several):
            continue
        forms: dict[str, list[Any]] = defaultdict(list)
        for one in several:
            forms[one.home].append(one.form)
        within = {one.inner for one in several if any(form != one.form for form in forms[one.home])}
        found |= within or {one.outer for one in several}
    return found


def _declared(model: Model, names: Names) -> dict[tuple[str, ...], list[_One]]:
    """What each declaration stands for."""
    found: dict[tuple[str, ...], list[_One]] = defaultdict(list)
    things: dict[str, Component | Process] = {thing.name: thing for thing in (*model.processes, *model.components)}
    parts: dict[str, list[Device]] = defaultdict(list)
    for device in model.devices:
        parts[device.home].append(device)
    for process in model.processes:
        form = (_context(process.context), [names.name(device) for device in parts[process.name]])
        found[names.name(process),].append(_One("", names.key(process), names.key(process), form))
    for component in model.components:
        key = names.key(component)
        if isinstance(component, App):
            found[names.name(component),].append(_One("", key, key, _app(component, parts[component.name], names)))
            for socket in component.sockets:
                found[names.name(component), "", names.socket(component, socket)].append(
                    _One(component.name, names.socket_key(component, socket), key, _socket(socket))
                )
        elif component.placement == "app":
            home = things[component.home]
            found[names.name(home), names.name(component)].append(_One(home.name, key, names.key(home), _device(component)))
        else:
            found[names.name(component),].append(_One("", key, key, _device(component)))
    return found


def _app(app: App, parts: Iterable[Device], names: Names) -> Any:
    sockets = dict.fromkeys((names.socket(app, s), names.own_number(app, s) == ONE) for s in app.sockets)
    devices = dict.fromkeys((names.name(part), names.number(part) == ONE) for part in parts)
    run = app.folder if app.run is not None else None
    return (
        run,
        app.inside,
        app.doc,
        _restart(app.restart),
        _context(app.context),
        [s.name for s in app.sockets[:1]],
        list(sockets),
        list(devices),
    )


def _device(device: Device) -> Any:
    sides = [(s.name, _socket(s)) for s in device.sockets]
    return device.kind, device.placement, device.swap is None, device.doc, _restart(device.restart), sides


def _restart(restart: Restart | None) -> Any:
    """All but the limit, which is a number: arithmetic has no durations."""
    if restart is None:
        return None
    waits = (restart.period, restart.backoff, restart.longest)
    return restart.policy, waits, restart.company, restart.useless is None


def _context(context: Context) -> list[bool]:
    return [getattr(context, name) is None for name in context.__struct_fields__]


def _socket(socket: Socket) -> Any:
    connects = [connect.endpoint is None for connect in socket.connects]
    return socket.type, socket.program, len(socket.binds), connects, list(_options(socket))


def _options(socket: Socket) -> Iterator[Any]:
    """The options; of values only that which arithmetic cannot say."""
    for option in socket.options:
        kinds = [(v.kind, v.origin and v.origin[0], v.value if v.kind not in ("int", "text") else None) for v in option.values]
        yield option.name, kinds
