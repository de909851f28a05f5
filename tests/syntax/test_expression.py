"""Arithmetic in brackets and in ${...}."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo.syntax.expression import (
    LARGEST,
    LONGEST,
    Binary,
    Expression,
    ExpressionError,
    Negative,
    Number,
    Variable,
    evaluate,
    parse,
)


def value(text: str, **values: int) -> int:
    expression = parse(text).expression
    assert expression is not None
    return evaluate(expression, values)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1", 1),
        ("1 + 2 * 3", 7),
        ("(1+2)*3", 9),
        ("7 % 4", 3),
        ("-7 / 2", -4),
        ("10 - 3 - 2", 5),
        ("index-1", 4),
        ("(index + 1) % 4", 2),
        ("1_000", 1000),
    ],
)
def test_values(text: str, result: int) -> None:
    assert value(text, index=5) == result


def test_forms_that_only_declarations_have() -> None:
    assert parse("*").any_number
    named = parse("i: 3")
    assert (named.variable, named.expression) == ("i", Number(3))


@pytest.mark.parametrize(
    "text", ["", "+", "1 +", "(1", "1 2", "a b", "*1", "1 / 0", "9999999999999999999", f"{LARGEST} + 1", "1" * (LONGEST + 1)]
)
def test_what_has_no_value(text: str) -> None:
    with pytest.raises(ExpressionError):
        value(text, a=1, b=2)


def expressions() -> st.SearchStrategy[Expression]:
    leaves: st.SearchStrategy[Expression] = st.integers(0, 99).map(Number) | st.sampled_from(["a", "b"]).map(Variable)
    return st.recursive(
        leaves,
        lambda inner: st.builds(Negative, inner) | st.builds(Binary, st.sampled_from(list("+-*/%")), inner, inner),
        max_leaves=8,
    )


def written(expression: Expression) -> str:
    match expression:
        case Number(value):
            return str(value)
        case Variable(name):
            return name
        case Negative(of):
            return f"-({written(of)})"
        case Binary(sign, left, right):
            return f"({written(left)}) {sign} ({written(right)})"


@given(expressions())
def test_reading_what_is_written_gives_it_back(expression: Expression) -> None:
    text = written(expression)
    if len(text) <= LONGEST:
        assert parse(text).expression == expression
