"""The expanded topology as a .ztopo text: params inserted, types written, paths absolute; behind each connect where it leads.

The text means what the file meant: read again it gives the same model. Replicas stay one declaration, for their names have
no other way to be written, and `[*]` has no number. What differs from replica to replica can only be a whole number in a
text, or which replica is referred to; for that an expression over `index` is found from the values, whatever stood in the
file. `fit` looks for a short one first.

Secrets are never written: a comment says which option was left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from topo.graph import Graph
from topo.model import App, Component, Connect, Device, Model, Socket, Value
from topo.render import Style
from topo.zeromq.options import OPTIONS

__all__ = ["Inexpressible", "render"]

LINE = 100
"""The most columns of a declaration on one line."""
LONGEST = 200
"""The most characters of an expression that the language reads."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*", re.ASCII)
BARE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,{}\"\\$]*(?<!;)", re.ASCII)
DURATIONS = ((3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))
SIZES = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"), (1, "B"))

Point = tuple[int, ...]
"""Which replica: its own number, or that of its owner and its own."""
Table = dict[Point, int]


class Inexpressible(ValueError):
    """Replicas differ in a way that no expression of the language can say."""


def render(graph: Graph, style: Style) -> str:
    """The whole topology. Raises Inexpressible."""
    model = graph.model
    _refuse_what_has_no_text(model)
    groups: dict[str, list[Component]] = defaultdict(list)
    for component in sorted(model.components, key=lambda c: c.span.start):
        groups[_base(component)].append(component)
    writer = _Writer(model)
    blocks = [_head(model), *("\n".join(writer.declaration(group)) for group in groups.values())]
    return "\n\n".join(blocks) + "\n"


def _refuse_what_has_no_text(model: Model) -> None:
    """Modules, processes of several devices and devices inside apps are known to the model, and not yet written here."""
    for component in model.components:
        if "." in component.name or (isinstance(component, Device) and component.placement == "group"):
            raise Inexpressible(f"`{component.name}` comes from a module, a process or an app; --format json shows it")


def _head(model: Model) -> str:
    lines = ["ztopo 1"]
    if NAME.fullmatch(model.name):
        lines.append(f"topology {model.name}")
    folders = dict.fromkeys(app.folder for app in model.apps if app.run is not None)
    lines.extend(f"# Commands run in the folder of the file; that was {_quoted(folder)}." for folder in folders)
    return "\n".join(lines)


def _base(component: Component) -> str:
    return component.replica.base if component.replica else component.name


def _bracket(component: Component, variable: str = "") -> str:
    if component.replica is None:
        return ""
    count = "*" if component.replica.count is None else component.replica.count
    return f"[{variable}{count}]"


