"""From tree to model: replicas are made, and names find what they mean.

It goes in two passes. The first makes every device and app, with what their sockets bind; the second finds what each
connect means, for which the binds must be known. Whatever is wrong is said once, however many replicas it has, and the
rest goes on; a declaration with a mistake is noted as doubtful, so that the checks do not report what only follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from msgspec.structs import replace

from topo import mistakes
from topo.diagnostic import Diagnostic
from topo.model import (
    App,
    Bind,
    Component,
    Connect,
    Device,
    Endpoint,
    Model,
    Option,
    Replica,
    Role,
    Socket,
    Target,
    Value,
    process_of,
)
from topo.source import Span
from topo.syntax import tree
from topo.syntax.expression import Variable
from topo.values import Given, Mistake, Values
from topo.zeromq.kinds import KINDS
from topo.zeromq.options import OPTIONS
from topo.zeromq.sockets import SOCKETS
from topo.zeromq.transports import TRANSPORTS, absolute, parse

__all__ = ["MOST_IN_ALL", "MOST_REPLICAS", "resolve"]

MOST_REPLICAS = 10_000
"""The most replicas of one declaration."""
MOST_IN_ALL = 100_000
"""The most devices, apps and sockets of replicas in a topology."""

SIDES: dict[str, Role] = {"in": "in", "out": "out", "monitor": "monitor", "control": "control"}
NEAREST = {"inproc": 0, "ipc": 1, "tcp": 2}


@dataclass(slots=True)
class SocketDraft:
    """A socket whose connects are not looked at yet."""

    socket: Socket
    spec: tree.SocketSpec
    base: str
    replica: Replica | None
    numbers: dict[str, int]


@dataclass(slots=True)
class Draft:
    """A device or an app whose sockets are not finished yet."""

    component: Component
    statement: tree.Device | tree.App
    replica: Replica | None
    sockets: list[SocketDraft] = field(default_factory=list)
    broken: bool = False


def resolve(file: tree.File, params: Mapping[str, object] | None = None) -> tuple[Model, list[Diagnostic]]:
    """The model of a tree, with `params` for the params that are set from outside, and what is wrong with it."""
    resolver = _Resolver(file, params or {})
    return resolver.model(), resolver.said


class _Resolver:
    """One run of `resolve`. Every method that finds a mistake says it, and leaves out what it cannot make."""

    def __init__(self, file: tree.File, params: Mapping[str, object]) -> None:
        self.file = file
        self.said: list[Diagnostic] = []
        self._places: set[tuple[str, int, str]] = set()
        self.values = Values(file, params, self.say)
        self.drafts: list[Draft] = []
        self.named: dict[str, list[Draft]] = {}
        self.made = 0

    def say(self, diagnostic: Diagnostic) -> None:
        """Note a mistake, unless it was noted for another replica."""
        span = diagnostic.span
        if span is not None and any(d.start <= span.start < d.end for d in self.file.doubtful):
            return  # what is wrong there has been said
        place = (diagnostic.code, span.start if span else -1, diagnostic.message if span is None or span.source.program else "")
        if place not in self._places:
            self._places.add(place)
            self.said.append(diagnostic)

    def model(self) -> Model:
        """The model, as far as it can be made."""
        self.values.check()
        name = self._topology_name()
        for statement in self.file.statements:
            self._declare(statement)
        inside = any(isinstance(d.component, App) and d.component.inside for d in self.drafts)
        finished = _Names(self, inside).finish()
        path = self.file.source.path
        return Model(
            name=name.text if name else (path.stem if path else "topology"),
            span=name.span if name else Span(self.file.source, 0, 0),
            devices=tuple(c for c in finished if isinstance(c, Device)),
            apps=tuple(c for c in finished if isinstance(c, App)),
            doubtful=(
                *self.file.doubtful,
                *(d.statement.span for d in self.drafts if d.broken or self._touched(d.statement.span)),
            ),
        )

    def _touched(self, span: Span) -> bool:
        return any(d.start < span.end and span.start < d.end for d in self.file.doubtful)

    def _topology_name(self) -> tree.Name | None:
        first: tree.Name | None = None
        for number, statement in enumerate(self.file.statements):
            if isinstance(statement, tree.Version) and number > 0:
                self.say(
                    mistakes.cannot_stand_here(
                        statement.span, "the version is the first statement of a file, and stands there once"
                    )
                )
            if isinstance(statement, tree.Topology):
                if first is not None:
                    self.say(mistakes.taken_twice(statement.name.span, statement.name.text, "topology", first.span))
                first = first or statement.name
        return first

    # Declarations

    def _declare(self, statement: tree.Statement) -> None:
        match statement:
            case tree.Device() | tree.App():
                self._declare_replicas(statement)
            case tree.Process() | tree.Use() | tree.Host() | tree.Security():
                self.say(mistakes.not_carried_out(statement.name.span, f"`{type(statement).__name__.lower()}`"))
            case tree.OptionSet():
                self.say(mistakes.not_carried_out(statement.name.span, "`options`"))
            case _:
                pass

    def _declare_replicas(self, statement: tree.Device | tree.App) -> None:
        name = statement.name.text
        if name in self.named:
            self.say(mistakes.taken_twice(statement.name.span, name, "the name", self.named[name][0].statement.name.span))
            return
        drafts = self.named[name] = []
        for replica, numbers in self._replicas(name, statement.bracket):
            full = name if replica is None else f"{name}[{replica.index if replica.count is not None else '*'}]"
            make = self._device if isinstance(statement, tree.Device) else self._app
            draft = make(statement, full, replica, numbers)  # type: ignore[arg-type]  # `make` was chosen by the statement's type
            drafts.append(draft)
            self.drafts.append(draft)

    def _replicas(self, name: str, bracket: tree.Bracket | None) -> Iterator[tuple[Replica | None, dict[str, int]]]:
        """What a declaration stands for: each replica, and the numbers that its expressions may use."""
        if bracket is None:
            yield None, {}
            return
        count, variable = self._count(bracket)
        if count is None:
            yield Replica(name, 0, None), {"index": 0}
            return
        self.made += count
        if count > MOST_REPLICAS or self.made > MOST_IN_ALL:
            most = f"{MOST_REPLICAS:,} is the most" if count > MOST_REPLICAS else f"more than {MOST_IN_ALL:,} in all"
            self.say(mistakes.bad_replica(bracket.span, f"{count:,} replicas: {most}"))
            count = 1
        for index in range(count):
            yield Replica(name, index, count), {"index": index, **({variable: index} if variable else {})}

    def _count(self, bracket: tree.Bracket) -> tuple[int | None, str]:
        try:
            parsed = self.values.parsed(bracket.text, bracket.span)
            if parsed.any_number:
                return None, ""
            assert parsed.expression is not None
            count = self.values.integer(_after_colon(bracket.text) if parsed.variable else bracket.text, bracket.span, {})
        except Mistake:
            return 1, ""
        if count < 1:
            self.say(mistakes.bad_replica(bracket.span, f"{count} replicas: at least one is needed"))
        return max(count, 1), parsed.variable

    def _device(self, statement: tree.Device, name: str, replica: Replica | None, numbers: dict[str, int]) -> Draft:
        kind = KINDS.get(statement.kind.text)
        component = Device(
            name=name,
            span=statement.name.span,
            kind=statement.kind.text,
            kind_span=statement.kind.span,
            swap=statement.swap.span if statement.swap else None,
            sockets=(),
            replica=replica,
            doc=statement.doc,
        )
        draft = Draft(component, statement, replica)
        if kind is None:
            self._broken(draft, mistakes.unknown_kind(statement.kind.span, statement.kind.text, KINDS))
        sides: dict[str, tree.Side] = {}
        placement: tree.Run | None = None
        for item in statement.block.items:
            match item:
                case tree.Side(side=side):
                    if side.text in sides:
                        self._broken(draft, mistakes.taken_twice(side.span, side.text, "the side", sides[side.text].side.span))
                    else:
                        sides[side.text] = item
                case tree.Run():
                    placement = self._placement(draft, item, placement)
                case _:
                    self._not_in(draft, item, "a device", "sides and `run thread` or `run process` do")
        defaults = {"in": kind.in_type, "out": kind.out_type, "monitor": kind.monitor_type} if kind else {}
        for word, declared in sides.items():
            self._side(draft, declared, defaults.get(word, ""), numbers)
        for needed in ("in", "out"):
            if needed not in sides and not self._touched(statement.span):
                self._broken(
                    draft,
                    mistakes.side_missing(statement.name.span, f"the device `{statement.name.text}` has no side `{needed}`"),
                )
        how = placement.how.text if placement and placement.how else "thread"
        draft.component = replace(component, placement="process" if how == "process" else "thread", prefixes=_prefixes(draft))
        return draft

    def _placement(self, draft: Draft, run: tree.Run, before: tree.Run | None) -> tree.Run:
        if before is not None:
            self._broken(draft, mistakes.taken_twice(run.span, "run", "the statement", before.span))
        if run.command is not None:
            self._broken(
                draft, mistakes.cannot_stand_here(run.span, "a device runs no command", ("`run thread` or `run process`",))
            )
        elif run.how is not None and run.how.text == "inside":
            self._broken(
                draft, mistakes.cannot_stand_here(run.span, "`run inside` is for apps", ("`run thread` or `run process`",))
            )
        return run

    def _side(self, draft: Draft, side: tree.Side, default: str, numbers: dict[str, int]) -> None:
        if side.side.text == "control":
            self._broken(draft, mistakes.not_carried_out(side.side.span, "a control side"))
            return
        assert isinstance(draft.statement, tree.Device)
        kind = draft.statement.kind.text
        why = f"a {kind} knows no usual ones" if kind in KINDS else ""
        options = [i for i in (side.block.items if side.block else ()) if self._is_option(draft, i)]
        self._socket(
            draft,
            side.side,
            f"{draft.component.name}.{side.side.text}",
            SIDES[side.side.text],
            None,
            side.spec,
            options,
            default,
            why,
            numbers,
        )

    def _app(self, statement: tree.App, name: str, replica: Replica | None, numbers: dict[str, int]) -> Draft:
        component = App(
            name=name, span=statement.name.span, replica=replica, doc=statement.doc, folder=str(statement.span.source.folder)
        )
        draft = Draft(component, statement, replica)
        options: list[tree.Item] = []
        declared: dict[str, tree.Socket] = {}
        run: tree.Run | None = None
        for item in statement.block.items if statement.block else ():
            match item:
                case tree.Run():
                    run = self._command(draft, item, run, numbers)
                case tree.Socket(name=socket_name) if statement.spec is None:
                    if socket_name.text in declared:
                        first = declared[socket_name.text].name.span
                        self._broken(draft, mistakes.taken_twice(socket_name.span, socket_name.text, "the socket", first))
                    else:
                        declared[socket_name.text] = item
                case tree.Option() | tree.With() if statement.spec is not None:
                    if self._is_option(draft, item):
                        options.append(item)
                case _:
                    self._not_in(draft, item, "an app", "sockets, their options and `run` do")
        if statement.spec is not None:
            self._socket(
                draft,
                statement.name,
                name,
                "app",
                None,
                statement.spec,
                options,
                "",
                "an app says of which type its socket is",
                numbers,
            )
        only = len(declared) == 1 and next(iter(declared.values())).bracket is None
        for socket in declared.values():
            self._app_socket(draft, socket, name if only else "", numbers)
        return draft

    def _app_socket(self, draft: Draft, socket: tree.Socket, only: str, numbers: dict[str, int]) -> None:
        options = [i for i in (socket.block.items if socket.block else ()) if self._is_option(draft, i)]
        for replica, own in self._replicas(socket.name.text, socket.bracket):
            if replica is not None and replica.count is None:
                self._broken(draft, mistakes.bad_replica(socket.span, "a socket has a number of replicas, not any", None))
            suffix = "" if replica is None else f"[{replica.index}]"
            id = only or f"{draft.component.name}.{socket.name.text}{suffix}"
            why = "an app says of which type its socket is"
            self._socket(draft, socket.name, id, "app", replica, socket.spec, options, "", why, {**numbers, **own})

    def _command(self, draft: Draft, run: tree.Run, before: tree.Run | None, numbers: dict[str, int]) -> tree.Run:
        assert isinstance(draft.component, App)
        if before is not None:
            self._broken(draft, mistakes.taken_twice(run.span, "run", "the statement", before.span))
        elif run.command is not None:
            draft.component = replace(draft.component, run_span=run.command.span)
            try:
                command = self.values.text(run.command, numbers).decode("utf-8", "surrogateescape")
                draft.component = replace(draft.component, run=command)
            except Mistake:
                draft.broken = True
        elif run.how is not None and run.how.text == "inside":
            draft.component = replace(draft.component, inside=True, run_span=run.how.span)
        else:
            notes = (
                'an app runs a command: `run "python app.py"`, or inside the program that calls the Python API: `run inside`',
            )
            self._broken(draft, mistakes.cannot_stand_here(run.span, f"`{run.span.text}` is for devices", notes))
        return run

    def _is_option(self, draft: Draft, item: tree.Item) -> bool:
        if isinstance(item, tree.With):
            self._broken(draft, mistakes.not_carried_out(item.span, "`with`"))
        elif not isinstance(item, tree.Option):
            self._broken(draft, mistakes.cannot_stand_here(item.span, "only options stand in the braces of a socket"))
        return isinstance(item, tree.Option)

    def _not_in(self, draft: Draft, item: tree.Item, where: str, what_does: str) -> None:
        match item:
            case tree.Restart():
                self._broken(draft, mistakes.not_carried_out(item.span, "`restart`"))
            case tree.On():
                self._broken(draft, mistakes.not_carried_out(item.span, "`on`"))
            case tree.Context():
                self._broken(draft, mistakes.not_carried_out(item.span, "`context`"))
            case tree.Device() if isinstance(draft.component, App):
                self._broken(draft, mistakes.not_carried_out(item.name.span, "a device inside an app"))
            case tree.Option():
                self._broken(
                    draft,
                    mistakes.cannot_stand_here(item.name.span, f"`{item.name.text}` does not stand in {where}", (what_does,)),
                )
            case _:
                self._broken(draft, mistakes.cannot_stand_here(item.span, f"this does not stand in {where}", (what_does,)))

    def _broken(self, draft: Draft, diagnostic: Diagnostic) -> None:
        draft.broken = True
        self.say(diagnostic)

    # Sockets

    def _socket(
        self,
        draft: Draft,
        name: tree.Name,
        id: str,
        role: Role,
        replica: Replica | None,
        spec: tree.SocketSpec,
        options: Iterable[tree.Item],
        default: str,
        why: str,
        numbers: dict[str, int],
    ) -> None:
        """Draft a socket; the parts of it that are wrong are left out."""
        kind = spec.type.text if spec.type else default
        if not kind:
            if why:  # otherwise that the kind is unknown has been said
                self._broken(draft, mistakes.type_missing(name.span, name.text, why))
        elif kind not in SOCKETS:
            assert spec.type is not None
            self._broken(draft, mistakes.unknown_type(spec.type.span, kind, SOCKETS))
        if spec.program is not None:
            self._broken(draft, mistakes.not_carried_out(spec.program.span, "`as` behind a socket type"))
        socket = Socket(
            id=id,
            owner=draft.component.name,
            name=name.text,
            role=role,
            type=kind,
            type_span=spec.type.span if spec.type else name.span,
            span=name.span,
            binds=tuple(self._binds(draft, spec, numbers)),
            options=tuple(self._options(draft, options, numbers)),
        )
        draft.sockets.append(SocketDraft(socket, spec, name.text, replica, numbers))

    def _binds(self, draft: Draft, spec: tree.SocketSpec, numbers: dict[str, int]) -> Iterator[Bind]:
        index = 0
        for clause in spec.clauses:
            match clause:
                case tree.Bind(places=places):
                    for place in places:
                        endpoint = self.endpoint(draft, place, numbers, "bind")
                        if endpoint is not None:
                            yield Bind(endpoint, index)
                            index += 1
                case tree.Secured():
                    self._broken(draft, mistakes.not_carried_out(clause.span, "`secured by`"))
                case tree.Same():
                    self._broken(draft, mistakes.not_carried_out(clause.span, "`same`"))
                case tree.Connect():
                    pass

    def endpoint(self, draft: Draft, place: tree.Place, numbers: dict[str, int], verb: str) -> Endpoint | None:
        """An endpoint that is written, with its params inserted and a relative path made absolute."""
        if isinstance(place, tree.Reference):
            notes = ("to talk to another socket, connect to it; a param is inserted as ${name}",)
            self._broken(draft, mistakes.cannot_stand_here(place.span, f"an endpoint stands behind `{verb}`", notes))
            return None
        try:
            given = self.values.given(place, numbers)
        except Mistake:
            draft.broken = True
            return None
        if given.kind != "text":
            self._broken(draft, mistakes.bad_param_value(place.span, f"`{given.shown}` is not an endpoint"))
            return None
        text = absolute(given.shown, place.span.source.folder)
        return Endpoint(text, parse(text), place.span)

    def _options(self, draft: Draft, items: Iterable[tree.Item], numbers: dict[str, int]) -> Iterator[Option]:
        for item in items:
            assert isinstance(item, tree.Option)
            values = []
            for node in item.values:
                try:
                    values.append(_value(item.name.text, node, self.values.given(node, numbers)))
                except Mistake:
                    draft.broken = True
            if len(values) == len(item.values):
                yield Option(item.name.text, tuple(values), item.name.span)


class _Names:
    """The second pass: what each connect means, now that all binds are known."""

    def __init__(self, resolver: _Resolver, inside: bool) -> None:
        self.resolver = resolver
        self.inside = inside
        self.sound = {s.socket.id for d in resolver.drafts for s in d.sockets if s.socket.type in SOCKETS}

    def finish(self) -> list[Component]:
        """Every device and app with its sockets."""
        return [self._finish(draft) for draft in self.resolver.drafts]

    def _finish(self, draft: Draft) -> Component:
        sockets = []
        for sketch in draft.sockets:
            connects = tuple(
                c
                for clause in sketch.spec.clauses
                if isinstance(clause, tree.Connect)
                for c in self._connects(draft, sketch, clause)
            )
            if sketch.socket.id in self.sound:
                sockets.append(replace(sketch.socket, connects=connects))
        return replace(draft.component, sockets=tuple(sockets))

    def _connects(self, draft: Draft, sketch: SocketDraft, clause: tree.Connect) -> Iterator[Connect]:
        for place in clause.places:
            if isinstance(place, tree.Reference):
                try:
                    yield Connect(place.span, None, tuple(self._targets(draft, sketch, place)))
                except Mistake:
                    draft.broken = True
            else:
                endpoint = self.resolver.endpoint(draft, place, sketch.numbers, "connect")
                if endpoint is not None:
                    yield Connect(place.span, endpoint)

    def _targets(self, draft: Draft, sketch: SocketDraft, reference: tree.Reference) -> list[Target]:
        components, rest = self._components(draft, sketch, reference)
        targets = []
        for other in components:
            sockets, transport = self._sockets(other, sketch, reference, rest)
            for found in sockets:
                if found.socket.id not in self.sound or (other.broken and not found.socket.binds):
                    draft.broken = True  # what is wrong there has been said
                    continue
                bind = self._nearest(draft, other, found.socket, transport)
                if bind is not None:
                    targets.append(Target(found.socket.id, bind.index))
        return targets

    def _components(
        self, draft: Draft, sketch: SocketDraft, reference: tree.Reference
    ) -> tuple[list[Draft], tuple[tree.Part, ...]]:
        """The devices or apps that a reference begins with, and the parts that are left."""
        if reference.own:
            return [draft], reference.parts
        first = reference.parts[0]
        known = self.resolver.named
        if first.name.text not in known:
            if first.name.text in self.resolver.file.lost or _all_lost(self.resolver.file):
                raise Mistake  # it may be declared where nothing could be read
            self._fail(mistakes.unknown_name(first.name.span, first.name.text, "device or app", known))
        drafts = known[first.name.text]
        if first.bracket is None:
            return drafts, reference.parts[1:]
        return self._chosen(drafts, [d.replica for d in drafts], first, sketch, drafts[0].statement.name.span), reference.parts[
            1:
        ]

    def _chosen(
        self, things: list[Any], replicas: list[Replica | None], part: tree.Part, sketch: SocketDraft, declared: Span
    ) -> list[Any]:
        """Those of several replicas that a bracket names."""
        bracket = part.bracket
        assert bracket is not None
        count = replicas[0].count if replicas and replicas[0] else None
        if not replicas or replicas[0] is None:
            self._fail(mistakes.bad_replica(bracket.span, f"`{part.name.text}` is one, and has no replicas", declared))
        if count is None:
            self._fail(
                mistakes.bad_replica(
                    bracket.span, f"`{part.name.text}[*]` is any number: its replicas cannot be told apart", declared
                )
            )
        parsed = self.resolver.values.parsed(bracket.text, bracket.span)
        if parsed.any_number:
            self._fail(mistakes.bad_replica(bracket.span, "all of them are meant without the brackets", declared))
        if parsed.expression == Variable("others"):
            return [t for t, r in zip(things, replicas, strict=True) if r is None or r.index != sketch.numbers.get("index")]
        index = self.resolver.values.integer(bracket.text, bracket.span, sketch.numbers)
        if not 0 <= index < count:
            last = f"the last is {part.name.text}[{count - 1}]"
            self._fail(mistakes.bad_replica(bracket.span, f"there is no `{part.name.text}[{index}]`", declared, (last,)))
        return [things[index]]

    def _sockets(
        self, other: Draft, sketch: SocketDraft, reference: tree.Reference, rest: tuple[tree.Part, ...]
    ) -> tuple[list[SocketDraft], str]:
        """The sockets that the rest of a reference names in a device or app, and the transport if it ends with one."""
        named = [s for s in other.sockets if rest and s.base == rest[0].name.text]
        declared = other.statement.name.span
        what = other.statement.name.text
        if named:
            sockets, rest = (
                (
                    named
                    if rest[0].bracket is None
                    else self._chosen(named, [s.replica for s in named], rest[0], sketch, declared)
                ),
                rest[1:],
            )
        elif (
            isinstance(other.component, App)
            and len({s.base for s in other.sockets}) == 1
            and (not rest or rest[0].name.text in TRANSPORTS)
        ):
            sockets = other.sockets
        else:
            self._no_socket(other, reference, rest, what, declared)
        if not rest:
            return sockets, ""
        if rest[0].name.text not in TRANSPORTS or len(rest) > 1 or rest[0].bracket:
            message = f"`{rest[-1].span.text}` is not a part of `{reference.parts[0].span.text}`"
            self._fail(mistakes.several_sockets(rest[-1].span, rest[-1].name.text, message, (), declared))
        self._has_transport(sockets, rest[0], declared)
        return sockets, rest[0].name.text

    def _no_socket(
        self, other: Draft, reference: tree.Reference, rest: tuple[tree.Part, ...], what: str, declared: Span
    ) -> NoReturn:
        if (other.broken and not other.sockets) or self.resolver._touched(other.statement.span):
            raise Mistake  # what is wrong there has been said
        names = tuple(dict.fromkeys(s.base for s in other.sockets))
        if rest:
            message = f"`{what}` has no socket `{rest[0].name.text}`"
            self._fail(mistakes.several_sockets(rest[0].span, rest[0].name.text, message, names, declared))
        message = f"`{what}` has no socket" if not names else f"`{what}` has several sockets"
        self._fail(mistakes.several_sockets(reference.span, "", message, names, declared))

    def _has_transport(self, sockets: list[SocketDraft], part: tree.Part, declared: Span) -> None:
        for found in sockets:
            if not any(b.endpoint.address.transport == part.name.text for b in found.socket.binds):
                message = f"`{found.socket.id}` binds nothing over {part.name.text}"
                self._fail(mistakes.several_sockets(part.span, part.name.text, message, (), declared))

    def _nearest(self, draft: Draft, other: Draft, socket: Socket, transport: str) -> Bind | None:
        """Of the endpoints that a socket binds the nearest that both ends can reach, the first of equals."""
        same_process = process_of(draft.component, self.inside) == process_of(other.component, self.inside)
        binds = [b for b in socket.binds if not transport or b.endpoint.address.transport == transport]
        reachable = [b for b in binds if same_process or b.endpoint.address.transport != "inproc"]
        return min(reachable or binds, key=lambda b: NEAREST.get(b.endpoint.address.transport, 3), default=None)

    def _fail(self, diagnostic: Diagnostic) -> NoReturn:
        self.resolver.say(diagnostic)
        raise Mistake


def _value(option: str, node: tree.Value, given: Given) -> Value:
    """A value of an option. A plain number that Python gave is in the option's own unit."""
    kind = given.kind
    value = given.value
    if isinstance(node, tree.Literal) and kind in ("int", "bool") and option in OPTIONS and isinstance(value, int):
        row = OPTIONS[option]
        if row.kind in ("duration", "size", "bool", "int"):
            kind = row.kind
            value = value * 1000 if row.unit == "s" and value > 0 else value
    return Value(kind, value, node.span)


def _prefixes(draft: Draft) -> tuple[bytes, bytes]:
    for sketch in draft.sockets:
        option = sketch.socket.option("prefix") if sketch.socket.role == "monitor" else None
        if option is not None and len(option.values) == 2:
            first, second = (v.value for v in option.values)
            if isinstance(first, bytes) and isinstance(second, bytes):
                return first, second
    return b"in", b"out"


def _all_lost(file: tree.File) -> bool:
    return bool(file.doubtful) and not file.statements


def _after_colon(text: str) -> str:
    return text.partition(":")[2]
