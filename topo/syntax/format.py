"""One style for every text: the same tokens, laid out anew.

The formatter works on tokens, not on the tree, so every comment keeps its place between them. It takes the text apart into
statements, each with the words before its block, the statements in the block, and its comments; and writes them again:

- a statement a line, four blanks to a block, at most one empty line between two;
- the block of a device or of an app with named sockets on lines of its own, with its sides in columns; a block of options on
  the line of its owner where that has room, which ends after 100 columns;
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
from topo.syntax.parse import parse, tokens

__all__ = ["WIDTH", "Usual", "format"]

WIDTH = 100
"""The most columns of a line with a block of options."""
INDENT = "    "
Usual = Mapping[str, Mapping[str, str]]
"""For each kind of device the types that its sides usually have, by side."""

SIDES = ("IN", "OUT", "MONITOR", "CONTROL")
TIGHT_BEFORE = {"COLON", "COMMA", "BRACKET", "DOT", "LPAR", "RPAR"}
TIGHT_AFTER = {"DOT", "LPAR"}
BARE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://(?:\$\{[^}\n]*\}|;(?=[^\s,{}])|[^\s,{};$\"\\]|\$(?!\{))*")
INSERTED = re.compile(r"(?<!\$)\$\{([^}\n]*)\}")


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
    if _plain(file, usual) != _plain(again, usual):
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
        fresh = True  # nothing of `now` is on this line yet
        while self.at < len(self.tokens) and self.tokens[self.at].type != "RBRACE":
            token = self.tokens[self.at]
            self.at += 1
            if token.type == "COMMENT":
                self._comment(token, now, statements, fresh)
                fresh = False
            elif token.type in ("NEWLINE", "SEMICOLON"):
                if now.words:
                    statements.append(now)
                    now = Statement()
                elif token.type == "NEWLINE" and fresh and now.above:
                    now.above.extend([""] if now.above[-1] else [])
                elif token.type == "NEWLINE" and fresh and statements:
                    now.spaced = True
                fresh = token.type == "NEWLINE"
            elif token.type == "LBRACE":
                now.behind = self._behind()
                now.block = self.block()
                self.at += 1
                now.after = self._behind()
            else:
                now.words.append(token)
                fresh = False
        if now.words or now.above:
            statements.append(now)
        if not now.words and now.above and not now.above[-1]:
            now.above.pop()
        return statements

    def _comment(self, token: Token, now: Statement, statements: list[Statement], fresh: bool) -> None:
        text = str(token).rstrip()
        if now.words:
            now.behind = f"{now.behind} {text}".strip() if now.block is None else now.behind
        elif not fresh and statements and not now.above:
            statements[-1].behind = f"{statements[-1].behind} {text}".strip()
        else:
            now.above.append(text)

    def _behind(self) -> str:
        if self.at < len(self.tokens) and self.tokens[self.at].type == "COMMENT":
            self.at += 1
            return str(self.tokens[self.at - 1]).rstrip()
        return ""


# Writing


def _lines(statements: list[Statement], usual: Usual, kind: str = "", depth: int = 0) -> Iterator[str]:
    """The lines of a block, without its indent, which is `depth` deep; `kind` is the device's that it belongs to."""
    first, second = _columns(statements, usual.get(kind, {}))
    for number, statement in enumerate(statements):
        if statement.spaced and number > 0:
            yield ""
        yield from statement.above
        if statement.words:
            yield from _statement(statement, usual, kind, depth, _head(statement.words, usual.get(kind, {}), first, second))


def _columns(statements: list[Statement], types: Mapping[str, str]) -> tuple[int, int]:
    """How wide the first words and the types of a device's sides are."""
    sides = [s.words for s in statements if s.words and s.words[0].type in SIDES]
    if not sides:
        return 0, 0
    words = [s.words[0] for s in statements if s.words and s.words[0].type in (*SIDES, "RUN", "RESTART", "ON")]
    return max(len(w) for w in words), max(len(_type(words_, types)) for words_ in sides)


def _type(words: list[Token], types: Mapping[str, str]) -> str:
    if len(words) > 1 and words[1].type == "NAME":
        return str(words[1])
    return types.get(str(words[0]), "")


def _statement(statement: Statement, usual: Usual, kind: str, depth: int, head: list[str]) -> Iterator[str]:
    if statement.block is None:
        yield from _ending(head, statement.behind)
        return
    one_line = _on_one_line(statement)
    if one_line is not None and depth * len(INDENT) + len(head[-1]) + 1 + len(one_line) <= WIDTH:
        yield from _ending([*head[:-1], f"{head[-1]} {one_line}"], statement.after)
        return
    yield from _ending([*head[:-1], f"{head[-1]} {{"], statement.behind)
    for line in _lines(statement.block, usual, _kind_of(statement), depth + 1):
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
        lines = _head(item.words, {}, 0, 0) if item.words else []
        if item.block is not None or item.above or item.behind or len(lines) != 1:
            return None
        parts.append(lines[0])
    return f"{{ {'; '.join(parts)} }}" if parts else "{ }"


