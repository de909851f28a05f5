"""One style for every text: the same tokens, laid out anew.

The formatter works on tokens, not on the tree, so every comment keeps its place between them. It takes the text apart into
statements, each with the words before its block, the statements in the block, and its comments; and writes them again:

- a statement a line, four blanks to a block, at most one empty line between two;
- the block of a device or of an app with named sockets on lines of its own, with its sides in columns; a block of options on
  the line of its owner where that has room, which ends after 100 columns;
- what has no room on its line goes on in the next, behind a comma;
- a socket's type is written where the device's kind says it, and an endpoint stands without quotes where it can.

Nothing else changes. `format` proves it on each text before it hands it over: the tree of what it wrote is the tree of what it
read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec
from lark import Token

from topo.diagnostic import Diagnostic, has_errors
from topo.source import Source, Span
from topo.syntax import tree
from topo.syntax.expression import ExpressionError, Parsed
from topo.syntax.expression import parse as parse_expression
from topo.syntax.parse import parse, tokens

__all__ = ["WIDTH", "Usual", "format"]

WIDTH = 100
"""The most columns of a line with a block of options, and of one that can be broken behind a comma."""
INDENT = "    "
Usual = Mapping[str, Mapping[str, str]]
"""For each kind of device the types that its sides usually have, by side."""

SIDES = ("IN", "OUT", "MONITOR", "CONTROL")
IN_COLUMNS = (*SIDES, "RUN", "RESTART", "ON")
"""What begins the statements of a device, whose first words are written as wide as the widest."""
WITH_PLACES = (*SIDES, "SOCKET", "APP")
"""What begins the statements that have binds and connects: a text there is an endpoint."""
BEGINS_VALUE = ("BIND", "CONNECT", "COMMA", "ON", "EQUALS", "LPAR", "DOT")
TIGHT_BEFORE = {"COLON", "COMMA", "BRACKET", "DOT", "LPAR", "RPAR"}
TIGHT_AFTER = {"DOT", "LPAR"}
BARE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://(?:\$\{[^}\n]*\}|;(?=[^\s,{}])|[^\s,{};$\"\\]|\$(?!\{))*")
INSERTED = re.compile(r"\$\$\{|\$\{([^}\n]*)\}")


@dataclass(slots=True)
class Statement:
    """A statement taken apart. A list of statements is a block; the text itself is one."""

    words: list[Token] = field(default_factory=list)
    block: list[Statement] | None = None
    above: list[str] = field(default_factory=list)
    """The comments on lines of their own above it."""
    behind: str = ""
    """The comment at the end of its line, or of the line that opens its block."""
    after: str = ""
    """The comment behind the brace that closes its block."""
    spaced: bool = False
    """Whether an empty line stands above it."""


def format(source: Source, usual: Usual) -> tuple[str, list[Diagnostic]]:
    """The text in the one style, and what is wrong with it; a text with errors is left as it is."""
    file, said = parse(source)
    if has_errors(said):
        return source.text, said
    statements = _Apart(tokens(source)).block()
    text = "".join(f"{line}\n" for line in _lines(statements, usual))
    again, _ = parse(Source(text))
    if _plain(file.statements, {}, usual) != _plain(again.statements, {}, usual):
        raise AssertionError("formatting would have changed what the text means: please report this text")
    return text, said


# Taking apart


class _Apart:
    """The tokens of a text, taken apart into statements."""

    def __init__(self, all_tokens: list[Token]) -> None:
        self.tokens = all_tokens
        self.at = 0

    def block(self) -> list[Statement]:
        """The statements up to the brace that closes this block, or to the end."""
        statements: list[Statement] = []
        now = Statement()
        ended_at = 0  # the line on which the last statement ended
        empty = False  # nothing but blanks and `;` is on this line yet
        while self.at < len(self.tokens) and self.tokens[self.at].type != "RBRACE":
            token = self.tokens[self.at]
            self.at += 1
            match token.type:
                case "COMMENT" if now.words or (statements and ended_at == token.line):
                    (now if now.words else statements[-1]).behind = token.rstrip()
                case "COMMENT":
                    now.above.append(token.rstrip())
                case "NEWLINE" | "SEMICOLON" if now.words:
                    statements.append(now)
                    now = Statement()
                    ended_at = token.line or 0
                case "NEWLINE" if empty and now.above:
                    now.above.extend([""] if now.above[-1] else [])
                case "NEWLINE":
                    now.spaced = now.spaced or (empty and bool(statements))
                case "LBRACE":
                    now.behind = self._behind()
                    now.block = self.block()
                    self.at += 1
                    now.after = self._behind()
                case "SEMICOLON":
                    pass
                case _:
                    now.words.append(token)
            empty = token.type == "NEWLINE" or (empty and token.type == "SEMICOLON")
        if now.words or now.above:
            statements.append(now)
        if not now.words and now.above and not now.above[-1]:
            now.above.pop()
        return statements

    def _behind(self) -> str:
        """The comment behind a brace, if there is one on its line."""
        at = self.at
        while at < len(self.tokens) and self.tokens[at].type == "SEMICOLON":
            at += 1
        if at < len(self.tokens) and self.tokens[at].type == "COMMENT":
            self.at = at + 1
            return self.tokens[at].rstrip()
        return ""


# Writing


@dataclass(frozen=True, slots=True)
class Columns:
    """How the statements of a block stand below each other: the widths of their first words and of the sides' types.

    `types` are those that the sides usually have. Without sides there are no columns.
    """

    first: int = 0
    second: int = 0
    types: Mapping[str, str] = field(default_factory=dict)

    def type(self, words: list[Token]) -> str:
        """The type of a side, written or usual."""
        if len(words) > 1 and words[1].type == "NAME":
            return str(words[1])
        return "" if any(word.type == "SAME" for word in words) else self.types.get(str(words[0]), "")


NO_COLUMNS = Columns()


def _lines(statements: list[Statement], usual: Usual, kind: str = "", depth: int = 0) -> Iterator[str]:
    """The lines of a block, without its indent, which is `depth` deep; `kind` is the device's that it belongs to."""
    columns = _columns(statements, usual.get(kind, {}))
    for number, statement in enumerate(statements):
        if statement.spaced and number > 0:
            yield ""
        yield from statement.above
        if statement.words:
            yield from _statement(statement, usual, columns, depth)


