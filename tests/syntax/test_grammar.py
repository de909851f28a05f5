"""The grammars build as strictly as Lark can, and every rule is the class it is named after."""

from __future__ import annotations

import re

import lark
import pytest

from topo.syntax import tree
from topo.syntax.grammar import text
from topo.syntax.parse import Build
from topo.syntax.shapes import STARTS

GRAMMARS = {"ztopo.lark": STARTS, "expression.lark": ("start",)}


@pytest.mark.parametrize("name", GRAMMARS)
def test_builds_in_strict_mode_with_the_basic_lexer(name: str) -> None:
    lark.Lark(text(name), start=list(GRAMMARS[name]), parser="lalr", lexer="basic", strict=True)


@pytest.mark.parametrize("name", GRAMMARS)
def test_every_terminal_has_a_name(name: str) -> None:
    parser = lark.Lark(text(name), parser="lalr", lexer="basic")
    assert [t.name for t in parser.terminals if t.name.startswith("__")] == []


def test_every_keyword_is_admitted_as_a_name() -> None:
    grammar = text("ztopo.lark")
    keywords = set(re.findall(r'^([A-Z]+): "[a-z]+"$', grammar, re.MULTILINE))
    admitted = set(re.findall(r"[A-Z]+", grammar[grammar.index("!any_name:") : grammar.index("_sep:")]))
    assert keywords
    assert admitted - {"NAME"} == keywords


def test_every_rule_is_made_by_a_method_and_named_as_its_class() -> None:
    parser = lark.Lark(text("ztopo.lark"), parser="lalr", lexer="basic")
    rules = {str(r.alias or r.origin.name) for r in parser.rules if not str(r.origin.name).startswith("_")}
    inlined = {"statement", "item", "clause", "place", "value", "wait"}
    other_names = {"start", "any_name", "endpoint"}
    for rule in rules - inlined:
        assert hasattr(Build, rule), f"no method makes the rule {rule}"
        if rule not in other_names and rule not in {"text", "number", "interpolation", "star", "file"}:
            assert hasattr(tree, rule.title().replace("_", "")), f"no class is named as the rule {rule}"
