"""Whole-number arithmetic: what stands between brackets and in `${...}`.

An expression is small and has no loops, so it always ends; its length and its values are bounded, so it ends soon. Parsed
expressions are kept by their text, because replicas ask for the same ones again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

__all__ = [
    "LARGEST",
    "LONGEST",
    "Binary",
    "Expression",
    "ExpressionError",
    "Negative",
    "Number",
    "Parsed",
    "Variable",
    "evaluate",
    "parse",
    "variables",
]

LONGEST = 200
"""The most characters that an expression may have."""
LARGEST = 2**63 - 1
"""No value on the way may be further from zero than this."""


class ExpressionError(ValueError):
    """It cannot be read, or has no value. The text says why, in the middle of a sentence."""


class Number(msgspec.Struct, frozen=True):
    """A whole number."""

    value: int


class Variable(msgspec.Struct, frozen=True):
    """A param, `index`, or `others`."""

    name: str


class Negative(msgspec.Struct, frozen=True):
    """`-x`."""

    of: Expression


class Binary(msgspec.Struct, frozen=True):
    """`a + b` and the like."""

    sign: str
    left: Expression
    right: Expression


Expression = Number | Variable | Negative | Binary


class Parsed(msgspec.Struct, frozen=True):
    """A bracket's or an interpolation's content. `any_number` is `*`; `variable` is the `i` of `[i: 3]`."""

    expression: Expression | None
    any_number: bool = False
    variable: str = ""


SIMPLE = re.compile(r"\s*(?:(\d{1,9})|([A-Za-z_]\w*)|(\*))\s*", re.ASCII)

SIGNS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}


@lru_cache(maxsize=4096)
def parse(text: str) -> Parsed:
    """Read an expression.

    Raises ExpressionError if it cannot be read.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"it has {len(text)} characters; {LONGEST} is the most")
    simple = SIMPLE.fullmatch(text)
    if simple is None:
        return _parse(text)
    number, name, star = simple.groups()
    if number:
        return Parsed(Number(int(number)))
    return Parsed(Variable(name)) if name else Parsed(None, any_number=bool(star))


def _parse(text: str) -> Parsed:
    from lark.exceptions import UnexpectedInput

    try:
        parsed: Parsed = _parser().parse(text)
    except UnexpectedInput as error:
        at = error.pos_in_stream
        rest = text[at:].strip() if at is not None and 0 <= at < len(text) else ""
        raise ExpressionError(f"`{rest}` is not expected there" if rest else "something is missing at its end") from None
    return parsed


@lru_cache(maxsize=1)
def _parser() -> Any:
    from lark import Token, Transformer

    from topo.syntax.grammar import load

    class Build(Transformer[Token, Parsed]):
        def any_number(self, _: list[Any]) -> Parsed:
            return Parsed(None, any_number=True)

        def named(self, children: list[Any]) -> Parsed:
            return Parsed(children[2], variable=str(children[0]))

        def plain(self, children: list[Any]) -> Parsed:
            return Parsed(children[0])

        def binary(self, children: list[Any]) -> Binary:
            return Binary(str(children[1]), children[0], children[2])

        def negative(self, children: list[Any]) -> Negative:
            return Negative(children[1])

        def number(self, children: list[Any]) -> Number:
            return Number(int(children[0].replace("_", "")))

        def name(self, children: list[Any]) -> Variable:
            return Variable(str(children[0]))

        def brackets(self, children: list[Any]) -> Expression:
            inner: Expression = children[1]
            return inner

    return load("expression.lark", Build())


def variables(expression: Expression | None) -> frozenset[str]:
    """The names that stand in an expression."""
    match expression:
        case Variable(name):
            return frozenset({name})
        case Negative(of):
            return variables(of)
        case Binary(_, left, right):
            return variables(left) | variables(right)
        case _:
            return frozenset()


def evaluate(expression: Expression, values: Mapping[str, int]) -> int:
    """The value of an expression, with `values` for its variables.

    Raises ExpressionError for a variable that has none (KeyError is its cause), a division by zero, and too large a number.
    """
    match expression:
        case Number(value):
            result = value
        case Variable(name):
            result = values[name]
        case Negative(of):
            result = -evaluate(of, values)
        case Binary(sign, left, right):
            a, b = evaluate(left, values), evaluate(right, values)
            if sign in "/%" and b == 0:
                raise ExpressionError("it divides by zero")
            result = SIGNS[sign](a, b)
    if abs(result) > LARGEST:
        raise ExpressionError("its value is too large")
    return result