def _columns(statements: list[Statement], types: Mapping[str, str]) -> Columns:
    heads = [s.words for s in statements if s.words and s.words[0].type in IN_COLUMNS]
    sides = [words for words in heads if words[0].type in SIDES]
    if not sides:
        return NO_COLUMNS
    usual = Columns(types=types)
    return Columns(max(len(words[0]) for words in heads), max(len(usual.type(words)) for words in sides), types)


def _statement(statement: Statement, usual: Usual, columns: Columns, depth: int) -> Iterator[str]:
    width = WIDTH - depth * len(INDENT)
    block = statement.block
    head = _head(statement.words, columns, width if block is None else width - 2)
    if block is None:
        yield from _ending(head, statement.behind)
        return
    one_line = _on_one_line(statement)
    if one_line is not None and len(head[-1]) + 1 + len(one_line) <= width:
        yield from _ending([*head[:-1], f"{head[-1]} {one_line}"], statement.after)
        return
    yield from _ending([*head[:-1], f"{head[-1]} {{"], statement.behind)
    for line in _lines(block, usual, _kind_of(statement), depth + 1):
        yield INDENT + line if line else ""
    yield from _ending(["}"], statement.after)


def _ending(lines: list[str], comment: str) -> Iterator[str]:
    yield from lines[:-1]
    yield f"{lines[-1]}  {comment}" if comment else lines[-1]


def _kind_of(statement: Statement) -> str:
    words = statement.words
    if words[0].type != "DEVICE":
        return ""
    return next((str(word) for colon, word in pairwise(words) if colon.type == "COLON"), "")


def _on_one_line(statement: Statement) -> str | None:
    """A block of options as it stands on its owner's line, or None where it cannot."""
    block = statement.block
    if block is None or statement.behind or statement.words[0].type in ("DEVICE", "PROCESS"):
        return None
    if statement.words[0].type == "APP" and not any(w.type == "COLON" for w in statement.words):
        return None
    parts = []
    for item in block:
        if item.block is not None or item.above or item.behind:
            return None
        lines = _head(item.words, NO_COLUMNS, WIDTH)
        if len(lines) != 1:
            return None
        parts.append(lines[0])
    return f"{{ {'; '.join(parts)} }}" if parts else "{ }"


def _head(words: list[Token], columns: Columns, width: int) -> list[str]:
    """The words of a statement as lines: more than one where a comment stands behind a comma, or where one has no room.

    A line is broken only behind a comma, where the language lets it go on.
    """
    lines = [""]
    comments: list[str] = []  # those behind the last comma
    for text, behind in _chunks(words, columns):
        if comments:
            lines[-1] += f"  {comments[0]}"
            lines.extend(INDENT + comment for comment in comments[1:])
        if comments or (lines[-1] and len(lines[-1]) + 1 + len(text) > width):
            lines.append(INDENT + text)
        else:
            lines[-1] += f" {text}" if lines[-1] else text
        comments = behind
    return lines


def _chunks(words: list[Token], columns: Columns) -> Iterator[tuple[str, list[str]]]:
    """The words of a statement, up to each comma and to the end, with the comments behind that comma."""
    text = ""
    places = words[0].type in WITH_PLACES or _is_endpoint_param(words)
    for number, word in enumerate(words):
        text += _text(word, places) if not text or _is_tight(words, number) else f" {_text(word, places)}"
        if columns.first and len(words) > 1:
            text = _in_columns(text, words, number, columns)
        elif columns.first and word.type in SIDES and columns.type(words):
            text += f"{'':{columns.first - len(word)}} {columns.type(words)}"
        if word.type == "COMMA":
            yield text, [comment.rstrip() for comment in re.findall(r"#[^\n]*", str(word))]
            text = ""
    yield text, []


