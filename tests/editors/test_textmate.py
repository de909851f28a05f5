"""The TextMate grammar is written from the table, and a TextMate engine with Oniguruma sees in it what the parser sees."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest
from textmate_grammar.parsers.base import LanguageParser

from tests.classes import classes
from tests.texts import every_text
from topo import highlight, values
from topo.source import Source
from topo.syntax.grammar import text as grammar_text
from topo.syntax.parse import parse

GRAMMAR = Path(__file__).parents[2] / "grammar" / "ztopo.tmLanguage.json"
RIGHT = {name: text for name, text in every_text().items() if not parse(Source(text))[1]}
NAMES = {f"{scope}.ztopo": name for name, scope in highlight.SCOPES.items()}

logging.getLogger("textmate_grammar").setLevel(logging.CRITICAL)  # it tells of itself


@lru_cache(maxsize=1)
def engine() -> LanguageParser:
    return LanguageParser(json.loads(GRAMMAR.read_text(encoding="utf-8")))


def seen(text: str) -> list[str]:
    """What the grammar says that each character is."""
    found = [""] * len(text)
    source = Source(text)
    for (line, column), token, scopes in engine().parse_string(text).flatten():
        at = source.starts[line] + column
        found[at : at + len(token)] = [next((NAMES[s] for s in reversed(scopes) if s in NAMES), "")] * len(token)
    return found


def test_the_grammar_is_that_of_the_table(golden: Callable[[Path, str], None]) -> None:
    golden(GRAMMAR, json.dumps(highlight.textmate(), indent=2) + "\n")


@pytest.mark.parametrize("name", RIGHT)
def test_every_text_of_the_project(name: str) -> None:
    text = RIGHT[name]
    told = [
        (at, character, ours, theirs)
        for at, (character, ours, theirs) in enumerate(zip(text, seen(text), classes(text), strict=True))
        if ours != theirs and not character.isspace()
    ]
    assert told == []


def test_the_texts_have_everything_that_is_told_apart() -> None:
    assert {is_ for text in RIGHT.values() for is_ in classes(text)} == {"", *highlight.SCOPES}


def test_the_keywords_are_those_of_the_grammar() -> None:
    assert sorted(highlight.keywords()) == sorted(re.findall(r'^[A-Z]+: "([a-z]+)"$', grammar_text("ztopo.lark"), re.MULTILINE))


def test_the_units_are_those_of_values() -> None:
    assert set(highlight.UNITS) == {*values.DURATIONS, *values.SIZES}


@pytest.mark.parametrize("name", highlight.RULES)
def test_regular_expressions_mean_the_same_to_python_and_oniguruma(name: str) -> None:
    """Nothing that only one of them has, and no blank or group that one counts and the other does not."""
    for rule in highlight.RULES[name]:
        for regex in (
            (rule.regex,)
            if isinstance(rule, highlight.Match)
            else (rule.begin, rule.end)
            if isinstance(rule, highlight.Range)
            else ()
        ):
            assert not re.search(r"\\[ABGKRXZzhHpP]|\(\?[^:=!<]|\(\?<[^=!]|[*+?]\+", regex)
