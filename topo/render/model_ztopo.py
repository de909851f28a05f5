"""The expanded topology as a .ztopo text: params inserted, types written, paths absolute; behind each connect where it leads.

The text means what the file meant, and needs no other file: read again it gives the same model. Replicas stay one
declaration, for their names have no other way to be written, and `[*]` has no number. Only where no expression over `index`
says how they differ is each of them written apart. What came from modules is written flat, under names that the language can
write; a comment says what each of those stands for.

Commands run in the folder of their file, of which a text has one: a comment says where they ran before. Of a secret only
the file or the variable that it comes from is written; where there is none, a comment says which option was left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from topo.graph import Graph
from topo.model import App, Component, Connect, Context, Device, Model, Option, Origin, Process, Restart, Socket, Target
from topo.render import Style
from topo.render._ztopo_names import NAME, ONE, Names, Spot, base, unlike
from topo.spelling import Copies, Inexpressible, Point, fit, quoted, spell_duration, spell_number, spell_text, spell_value
from topo.zeromq.options import is_secret
from topo.zeromq.transports import for_connecting

__all__ = ["render"]

LINE = 100
"""The most columns of a declaration on one line."""

T = TypeVar("T")
R = TypeVar("R")
P = TypeVar("P", App, Device, Process)


def render(graph: Graph, style: Style) -> str:
    """The whole topology."""
    apart: set[str] = set()
    while True:
        writer = _Writer(graph.model, frozenset(apart))
        blocks = [_head(graph.model), *writer.declarations()]
        if not writer.inexpressible:
            return "\n\n".join(blocks) + "\n"
        assert not writer.inexpressible <= apart, "what is written apart differs from nothing"
        apart |= writer.inexpressible


def _head(model: Model) -> str:
    lines = ["ztopo 1"]
    if NAME.fullmatch(model.name):
        lines.append(f"topology {model.name}")
    folders = _folders(model)
    if len(folders) == 1:
        lines.append(f"# Commands run in the folder of the file; that was {quoted(folders[0])}.")
    elif folders:
        lines.append("# Commands run in the folder of the file. These were in several files: each says where it ran.")
    return "\n".join(lines)


def _folders(model: Model) -> list[str]:
    """The folders that commands run in."""
    return list(dict.fromkeys(app.folder for app in model.apps if app.run is not None))


class _Writer:
    """Writes the declarations of a model. What is to be written apart as well is in `inexpressible` at the end."""

    def __init__(self, model: Model, apart: frozenset[str]) -> None:
        self._model = model
        self._names = Names(model, apart)
        self.inexpressible = unlike(model, self._names)
        self._sockets = {s.id: s for c in model.components for s in c.sockets}
        self._owners = {c.name: c for c in model.components}
        self._several_folders = len(_folders(model)) > 1
        self._lone: set[str] = set()
        """What is to be one of one, `[1]`, because it refers to the others of these, who are nobody."""
        self._processes: dict[str, list[Process]] = defaultdict(list)
        for process in model.processes:
            self._processes[self._names.name(process)].append(process)
        self._parts: dict[str, list[Device]] = defaultdict(list)
        """The devices of each app and process."""
        self._groups: dict[str, list[Component]] = defaultdict(list)
        for component in model.components:
            if isinstance(component, Device) and component.home:
                self._parts[component.home].append(component)
            if not isinstance(component, Device) or component.placement != "app":
                self._groups[self._names.name(component)].append(component)

    def declarations(self) -> Iterator[str]:
        """The text of each declaration, in the order of the file; none if it is known that some are to be written apart."""
        if not self.inexpressible:
            yield from ("\n".join(lines) for lines in self._declarations())

    def _declarations(self) -> Iterator[list[str]]:
        homes = {process.name: name for name, group in self._processes.items() for process in group}
        left = list(self._processes)
        for group in self._groups.values():
            first = group[0]
            if not isinstance(first, Device) or first.placement != "group":
                yield list(self._component(group))
                continue
            while homes[first.home] in left:  # after those before it, which have no devices
                yield list(self._process(self._processes[left.pop(0)]))
        for name in left:
            yield list(self._process(self._processes[name]))

    def _process(self, group: list[Process]) -> Iterator[str]:
        first = group[0]
        yield from self._stands_for(group)
        lines = self._context(self._copies(group).of(lambda p: p.context))
        for name in dict.fromkeys(self._names.name(d) for process in group for d in self._parts[process.name]):
            lines.append("\n".join(self._component(self._groups[name], shared=first.replica is not None)))
        yield from _block(f"process {self._names.name(first)}{self._bracket(group)}", lines, always=True)

    def _component(self, group: Sequence[Component], *, shared: bool = False) -> Iterator[str]:
        """A device or an app with all its replicas, which a device may share with the process that it stands in."""
        first = group[0]
        yield from self._stands_for(group)
        yield from _doc(first)
        if isinstance(first, App):
            yield from self._app(self._copies([c for c in group if isinstance(c, App)]))
            return
        sides = list(self._sides(self._copies([c for c in group if isinstance(c, Device)])))
        head = f"device {self._names.name(first)}{'' if shared else self._bracket(group)}: {_kind(first)}"
        yield from _block(head, sides, always=True)

    def _copies(self, group: Sequence[P]) -> Copies[P]:
        """All replicas that a declaration at the top stands for."""
        return Copies({(n,): thing for n, thing in enumerate(group)}, ("index",), (self._names.key(group[0]),))

    def _stands_for(self, group: Sequence[Component | Process]) -> Iterator[str]:
        """A comment that says what is written under another name than its own."""
        first = group[0]
        known = first.name if self._names.number(first) == ONE and not _any_number(first) else base(first)
        if self._names.name(first) == known:
            return
        source = first.span.source
        file = "" if source is self._model.span.source else f" of {quoted(Path(source.name).name)}"
        yield f"# {known}{self._bracket(group)}{file}"

    def _bracket(self, group: Sequence[Component | Process], variable: str = "") -> str:
        """How many there are of it."""
        if self._names.number(group[0]) != ONE:
            return f"[{variable}{len(group)}]"
        return "[*]" if _any_number(group[0]) else "[1]" if self._names.name(group[0]) in self._lone else ""

    # Devices and apps

    def _sides(self, devices: Copies[Device]) -> Iterator[str]:
        first = devices.first
        if first.placement == "process":
            yield "run process"
        yield from self._restart(devices.of(lambda d: d.restart))
        for number, side in enumerate(first.sockets):
            yield self._socket(side.name, devices.of(lambda d, n=number: d.sockets[n]))  # type: ignore[misc]  # mypy sees no default there
            if side.role == "in" and first.side("out") is None:
                yield "out same"

    def _app(self, apps: Copies[App]) -> Iterator[str]:
        first, names = apps.first, self._names
        name, group = names.name(first), list(apps.all.values())
        lines = [*self._run(apps), *self._restart(apps.of(lambda a: a.restart)), *self._context(apps.of(lambda a: a.context))]
        sockets = self._within(
            apps, lambda a: [(names.socket(a, s), names.own_number(a, s), names.socket_key(a, s), s) for s in a.sockets]
        )
        parts = self._within(apps, lambda a: [(names.name(d), names.number(d), names.key(d), d) for d in self._parts[a.name]])
        if not parts and list(sockets) == [name] and (first.sockets[0].id, first.sockets[0].name) == (first.name, name):
            head, options, said = self._spec(sockets[name])
            yield from _block(f"app {name}{self._bracket(group)}: {head}", [*options, *lines], said)
            return
        for own, devices in parts.items():
            bracket = self._own_bracket(apps, devices) or ("[*]" if _any_number(devices.first) else "")
            block = _block(f"device {own}{bracket}: {_kind(devices.first)}", list(self._sides(devices)), always=True)
            lines.append("\n".join([*_doc(devices.first), *block]))
        lines += [self._socket(f"socket {own}{self._own_bracket(apps, s)}:", s) for own, s in sockets.items()]
        two = any(len(c.variables) == 2 for c in parts.values()) or any(len(c.variables) == 2 for c in sockets.values())
        yield from _block(f"app {name}{self._bracket(group, 'i: ' if two else '')}", lines, always=bool(lines))

    def _within(self, apps: Copies[App], what: Callable[[App], Iterable[tuple[str, int, str, T]]]) -> dict[str, Copies[T]]:
        """What is declared in an app, by name. `what` yields the name, the number, what is written apart by it, and the thing."""
        found: dict[str, dict[Point, T]] = defaultdict(dict)
        keys: dict[str, str] = {}
        for (n,), app in apps.all.items():
            for name, number, key, thing in what(app):
                keys[name] = "" if number == ONE else key
                found[name][(n,) if number == ONE else (n, number)] = thing
        return {name: self._inner(apps, things, keys[name]) for name, things in found.items()}

    def _inner(self, apps: Copies[App], things: dict[Point, T], key: str) -> Copies[T]:
        if not key:
            return Copies(things, apps.variables, apps.keys)
        if len(apps.all) > 1:
            return Copies(things, ("i", "index"), (*apps.keys, key))
        return Copies({point[1:]: thing for point, thing in things.items()}, ("index",), (key,))

    def _own_bracket(self, apps: Copies[App], copies: Copies[T]) -> str:
        """How many there are of something in each app."""
        if copies.keys == apps.keys:
            return ""
        counts = Counter(point[:-1] for point in copies.all)
        if len(set(counts.values())) == 1:
            return f"[{next(iter(counts.values()))}]"
        return f"[{self._tried(Copies(dict(counts), ('i',), apps.keys), lambda c: fit(c.all, c.variables), '')}]"

    def _run(self, apps: Copies[App]) -> Iterator[str]:
        first = apps.first
        if first.inside:
            yield "run inside"
        elif first.run is not None:
            command = self._tried(apps.of(lambda a: a.run or ""), lambda c: spell_text(c, bare=False), "")
            yield f"run {command}" + (f"  # ran in {quoted(first.folder)}" if self._several_folders else "")

    def _restart(self, restarts: Copies[Restart | None]) -> Iterator[str]:
        first = restarts.first
        if first is None:
            return
        if first.policy == "never" and first.useless is None:
            yield "restart never"
            return
        limit = self._tried(restarts.of(lambda r: r.limit if r else 0), spell_number, "")
        period, backoff, longest = (spell_duration(each) for each in (first.period, first.backoff, first.longest))
        waits = backoff if backoff == longest else f"{backoff}..{longest}"
        company = f" with {first.company}" if first.company else ""
        yield f"restart {first.policy} max {limit} in {period} backoff {waits}{company}"

    def _context(self, contexts: Copies[Context]) -> list[str]:
        lines = []
        for name in Context.__struct_fields__:
            values = contexts.of(lambda c, name=name: getattr(c, name))  # type: ignore[misc]  # mypy sees no default there
            if values.first is not None:
                lines.append(f"{name} {self._tried(values, spell_number, '')}")
        return list(_block("context", lines)) if lines else []

    # Sockets

    def _socket(self, start: str, sockets: Copies[Socket]) -> str:
        head, options, said = self._spec(sockets)
        return "\n".join(_block(f"{start} {head}", options, said))

    def _spec(self, sockets: Copies[Socket]) -> tuple[str, list[str], str]:
        """The type and what is bound and connected; the options; and a comment that says where the connects lead."""
        nothing: tuple[str, list[str], str] = ("", [], "")
        return self._tried(sockets, self._spelled, nothing)

    def _spelled(self, sockets: Copies[Socket]) -> tuple[str, list[str], str]:
        first = sockets.first
        words = [first.type, *(["as", first.program] if first.program else [])]
        if first.binds:
            texts = [spell_text(sockets.of(lambda s, n=n: s.binds[n].endpoint.text)) for n in range(len(first.binds))]  # type: ignore[misc]
            words.append("bind " + ", ".join(texts))
        if first.connects:
            texts = [text for n in range(len(first.connects)) for text in self._connect(sockets, n)]
            words += ["connect " + ", ".join(texts)] if texts else []
        options = [_option(sockets.of(lambda s, n=n: s.options[n])) for n in range(len(first.options))]  # type: ignore[misc]
        return " ".join(words), options, self._leads(sockets.all.values())

    def _leads(self, sockets: Iterable[Socket]) -> str:
        targets = [t for s in sockets for c in s.connects for t in c.targets]
        found = list(dict.fromkeys(self._sockets[t.socket].binds[t.index].endpoint.text for t in targets))
        if len(found) > 3:
            return f"# {found[0]} and {len(found) - 1} more"
        return "# " + ", ".join(found) if found else ""

    def _connect(self, sockets: Copies[Socket], number: int) -> list[str]:
        """What one `connect` stands for: an endpoint, or a reference for each declaration that is referred to."""
        connects = sockets.of(lambda s: s.connects[number])
        if connects.first.endpoint is not None:
            return [spell_text(connects.of(lambda c: c.endpoint.text if c.endpoint else ""))]
        if any(self._nameless(target) for connect in connects.all.values() for target in connect.targets):
            addresses = connects.of(lambda c: [self._address(target) for target in c.targets])
            if len({len(each) for each in addresses.all.values()}) > 1:
                raise Inexpressible("connects to endpoints, of which some have more than others")
            return [spell_text(addresses.of(lambda a, n=n: a[n])) for n in range(len(addresses.first))]  # type: ignore[misc]
        own = {p: self._names.spots[s.id] for p, s in sockets.all.items()}
        wanted: dict[tuple[str, ...], dict[Point, list[Spot]]] = {}
        for point, connect in connects.all.items():
            for id in (*(t.socket for t in connect.targets), *(() if connect.targets else connect.unbound)):
                spot = self._names.spots[id]
                if spot.names not in wanted:
                    wanted[spot.names] = {p: [] for p in own}
                wanted[spot.names][point].append(spot)
        if not wanted:
            return [] if self._is_of_any_number(sockets.first) else [self._nobody(own)]
        suffixes = self._suffixes(connects)
        return [
            reference + suffixes.get(names, "")
            for names, spots in wanted.items()
            for reference in self._names.references(spots, own, sockets.variables)
        ]

    def _nameless(self, target: Target) -> bool:
        """Whether no reference means this endpoint: one of the same transport goes before it, and its port is known."""
        binds = [bind.endpoint.address for bind in self._sockets[target.socket].binds]
        address = binds[target.index]
        return not address.wild_port and any(other.transport == address.transport for other in binds[: target.index])

    def _address(self, target: Target) -> str:
        return for_connecting(self._sockets[target.socket].binds[target.index].endpoint.text)

    def _suffixes(self, connects: Copies[Connect]) -> dict[tuple[str, ...], str]:
        """Which of several endpoints is meant; nothing where each gets the nearest, and these are not all alike."""
        found: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for target in (t for c in connects.all.values() for t in c.targets):
            binds = self._sockets[target.socket].binds
            found[self._names.spots[target.socket].names].add(
                f".{binds[target.index].endpoint.address.transport}" if len(binds) > 1 else ""
            )
        return {names: next(iter(suffixes)) for names, suffixes in found.items() if len(suffixes) == 1}

    def _is_of_any_number(self, socket: Socket) -> bool:
        """Whether it belongs to something that is any number, which has no words for nobody."""
        owner = self._owners[socket.owner]
        home = self._owners.get(owner.home) if isinstance(owner, Device) else None
        return _any_number(owner) or (home is not None and _any_number(home))

    def _nobody(self, own: dict[Point, Spot]) -> str:
        """A reference to nobody, as `dc[others]` is where there is one: to the others of oneself."""
        spot = next(iter(own.values()))
        if spot.inner != ONE:
            return f".{spot.names[1]}[others]"
        if len(own) > 1:
            raise Inexpressible("replicas that refer to nobody")
        if spot.outer == ONE:
            self._lone.add(spot.names[0])
        return f"{spot.names[0]}[others]"

    # What cannot be said in one text

    def _tried(self, copies: Copies[T], write: Callable[[Copies[T]], R], otherwise: R) -> R:
        """What `write` gives; if it cannot be expressed, note what is to be written apart for that."""
        try:
            return write(copies)
        except Inexpressible:
            self.inexpressible.add(self._to_blame(copies, write))
            return otherwise

    def _to_blame(self, copies: Copies[T], write: Callable[[Copies[T]], R]) -> str:
        """Which of two numbers makes the trouble: the inner one if it does so alone."""
        first = next(iter(copies.all))
        if len(first) == 2:
            try:
                write(Copies({p: t for p, t in copies.all.items() if p[0] == first[0]}, copies.variables, copies.keys))
            except Inexpressible:
                return copies.keys[1]
        return copies.keys[0]


def _option(options: Copies[Option]) -> str:
    first = options.first
    if is_secret(first.name):
        return _secret(options)
    values = [spell_value(options.of(lambda o, n=n: o.values[n])) for n in range(len(first.values))]  # type: ignore[misc]
    return f"{first.name} {', '.join(values)}"


def _secret(options: Copies[Option]) -> str:
    """A secret by where it comes from, if that is known and the same for all but a number; else a comment."""
    first = options.first
    origins = [options.of(lambda o, n=n: o.values[n].origin) for n in range(len(first.values))]  # type: ignore[misc]
    if any(origin is None or origin[0] != (each.first or "")[0] for each in origins for origin in each.all.values()):
        return f"# {first.name} is not shown"
    return f"{first.name} {', '.join(_origin(each) for each in origins)}"


def _origin(origins: Copies[Origin | None]) -> str:
    assert origins.first is not None
    name = spell_text(origins.of(lambda o: o[1] if o else ""), bare=False)
    return f"file {name}" if origins.first[0] == "file" else f"env({name})"


def _kind(device: Device) -> str:
    return f"{device.kind} swap" if device.swap else device.kind


def _doc(component: Component) -> Iterator[str]:
    yield from (f"## {line}".rstrip() for line in component.doc.splitlines())


def _any_number(thing: Component | Process) -> bool:
    return thing.replica is not None and thing.replica.count is None


def _block(head: str, lines: list[str], said: str = "", *, always: bool = False) -> Iterator[str]:
    """A head with what stands in its braces: on one line where there is room, and no line in it needs one of its own."""
    comment = f"  {said}" if said else ""
    if not lines and not always:
        yield head + comment
        return
    together = f"{head} {{ {'; '.join(lines)} }}"
    if len(together) <= LINE and not always and not any("#" in line or "\n" in line for line in lines):
        yield together + comment
        return
    yield f"{head} {{" + comment
    yield from (f"    {part}" for line in lines for part in line.split("\n"))
    yield "}"