def _in_columns(text: str, words: list[Token], number: int, columns: Columns) -> str:
    """What is written so far, with blanks up to the next column, and with the usual type where none is written."""
    kind = words[0].type
    if number == 0 and kind in IN_COLUMNS:
        text = f"{text:{columns.first}}"
        if kind in SIDES and words[1].type != "NAME" and columns.type(words):
            text += f" {columns.type(words):{columns.second}}"
    elif number == 1 and kind in SIDES and words[1].type == "NAME" and len(words) > 2 and words[2].type != "AS":
        text = f"{text:{columns.first + 1 + columns.second}}"
    return text


def _is_endpoint_param(words: list[Token]) -> bool:
    """Whether it is `param NAME: endpoint = ...`, whose text is an endpoint."""
    return words[0].type == "PARAM" and [w.type for w in words[2:3]] == ["COLON"] and words[3] == "endpoint" and len(words) == 6


def _is_tight(words: list[Token], number: int) -> bool:
    """Whether no blank stands in front of a word."""
    before, word = words[number - 1], words[number]
    if word.type == "DOT":
        of_range = "DOT" in (before.type, words[number + 1].type)
        return of_range or not _begins_reference(words, number)
    if before.type == "ENDPOINT" and word.type == "RPAR":
        return False  # it would be a part of the endpoint
    return word.type in TIGHT_BEFORE or before.type in TIGHT_AFTER


def _begins_reference(words: list[Token], number: int) -> bool:
    """Whether the dot there is the first of a reference, `.own.socket`, and not one within."""
    before = words[number - 1]
    if before.type == "BRACKET":
        return False
    if number == 1 or before.type in ("EQUALS", "LPAR", "COMMA"):
        return True
    first = number == 2 and words[0].type == "NAME"  # the first word of an option's value
    return before.type != "NAME" and not first and words[number - 2].type not in BEGINS_VALUE


def _text(word: Token, places: bool) -> str:
    if word.type == "COMMA":
        return ","
    if places and word.type == "STRING" and BARE.fullmatch(word[1:-1]):
        return _endpoint(word[1:-1])
    if word.type == "ENDPOINT":
        return _endpoint(word)
    if word.type in ("BRACKET", "INTERPOLATION"):
        start = 1 if word.type == "BRACKET" else 2
        return f"{word[:start]}{_arithmetic(word[start:-1])}{word[-1]}"
    return str(word)


def _endpoint(text: str) -> str:
    return INSERTED.sub(lambda match: match[0] if match[1] is None else f"${{{_arithmetic(match[1])}}}", text)


def _arithmetic(text: str) -> str:
    """Arithmetic with a blank on both sides of each sign that stands between two values.

    What cannot be read, or could not with so many blanks, stays as it is.
    """
    read = _read(text)
    if isinstance(read, str):
        return text
    parts = re.findall(r"[A-Za-z0-9_]+|[^\sA-Za-z0-9_]", text)
    out = ""
    value = False  # whether a value has just ended, so that a sign stands between two
    for part in parts:
        if part in "+-*/%" and value:
            out += f" {part} "
            value = False
        else:
            out += f"{part} " if part == ":" else part
            value = part not in "+-*/%(:"
    return out if _read(out) == read else text


def _read(text: str) -> Parsed | str:
    """What arithmetic says; of what is none, the text."""
    try:
        return parse_expression(text)
    except ExpressionError:
        return text


# Proving


def _plain(thing: Any, types: Mapping[str, str], usual: Usual) -> Any:
    """A tree without places, with the usual types written, quotes around endpoints removed, and arithmetic read."""
    match thing:
        case tree.Device():
            types = usual.get(thing.kind.text, {})
        case tree.Side(spec=spec) if spec.type is None and not any(isinstance(c, tree.Same) for c in spec.clauses):
            named = tree.Name(thing.span, types.get(thing.side.text, ""))
            thing = msgspec.structs.replace(thing, spec=msgspec.structs.replace(spec, type=named if named.text else None))
        case tree.Bind(places=places) | tree.Connect(places=places):
            return [type(thing).__name__, [_bare(place) for place in places]]
        case tree.Param(type=tree.Name(text="endpoint"), default=tree.Text() | tree.EndpointText() as default):
            return [thing.name.text, _bare(default), thing.doc]
        case tree.Bracket() | tree.Interpolation():
            return [type(thing).__name__, _read(thing.text)]
        case tree.EndpointText():
            return _bare(thing)
        case tuple():
            return [_plain(item, types, usual) for item in thing]
        case Span():
            return None
        case _:
            pass
    if isinstance(thing, msgspec.Struct):
        return [type(thing).__name__, *(_plain(getattr(thing, name), types, usual) for name in thing.__struct_fields__)]
    return thing


def _bare(place: tree.Value | tree.Place) -> Any:
    match place:
        case tree.EndpointText(_, text):
            return ["endpoint", _endpoint(text)]
        case tree.Text(_, raw) if BARE.fullmatch(raw):
            return ["endpoint", _endpoint(raw)]
        case _:
            return _plain(place, {}, {})