class _Writer:
    """Writes declarations of one model."""

    def __init__(self, model: Model) -> None:
        self.owners: dict[str, Component] = {s.id: c for c in model.components for s in c.sockets}
        self.sockets: dict[str, Socket] = {s.id: s for c in model.components for s in c.sockets}
        self.counts: dict[str, int] = defaultdict(int)
        for component in model.components:
            self.counts[_base(component)] += 1

    def declaration(self, group: list[Component]) -> Iterator[str]:
        """The lines of a device or an app with all its replicas."""
        first = group[0]
        yield from (f"## {line}".rstrip() for line in first.doc.splitlines())
        if isinstance(first, Device):
            swap = " swap" if first.swap else ""
            run = ["run process"] if first.placement == "process" else []
            sides = [line for socket in first.sockets for line in self._socket(socket.name, _replicas_of(group, socket.name))]
            yield from _block(f"device {_base(first)}{_bracket(first)}: {first.kind}{swap}", [*run, *sides], always=True)
        else:
            yield from self._app([c for c in group if isinstance(c, App)])

    def _app(self, group: list[App]) -> Iterator[str]:
        first = group[0]
        runs = ["run inside"] if first.inside else []
        if first.run is not None:
            runs = ["run " + _text({(n,): (app.run or "") for n, app in enumerate(group)}, ("index",), bare=False)]
        names = list(dict.fromkeys(s.name for s in first.sockets))
        if names == [_base(first)] and first.sockets[0].id == first.name:
            sockets = _replicas_of(group, names[0])
            head, options, said = self._spec(sockets, ("index",))
            yield from _block(f"app {_base(first)}{_bracket(first)}: {head}", [*options, *runs], said)
            return
        nested = len(group) > 1 and any(_is_replicated(s) for s in first.sockets)
        lines = [line for name in names for line in self._socket(f"socket {name}", _replicas_of(group, name))]
        yield from _block(
            f"app {_base(first)}{_bracket(first, 'i: ' if nested else '')}", [*runs, *lines], always=bool(runs or lines)
        )

    def _socket(self, start: str, sockets: dict[Point, Socket]) -> list[str]:
        first = next(iter(sockets.values()))
        own = len({point[-1] for point in sockets}) if _is_replicated(first) else 0
        bracket = f"[{own}]:" if own else ":" if start.startswith("socket") else ""
        variables = ("i", "index") if own and len(next(iter(sockets))) == 2 else ("index",)
        head, options, said = self._spec(sockets, variables)
        return list(_block(f"{start}{bracket} {head}", options, said))

    def _spec(self, sockets: dict[Point, Socket], variables: Sequence[str]) -> tuple[str, list[str], str]:
        """The type and what is bound and connected; the options; and a comment that says where the connects lead."""
        first = next(iter(sockets.values()))
        words = [first.type]
        if first.binds:
            texts = [_text({p: s.binds[n].endpoint.text for p, s in sockets.items()}, variables) for n in range(len(first.binds))]
            words.append("bind " + ", ".join(texts))
        if first.connects:
            texts = [
                self._connect({p: s.connects[n] for p, s in sockets.items()}, sockets, variables)
                for n in range(len(first.connects))
            ]
            words.append("connect " + ", ".join(texts))
        options = [_option(sockets, n, variables) for n in range(len(first.options))]
        return " ".join(words), options, self._leads(sockets.values())

    def _leads(self, sockets: Iterable[Socket]) -> str:
        targets = [t for s in sockets for c in s.connects for t in c.targets]
        found = list(dict.fromkeys(self.sockets[t.socket].binds[t.index].endpoint.text for t in targets))
        if len(found) > 3:
            return f"# {found[0]} and {len(found) - 1} more"
        return "# " + ", ".join(found) if found else ""

    # references

    def _connect(self, connects: dict[Point, Connect], sockets: dict[Point, Socket], variables: Sequence[str]) -> str:
        first = next(iter(connects.values()))
        if first.endpoint is not None:
            return _text({p: c.endpoint.text for p, c in connects.items() if c.endpoint}, variables)
        if not any(c.targets for c in connects.values()):
            return first.span.text  # it names something that binds nothing: there is only what was written
        targets = {p: list(dict.fromkeys(t.socket for t in c.targets)) for p, c in connects.items()}
        some = next(ids[0] for ids in targets.values() if ids)
        owner, socket = self.owners[some], self.sockets[some]
        own = {p: self.owners[s.id].name for p, s in sockets.items()}
        named = {p: list(dict.fromkeys(self.owners[t].name for t in ids)) for p, ids in targets.items()}
        inner = "" if len(owner.sockets) == 1 and isinstance(owner, App) else f".{socket.name}"
        if inner and all(names == [own[p]] for p, names in named.items()) and owner.replica is not None:
            text = inner
        else:
            text = _base(owner) + self._which_owner(owner, named, variables) + inner
        if _is_replicated(socket):
            text += self._which_socket(owner, socket, targets, variables)
        binds = socket.binds
        index = next(t.index for c in connects.values() for t in c.targets)
        return f"{text}.{binds[index].endpoint.address.transport}" if len(binds) > 1 else text

    def _which_owner(self, owner: Component, named: dict[Point, list[str]], variables: Sequence[str]) -> str:
        count = self.counts[_base(owner)]
        if owner.replica is None or owner.replica.count is None or all(len(names) == count for names in named.values()):
            return ""
        if len(named) > 1 and all({*range(count)} - {_number([n]) for n in names} == {p[-1]} for p, names in named.items()):
            return "[others]"
        return f"[{_expression({p: _number(names) for p, names in named.items()}, variables)}]"

    def _which_socket(self, owner: Component, socket: Socket, targets: dict[Point, list[str]], variables: Sequence[str]) -> str:
        count = len(_named(owner, socket.name))
        each = {p: {t.rsplit("[", 1)[1] for t in ids} for p, ids in targets.items()}
        if all(len(numbers) == count for numbers in each.values()):
            return ""
        return f"[{_expression({p: _number(sorted(numbers)) for p, numbers in each.items()}, variables)}]"


