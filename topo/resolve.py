"""From tree to model: what was declared (`topo/drafts.py`), with every name resolved to the sockets that it means.

A declaration with a mistake is noted as doubtful, so that the checks do not report what only follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain, islice
from typing import Any, NoReturn

from msgspec.structs import replace

from topo import mistakes
from topo.diagnostic import Diagnostic, nearest
from topo.drafts import ANY, SIDES, Draft, Drafts, Modules, Scope, SocketDraft, no_modules
from topo.model import App, Bind, Component, Connect, Device, Model, Replica, Socket, Target, process_of
from topo.source import Span
from topo.syntax import tree
from topo.syntax.expression import Variable, variables
from topo.values import Mistake, Outer
from topo.zeromq.sockets import SOCKETS
from topo.zeromq.transports import TRANSPORTS

__all__ = ["resolve"]

MOST_LINKS = 200_000
"""The most links by name in a topology: every replica to every replica is soon very many."""
MANY = 100
"""For so many names that nothing has it is said which are nearly right."""
MOST_NAMES = 1000
"""So many sockets of one app are looked at for one that may be meant."""
NEAREST = {"inproc": 0, "ipc": 1, "tcp": 2}
"""Which of several endpoints of a socket is taken first, where both ends can reach it."""


def resolve(
    file: tree.File, params: Mapping[str, object] | None = None, modules: Modules = no_modules
) -> tuple[Model, list[Diagnostic]]:
    """The model of a tree, with `params` for the params that are set from outside, and what is wrong with it.

    The model is made as far as it can be.
    """
    drafts = Drafts(file, params or {}, modules)
    finished = _Names(drafts).finish()
    source, name = file.source, drafts.name
    model = Model(
        name=name.text if name else (source.path.stem if source.path else "topology"),
        span=name.span if name else Span(source, 0, 0),
        components=tuple(finished),
        devices=tuple(c for c in finished if isinstance(c, Device)),
        apps=tuple(c for c in finished if isinstance(c, App)),
        processes=tuple(drafts.processes),
        doubtful=(
            *drafts.doubtful,
            *dict.fromkeys(d.statement.span for d in drafts.drafts if d.broken or drafts.touched(d.statement.span)),
        ),
    )
    return model, drafts.said


class _Elsewhere(Mistake):
    """What is wrong is wrong in another declaration; this one can be judged, but for that link."""


class _Names:
    """The second pass: what each connect means, now that all binds are known."""

    def __init__(self, drafts: Drafts) -> None:
        self.drafts = drafts
        self.inside = any(isinstance(d.component, App) and d.component.inside for d in drafts.drafts)
        self.links = 0
        self.unknown = 0

    def finish(self) -> list[Component]:
        """Every device and app with its sockets."""
        return [self._finish(draft) for draft in self.drafts.drafts]

    def _finish(self, draft: Draft) -> Component:
        sockets = []
        for sketch in draft.sockets:
            connects: list[Connect] = []
            for clause in sketch.spec.clauses:
                if isinstance(clause, tree.Connect):
                    connects.extend(self._connects(draft, sketch, clause))
            if sketch.socket.type in SOCKETS:
                sockets.append(replace(sketch.socket, connects=tuple(connects)) if connects else sketch.socket)
        return replace(draft.component, sockets=tuple(sockets))

    def _connects(self, draft: Draft, sketch: SocketDraft, clause: tree.Connect) -> Iterator[Connect]:
        for place in clause.places:
            if isinstance(place, tree.Ends):
                yield Connect(place.span, None, *self._ends(draft, place))
                continue
            if self.links > MOST_LINKS:
                draft.broken = True  # that there are too many has been said
                return
            try:
                outer = self._reference(draft, sketch, place)
                if outer is not None:
                    yield Connect(place.span, None, *self._targets(draft, outer))
                    continue
            except _Elsewhere:
                yield Connect(place.span, None)
                continue
            except Mistake:
                draft.broken = True
                continue
            for endpoint in self.drafts.endpoints(draft, place, sketch.numbers, "connect"):
                yield Connect(place.span, endpoint)

    def _ends(self, draft: Draft, place: tree.Ends) -> tuple[tuple[Target, ...], tuple[str, ...]]:
        """The same as `_targets` for sockets that are named one by one."""
        targets, unbound = [], []
        for end in place.ends:
            try:
                other, socket = self._named(draft, end)
                bind = self._bound(draft, other, socket, end)
            except _Elsewhere:
                continue
            except Mistake:
                draft.broken = True
                continue
            if bind is not None:
                targets.append(Target(socket.id, bind.index))
            else:
                unbound.append(socket.id)
        return tuple(targets), tuple(unbound)

    def _named(self, draft: Draft, end: tree.End) -> tuple[Draft, Socket]:
        """The socket that a name stands for, and whose it is."""
        name = f"{draft.scope.prefix}{end.socket.text}"
        if name not in self._by_name:
            if any(f"{name}.".startswith(f"{draft.scope.prefix}{lost}.") for lost in draft.scope.file.lost):
                raise _Elsewhere  # it may be declared where nothing could be read
            self.unknown += 1
            known = self._names if self.unknown <= MANY else ()
            self._fail(mistakes.unknown_name(end.socket.span, end.socket.text, "socket", known))
        other, sketch = self._by_name[name]
        if sketch.socket.type not in SOCKETS or (other.broken and not sketch.socket.binds):
            raise _Elsewhere  # what is wrong there has been said
        return other, sketch.socket

    @cached_property
    def _by_name(self) -> dict[str, tuple[Draft, SocketDraft]]:
        return {sketch.socket.id: (draft, sketch) for draft in self.drafts.drafts for sketch in draft.sockets}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def _bound(self, draft: Draft, other: Draft, socket: Socket, end: tree.End) -> Bind | None:
        """The bind of a socket that is connected to."""
        if end.bind is None:
            return self._nearest(draft, other, socket, "")
        if end.bind >= len(socket.binds):
            message = f"`{socket.id}` has no bind {end.bind}"
            self._fail(mistakes.several_sockets(end.bind_span, "", message, (), other.statement.name.span))
        return socket.binds[end.bind]

    def _reference(self, draft: Draft, sketch: SocketDraft, place: tree.Place) -> Outer | None:
        """The reference that a place is or stands for, and where to look it up; None for an endpoint."""
        if isinstance(place, tree.Reference):
            return Outer(draft.scope, place, sketch.numbers)
        if isinstance(place, tree.Interpolation):
            return draft.scope.values.given(place, sketch.numbers).socket
        return None

    def _targets(self, draft: Draft, outer: Outer) -> tuple[tuple[Target, ...], tuple[str, ...]]:
        """What a reference leads to, and those of the sockets that it names that bind nothing."""
        components, rest = self._components(draft, outer)
        targets, unbound = [], []
        for other in components:
            sockets, transport = self._sockets(other, outer, rest)
            for found in sockets:
                if found.socket.type not in SOCKETS or (other.broken and not found.socket.binds):
                    continue  # what is wrong there has been said
                bind = self._nearest(draft, other, found.socket, transport)
                if bind is not None:
                    targets.append(Target(found.socket.id, bind.index))
                else:
                    unbound.append(found.socket.id)
        self.links += len(targets) or 1
        if self.links > MOST_LINKS:
            self._fail(mistakes.bad_replica(outer.reference.span, f"more than {MOST_LINKS:,} links in all"))
        return tuple(targets), tuple(unbound)

    def _components(self, draft: Draft, outer: Outer) -> tuple[list[Draft], tuple[tree.Part, ...]]:
        """The devices or apps that a reference leads to, and the parts that are left: those of a socket."""
        rest = outer.reference.parts
        if outer.reference.own:
            drafts = [draft.owner or draft]
        else:
            things: list[Any] = [outer.scope]
            while things and isinstance(things[0], Scope):
                if not rest:
                    message = f"`{outer.reference.span.text}` is a module, not a socket"
                    declared = outer.scope.declared[outer.reference.parts[0].name.text]
                    self._fail(
                        mistakes.several_sockets(
                            outer.reference.span, "", message, tuple(islice(things[0].named, MOST_NAMES)), declared
                        )
                    )
                part, rest = rest[0], rest[1:]
                things = [t for scope in things for t in self._in_scope(scope, part, outer)]
            drafts = things
        if drafts and rest and rest[0].name.text in drafts[0].devices and rest[0].name.text not in drafts[0].named:
            part, rest = rest[0], rest[1:]
            drafts = [
                d for app in drafts for d in self._choose(app.devices[part.name.text], part, outer, app.statement.name.span)
            ]
        return drafts, rest

    def _in_scope(self, scope: Scope, part: tree.Part, outer: Outer) -> list[Any]:
        """What one step of a reference names in a scope."""
        name = part.name.text
        if name not in scope.named and name in scope.declared:
            message = f"`{name}` is a process; what stands in it is named without it"
            self._fail(mistakes.several_sockets(part.name.span, "", message, (), scope.declared[name]))
        if name not in scope.named:
            if name in scope.file.lost or (scope.file.doubtful and not scope.file.statements):
                raise _Elsewhere  # it may be declared where nothing could be read
            what = "device, app or module"
            self._fail(mistakes.unknown_name(part.name.span, name, what, scope.named))
        if not scope.named[name]:
            raise _Elsewhere  # a module that cannot be used, which has been said
        return self._choose(scope.named[name], part, outer, scope.declared[name])

    def _choose(self, things: list[Any], part: tree.Part, outer: Outer, declared: Span) -> list[Any]:
        return things if part.bracket is None else self._chosen(things, part, part.bracket, outer, declared)

    def _chosen(self, things: list[Any], part: tree.Part, bracket: tree.Bracket, outer: Outer, declared: Span) -> list[Any]:
        """Those that a bracket names of several replicas, which mostly stand in their order."""
        first: Replica | None = things[0].replica if things else None
        count = first.count if first else None
        if first is None:
            self._fail(mistakes.bad_replica(bracket.span, f"`{part.name.text}` is one, and has no replicas", declared))
        if count is None:
            message = f"`{part.name.text}[*]` is any number: its replicas cannot be told apart"
            self._fail(mistakes.bad_replica(bracket.span, message, declared))
        values = outer.scope.values
        parsed = values.parsed(bracket.text, bracket.span)
        if parsed.any_number:
            self._fail(mistakes.bad_replica(bracket.span, "all of them are meant without the brackets", declared))
        if outer.numbers.get(ANY) and variables(parsed.expression) & {"index", "others"}:
            message = "what refers to it is any number: which of them it is, is not known"
            self._fail(mistakes.bad_replica(bracket.span, message, declared))
        if parsed.expression == Variable("others"):
            if "index" not in outer.numbers:
                self._fail(
                    mistakes.bad_replica(bracket.span, "`others` are all but oneself, and this is not one of several", declared)
                )
            return [t for t in things if t.replica.index != outer.numbers["index"]]
        index = values.integer(bracket.text, bracket.span, outer.numbers)
        if not 0 <= index < count:
            last = f"the last is {part.name.text}[{count - 1}]"
            self._fail(mistakes.bad_replica(bracket.span, f"there is no `{part.name.text}[{index}]`", declared, (last,)))
        return things[index : index + 1]

    def _sockets(self, other: Draft, outer: Outer, rest: tuple[tree.Part, ...]) -> tuple[list[SocketDraft], str]:
        """The sockets that the rest of a reference names in a device or app, and the transport if it ends with one."""
        named = other.named.get(rest[0].name.text, []) if rest else []
        declared = other.statement.name.span
        if named:
            part, rest = rest[0], rest[1:]
            sockets = self._choose(named, part, outer, declared)
        elif isinstance(other.component, App) and len(other.named) == 1 and (not rest or rest[0].name.text in TRANSPORTS):
            sockets = other.sockets
        else:
            self._no_socket(other, outer.reference, rest, declared)
        if not rest:
            return sockets, ""
        if rest[0].name.text not in TRANSPORTS or len(rest) > 1 or rest[0].bracket:
            message = f"`{rest[-1].span.text}` is not a part of `{outer.reference.parts[0].span.text}`"
            known = TRANSPORTS if nearest(rest[-1].name.text, TRANSPORTS) else ()
            self._fail(mistakes.several_sockets(rest[-1].span, rest[-1].name.text, message, known, declared))
        if not other.broken:
            self._has_transport(sockets, rest[0], declared)
        return sockets, rest[0].name.text

    def _no_socket(self, other: Draft, reference: tree.Reference, rest: tuple[tree.Part, ...], declared: Span) -> NoReturn:
        side = isinstance(other.component, Device) and rest and rest[0].name.text in SIDES
        if (other.broken and (side or not other.sockets)) or self.drafts.touched(other.statement.span):
            raise _Elsewhere  # what is wrong there has been said
        what = other.statement.name.text
        names = tuple(islice(chain(other.named, other.devices), MOST_NAMES))
        if rest:
            name = rest[0].name.text
            message = f"`{what}` has no socket `{name}`"
            known = names if nearest(name, names) or not nearest(name, TRANSPORTS) else tuple(TRANSPORTS)
            self._fail(mistakes.several_sockets(rest[0].name.span, name, message, known, declared))
        message = f"`{what}` has no socket" if not names else f"`{what}` has several sockets"
        self._fail(mistakes.several_sockets(reference.span, "", message, names, declared))

    def _has_transport(self, sockets: list[SocketDraft], part: tree.Part, declared: Span) -> None:
        for found in sockets:
            if not any(b.endpoint.address.transport == part.name.text for b in found.socket.binds):
                message = f"`{found.socket.id}` binds nothing over {part.name.text}"
                self._fail(mistakes.several_sockets(part.span, part.name.text, message, (), declared))

    def _nearest(self, draft: Draft, other: Draft, socket: Socket, transport: str) -> Bind | None:
        """Of the endpoints that a socket binds the nearest that both ends can reach, the first of equals."""
        if len(socket.binds) == 1 and not transport:
            return socket.binds[0]
        same_process = process_of(draft.component, self.inside) == process_of(other.component, self.inside)
        binds = [b for b in socket.binds if not transport or b.endpoint.address.transport == transport]
        reachable = [b for b in binds if same_process or b.endpoint.address.transport != "inproc"]
        return min(reachable or binds, key=lambda b: NEAREST.get(b.endpoint.address.transport, 3), default=None)

    def _fail(self, diagnostic: Diagnostic) -> NoReturn:
        self.drafts.say(diagnostic)
        raise Mistake
