"""What values, texts and params come to: `5s` is 5000 milliseconds, `"a${port + 1}"` has the port in it.

Every function either returns what was asked for or says what is wrong and raises `Mistake`; the caller catches it where it
can go on without the value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, NoReturn

import msgspec
from msgspec.structs import replace

from topo import mistakes
from topo.diagnostic import Diagnostic, Edit, Fix, did_you_mean, nearest
from topo.source import Span
from topo.syntax import expression, tree
from topo.syntax.expression import ExpressionError, Variable
from topo.syntax.mistakes import (
    bad_call,
    bad_escape,
    bad_expression,
    bad_number,
    hyphen_in_param,
    not_a_value,
    unknown_call,
    variable_not_quoted,
)

__all__ = ["Given", "Mistake", "Numbers", "Outer", "Set", "Values"]

GivenKind = Literal["int", "bool", "duration", "size", "text", "any", "list", "socket"]

DURATIONS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
NEAR_UNITS = {
    "us": "ms", "msec": "ms", "millis": "ms", "sec": "s", "secs": "s", "S": "s", "min": "m", "mins": "m", "M": "m", "hour": "h", "hours": "h",
    "b": "B", "bytes": "B", "k": "KiB", "K": "KiB", "kb": "KiB", "KB": "KiB", "kib": "KiB", "kB": "KiB", "MB": "MiB", "mb": "MiB", "mib": "MiB",
    "G": "GiB", "GB": "GiB", "gb": "GiB", "gib": "GiB",
}  # fmt: skip
SAME = ("msec", "millis", "sec", "secs", "min", "mins", "hour", "hours", "bytes", "kib", "mib", "gib")
"""Those of them that mean the same, and nothing else."""
THOUSANDS = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
BOOLEANS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
ALIKE = {
    "integer": "int",
    "number": "int",
    "string": "text",
    "str": "text",
    "bytes": "text",
    "boolean": "bool",
    "time": "duration",
}
NUMBER = re.compile(r"(-?\d+(?:_\d+)*)([A-Za-z]*)", re.ASCII)
FRACTION = re.compile(r"(-?\d{1,30})\.(\d{1,3})([A-Za-z]+)", re.ASCII)
PIECES = re.compile(r"\$\$\{|\$\{([^}\n]*)\}|\\(x[0-9A-Fa-f]{2}|.)|[^\\$]+|\$")
ESCAPES = {"\\": b"\\", '"': b'"', "n": b"\n", "t": b"\t"}
LARGEST = 2**63 - 1
LONGEST_NUMBER = 30
"""How many characters a number is worked out with; what is longer is too large in any case."""
LONGEST_CHAIN = 50
"""How many params may depend on one another in a row."""
LARGEST_VALUE = 64 * 1024
"""The largest file that may be a value, in bytes."""


class Mistake(Exception):
    """Something is wrong and has been said; the value that was asked for does not exist."""


class Outer(msgspec.Struct, frozen=True):
    """A reference together with where it is to be looked up: what a param of type socket stands for."""

    scope: Any
    """The scope of names that the reference was written in."""
    reference: tree.Reference
    numbers: Mapping[str, int]


class Given(msgspec.Struct, frozen=True):
    """A value worked out: durations in milliseconds, sizes in bytes, text as bytes. `shown` is how `${...}` inserts it.

    A list has its values in `items`; a socket is `socket`, and has no other value.
    """

    kind: GivenKind
    value: int | bytes
    shown: str
    items: tuple[Given, ...] = ()
    socket: Outer | None = None
    origin: tuple[Literal["file", "env"], str] | None = None
    """The file or the environment variable that it comes from."""


class Set(msgspec.Struct, frozen=True):
    """A param set by whoever uses the file as a module; `span` is where."""

    given: Given
    span: Span


Numbers = Mapping[str, int]
"""What `index`, and the names given to it, are here."""


@lru_cache(maxsize=1024)  # the same few are written again and again
def number(text: str) -> Given | str:
    """The value of a number as written, or the right spelling if that can be guessed, or an empty text."""
    match = NUMBER.fullmatch(text)
    if match is None:
        return _nearest(text)
    digits, unit = match.groups()
    if len(digits) > LONGEST_NUMBER:
        return ""
    value = int(digits)
    kind: GivenKind
    if not unit:
        kind, factor = "int", 1
    elif unit in DURATIONS:
        kind, factor = "duration", DURATIONS[unit]
    elif unit in SIZES:
        kind, factor = "size", SIZES[unit]
    else:
        return digits + NEAR_UNITS[unit] if unit in NEAR_UNITS else ""
    return Given(kind, value * factor, f"{value}{unit}") if abs(value * factor) <= LARGEST else ""


def _bad_number(span: Span, text: str, right: str) -> Diagnostic:
    match = NUMBER.fullmatch(text)
    if match is not None and match[2] in THOUSANDS and len(match[1]) <= LONGEST_NUMBER:
        number, byte_unit = match[1], {"k": "KiB", "K": "KiB", "M": "MiB", "G": "GiB"}[match[2]]
        notes = (f"a number is written out, `{int(number) * THOUSANDS[match[2]]}`; a size is `{number}{byte_unit}`",)
        return bad_number(span, f"`{text}` could be a number or a size", notes=notes)
    unit = text.lstrip("-0123456789._")
    sure = unit in SAME or unit in DURATIONS or unit in SIZES
    if FRACTION.fullmatch(text):
        return bad_number(span, f"`{text}` has a fraction, and numbers are whole", right, sure=sure)
    message = f"`{text}` has a unit that there is not" if right else f"`{text}` is not a number"
    return bad_number(span, message, right, sure=sure)


def _nearest(text: str) -> str:
    match = FRACTION.fullmatch(text)
    if match is None:
        return ""
    whole, fraction, unit = match.groups()
    unit = NEAR_UNITS.get(unit, unit)
    for units in (DURATIONS, SIZES):
        if unit in units:
            exact = units[unit] * int(whole + fraction)
            smallest = next(iter(units))
            value, rest = divmod(exact, 10 ** len(fraction))
            return f"{value}{smallest}" if not rest else ""
    return ""


class Values:
    """The params of a file and all that can be worked out from them.

    `overrides` are the params set from outside: texts as on a command line, Python values, or what a module's user has `Set`,
    which is at `used`. `scope` is what a reference in the file is looked up in. `environment` is what `env(...)` reads.
    """

    def __init__(
        self,
        file: tree.File,
        overrides: Mapping[str, object],
        say: Callable[[Diagnostic], None],
        environment: Mapping[str, str] = os.environ,
        used: Span | None = None,
        scope: object = None,
    ) -> None:
        self.used = used
        self.scope = scope
        self.say = say
        self.overrides = overrides
        self.environment = environment
        self.declared: dict[str, tree.Param] = {}
        self._given: dict[str, Given | None] = {}
        self._asked: list[str] = []
        for statement in file.statements:
            if isinstance(statement, tree.Param):
                self._declare(statement)

    def _declare(self, param: tree.Param) -> None:
        first = self.declared.get(param.name.text)
        if first is not None:
            self.say(mistakes.taken_twice(param.name.span, param.name.text, "param", first.name.span))
        elif "-" in param.name.text:
            self.say(hyphen_in_param(param.name.span))
        else:
            self.declared[param.name.text] = param

    def check(self) -> None:
        """Say what is wrong with the params themselves, used or not."""
        for name, override in self.overrides.items():
            if name not in self.declared:
                place = override.span if isinstance(override, Set) else None
                self.say(mistakes.unknown_param(place, name, self.declared, f"`{name}` is set, but there is no such param"))
        for name, param in self.declared.items():
            self._try(name, param.name.span)

    # Params

    def param(self, name: str, span: Span, numbers: Numbers) -> Given:
        """The value of a param that is used at `span`, where there are numbers of replicas beside the params."""
        if name not in self.declared:
            self._fail(mistakes.unknown_param(span, name, (*self.declared, *(n for n in numbers if n.isidentifier()))))
        given = self._try(name, span)
        if given is None:
            raise Mistake
        return given

    def _try(self, name: str, span: Span) -> Given | None:
        if len(self._asked) > LONGEST_CHAIN and name not in self._given:
            self.say(bad_expression(span, f"params depend on each other more than {LONGEST_CHAIN} deep"))
            return None
        if name in self._asked:
            self.say(bad_expression(span, f"`{name}` depends on itself"))
            return None
        if name not in self._given:
            self._asked.append(name)
            try:
                self._given[name] = self._work_out(self.declared[name])
            except Mistake:
                self._given[name] = None
            finally:
                self._asked.pop()
        return self._given[name]

    def _work_out(self, param: tree.Param) -> Given:
        kind = param.type.text if param.type else None
        if kind is not None and kind not in TYPES:
            self._unknown_type(param, kind)
        name = param.name.text
        span: Span | None
        given: Given | None
        if name in self.overrides:
            override = self.overrides[name]
            kind = kind or (self._default_kind(param) if param.default else None)
            given = _from_outside(override, kind or "text")
            span = override.span if isinstance(override, Set) else None
            shown = f"`{override.given.shown if isinstance(override, Set) else override}`, set for `{name}`,"
        elif param.default is None:
            self._fail(self._unset(param))
        else:
            if isinstance(param.default, tree.Call):
                kind = kind or self._default_kind(param)
            given = self._default(param.default, kind)
            span, shown = param.default.span, f"the default of `{name}`"
        if given is None or (kind is not None and not TYPES[kind](given)):
            article = "an" if (kind or "")[:1] in "aeio" else "a"
            message = f"{shown} is not {article} {kind or 'text'}"
            self._fail(mistakes.bad_param_value(span, message, param.name.span))
        return given

    def _unknown_type(self, param: tree.Param, kind: str) -> NoReturn:
        assert param.type is not None
        near = ALIKE.get(kind.lower())
        notes = (f"did you mean `{near}`?",) if near else did_you_mean(kind, TYPES)
        notes = (*notes, "there are " + ", ".join(f"`{name}`" for name in TYPES))
        self._fail(mistakes.bad_param_value(param.type.span, f"there is no type `{kind}`", notes=notes))

    def _unset(self, param: tree.Param) -> Diagnostic:
        name = param.name.text
        message = f"the param `{name}` has no value, and none was set"
        return mistakes.unknown_param(self.used or param.name.span, name, (), message, param.name.span if self.used else None)

    def _default(self, default: tree.Value, kind: str | None) -> Given:
        if kind == "socket" and isinstance(default, tree.Reference):
            return Given("socket", 0, default.span.text, socket=Outer(self.scope, default, {}))
        given = self.given(default, {})
        if isinstance(default, tree.Call) and given.kind == "text":
            return replace(_from_outside(given.shown, kind or "text") or given, origin=given.origin)
        return _as_list(given) if kind == "list" else given

    def _default_kind(self, param: tree.Param) -> str:
        """The type of a param that has none written: that of its default, or of the default of `env`."""
        default = param.default
        while isinstance(default, tree.Call):
            default = default.arguments[1] if len(default.arguments) == 2 else None
        kind = self.given(default, {}).kind if default is not None else "text"
        return kind if kind in TYPES else "text"

    # Values

    def given(self, node: tree.Value, numbers: Numbers) -> Given:
        """What a value comes to.

        Raises Mistake once it has been said.
        """
        match node:
            case tree.Text():
                value = self.text(node, numbers)
                return Given("text", value, value.decode("utf-8", "surrogateescape"))
            case tree.Number(span, text):
                return self._number(span, text)
            case tree.EndpointText(span, text):
                shown = self._inserted(text, span, numbers)
                return Given("text", shown.encode("utf-8", "surrogateescape"), shown)
            case tree.Interpolation(span, text):
                return self._interpolation(text, span, numbers)
            case tree.Star():
                return Given("any", 0, "*")
            case tree.Literal(_, value):
                return _from_python(value)
            case tree.Exact(_, kind, value):
                shown = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
                return Given(kind, value, "*" if kind == "any" else shown)
            case tree.FileText():
                return self._file(node, numbers)
            case tree.Several():
                items = tuple(self.given(value, numbers) for value in node.values)
                return Given("list", 0, ", ".join(i.shown for i in items), items)
            case tree.Call():
                return self._call(node, numbers)
            case tree.Reference():
                return self._word(node)

    def _number(self, span: Span, text: str) -> Given:
        value = number(text)
        if isinstance(value, str):
            self._fail(_bad_number(span, text, value))
        return value

    def _word(self, node: tree.Reference) -> Given:
        word = node.span.text
        if word in ("true", "false"):
            return Given("bool", int(word == "true"), word)
        meant = BOOLEANS.get(word.lower()) or next(iter(nearest(word, ("true", "false"))), "")
        fix = Fix(f"write `{meant}`" if meant else "put it in quotes", (Edit(node.span, meant or f'"{word}"'),))
        self._fail(not_a_value(node.span, fix, self.declared))

    def _file(self, node: tree.FileText, numbers: Numbers) -> Given:
        """What stands in a file, without the end of its last line. The path is relative to the file that names it."""
        path = node.span.source.folder / self.text(node.path, numbers).decode("utf-8", "surrogateescape")
        try:
            if path.exists() and not path.is_file():
                self._fail(mistakes.unreadable_value(node.path.span, str(path), "is none: it is a folder or a device"))
            with path.open("rb") as stream:
                content = stream.read(LARGEST_VALUE + 1)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._fail(mistakes.unreadable_value(node.path.span, str(path), f"cannot be read: {why}"))
        if len(content) > LARGEST_VALUE:
            self._fail(mistakes.unreadable_value(node.path.span, str(path), f"is larger than {LARGEST_VALUE // 1024} KiB"))
        content = content.rstrip(b"\r\n")
        return Given("text", content, content.decode("utf-8", "surrogateescape"), origin=("file", str(path)))

    def _call(self, node: tree.Call, numbers: Numbers) -> Given:
        call: tree.Value = node
        while isinstance(call, tree.Call):  # a default may be a call again, however often
            name = self._variable(call, numbers)
            value = self.environment.get(name)
            if value is not None:
                return Given("text", value.encode("utf-8", "surrogateescape"), value, origin=("env", name))
            if len(call.arguments) == 1:
                self._fail(mistakes.unknown_param(call.span, name, (), f"the environment has no {name}"))
            call = call.arguments[1]
        return self.given(call, numbers)

    def _variable(self, node: tree.Call, numbers: Numbers) -> str:
        """The name of the environment variable that a call asks for."""
        if node.name.text != "env":
            self._fail(unknown_call(node.name.span))
        if not 1 <= len(node.arguments) <= 2:
            self._fail(bad_call(node.span, "env takes the name of a variable, and a default if there is one"))
        first = node.arguments[0]
        if isinstance(first, tree.Call | tree.Reference) or self.given(first, numbers).kind != "text":
            self._fail(variable_not_quoted(first.span))
        return self.given(first, numbers).shown

    def text(self, node: tree.Text | tree.Exact, numbers: Numbers) -> bytes:
        """A quoted text with its escapes and params worked out."""
        if isinstance(node, tree.Exact):
            assert isinstance(node.value, bytes)
            return node.value
        if "\\" not in node.raw and "$" not in node.raw:
            return node.raw.encode("utf-8", "surrogateescape")
        out = bytearray()
        for piece in PIECES.finditer(node.raw):
            span = Span(node.span.source, node.span.start + 1 + piece.start(), node.span.start + 1 + piece.end())
            out += self._piece(piece, span, numbers, escapes=True)
            self._bounded(out, node.span)
        return bytes(out)

    def _bounded(self, out: bytearray, span: Span) -> None:
        """Params in texts in params grow quickly: see that they do not grow for ever."""
        if len(out) > LARGEST_VALUE:
            self._fail(bad_expression(span, f"with its params it is longer than {LARGEST_VALUE // 1024} KiB"))

    def _inserted(self, text: str, span: Span, numbers: Numbers) -> str:
        """A bare endpoint with its params worked out."""
        if "${" not in text:
            return text
        out = bytearray()
        for piece in PIECES.finditer(text):
            at = Span(span.source, span.start + piece.start(), span.start + piece.end())
            out += self._piece(piece, at, numbers, escapes=False)
            self._bounded(out, span)
        return out.decode("utf-8", "surrogateescape")

    def _piece(self, piece: re.Match[str], span: Span, numbers: Numbers, escapes: bool) -> bytes:
        whole, inserted, escape = piece.group(), piece.group(1), piece.group(2)
        if inserted is not None:
            given = self._interpolation(inserted, span, numbers)
            if given.kind in ("list", "socket"):
                self._fail(bad_expression(span, f"a {given.kind} cannot stand in a text"))
            return given.shown.encode("utf-8", "surrogateescape")
        if whole == "$${":
            return b"${"
        if escape is not None and escapes:
            if escape[0] == "x" and len(escape) == 3:
                return bytes.fromhex(escape[1:])
            if escape not in ESCAPES:
                self._fail(bad_escape(span, whole))
            return ESCAPES[escape]
        return whole.encode("utf-8", "surrogateescape")

    # Arithmetic

    def _interpolation(self, text: str, span: Span, numbers: Numbers) -> Given:
        parsed = self.parsed(text, span)
        match parsed.expression:
            case Variable(name) if name not in numbers and not parsed.variable:
                return self.param(name, span, numbers)
            case None:
                self._fail(bad_expression(span, "a number or a param stands here"))
            case _ if parsed.variable:
                self._fail(bad_expression(span, "a number or a param stands here"))
        value = self.integer(text, span, numbers)
        return Given("int", value, str(value))

    def parsed(self, text: str, span: Span) -> expression.Parsed:
        """An expression, read."""
        try:
            return expression.parse(text)
        except ExpressionError as error:
            self._fail(bad_expression(span, str(error)))

    def integer(self, text: str, span: Span, numbers: Numbers) -> int:
        """The value of whole-number arithmetic over params and the numbers of replicas."""
        parsed = self.parsed(text, span)
        if parsed.expression is None:
            self._fail(bad_expression(span, "a number stands here"))
        try:
            return expression.evaluate(parsed.expression, _Lookup(self, numbers, span))
        except ExpressionError as error:
            self._fail(bad_expression(span, str(error)))

    def _fail(self, diagnostic: Diagnostic) -> NoReturn:
        self.say(diagnostic)
        raise Mistake


class _Lookup(dict[str, int]):
    """The variables of an expression: numbers of replicas first, then params."""

    def __init__(self, values: Values, numbers: Numbers, span: Span) -> None:
        super().__init__(numbers)
        self.values_, self.span = values, span

    def __missing__(self, name: str) -> int:
        given = self.values_.param(name, self.span, self)
        if given.kind != "int" or not isinstance(given.value, int):
            raise ExpressionError(f"`{name}` is a {given.kind}, not a number")
        return given.value


TYPES: dict[str, Callable[[Given], bool]] = {
    "int": lambda g: g.kind == "int",
    "port": lambda g: g.kind == "int" and isinstance(g.value, int) and 1 <= g.value <= 65535,
    "text": lambda g: g.kind == "text",
    "duration": lambda g: g.kind == "duration" or (g.kind == "int" and g.value in (0, -1)),
    "size": lambda g: g.kind == "size" or (g.kind == "int" and g.value in (0, -1)),
    "bool": lambda g: g.kind == "bool",
    "endpoint": lambda g: g.kind == "text" and "://" in g.shown,
    "list": lambda g: g.kind == "list",
    "socket": lambda g: g.kind == "socket",
}


def _from_python(value: int | bytes | str) -> Given:
    if isinstance(value, bool):
        return Given("bool", int(value), "true" if value else "false")
    if isinstance(value, int):
        return Given("int", value, str(value))
    if isinstance(value, bytes):
        return Given("text", value, value.decode("utf-8", "surrogateescape"))
    return Given("text", value.encode("utf-8", "surrogateescape"), value)


def _as_list(given: Given) -> Given:
    return given if given.kind == "list" else Given("list", 0, given.shown, (given,))


def _item(value: int | bytes | str) -> Given:
    given = number(value) if isinstance(value, str) else ""
    return given if isinstance(given, Given) else _from_python(value)


def _from_outside(value: object, kind: str) -> Given | None:
    """A value from a command line, the environment or Python, as a param of type `kind`; None if it is none."""
    if isinstance(value, Set):
        return _as_list(value.given) if kind == "list" else value.given
    if kind == "list":
        texts = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
        items = tuple(_item(v) for v in texts if isinstance(v, int | bytes | str))
        return Given("list", 0, ", ".join(i.shown for i in items), items) if items else None
    if not isinstance(value, str):
        return _from_python(value) if isinstance(value, int | bytes) else None
    if kind in ("text", "endpoint"):
        return _from_python(value)
    if kind == "bool":
        return _from_python(value == "true") if value in ("true", "false") else None
    if kind == "socket":
        return None
    given = number(value)
    return given if isinstance(given, Given) and TYPES[kind](given) else None