def _number(names: Sequence[str]) -> int:
    """The number of the one replica that is named: `worker[3]` or `3]`."""
    if len(names) != 1:
        raise Inexpressible("a reference to some of several replicas")
    return int(names[0].rsplit("[", 1)[-1].rstrip("]"))


def _named(component: Component, name: str) -> list[Socket]:
    return [s for s in component.sockets if s.name == name]


def _is_replicated(socket: Socket) -> bool:
    """Whether the socket itself has a number, not only its app."""
    return re.search(rf"\.{re.escape(socket.name)}\[\d+\]$", socket.id) is not None


def _replicas_of(group: Sequence[Component], name: str) -> dict[Point, Socket]:
    """All replicas of a socket, by the numbers they have."""
    found: dict[Point, Socket] = {}
    for number, component in enumerate(group):
        for own, socket in enumerate(_named(component, name)):
            if not _is_replicated(socket):
                found[(number,)] = socket
            else:
                found[(number, own) if len(group) > 1 else (own,)] = socket
    return found


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


# -- values -----------------------------------------------------------------------------------------------------------------------


def _option(sockets: dict[Point, Socket], number: int, variables: Sequence[str]) -> str:
    options = {p: s.options[number] for p, s in sockets.items()}
    first = next(iter(options.values()))
    known = OPTIONS.get(first.name)
    if known is not None and known.secret:
        return f"# {first.name} is not shown"
    values = [_value({p: o.values[n] for p, o in options.items()}, variables) for n in range(len(first.values))]
    return f"{first.name} {', '.join(values)}"


def _value(values: dict[Point, Value], variables: Sequence[str]) -> str:
    first = next(iter(values.values()))
    if isinstance(first.value, bytes):
        texts = {p: v.value.decode("utf-8", "surrogateescape") for p, v in values.items() if isinstance(v.value, bytes)}
        return _text(texts, variables, bare=False)
    if any(v.value != first.value for v in values.values()):
        return f"${{{_expression({p: v.value for p, v in values.items() if isinstance(v.value, int)}, variables)}}}"
    return SPELLINGS[first.kind](first.value)


def _united(units: Sequence[tuple[int, str]]) -> Callable[[int], str]:
    def spell(value: int) -> str:
        each, unit = next((e, u) for e, u in units if value % e == 0)
        return f"{value // each}{unit}"

    return spell


