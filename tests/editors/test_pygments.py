"""The Pygments lexer sees what the parser sees, in every text of the project and in texts of the whole grammar."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Error, Whitespace

from tests.classes import classes
from tests.strategies import any_texts, whole_texts
from tests.texts import every_text
from tests.whole import relaid
from topo.pygments_lexer import TOKENS, ZtopoLexer
from topo.source import Source
from topo.syntax.parse import parse

RIGHT = {name: text for name, text in every_text().items() if not parse(Source(text))[1]}
NAMES = {token: name for name, token in TOKENS.items()}


def seen(text: str) -> list[str]:
    """What the lexer says that each character is."""
    found = [""] * len(text)
    for at, token, value in ZtopoLexer().get_tokens_unprocessed(text):
        assert text[at : at + len(value)] == value
        found[at : at + len(value)] = [NAMES.get(token, "")] * len(value)
    return found


def differences(text: str) -> list[tuple[str, str, str]]:
    """The characters that the lexer takes for something else than the parser, in runs."""
    told: list[tuple[str, str, str]] = []
    for character, ours, theirs in zip(text, seen(text), classes(text), strict=True):
        if ours != theirs and not character.isspace():
            if told and told[-1][1:] == (ours, theirs):
                told[-1] = (told[-1][0] + character, ours, theirs)
            else:
                told.append((character, ours, theirs))
    return told


@pytest.mark.parametrize("name", RIGHT)
def test_every_text_of_the_project(name: str) -> None:
    assert differences(RIGHT[name]) == []
    assert differences(relaid(Random(1), RIGHT[name])) == []


@given(whole_texts)
def test_texts_of_the_whole_grammar(text: str) -> None:
    assert differences(text) == []


@given(any_texts)
def test_any_text_is_coloured_whole(text: str) -> None:
    assert "".join(value for _, _, value in ZtopoLexer().get_tokens_unprocessed(text)) == text


def test_a_right_text_has_nothing_unknown() -> None:
    for text in RIGHT.values():
        tokens = {token for _, token, _ in ZtopoLexer().get_tokens_unprocessed(text)}
        assert tokens - {Whitespace} <= set(TOKENS.values())


def test_a_wrong_word_is_marked() -> None:
    assert (8, Error, "?") in list(ZtopoLexer().get_tokens_unprocessed("ztopo 1\n? a"))


def test_pygments_finds_it() -> None:
    assert isinstance(get_lexer_by_name("ztopo"), ZtopoLexer)
    assert isinstance(get_lexer_for_filename("system.ztopo"), ZtopoLexer)