def _head(words: list[Token], types: Mapping[str, str], first: int, second: int) -> list[str]:
    """The words of a statement as lines: more than one only where a comment stands behind a comma."""
    lines = [""]
    in_places = False
    for number, word in enumerate(words):
        text = _text(word, in_places)
        in_places = (in_places or word.type in ("BIND", "CONNECT")) and word.type not in ("SECURED", "AS")
        before = words[number - 1] if number else None
        glued = before is None or word.type in TIGHT_BEFORE or before.type in TIGHT_AFTER
        if (
            word.type == "DOT"
            and before is not None
            and before.type not in ("NAME", "BRACKET")
            and not _is_name(words, number - 1)
        ):
            glued = False
        lines[-1] += text if glued or not lines[-1].strip() else f" {text}"
        if number == 0 and first:
            lines[-1] = f"{lines[-1]:{first}}" if len(words) > 1 else lines[-1]
            if word.type in SIDES and (len(words) == 1 or words[1].type != "NAME") and types.get(str(word)):
                lines[-1] += f" {types[str(word)]:{second}}" if len(words) > 1 else f" {types[str(word)]}"
        if number == 1 and first and words[0].type in SIDES and word.type == "NAME" and len(words) > 2 and words[2].type != "AS":
            lines[-1] = f"{lines[-1]:{first + 1 + second}}"
        if word.type == "COMMA" and "#" in word:
            comments = re.findall(r"#[^\n]*", str(word))
            lines[-1] += f"  {comments[0].rstrip()}"
            lines.extend(INDENT + c.rstrip() for c in comments[1:])
            lines.append(INDENT)
    return lines


def _is_name(words: list[Token], number: int) -> bool:
    """Whether the keyword there stands for a name that a dot continues: it follows a dot, or begins a place."""
    before = words[number - 1] if number else None
    return before is not None and (
        before.type in ("DOT", "CONNECT", "BIND", "COMMA", "ON") or (number == 1 and before.type == "NAME")
    )


def _text(word: Token, in_places: bool) -> str:
    if word.type == "COMMA":
        return ","
    if in_places and word.type == "STRING" and BARE.fullmatch(word[1:-1]):
        return _endpoint(word[1:-1])
    if word.type == "ENDPOINT":
        return _endpoint(word)
    if word.type in ("BRACKET", "INTERPOLATION"):
        start = 1 if word.type == "BRACKET" else 2
        return f"{word[:start]}{_arithmetic(word[start:-1])}{word[-1]}"
    return str(word)


def _endpoint(text: str) -> str:
    return INSERTED.sub(lambda match: f"${{{_arithmetic(match[1])}}}", text)


def _arithmetic(text: str) -> str:
    """Arithmetic with a blank on both sides of each sign that stands between two values."""
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
    return out


# Proving


def _plain(thing: Any, usual: Usual, types: Mapping[str, str] | None = None) -> Any:
    """A tree without places, with the usual types written and quotes around endpoints removed."""
    match thing:
        case tree.File():
            return [_plain(s, usual) for s in thing.statements]
        case tree.Device():
            types = usual.get(thing.kind.text, {})
        case tree.Side() if types and thing.spec.type is None and types.get(thing.side.text):
            named = tree.Name(thing.span, types[thing.side.text])
            thing = msgspec.structs.replace(thing, spec=msgspec.structs.replace(thing.spec, type=named))
        case tree.Bind() | tree.Connect():
            return [type(thing).__name__, [_bare(place) for place in thing.places]]
        case tree.Bracket() | tree.Interpolation():
            return [type(thing).__name__, re.sub(r"\s", "", thing.text)]
        case tree.EndpointText():
            return _bare(thing)
        case tuple():
            return [_plain(item, usual, types) for item in thing]
        case Span():
            return None
        case _:
            pass
    if isinstance(thing, msgspec.Struct):
        return [type(thing).__name__, *(_plain(getattr(thing, name), usual, types) for name in thing.__struct_fields__)]
    return thing


def _bare(place: tree.Place) -> Any:
    match place:
        case tree.EndpointText(_, text) | tree.Text(_, text) if BARE.fullmatch(text):
            return ["endpoint", INSERTED.sub(lambda match: re.sub(r"\s", "", match[0]), text)]
        case _:
            return _plain(place, {})
