"""From JSON to the tree: what `ztopo show --format json` writes, and generators write, read as if it were a text.

The form is the one of `grammar/topology.schema.json`. What the schema cannot say is looked at here: that of several
replicas all are there, and that a device is in its home. Everything else, names above all, is found out from the tree, by
the same code as for a text.

A device, app or process with a mistake is left out, and nothing is said of what refers to it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Literal, get_args

from topo.diagnostic import Diagnostic
from topo.source import Source, Span
from topo.syntax import mistakes, tree
from topo.syntax.json_shape import mistakes_of, unread
from topo.syntax.json_text import MOST_MISTAKES, Json, read_json

__all__ = ["read"]

NUMBERED = re.compile(r"(.*)\[(\d+|\*)\]", re.DOTALL)
ESCAPE = re.compile(rb"\\(?:\\|x([0-9A-Fa-f]{2}))")
ANY = "*"
KINDS = {"devices": "device", "apps": "app", "processes": "process"}
"""What stands in the lists of a document."""
NumberKind = Literal["int", "bool", "duration", "size"]
NUMBERS: dict[str, NumberKind] = {kind: kind for kind in get_args(NumberKind)}
"""The kinds of values that are numbers."""


def read(source: Source) -> tuple[tree.File, list[Diagnostic]]:
    """Read a topology as JSON: its tree, of which the parts that are wrong are missing, and what there is to say about it."""
    document, said = read_json(source, unread())
    if document is None:
        return _nothing_of(source), said
    wrong = _wrong_version(document)
    if wrong is not None:
        return _nothing_of(source), [wrong]  # what another version says is not judged by the rules of this one
    said += islice(mistakes_of(document), MOST_MISTAKES)
    things = [_Thing(kind, json) for key, kind in KINDS.items() for json in _list(document, key)]
    for diagnostic in said:
        inside = [t for t in things if diagnostic.span and t.has(diagnostic.span)]
        if not inside or not inside[0].name:
            return _nothing_of(source), said  # who knows what is missing
        inside[0].lost = True
    reading = _Reading(source, said, things)
    return reading.file(document), said


def _nothing_of(source: Source) -> tree.File:
    return tree.File(source, (), (Span(source, 0, len(source.text) + 1),))


def _wrong_version(document: Json) -> Diagnostic | None:
    """What keeps a document from being read by the rules of this version; other mistakes are not looked at here."""
    if not isinstance(document.value, dict):
        return None
    given = document.value.get("format_version")
    if given is None:
        return mistakes.form_missing(Span(document.span.source, document.span.start, document.span.start + 1))
    value = given.json.value
    if isinstance(value, int) and not isinstance(value, bool) and value != mistakes.FORM_VERSION:
        return mistakes.form_unknown(given.json.span, given.json.span.text[:40])
    return None


# What stands in JSON, once it has the form that is asked for


def _get(json: Json, key: str) -> Json | None:
    """What an object holds; None for null and for a key that is left out."""
    member = json.value.get(key) if isinstance(json.value, dict) else None
    return member.json if member is not None and member.json.value is not None else None


def _list(json: Json, key: str) -> list[Json]:
    found = _get(json, key)
    return found.value if found is not None and isinstance(found.value, list) else []


def _text(json: Json, key: str) -> str:
    found = _get(json, key)
    return found.value if found is not None and isinstance(found.value, str) else ""


def _true(json: Json, key: str) -> Json | None:
    found = _get(json, key)
    return found if found is not None and found.value is True else None


def _span(json: Json, key: str) -> Span:
    """The place of what an object holds, or of the object."""
    found = _get(json, key)
    return found.span if found is not None else json.span


class _Thing:
    """A device, an app or a process as it stands in the document."""

    def __init__(self, kind: str, json: Json) -> None:
        self.kind = kind
        self.json = json
        self.name = _text(json, "name")
        self.place = _span(json, "name")
        self.base, self.number = _numbered(self.name)
        self.count = 1
        self.home = _text(json, "home")
        order = _get(json, "order")
        self.order = order.value if order is not None and isinstance(order.value, int) else None
        self.lost = False

    def has(self, span: Span) -> bool:
        return self.json.span.start <= span.start < self.json.span.end

    def bracket(self) -> tree.Bracket | tree.Numbered | None:
        return _bracket(self.place, self.number, self.count)


def _numbered(name: str) -> tuple[str, str]:
    """The name of all replicas and the number of one: `worker[2]` is `worker` and 2."""
    match = NUMBERED.fullmatch(name)
    return (match[1], match[2]) if match is not None else (name, "")


def _bracket(span: Span, number: str, count: int) -> tree.Bracket | tree.Numbered | None:
    if number == ANY:
        return tree.Bracket(span, ANY)
    return tree.Numbered(span, int(number), count) if number else None


class _Reading:
    """A document of the right form, being read."""

    def __init__(self, source: Source, said: list[Diagnostic], things: list[_Thing]) -> None:
        self._source = source
        self._said = said
        self._things = things
        self._doubtful: list[Span] = []
        self._named: dict[str, _Thing] = {}
        self._parts: dict[str, list[_Thing]] = defaultdict(list)

    def file(self, document: Json) -> tree.File:
        self._count()
        for thing in self._things:
            self._find_home(thing)
        self._lose_parts()
        statements = list(self._statements())
        if _get(document, "topology") is not None:
            name = _name(document, "topology")
            statements.insert(0, tree.Topology(name.span, name))
        lost = [t for t in self._things if t.lost]
        return tree.File(
            self._source,
            tuple(statements),
            (*self._doubtful, *(t.json.span for t in lost)),
            frozenset(name for t in lost for name in (t.name, t.base)),
        )

    @cached_property
    def _homes(self) -> tuple[str, ...]:
        return tuple(t.name for t in self._things if t.kind != "device")

    def _say(self, thing: _Thing, diagnostic: Diagnostic) -> None:
        self._said.append(diagnostic)
        thing.lost = True

    # Replicas

    def _count(self) -> None:
        """See that no two have one name, and that of several replicas all are there, and how many these are."""
        groups: dict[str, list[_Thing]] = defaultdict(list)
        for thing in self._things:
            first = self._named.setdefault(thing.name, thing)
            if first is thing:
                groups[thing.base].append(thing)
            elif not thing.lost:
                self._say(thing, mistakes.named_twice(thing.place, first.place))
        for group in groups.values():
            wrong = None if any(t.lost for t in group) else _incomplete([(t.number, t.place) for t in group])
            if wrong is not None:
                self._said.append(wrong)
            for thing in group:
                thing.count = len(group)
                thing.lost = thing.lost or wrong is not None

    # Homes

    def _find_home(self, thing: _Thing) -> None:
        """See that a device is where it says it is, and nothing is named as if it were part of something."""
        if thing.lost:
            return
        owner = self._named.get(thing.name.rpartition(".")[0])
        home = self._named.get(thing.home)
        if thing.home and (home is None or home.kind == "device"):
            self._say(thing, mistakes.no_home(_span(thing.json, "home"), thing.home, self._homes))
        elif home is not None and home.kind == "process":
            self._parts[home.name].append(thing)
            if home.number and thing.number != home.number:
                message = f"`{thing.name}` is part of `{home.name}`, and has another number"
                self._say(thing, mistakes.wrong_shape(thing.place, message))
        elif home is not None and owner is not home:
            message = f"`{thing.name}` is part of `{home.name}`, and has another name in front"
            self._say(thing, mistakes.wrong_shape(thing.place, message))
        elif home is not None:
            self._parts[home.name].append(thing)
        elif owner is not None and owner.kind != "process":
            message = f"`{thing.name}` is named as part of `{owner.name}`, and `home` does not say so"
            self._say(thing, mistakes.wrong_shape(thing.place, message))

    def _lose_parts(self) -> None:
        for thing in self._things:
            if thing.lost:
                for part in self._parts[thing.name]:
                    part.lost = True

    # Statements

    def _statements(self) -> Iterator[tree.Statement]:
        """The declarations in the order that they say; a process stands where its first device does."""
        left = {t.name: t for t in self._things if t.kind == "process" and not t.lost}
        for thing in self._sorted(t for t in self._things if t.kind != "process"):
            if thing.kind == "app":
                yield self._app(thing)
            elif not thing.home:
                yield self._device(thing, thing.base)
            while thing.home in left:  # after those before it, which have no devices
                yield self._process(left.pop(next(iter(left))))
        for process in left.values():
            yield self._process(process)

    def _sorted(self, things: Iterable[_Thing]) -> list[_Thing]:
        sound = [t for t in things if not t.lost]
        return sorted(sound, key=lambda t: (t.order is None, t.order))

    def _process(self, thing: _Thing) -> tree.Process:
        devices = [self._device(part, part.base) for part in self._sorted(self._parts[thing.name])]
        block = tree.Block(thing.json.span, (*_context(thing.json), *devices))
        return tree.Process(thing.json.span, tree.Name(thing.place, thing.base), thing.bracket(), block)

    def _app(self, thing: _Thing) -> tree.App:
        json = thing.json
        run, inside, folder = _get(json, "run"), _true(json, "inside"), _get(json, "folder")
        items: list[tree.Item] = [*_context(json)]
        if run is not None:
            items.append(tree.Run(run.span, None, _exact(run)))
        if inside is not None:
            items.append(tree.Run(inside.span, tree.Name(inside.span, "inside"), None))
        items += _restart(json)
        for part in self._sorted(self._parts[thing.name]):
            items.append(self._device(part, part.base[len(thing.name) + 1 :]))
        items += self._sockets(thing)
        return tree.App(
            json.span,
            tree.Name(thing.place, thing.base),
            thing.bracket(),
            None,
            tree.Block(json.span, tuple(items)),
            _text(json, "doc"),
            str(self._source.folder / _text(json, "folder")) if folder is not None else "",
        )

    def _device(self, thing: _Thing, name: str) -> tree.Device:
        json = thing.json
        run, swap, same = _get(json, "run"), _true(json, "swap"), _true(json, "same")
        items: list[tree.Item] = []
        if run is not None:
            items.append(tree.Run(run.span, _name(json, "run"), None))
        items += _restart(json)
        for side in _list(json, "sockets"):
            items.append(tree.Side(side.span, _name(side, "name"), self._spec(side), self._options(side)))
        if same is not None:
            spec = tree.SocketSpec(None, None, (tree.Same(same.span),))
            items.append(tree.Side(same.span, tree.Name(same.span, "out"), spec, None))
        return tree.Device(
            json.span,
            tree.Name(thing.place, name),
            thing.bracket(),
            _name(json, "kind"),
            tree.Name(swap.span, "swap") if swap is not None else None,
            tree.Block(json.span, tuple(items)),
            _text(json, "doc"),
        )

    # Sockets

    def _sockets(self, thing: _Thing) -> Iterator[tree.Socket]:
        several: dict[str, list[tuple[str, Span]]] = defaultdict(list)
        sockets = [(socket, *_numbered(_text(socket, "name"))) for socket in _list(thing.json, "sockets")]
        for socket, base, number in sockets:
            several[base].append((number, _span(socket, "name")))
        parts = {part.base[len(thing.name) + 1 :]: part.place for part in self._parts[thing.name]}
        for base, numbers in several.items():
            wrong = mistakes.named_twice(numbers[0][1], parts[base]) if base in parts else _incomplete(numbers)
            if wrong is not None:
                self._said.append(wrong)
                self._doubtful.append(thing.json.span)
        for socket, base, number in sockets:
            name = tree.Name(_span(socket, "name"), base)
            bracket = _bracket(name.span, number, len(several[base]))
            yield tree.Socket(socket.span, name, bracket, self._spec(socket), self._options(socket))

    def _spec(self, json: Json) -> tree.SocketSpec:
        binds = [e for bind in _list(json, "binds") if (e := _get(bind, "endpoint")) is not None]
        clauses: list[tree.Clause] = []
        if binds:
            clauses.append(tree.Bind(binds[0].span, tuple(_exact(e) for e in binds)))
        connects = [_connect(connect) for connect in _list(json, "connects")]
        if connects:
            clauses.append(tree.Connect(connects[0].span, tuple(connects)))
        type = _name(json, "type") if _get(json, "type") is not None else None
        program = _name(json, "program") if _get(json, "program") is not None else None
        return tree.SocketSpec(type, program, tuple(clauses))

    def _options(self, json: Json) -> tree.Block | None:
        found = []
        for option in _list(json, "options"):
            name = _name(option, "name")
            values = tuple(_value(value) for value in _list(option, "values"))
            if values:
                found.append(tree.Option(name.span, name, values))
            else:
                self._said.append(mistakes.secret_left_out(name.span, name.text))
                self._doubtful.append(option.span)
        return tree.Block(json.span, tuple(found)) if found else None


def _incomplete(several: list[tuple[str, Span]]) -> Diagnostic | None:
    """What is wrong with the numbers of what has one name: it is one, or any number, or all from 0 on are there."""
    numbers = dict(several)
    (first, at), *rest = several
    if not rest and first in ("", ANY):
        return None
    alone = next(((number, span) for number, span in several if number in ("", ANY)), None)
    if alone is not None:
        return mistakes.named_twice(rest[0][1], at)
    missing = next(number for number in range(len(several) + 1) if str(number) not in numbers)
    return mistakes.replica_missing(several[-1][1], missing) if missing < len(several) else None


def _name(json: Json, key: str) -> tree.Name:
    return tree.Name(_span(json, key), _text(json, key))


def _exact(json: Json) -> tree.Exact:
    assert isinstance(json.value, str)
    return tree.Exact(json.span, "text", json.value.encode("utf-8", "surrogateescape"))


def _context(json: Json) -> Iterator[tree.Context]:
    context = _get(json, "context")
    if context is None or not isinstance(context.value, dict):
        return
    options = [
        tree.Option(member.key, tree.Name(member.key, name), (tree.Exact(member.json.span, "int", member.json.value),))
        for name, member in context.value.items()
        if isinstance(member.json.value, int)
    ]
    yield tree.Context(context.span, tree.Block(context.span, tuple(options)))


def _restart(json: Json) -> Iterator[tree.Restart]:
    found = _get(json, "restart")
    if found is None:
        return
    company = _name(found, "with") if _get(found, "with") is not None else None
    waits = (_number(found, "backoff", "duration"), _number(found, "longest", "duration"))
    limits = (_number(found, "max", "int"), _number(found, "in", "duration"))
    policy = _name(found, "policy")
    yield tree.Restart(policy.span, policy, *limits, *waits, company)


def _number(json: Json, key: str, kind: NumberKind) -> tree.Exact | None:
    found = _get(json, key)
    return tree.Exact(found.span, kind, found.value) if found is not None and isinstance(found.value, int) else None


def _connect(json: Json) -> tree.Place:
    endpoint = _get(json, "endpoint")
    if endpoint is not None:
        return _exact(endpoint)
    ends = tuple(_end(end) for end in _list(json, "to"))
    return tree.Ends(ends[0].span if ends else _span(json, "to"), ends)


def _end(json: Json) -> tree.End:
    bind = _get(json, "bind")
    name = _name(json, "socket")
    number = bind.value if bind is not None and isinstance(bind.value, int) else None
    return tree.End(name.span, name, number, bind.span if bind is not None else name.span)


def _value(json: Json) -> tree.Value:
    value = _get(json, "value")
    assert value is not None
    match _text(json, "kind"):
        case "file":
            return tree.FileText(value.span, _exact(value))
        case "env":
            return tree.Call(value.span, tree.Name(value.span, "env"), (_exact(value),))
        case "text":
            assert isinstance(value.value, str)
            data = value.value.encode("utf-8", "surrogateescape")
            return tree.Exact(value.span, "text", ESCAPE.sub(lambda m: bytes.fromhex(m[1].decode()) if m[1] else b"\\", data))
        case "any":
            return tree.Exact(value.span, "any", 0)
        case kind:
            assert isinstance(value.value, int)
            return tree.Exact(value.span, NUMBERS[kind], int(value.value))
