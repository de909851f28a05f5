"""Texts are read by their shapes as Lark reads them whole: the same tokens, the same tree, the same texts refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark
from lark.exceptions import LarkError

from tests.strategies import any_texts, modular_files, right_texts, whole_texts
from topo.source import Source
from topo.syntax import lexer, tree
from topo.syntax.grammar import text as grammar
from topo.syntax.lexer import Lexer, Unreadable
from topo.syntax.parse import Build, parse
from topo.syntax.shapes import LONGEST_SHAPE, STARTS, Misfit, Shapes

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("examples/**/*.ztopo"), *ROOT.glob("tests/corpus/good/*.ztopo")])

BUILD = Build()
WHOLE = Lark(
    grammar("ztopo.lark"),
    parser="lalr",
    lexer="basic",
    maybe_placeholders=True,
    transformer=BUILD,
    lexer_callbacks={"COMMENT": BUILD.comment},
)
SHAPED = Lark(
    grammar("ztopo.lark"), parser="lalr", lexer="basic", maybe_placeholders=True, transformer=Build(), start=list(STARTS)
)
SHAPES = Shapes(SHAPED)

PIECES = 'app a: PUB bind tcp://*:1|device d: queue {|in bind ipc://x|out connect a, b.c|}|{|linger 0, 1|;|\n|## doc|# none|run inside|param x = env("A", 1)'
lines = st.lists(st.sampled_from(PIECES.split("|")), max_size=14).map(lambda pieces: "\n".join(pieces))
"""Lines that follow one another as they like: some are right texts, most are nearly so."""
TERMINALS = {
    **{t.name: st.just(f" {t.pattern.value} ") for t in WHOLE.terminals if t.pattern.type == "str"},
    "NAME": st.sampled_from([" a ", " b-c", " PUB ", "in-a "]),
    "NUMBER": st.sampled_from([" 1 ", " 250ms "]),
    "STRING": st.sampled_from(['"a"', '"#"', '""']),
    "ENDPOINT": st.sampled_from([" tcp://*:1 ", " ipc://a;b#c "]),
    "BRACKET": st.sampled_from(["[1]", "[*]"]),
    "COMMA": st.sampled_from([",", ", # a\n"]),
    "NEWLINE": st.sampled_from(["\n", "\r\n", "\n## doc\n## more\n", " # a comment\n"]),
    "COMMENT": st.just(""),
    "BLANK": st.just(" "),
}
written = from_lark(WHOLE, start="start", explicit=TERMINALS)
"""Right texts, as the grammar itself makes them."""


def whole(source: Source) -> Any:
    """What Lark makes of a text in one go, or None."""
    BUILD.begin(source)
    try:
        return WHOLE.parse(source.text)
    except LarkError:
        return None


def shaped(source: Source) -> Any:
    """What is made of it by its shapes, or None."""
    try:
        return SHAPES.read(source)
    except Misfit:
        return None


def same(text: str) -> bool:
    source = Source(text)
    return bool(shaped(source) == whole(source))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_become_the_same_tree(path: Path) -> None:
    source = Source(path.read_text(encoding="utf-8"))
    assert shaped(source) is not None
    assert shaped(source) == whole(source)


@given(st.one_of(lines, any_texts, right_texts(), modular_files().map(lambda files: files["leaf.ztopo"])))
@settings(deadline=None)
def test_texts_become_the_same_tree_and_the_same_ones_are_refused(text: str) -> None:
    assert same(text)


@given(st.one_of(written, whole_texts))
@settings(deadline=None, max_examples=300)
def test_what_the_grammar_makes_becomes_the_same_tree(text: str) -> None:
    assert shaped(Source(text)) is not None
    assert same(text)


@given(st.one_of(written, any_texts))
@settings(deadline=None)
def test_tokens_are_those_of_the_basic_lexer(text: str) -> None:
    reading = Lexer(WHOLE, seen="COMMENT")
    try:
        expected = [(t.type, str(t), t.start_pos, t.end_pos) for t in WHOLE.lex(text)]
    except LarkError:
        expected = None
    found: list[Any] | None = []
    try:
        for kinds, tokens in reading.read(text):
            assert found is not None
            for kind, token in zip(kinds, tokens, strict=True):
                group = reading.group(kind)
                found.append((reading.names[kind], token[group], token.start(), token.end(group)))
    except Unreadable:
        found = None
    if found is not None:
        found = [token for token in found if token[0] != "COMMENT"]
    assert found == expected


@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
def test_a_statement_may_begin_among_some_tokens_and_end_among_others(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexer, "AT_ONCE", at_once)
    for path in FILES:
        assert same(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("count", [LONGEST_SHAPE, 3 * LONGEST_SHAPE])
def test_a_statement_may_have_any_length(count: int) -> None:
    assert same("app a: SUB bind tcp://*:1 { subscribe " + ", ".join(['"x"'] * count) + " }")


def test_what_was_read_leaves_no_trace_in_what_is_read_next() -> None:
    first, second = (Source(f"## {name}\napp {name}: PUB bind tcp://*:1") for name in ("first", "second"))
    shaped(first)
    (app,) = shaped(second)
    assert (app.name.text, app.doc, app.span.source) == ("second", "second", second)


@pytest.mark.parametrize("depth", [6, 9, 14])
def test_deep_blocks_are_read_by_somebody_else(depth: int) -> None:
    text = "ztopo 1\n" + "app a { " * depth + "}" * depth
    file, said = parse(Source(text))
    assert said == []
    item: Any = file.statements[1]
    for _ in range(depth - 1):
        (item,) = item.block.items
    assert isinstance(item, tree.App)
    assert (shaped(Source(text)) is None) == (depth > 8)
