"""The first pass of resolving: every device and app that a file and its modules declare, each replica of them.

A draft lacks only what its sockets connect to: for that all names must be known, which is the second pass, in
`topo/resolve.py`. A file has a `Scope` of names: the topology's own file has one, and a module one for each replica of its
`use`. A module sees its own names only; of what lies outside it is told by params of type socket, which remember where they
were written.

Whatever is wrong is said once, however many replicas it has, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from topo import mistakes, restart
from topo.diagnostic import Diagnostic
from topo.model import (
    App,
    Bind,
    Component,
    Context,
    Device,
    Endpoint,
    Option,
    Placement,
    Process,
    Replica,
    Role,
    Socket,
    Value,
    ValueKind,
)
from topo.source import Source, Span
from topo.syntax import tree
from topo.values import Given, Mistake, Outer, Set, Values
from topo.zeromq.kinds import KINDS
from topo.zeromq.options import OPTIONS, is_secret
from topo.zeromq.sockets import SOCKETS
from topo.zeromq.transports import absolute, parse

__all__ = ["ANY", "MOST_IN_ALL", "MOST_REPLICAS", "SIDES", "Draft", "Drafts", "Modules", "Scope", "SocketDraft", "no_modules"]

MOST_REPLICAS = 10_000
"""The most replicas of one declaration."""
MOST_IN_ALL = 100_000
"""The most replicas, uses of modules, and declarations in these, all together."""
MOST_CONTENT = 256 * 1024**2
"""The most that all values and endpoints may take, in bytes: each a hundred and its length. Replicas, lists and params multiply them."""
MOST_SETS = 100
"""The most sets of options of one socket, each counted as often as it is used in others."""
MOST_LEVELS = 16
"""How many modules may use each other in a row."""

SIDES: dict[str, Role] = {"in": "in", "out": "out", "monitor": "monitor", "control": "control"}
CONTEXT_OPTIONS = {"io_threads": (0, 1024), "max_sockets": (1, 65_535)}
"""The options of a context that can be declared, and their ranges. Source: zmq_ctx_set(3)."""

Modules = Callable[[Path], "tree.File | str"]
"""Reads a file as a module: its tree, or why it cannot be read. It says itself what is wrong with its text."""
Numbers = dict[str, int]
Bracket = tree.Bracket | tree.Numbered | None

USUAL = {k.name: {"in": k.in_type, "out": k.out_type, "monitor": k.monitor_type} for k in KINDS.values()}
"""The types that the sides of each kind of device have if none is written."""

ANY = "*"
"""Among the numbers of a replica: 1 if it stands for any number of them, so that which one it is, is not known."""
PASSING = {"DEALER": ("REQ", "REP"), "ROUTER": ("REQ", "REP")}
"""The types that a program can pass for another with, and for which: it adds and takes off the empty delimiter itself."""


def no_modules(path: Path) -> tree.File | str:
    """For whoever has no way to read files."""
    return f"{path} cannot be read here"


class SocketDraft(msgspec.Struct, eq=False):
    """A socket whose connects are not looked at yet."""

    socket: Socket
    spec: tree.SocketSpec
    base: str
    replica: Replica | None
    numbers: Numbers


class Draft(msgspec.Struct, eq=False):
    """A device or an app whose sockets are not finished yet."""

    component: Component
    statement: tree.Device | tree.App
    replica: Replica | None
    scope: Scope
    owner: Draft | None = None
    """The app that a device is part of."""
    devices: dict[str, list[Draft]] = {}
    """The devices that are part of an app."""
    sockets: list[SocketDraft] = []
    named: dict[str, list[SocketDraft]] = {}
    """The sockets by the names that they are declared with."""
    broken: bool = False

    def add(self, socket: SocketDraft) -> None:
        """Have one more socket."""
        self.sockets.append(socket)
        self.named.setdefault(socket.base, []).append(socket)


@dataclass(slots=True)
class Scope:
    """The names of a file, as it is used once."""

    file: tree.File
    values: Values
    prefix: str
    """What stands in front of the names of its devices and apps: `dc[0].`, or nothing."""
    replica: Replica | None
    using: tuple[Path, ...]
    """The files that led here, its own last."""
    named: dict[str, list[Draft] | list[Scope]] = field(default_factory=dict)
    declared: dict[str, Span] = field(default_factory=dict)
    option_sets: dict[str, tree.OptionSet] = field(default_factory=dict)


class Drafts:
    """Everything that a tree and its modules declare. Every method that finds a mistake says it, and leaves out what it cannot make."""

    def __init__(self, file: tree.File, params: Mapping[str, object], modules: Modules) -> None:
        self.said: list[Diagnostic] = []
        self.doubtful: list[Span] = []
        self.drafts: list[Draft] = []
        self.processes: list[Process] = []
        self.made = 0
        self._folders: dict[Source, Path] = {}
        self.content = 0
        self.full = False
        self._places: set[tuple[str, int, int, str]] = set()
        self._modules = modules
        path = file.source.path
        self.root = self._scope(file, params, "", None, (path,) if path else (), None)
        self.name = self._topology_name(file)
        self._declare_all(self.root)

    def _scope(
        self,
        file: tree.File,
        params: Mapping[str, object],
        prefix: str,
        replica: Replica | None,
        using: tuple[Path, ...],
        used: Span | None,
    ) -> Scope:
        if not any(d.source is file.source for d in self.doubtful):
            self.doubtful.extend(file.doubtful)
        values = Values(file, params, self.say, used=used)
        scope = Scope(file, values, prefix, replica, using)
        values.scope = scope
        return scope

    def say(self, diagnostic: Diagnostic) -> None:
        """Note a mistake, unless it was noted for another replica."""
        span = diagnostic.span
        if span is not None and any(d.source is span.source and d.start <= span.start < d.end for d in self.doubtful):
            return  # what is wrong there has been said
        message = diagnostic.message if span is None or span.source.program else ""
        place = (diagnostic.code, id(span.source) if span else 0, span.start if span else -1, message)
        if place not in self._places:
            self._places.add(place)
            self.said.append(diagnostic)

    def touched(self, span: Span) -> bool:
        """Whether something in a place could not be read."""
        if not self.doubtful:
            return False
        return any(d.source is span.source and d.start < span.end and span.start < d.end for d in self.doubtful)

    def _topology_name(self, file: tree.File) -> tree.Name | None:
        first: tree.Name | None = None
        for number, statement in enumerate(file.statements):
            if isinstance(statement, tree.Version) and number > 0:
                message = "the version is the first statement of a file, and stands there once"
                self.say(mistakes.cannot_stand_here(statement.span, message))
            if isinstance(statement, tree.Topology):
                if first is not None:
                    self.say(mistakes.taken_twice(statement.name.span, statement.name.text, "topology", first.span))
                first = first or statement.name
        return first

    # Declarations

    def _declare_all(self, scope: Scope) -> None:
        scope.values.check()
        for statement in scope.file.statements:
            if isinstance(statement, tree.OptionSet):
                self._declare_options(scope, statement)
        for statement in scope.file.statements:
            self._declare(scope, statement)

    def _declare(self, scope: Scope, statement: tree.Statement) -> None:
        match statement:
            case tree.Device() | tree.App():
                if self._is_new(scope, statement.name, statement.bracket):
                    self._add(scope, statement.name, self._replicated(scope, statement, scope.prefix, {}))
            case tree.Process():
                self._process(scope, statement)
            case tree.Use():
                if self._is_new(scope, statement.name):
                    scope.named[statement.name.text] = list(self._use(scope, statement))
            case tree.Host() | tree.Security():
                self.say(mistakes.not_carried_out(statement.name.span, f"`{type(statement).__name__.lower()}`"))
            case _:
                pass

    def _add(self, scope: Scope, name: tree.Name, drafts: list[Draft]) -> None:
        known = scope.named.setdefault(name.text, drafts[:0])
        known.extend(drafts)  # type: ignore[arg-type]  # what the name of a device or an app stands for are drafts

    def _is_new(self, scope: Scope, name: tree.Name, bracket: Bracket = None) -> bool:
        first = scope.declared.setdefault(_declared(name, bracket), name.span)
        if first is not name.span:
            self.say(mistakes.taken_twice(name.span, name.text, "the name", first))
        return first is name.span

    def _declare_options(self, scope: Scope, statement: tree.OptionSet) -> None:
        first = scope.option_sets.setdefault(statement.name.text, statement)
        if first is not statement:
            self.say(mistakes.taken_twice(statement.name.span, statement.name.text, "the set of options", first.name.span))
        for item in statement.block.items:
            if not isinstance(item, tree.Option | tree.With):
                self.say(mistakes.cannot_stand_here(item.span, "only options stand in a set of options"))

    def _replicated(
        self,
        scope: Scope,
        statement: tree.Device | tree.App,
        prefix: str,
        numbers: Numbers,
        owner: Draft | None = None,
        group: Process | None = None,
    ) -> list[Draft]:
        """A draft for each replica of a declaration. `numbers` are those of what it stands in."""
        drafts = []
        if group is not None and group.replica is not None and isinstance(statement.bracket, tree.Bracket):
            self.say(
                mistakes.bad_replica(
                    statement.bracket.span, "a device of a replicated process has the replicas of that", group.span
                )
            )
            return []
        for replica, own in self._replicas(
            scope, f"{prefix}{statement.name.text}", statement.bracket, numbers, statement.name.span
        ):
            if group is not None and group.replica is not None:
                replica = replace(group.replica, base=f"{prefix}{statement.name.text}")
            name = _named(f"{prefix}{statement.name.text}", replica)
            own = {**numbers, **own} if own else numbers
            if isinstance(statement, tree.Device):
                draft = self._device(scope, statement, name, replica, own, owner, group)
                self._counted(draft, statement.bracket if owner is None else None, "runs a device")
            else:
                draft = self._app(scope, statement, name, replica, own)
            drafts.append(draft)
        return drafts

    def _replicas(
        self, scope: Scope, base: str, bracket: Bracket, numbers: Numbers, name: Span
    ) -> Iterator[tuple[Replica | None, Numbers]]:
        """What a declaration stands for: each replica, and the numbers that its expressions may use."""
        if bracket is None:
            self.made += bool(scope.prefix or numbers)
            if numbers and self.made > MOST_IN_ALL:
                if not self.full:
                    self.say(mistakes.bad_replica(name, f"more than {MOST_IN_ALL:,} replicas, and what these declare, in all"))
                self.full = True
                return
            yield None, {}
            return
        if isinstance(bracket, tree.Numbered):
            if bracket.count > MOST_REPLICAS and bracket.index == 0:
                self.say(mistakes.bad_replica(bracket.span, f"{bracket.count:,} replicas: {MOST_REPLICAS:,} is the most"))
            self.made += 1
            yield Replica(base, bracket.index, bracket.count), {"index": bracket.index, ANY: 0}
            return
        count, variable = self._count(scope, bracket, numbers)
        if count is None:
            yield Replica(base, 0, None), {"index": 0, ANY: 1}
            return
        if count > MOST_REPLICAS or self.made + count > MOST_IN_ALL:
            most = f"{MOST_REPLICAS:,} is the most" if count > MOST_REPLICAS else f"more than {MOST_IN_ALL:,} in all"
            self.say(mistakes.bad_replica(bracket.span, f"{count:,} replicas: {most}"))
            count = 1
        self.made += count
        for index in range(count):
            if self.content > MOST_CONTENT:
                return  # which has been said
            yield Replica(base, index, count), {"index": index, ANY: 0, **({variable: index} if variable else {})}

    def _counted(self, draft: Draft, bracket: Bracket, why: str) -> None:
        """What ztopo runs is not any number of them."""
        if bracket is not None and draft.replica is not None and draft.replica.count is None:
            note = "`[*]` is for apps that somebody else starts"
            self._broken(draft, mistakes.bad_replica(bracket.span, f"ztopo {why}, so it has a number of replicas", None, (note,)))

    def _count(self, scope: Scope, bracket: tree.Bracket, numbers: Numbers) -> tuple[int | None, str]:
        try:
            parsed = scope.values.parsed(bracket.text, bracket.span)
            if parsed.any_number:
                return None, ""
            text = bracket.text.partition(":")[2] if parsed.variable else bracket.text
            count = scope.values.integer(text, bracket.span, numbers)
        except Mistake:
            return 1, ""
        if count < 1:
            self.say(mistakes.bad_replica(bracket.span, f"{count} replicas: at least one is needed"))
        return max(count, 1), parsed.variable

    # Processes and modules

    def _process(self, scope: Scope, statement: tree.Process) -> None:
        name = statement.name.text
        if not self._is_new(scope, statement.name, statement.bracket):
            return
        devices = [i for i in statement.block.items if isinstance(i, tree.Device) and self._is_new(scope, i.name, i.bracket)]
        for item in statement.block.items:
            if not isinstance(item, tree.Device | tree.Context):
                self.say(mistakes.cannot_stand_here(item.span, "only devices and a context stand in a process"))
        for replica, numbers in self._replicas(scope, f"{scope.prefix}{name}", statement.bracket, {}, statement.name.span):
            if replica is not None and replica.count is None and statement.bracket is not None:
                self.say(mistakes.bad_replica(statement.bracket.span, "ztopo runs a process, so it has a number of replicas"))
            context = self._context(scope, statement.block.items, numbers)
            group = Process(
                name=_named(f"{scope.prefix}{name}", replica), span=statement.name.span, context=context, replica=replica
            )
            self.processes.append(group)
            for device in devices:
                self._add(scope, device.name, self._replicated(scope, device, scope.prefix, numbers, group=group))

    def _context(self, scope: Scope, items: Iterable[tree.Item], numbers: Numbers) -> Context:
        """The context that is declared among the items of a block."""
        found: dict[str, int] = {}
        first: dict[str, Span] = {}
        contexts = [i for i in items if isinstance(i, tree.Context)]
        for item in contexts[1:]:
            self.say(mistakes.taken_twice(item.span, "context", "the statement", contexts[0].span))
        for item in contexts[:1]:
            for option in item.block.items:
                if not isinstance(option, tree.Option) or option.name.text not in CONTEXT_OPTIONS:
                    name = option.name.span if isinstance(option, tree.Option) else None
                    self.say(mistakes.unknown_context_option(option.span, name, CONTEXT_OPTIONS))
                    continue
                if first.setdefault(option.name.text, option.name.span) is not option.name.span:
                    self.say(mistakes.taken_twice(option.name.span, option.name.text, "the option", first[option.name.text]))
                value = self._context_value(scope, option, numbers)
                if value is not None:
                    found[option.name.text] = value
        return Context(**found)

    def _context_value(self, scope: Scope, option: tree.Option, numbers: Numbers) -> int | None:
        low, high = CONTEXT_OPTIONS[option.name.text]
        try:
            given = scope.values.given(option.values[0], numbers)
        except Mistake:
            return None
        if len(option.values) == 1 and given.kind == "int" and isinstance(given.value, int) and low <= given.value <= high:
            return given.value
        self.say(mistakes.bad_param_value(option.values[0].span, f"`{option.name.text}` is a number from {low} to {high:,}"))
        return None

    def _use(self, scope: Scope, statement: tree.Use) -> Iterator[Scope]:
        """A scope for each replica of a module, with all that it declares."""
        file = self._module(scope, statement)
        if file is None:
            return  # its name stands for nothing, and nothing is said of what refers to it
        name_span = statement.name.span
        uncounted = sum(not isinstance(s, tree.Device | tree.App | tree.Process | tree.Use) for s in file.statements)
        for replica, numbers in self._replicas(scope, f"{scope.prefix}{statement.name.text}", statement.bracket, {}, name_span):
            if replica is not None and replica.count is None and statement.bracket is not None:
                self.say(mistakes.bad_replica(statement.bracket.span, "a module has a number of replicas, not any"))
            if self.made > MOST_IN_ALL:
                self._too_many(statement, file)
                return
            params = dict(self._set(scope, statement, numbers))
            name = _named(f"{scope.prefix}{statement.name.text}", replica)
            path = file.source.path
            inner = self._scope(
                file, params, f"{name}.", replica, (*scope.using, *((path,) if path else ())), statement.name.span
            )
            self.made += 1 + uncounted
            self._topology_name(file)
            self._declare_all(inner)
            yield inner

    def _too_many(self, statement: tree.Use, file: tree.File) -> None:
        why = f"{Path(file.source.name).name} is too much: {MOST_IN_ALL:,} in all are the most"
        self.say(mistakes.unreadable_module(statement.path.span, why))

    def _module(self, scope: Scope, statement: tree.Use) -> tree.File | None:
        try:
            text = scope.values.text(statement.path, {}).decode("utf-8", "surrogateescape")
        except Mistake:
            return None
        path = (statement.span.source.folder / text).resolve()
        if path in scope.using:
            self.say(mistakes.module_cycle(statement.path.span, path.name, ()))
            return None
        if len(scope.using) > MOST_LEVELS:
            why = f"{path.name} is one too many: {MOST_LEVELS} levels are the most"
            self.say(mistakes.unreadable_module(statement.path.span, why))
            return None
        found = self._modules(path)
        if isinstance(found, str):
            self.say(mistakes.unreadable_module(statement.path.span, found, path.name, _beside(path)))
            return None
        return found

    def _set(self, scope: Scope, statement: tree.Use, numbers: Numbers) -> Iterator[tuple[str, Set]]:
        """The params that a `use` sets."""
        first: dict[str, Span] = {}
        for item in statement.block.items if statement.block else ():
            if not isinstance(item, tree.Option):
                self.say(mistakes.cannot_stand_here(item.span, "only params of the module stand in the braces of a `use`"))
                continue
            if first.setdefault(item.name.text, item.name.span) is not item.name.span:
                self.say(mistakes.taken_twice(item.name.span, item.name.text, "the param", first[item.name.text]))
            values = []
            for node in item.values:
                try:
                    values.append(self._param_value(scope, node, numbers))
                except Mistake:
                    continue
            if len(values) == 1:
                yield item.name.text, Set(values[0], item.values[0].span)
            elif values:
                given = Given("list", 0, ", ".join(v.shown for v in values), tuple(values))
                yield item.name.text, Set(given, item.values[0].span)

    def _param_value(self, scope: Scope, node: tree.Value, numbers: Numbers) -> Given:
        if isinstance(node, tree.Reference) and node.span.text not in ("true", "false"):
            return Given("socket", 0, node.span.text, socket=Outer(scope, node, numbers))
        return scope.values.given(node, numbers)

    # Devices

    def _device(
        self,
        scope: Scope,
        statement: tree.Device,
        name: str,
        replica: Replica | None,
        numbers: Numbers,
        owner: Draft | None,
        group: Process | None,
    ) -> Draft:
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
        draft = Draft(component, statement, replica, scope, owner)
        self.drafts.append(draft)
        if kind is None:
            self._broken(draft, mistakes.unknown_kind(statement.kind.span, statement.kind.text, KINDS))
        sides: dict[str, tree.Side] = {}
        run: tree.Run | None = None
        again: tree.Restart | None = None
        for item in statement.block.items:
            if isinstance(item, tree.Side):  # what is done tens of thousands of times is not done with `match`, which is slower
                side = item.side
                if sides.setdefault(side.text, item) is not item:
                    self._broken(draft, mistakes.taken_twice(side.span, side.text, "the side", sides[side.text].side.span))
            elif isinstance(item, tree.Run):
                run = self._placement(draft, item, run, owner, group)
            elif isinstance(item, tree.Restart):
                again = self._restart(draft, item, again, numbers)
            else:
                self._not_in(draft, item, "a device", "sides, `run thread` or `run process`, and `restart` do")
        usual = USUAL.get(statement.kind.text, {})
        for word, declared in sides.items():
            self._side(draft, declared, usual.get(word, ""), numbers)
        for needed in ("in", "out"):
            if needed not in sides and not self.touched(statement.span):
                message = f"the device `{statement.name.text}` has no side `{needed}`"
                self._broken(draft, mistakes.side_missing(statement.name.span, message))
        process = run is not None and run.how is not None and run.how.text == "process"
        placement: Placement = "app" if owner else "group" if group else "process" if process else "thread"
        prefixes = _prefixes(draft)
        if placement != component.placement or prefixes != component.prefixes:
            home = owner.component.name if owner else group.name if group else ""
            draft.component = replace(draft.component, placement=placement, home=home, prefixes=prefixes)
        return draft

    def _restart(self, draft: Draft, item: tree.Restart, before: tree.Restart | None, numbers: Numbers) -> tree.Restart:
        if before is not None:
            self._broken(draft, mistakes.taken_twice(item.span, "restart", "the statement", before.span))
            return before
        try:
            draft.component = replace(draft.component, restart=restart.read(item, draft.scope.values, numbers, self.say))
        except Mistake:
            draft.broken = True
        return item

    def _placement(
        self, draft: Draft, run: tree.Run, before: tree.Run | None, owner: Draft | None, group: Process | None
    ) -> tree.Run:
        notes = ("`run thread` or `run process`",)
        if before is not None:
            self._broken(draft, mistakes.taken_twice(run.span, "run", "the statement", before.span))
        elif owner is not None or group is not None:
            home = f"the app `{owner.component.name}`" if owner else f"the process `{group.name}`" if group else ""
            self._broken(draft, mistakes.cannot_stand_here(run.span, f"this device lives in {home}"))
        elif run.command is not None:
            self._broken(draft, mistakes.cannot_stand_here(run.span, "a device runs no command", notes))
        elif run.how is not None and run.how.text == "inside":
            self._broken(draft, mistakes.cannot_stand_here(run.span, "`run inside` is for apps", notes))
        return run

    def _side(self, draft: Draft, side: tree.Side, default: str, numbers: Numbers) -> None:
        if side.side.text == "control":
            self._broken(draft, mistakes.not_carried_out(side.side.span, "a control side"))
            return
        for clause in side.spec.clauses:
            if isinstance(clause, tree.Same):
                self._same(draft, side, clause)
                return
        assert isinstance(draft.statement, tree.Device)
        kind = draft.statement.kind.text
        why = f"a {kind} knows no usual ones" if kind in KINDS else ""
        options = self._only_options(draft, side.block)
        id = f"{draft.component.name}.{side.side.text}"
        self._socket(draft, side.side, id, SIDES[side.side.text], None, side.spec, options, default, why, numbers)

    def _same(self, draft: Draft, side: tree.Side, same: tree.Same) -> None:
        """`out same`: the device has one socket, which is its in side."""
        if side.side.text != "out":
            self._broken(draft, mistakes.cannot_stand_here(same.span, "`same` is for `out`: the one socket is `in`"))
        elif side.spec.type is not None or len(side.spec.clauses) > 1 or side.block is not None:
            self._broken(draft, mistakes.cannot_stand_here(side.span, "the one socket is declared as `in`, all of it"))

    # Apps

    def _app(self, scope: Scope, statement: tree.App, name: str, replica: Replica | None, numbers: Numbers) -> Draft:
        items = statement.block.items if statement.block else ()
        component = App(
            name=name,
            span=statement.name.span,
            replica=replica,
            doc=statement.doc,
            folder=statement.folder or str(self._folder(statement.span.source)),
            context=self._context(scope, items, numbers),
        )
        draft = Draft(component, statement, replica, scope)
        self.drafts.append(draft)
        options: list[tree.Option | tree.With] = []
        declared: dict[str, tree.Socket] = {}
        devices: dict[str, tree.Device] = {}
        run: tree.Run | None = None
        again: tree.Restart | None = None
        for item in items:
            match item:
                case tree.Run():
                    run = self._command(draft, item, run, numbers)
                case tree.Restart():
                    again = self._restart(draft, item, again, numbers)
                case tree.Socket(name=inner) | tree.Device(name=inner) if statement.spec is None:
                    key = _declared(inner, item.bracket)
                    first = declared.get(key) or devices.get(key)
                    if first is not None:
                        self._broken(draft, mistakes.taken_twice(inner.span, inner.text, "the name", first.name.span))
                    elif isinstance(item, tree.Socket):
                        declared[key] = item
                    else:
                        devices[key] = item
                case tree.Option() | tree.With() if statement.spec is not None:
                    options.append(item)
                case tree.Context():
                    pass
                case _:
                    self._not_in(draft, item, "an app", "sockets, devices, `run`, `restart` and, with one socket, its options do")
        why = "an app says of which type its socket is"
        if statement.spec is not None:
            self._socket(draft, statement.name, name, "app", None, statement.spec, options, "", why, numbers)
        only = len(declared) == 1 and next(iter(declared.values())).bracket is None
        for socket in declared.values():
            self._app_socket(draft, socket, name if only else "", numbers)
        for device in devices.values():
            self._app_device(draft, device, numbers)
        return draft

    def _app_socket(self, draft: Draft, socket: tree.Socket, only: str, numbers: Numbers) -> None:
        options = self._only_options(draft, socket.block)
        for replica, own in self._replicas(draft.scope, socket.name.text, socket.bracket, numbers, socket.name.span):
            if replica is not None and replica.count is None:
                self._broken(draft, mistakes.bad_replica(socket.span, "a socket has a number of replicas, not any", None))
            id = only or _named(f"{draft.component.name}.{socket.name.text}", replica)
            why = "an app says of which type its socket is"
            self._socket(draft, socket.name, id, "app", replica, socket.spec, options, "", why, {**numbers, **own})

    def _app_device(self, draft: Draft, device: tree.Device, numbers: Numbers) -> None:
        """A device that is part of the app's program: ztopo knows it, and does not run it."""
        assert isinstance(draft.component, App)
        if draft.component.inside:
            note = "beside the app it is a thread of the application, too"
            self._broken(
                draft,
                mistakes.cannot_stand_here(device.name.span, "a device does not stand in an app that is `run inside`", (note,)),
            )
        prefix = f"{draft.component.name}."
        parts = self._replicated(draft.scope, device, prefix, numbers, owner=draft)
        draft.devices.setdefault(device.name.text, []).extend(parts)

    def _command(self, draft: Draft, run: tree.Run, before: tree.Run | None, numbers: Numbers) -> tree.Run:
        assert isinstance(draft.component, App)
        if before is not None:
            self._broken(draft, mistakes.taken_twice(run.span, "run", "the statement", before.span))
        elif run.command is not None:
            self._counted(draft, draft.statement.bracket, "starts this app")
            draft.component = replace(draft.component, run_span=run.command.span)
            try:
                command = draft.scope.values.text(run.command, numbers).decode("utf-8", "surrogateescape")
                draft.component = replace(draft.component, run=command)
            except Mistake:
                draft.broken = True
        elif run.how is not None and run.how.text == "inside":
            draft.component = replace(draft.component, inside=True, run_span=run.how.span)
        else:
            inside = "or inside the program that calls the Python API: `run inside`"
            notes = (f'an app runs a command: `run "python app.py"`, {inside}',)
            self._broken(draft, mistakes.cannot_stand_here(run.span, f"`{run.span.text}` is for devices", notes))
        return run

    def _only_options(self, draft: Draft, block: tree.Block | None) -> list[tree.Option | tree.With]:
        """The options in the braces of a socket; nothing else stands there."""
        options: list[tree.Option | tree.With] = []
        if block is None:
            return options
        for item in block.items:
            if isinstance(item, tree.Option | tree.With):
                options.append(item)
            else:
                self._broken(draft, mistakes.cannot_stand_here(item.span, "only options stand in the braces of a socket"))
        return options

    def _not_in(self, draft: Draft, item: tree.Item, where: str, what_does: str) -> None:
        match item:
            case tree.On():
                self._broken(draft, mistakes.not_carried_out(item.span, "`on`"))
            case tree.Option() | tree.With():
                message = f"`{item.name.text}` does not stand in {where}"
                self._broken(draft, mistakes.cannot_stand_here(item.name.span, message, (what_does,)))
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
        options: Sequence[tree.Option | tree.With],
        default: str,
        why: str,
        numbers: Numbers,
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
            self._passes_for(draft, spec.program, kind, role)
        socket = Socket(
            id=id,
            owner=draft.component.name,
            name=name.text,
            role=role,
            type=kind,
            type_span=spec.type.span if spec.type else name.span,
            span=name.span,
            program=spec.program.text if spec.program else "",
            binds=tuple(self._binds(draft, spec, numbers)) if spec.clauses else (),
            options=tuple(self._options(draft, options, numbers)) if options else (),
        )
        draft.add(SocketDraft(socket, spec, name.text, replica, numbers))

    def _passes_for(self, draft: Draft, program: tree.Name, kind: str, role: Role) -> None:
        """`DEALER as REQ`: the program of an app does by hand what a REQ does."""
        if program.text not in SOCKETS:
            self._broken(draft, mistakes.unknown_type(program.span, program.text, SOCKETS))
        elif role != "app":
            message = f"`as {program.text}` is for apps: a device passes on what comes, as it comes"
            self._broken(draft, mistakes.cannot_stand_here(program.span, message))
        elif kind in SOCKETS and program.text not in PASSING.get(kind, ()):
            notes = ("a DEALER or a ROUTER passes for a REQ or a REP, whose empty delimiter its program adds itself",)
            self._broken(draft, mistakes.cannot_stand_here(program.span, f"a {kind} cannot pass for a {program.text}", notes))

    def _binds(self, draft: Draft, spec: tree.SocketSpec, numbers: Numbers) -> list[Bind]:
        binds: list[Bind] = []
        for clause in spec.clauses:
            if isinstance(clause, tree.Bind):
                for place in clause.places:
                    for endpoint in self.endpoints(draft, place, numbers, "bind"):
                        binds.append(Bind(endpoint, len(binds)))
            elif isinstance(clause, tree.Secured):
                self._broken(draft, mistakes.not_carried_out(clause.span, "`secured by`"))
            elif isinstance(clause, tree.Same):
                self._broken(draft, mistakes.cannot_stand_here(clause.span, "`same` is for the `out` of a device"))
        return binds

    def endpoints(self, draft: Draft, place: tree.Place, numbers: Numbers, verb: str) -> list[Endpoint]:
        """The endpoints that are written, with params inserted and relative paths made absolute; more than one for a list."""
        if isinstance(place, tree.EndpointText) and "${" not in place.text:  # nearly all are
            return [self._endpoint(place, place.text)] if self._has_room(draft, len(place.text), place.span) else []
        if isinstance(place, tree.Reference | tree.Ends):
            notes = ("to talk to another socket, connect to it; a param is inserted as ${name}",)
            self._broken(draft, mistakes.cannot_stand_here(place.span, f"an endpoint stands behind `{verb}`", notes))
            return []
        try:
            given = draft.scope.values.given(place, numbers)
        except Mistake:
            draft.broken = True
            return []
        found = []
        for one in given.items if given.kind == "list" else (given,):
            if one.kind != "text":
                self._broken(draft, mistakes.bad_param_value(place.span, f"`{one.shown}` is not an endpoint"))
            elif self._has_room(draft, len(one.shown), place.span):
                found.append(self._endpoint(place, one.shown))
        return found

    def _endpoint(self, place: tree.Place, shown: str) -> Endpoint:
        text = absolute(shown, self._folder(place.span.source)) if shown.startswith("ipc://") else shown
        return Endpoint(text, parse(text), place.span)

    def _folder(self, source: Source) -> Path:
        """What relative paths in a text are relative to. It is asked for very often."""
        folder = self._folders.get(source)
        if folder is None:
            folder = self._folders[source] = source.folder
        return folder

    def _options(self, draft: Draft, items: Sequence[tree.Option | tree.With], numbers: Numbers) -> list[Option]:
        found: list[Option] = []
        left = [MOST_SETS]
        for item in items:
            if isinstance(item, tree.Option):
                found.extend(self._option(draft, item, numbers))
                continue
            own = {other.name.text for other in items if isinstance(other, tree.Option)}
            for option in self._of_set(draft, item, (), left):
                row = OPTIONS.get(option.name.text)
                if option.name.text not in own or (row is not None and row.many):
                    found.extend(self._option(draft, option, numbers))
        return found

    def _of_set(self, draft: Draft, item: tree.With, within: tuple[str, ...], left: list[int]) -> Iterator[tree.Option]:
        """The options of a named set, and of the sets that it is made with: as many sets as are `left`."""
        name = item.name.text
        left[0] -= 1
        if left[0] < 0:
            message = f"with the set of options `{name}` it is more than {MOST_SETS}, each counted as often as it is used"
            self._broken(draft, mistakes.cannot_stand_here(item.span, message))
            return
        found = draft.scope.option_sets.get(name)
        if found is None:
            known = draft.scope.option_sets
            self._broken(draft, mistakes.unknown_name(item.name.span, name, "set of options", known))
        elif name in within:
            self._broken(draft, mistakes.cannot_stand_here(item.span, f"the set of options `{name}` is made with itself"))
        else:
            for inner in found.block.items:
                if isinstance(inner, tree.Option):
                    yield inner
                elif isinstance(inner, tree.With):
                    yield from self._of_set(draft, inner, (*within, name), left)

    def _option(self, draft: Draft, item: tree.Option, numbers: Numbers) -> Iterator[Option]:
        values: list[Value] = []
        wrong = False
        for node in item.values:
            try:
                given = draft.scope.values.given(node, numbers)
                for one in given.items if given.kind == "list" else (given,):
                    values.append(_value(item.name.text, node, one))
            except Mistake:
                draft.broken = wrong = True
        size = sum([len(v.value) for v in values if isinstance(v.value, bytes)])
        if not wrong and self._has_room(draft, size, item.name.span, len(values)):
            yield Option(item.name.text, tuple(values), item.name.span)

    def _has_room(self, draft: Draft, size: int, span: Span, count: int = 1) -> bool:
        """Whether there is room for some more values of a size; if not, it is said once."""
        if self.content > MOST_CONTENT:
            draft.broken = True
            return False
        self.content += count * 100 + size
        if self.content > MOST_CONTENT:
            message = f"all values and endpoints, in all replicas, take more than {MOST_CONTENT // 1024**2} MiB"
            self._broken(draft, mistakes.bad_replica(span, message))
        return True


