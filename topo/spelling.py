"""Values, texts and numbers as a .ztopo text has them, for one declaration with all its replicas.

What differs from replica to replica can only be a whole number in a text. For that an expression over `index` is found from
the values, whatever stood in the file: `fit` looks for a short one first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from topo.model import Value

__all__ = [
    "Copies",
    "Inexpressible",
    "Point",
    "Table",
    "fit",
    "quoted",
    "spell_duration",
    "spell_number",
    "spell_text",
    "spell_value",
]

LONGEST = 200
"""The most characters of an expression that the language reads."""
BARE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,{}\"\\$]*(?<!;)", re.ASCII)
DURATIONS = ((3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))
SIZES = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"), (1, "B"))

Point = tuple[int, ...]
"""Which replica: its own number, or that of its owner and its own."""
Table = dict[Point, int]

T = TypeVar("T")
U = TypeVar("U")


class Inexpressible(ValueError):
    """Replicas differ in a way that no expression of the language can say."""


@dataclass(frozen=True, slots=True)
class Copies(Generic[T]):
    """What one declaration stands for: each replica by its numbers, and what the text calls these."""

    all: dict[Point, T]
    variables: Sequence[str]
    keys: Sequence[str] = ()
    """For each of the numbers a name of what it tells apart."""

    @property
    def first(self) -> T:
        """One of them; what all have in common, it has too."""
        return next(iter(self.all.values()))

    def of(self, what: Callable[[T], U]) -> Copies[U]:
        """Something of each."""
        return Copies({p: what(thing) for p, thing in self.all.items()}, self.variables, self.keys)


def spell_value(values: Copies[Value]) -> str:
    """A value of an option."""
    first = values.first
    if isinstance(first.value, bytes):
        texts = values.of(lambda v: v.value.decode("utf-8", "surrogateescape") if isinstance(v.value, bytes) else "")
        return spell_text(texts, bare=False)
    if any(v.value != first.value for v in values.all.values()):
        return spell_number(values.of(lambda v: v.value if isinstance(v.value, int) else 0))
    return SPELLINGS[first.kind](first.value)


def spell_number(numbers: Copies[int]) -> str:
    """A plain number as a value."""
    first = numbers.first
    return str(first) if all(n == first for n in numbers.all.values()) else f"${{{fit(numbers.all, numbers.variables)}}}"


def _united(units: Sequence[tuple[int, str]]) -> Callable[[int], str]:
    def spell(value: int) -> str:
        each, unit = next((e, u) for e, u in units if value % e == 0) if value else units[-1]
        return f"{value // each}{unit}"

    return spell


SPELLINGS: dict[str, Callable[[int], str]] = {
    "int": str,
    "bool": lambda value: "true" if value else "false",
    "duration": _united(DURATIONS),
    "size": _united(SIZES),
    "any": lambda value: "*",
}


def spell_duration(milliseconds: int) -> str:
    """A duration, in the largest unit that it is whole in."""
    return SPELLINGS["duration"](milliseconds)


def quoted(text: str) -> str:
    """A text in quotes."""
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


def spell_text(texts: Copies[str], *, bare: bool = True) -> str:
    """A text, in quotes unless it is an endpoint that needs none."""
    pieces = _varied(texts.all, texts.variables)
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
                    expression = fit({p: int(text) for p, text in middle.items()}, variables, plain)
                except Inexpressible:
                    continue
                return texts[0][:head], expression, texts[0][len(texts[0]) - tail :] if tail else ""
    raise Inexpressible("numbers that differ from replica to replica without a rule")


def _alike(texts: list[str]) -> int:
    """How many characters they begin with are the same."""
    return next((n for n, characters in enumerate(zip(*texts, strict=False)) if len(set(characters)) > 1), min(map(len, texts)))


# Expressions


def fit(table: Table, variables: Sequence[str], plain: bool = False) -> str:
    """An expression that has these values; a `plain` one is a sum."""
    for text, value in islice(_candidates(table, variables), 1 if plain else None):
        if len(text) <= LONGEST and all(value(point) == wanted for point, wanted in table.items()):
            return text
    raise Inexpressible("numbers that differ from replica to replica without a rule")


def _candidates(table: Table, variables: Sequence[str]) -> Iterator[tuple[str, Callable[[Point], int]]]:
    """Expressions to try, the plainest first: a sum, then a ring, then parts, and at last all values one by one."""
    origin = next(iter(table))
    steps = [_step(table, axis) for axis in range(len(origin))]
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


def _step(table: Table, axis: int) -> int:
    """By how much the value grows from one to the next along an axis."""
    for point, value in table.items():
        after = (*point[:axis], point[axis] + 1, *point[axis + 1 :])
        if after in table:
            return table[after] - value
    return 0


def _sum(start: int, steps: Sequence[int], variables: Sequence[str]) -> str:
    terms = [name if step == 1 else f"{step} * {name}" for step, name in zip(steps, variables, strict=True) if step]
    if start or not terms:
        terms.insert(0, str(start))
    return " + ".join(terms).replace("+ -", "- ")


def _alone(point: Point, value: int, variables: Sequence[str]) -> str:
    """The value at one point, and 0 everywhere else: `1 / (x * x + 1)` is 1 where x is 0."""
    factors = [f"(1 / (({v} - {n}) * ({v} - {n}) + 1))" for v, n in zip(variables, point, strict=True)]
    return " * ".join([str(value), *factors])