SPELLINGS: dict[str, Callable[[int], str]] = {
    "int": str,
    "bool": lambda value: "true" if value else "false",
    "duration": _united(DURATIONS),
    "size": _united(SIZES),
    "any": lambda value: "*",
}


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """A text as it stands between quotes."""
    found = []
    for character in text:
        if character in '\\"':
            found.append("\\" + character)
        elif "\udc80" <= character <= "\udcff":
            found.append(f"\\x{ord(character) - 0xDC00:02x}")
        elif character.isprintable():
            found.append(character)
        else:
            found.extend(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    return "".join(found).replace("${", "$${")


def _text(texts: dict[Point, str], variables: Sequence[str], *, bare: bool = True) -> str:
    """A text, or several that differ in whole numbers, in quotes unless it is an endpoint that needs none."""
    pieces = _varied(texts, variables)
    literal = "".join(text for text, _ in pieces)
    if bare and BARE.fullmatch(literal) and "://" in pieces[0][0] and literal.isprintable():
        return "".join(text + (f"${{{expression}}}" if expression else "") for text, expression in pieces)
    found = ""
    for text, expression in pieces:
        escaped = _escaped(text)
        if expression and escaped.endswith("$"):
            escaped = escaped[:-1] + "\\x24"
        found += escaped + (f"${{{expression}}}" if expression else "")
    return f'"{found}"'


def _varied(texts: dict[Point, str], variables: Sequence[str]) -> list[tuple[str, str]]:
    """Texts that differ only in numbers, as pieces: what they share, and an expression for what follows it."""
    first = next(iter(texts.values()))
    if all(text == first for text in texts.values()):
        return [(first, "")]
    for number in (r"(\d+)", r"(-?\d+)"):
        split = {p: re.split(number, text, flags=re.ASCII) for p, text in texts.items()}
        if len({tuple(pieces[::2]) for pieces in split.values()}) == 1:
            break
    else:
        raise Inexpressible(f"replicas that differ by more than numbers, as {first!r}")
    found: list[tuple[str, str]] = []
    shared = next(iter(split.values()))
    before = ""
    for at in range(1, len(shared), 2):
        numbers = {p: pieces[at] for p, pieces in split.items()}
        before += shared[at - 1]
        if len(set(numbers.values())) == 1:
            before += shared[at]
            continue
        head, expression, tail = _counted(numbers, variables)
        found.append((before + head, expression))
        before = tail
    return [*found, (before + shared[-1], "")]


def _counted(numbers: dict[Point, str], variables: Sequence[str]) -> tuple[str, str, str]:
    """Numbers as an expression between two texts: `5${index}0` has 500, 510 and at last 5100."""
    texts = list(numbers.values())
    most_head, most_tail = _alike(texts), _alike([t[::-1] for t in texts])
    splits = [(h, t) for h in range(most_head + 1) for t in range(most_tail + 1)]
    for plain in (True, False):
        for head, tail in splits:
            middle = {p: text[head : len(text) - tail] for p, text in numbers.items()}
            if all(re.fullmatch(r"0|-?[1-9]\d{0,17}", text, re.ASCII) for text in middle.values()):
                try:
                    expression = _expression({p: int(text) for p, text in middle.items()}, variables, plain)
                except Inexpressible:
                    continue
                return texts[0][:head], expression, texts[0][len(texts[0]) - tail :] if tail else ""
    raise Inexpressible("numbers that differ from replica to replica without a rule")


def _alike(texts: list[str]) -> int:
    """How many characters they begin with are the same."""
    return next((n for n, characters in enumerate(zip(*texts, strict=False)) if len(set(characters)) > 1), min(map(len, texts)))


# -- expressions ------------------------------------------------------------------------------------------------------------------


def _expression(table: Table, variables: Sequence[str], plain: bool = False) -> str:
    """An expression that has these values; a `plain` one is a sum."""
    for text, value in islice(_candidates(table, variables), 1 if plain else None):
        if len(text) <= LONGEST and all(value(point) == wanted for point, wanted in table.items()):
            return text
    raise Inexpressible("numbers that differ from replica to replica without a rule")


def _candidates(table: Table, variables: Sequence[str]) -> Iterator[tuple[str, Callable[[Point], int]]]:
    """Expressions to try, the plainest first: a sum, then a ring, then parts, and at last all values one by one."""
    origin = next(iter(table))
    steps = [_step(table, origin, axis) for axis in range(len(origin))]
    start = table[origin] - sum(s * o for s, o in zip(steps, origin, strict=True))
    yield _sum(start, steps, variables), lambda p: start + sum(s * n for s, n in zip(steps, p, strict=True))
    most = max(table.values()) + 1
    for axis, name in enumerate(variables):
        for ring in dict.fromkeys((most, len({p[axis] for p in table}), *range(2, min(most, 64) + 1))):
            if ring < 1:
                continue
            shift = (table[origin] - origin[axis]) % ring
            inner = f"({name} + {shift})" if shift else name
            yield f"{inner} % {ring}", lambda p, axis=axis, shift=shift, ring=ring: (p[axis] + shift) % ring  # type: ignore[misc]
        for part in range(2, 65):
            base = table[origin] - origin[axis] // part
            text = f"{base} + {name} / {part}" if base else f"{name} / {part}"
            yield text, lambda p, axis=axis, base=base, part=part: base + p[axis] // part  # type: ignore[misc]
    yield " + ".join(_alone(point, value, variables) for point, value in table.items() if value), lambda p: table[p]


def _step(table: Table, origin: Point, axis: int) -> int:
    """By how much the value grows from one to the next along an axis."""
    after = tuple(n + (a == axis) for a, n in enumerate(origin))
    return table[after] - table[origin] if after in table else 0


def _sum(start: int, steps: Sequence[int], variables: Sequence[str]) -> str:
    terms = [name if step == 1 else f"{step} * {name}" for step, name in zip(steps, variables, strict=True) if step]
    if start or not terms:
        terms.insert(0, str(start))
    return " + ".join(terms).replace("+ -", "- ")


def _alone(point: Point, value: int, variables: Sequence[str]) -> str:
    """The value at one point, and 0 everywhere else: `1 / (x * x + 1)` is 1 where x is 0."""
    factors = [f"(1 / (({v} - {n}) * ({v} - {n}) + 1))" for v, n in zip(variables, point, strict=True)]
    return " * ".join([str(value), *factors])