def _declared(name: tree.Name, bracket: Bracket) -> str:
    """What no other declaration may be called: the name, which replicas that stand by themselves have in common."""
    return f"{name.text}[{bracket.index}]" if isinstance(bracket, tree.Numbered) else name.text


def _beside(path: Path) -> list[str]:
    """The files that lie where one is missing and could be meant."""
    if path.exists() or not path.parent.is_dir():
        return []
    return [other.name for other in path.parent.iterdir() if other.suffix in (".ztopo", ".json")]


def _named(base: str, replica: Replica | None) -> str:
    """The name of a replica: `worker[0]`, `client[*]`."""
    if replica is None:
        return base
    return f"{base}[{replica.index if replica.count is not None else '*'}]"


def _value(option: str, node: tree.Value, given: Given) -> Value:
    """A value of an option. A plain number that Python gave is in the option's own unit."""
    value = given.value
    kind: ValueKind
    if given.kind == "list" or given.kind == "socket":
        kind, value = "text", given.shown.encode("utf-8", "surrogateescape")
    else:
        kind = given.kind
    if isinstance(node, tree.Literal) and kind in ("int", "bool") and option in OPTIONS and isinstance(value, int):
        row = OPTIONS[option]
        if row.kind in ("duration", "size", "bool", "int"):
            kind = row.kind
            value = value * 1000 if row.unit == "s" and value > 0 else value
    return Value(kind, value, node.span, given.origin if is_secret(option) else None)


def _prefixes(draft: Draft) -> tuple[bytes, bytes]:
    for sketch in draft.sockets:
        option = sketch.socket.option("prefix") if sketch.socket.role == "monitor" else None
        if option is not None and len(option.values) == 2:
            first, second = (v.value for v in option.values)
            if isinstance(first, bytes) and isinstance(second, bytes):
                return first, second
    return b"in", b"out"
