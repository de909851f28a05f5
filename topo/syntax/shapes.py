"""Reading a right text at speed: of each shape that statements have, Lark reads one.

What the grammar makes of a statement depends on the kinds of its tokens alone, and the thousands of lines of a large file have a few
such shapes between them. So a text is taken apart into statements, and the first one of each shape goes through Lark, with numbers
in place of its texts and places. What comes back is made into a mould: a function that makes the same of the tokens of any other
statement of that shape. Statements in braces have shapes of their own; around them stands one with empty braces.

Two things of the grammar are known here, and no more: statements, those in a block too, are parted by NEWLINE or SEMICOLON, and
only blocks have braces. Whatever does not fit is a `Misfit`, and read by somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedToken
from msgspec import Struct
from msgspec.structs import replace

from topo.source import Source, Span
from topo.syntax import tree
from topo.syntax.docs import Docs
from topo.syntax.lexer import Lexer, Match, Unreadable

__all__ = ["STARTS", "Misfit", "Shapes"]

STARTS = ("start", "statement", "item")
"""The rules that the grammar is compiled for: a text, and the two that shapes are shapes of."""
MOST_SHAPES = 4096
"""How many moulds are kept."""
LONGEST_SHAPE = 100
"""Of a statement with more tokens than this no mould is kept: there will hardly be another."""
MOST_DEPTH = 8
"""How deep blocks may stand in each other here, and brackets in a statement."""

Blocks = Sequence[tuple[tree.Item, ...]]
Mould = Callable[[Source, Sequence[Match], Blocks], Any]
"""Makes a part of the tree from the tokens of a statement and from what stands in its blocks."""
NUMBERED = re.compile(r"(<*)(\d+)(>*)")
"""A token's text while a mould is made, or what the tree has of it."""


class Misfit(Exception):
    """A text that has a mistake, or is too deep to be read here."""


class _Level:
    """A text or a block being read: its statements so far, and the one that is not complete yet."""

    __slots__ = ("blocks", "kinds", "statements", "tokens")

    def __init__(self) -> None:
        self.statements: list[Any] = []
        self.begin()

    def begin(self) -> None:
        """Begin with a statement."""
        self.kinds = b""
        self.tokens: list[Match] = []
        self.blocks: list[tuple[tree.Item, ...]] = []


class Shapes:
    """Reads texts with what it remembers of the shapes of others; of the texts themselves it remembers nothing."""

    def __init__(self, lark: Lark) -> None:
        """Read with `lark`, which is compiled for `STARTS`."""
        self._lark = lark
        self._lexer = Lexer(lark, seen="COMMENT")
        self._statements: dict[bytes, Mould] = {}
        self._items: dict[bytes, Mould] = {}
        kinds = self._lexer.kinds
        self._comment, self._brace, self._closing = kinds["COMMENT"], kinds["LBRACE"], kinds["RBRACE"]
        signs = bytes(kinds[name] for name in ("LBRACE", "RBRACE", "NEWLINE", "SEMICOLON"))
        self._signs = re.compile(b"[" + re.escape(signs) + b"]")

    def read(self, source: Source) -> tuple[tree.Statement, ...]:
        """The statements of a text. Nobody else may use the parser and what it calls meanwhile.

        Raises Misfit if it cannot be read here.
        """
        docs = Docs(source.text)
        level, around = _Level(), list[_Level]()
        try:
            for kinds, tokens in self._lexer.read(source.text):
                if self._comment in kinds:
                    kinds, tokens = self._without_comments(source, docs, kinds, tokens)
                level = self._take(source, docs, kinds, tokens, level, around)
        except Unreadable:
            raise Misfit from None
        if around:
            raise Misfit
        self._finish(source, docs, level, self._statements)
        return tuple(level.statements)

    def _without_comments(self, source: Source, docs: Docs, kinds: bytes, tokens: list[Match]) -> tuple[bytes, list[Match]]:
        for token in tokens:
            if token.lastindex == self._comment and token[0].startswith("##"):
                docs.note(token.start(), source.position(token.start()).line, token[self._comment])
        return kinds.replace(bytes((self._comment,)), b""), [t for t in tokens if t.lastindex != self._comment]

    def _take(self, source: Source, docs: Docs, kinds: bytes, tokens: list[Match], level: _Level, around: list[_Level]) -> _Level:
        """Go on with some tokens. `around` are the levels that the present one stands in; returns the one that is present then."""
        begin = 0
        for sign in self._signs.finditer(kinds):
            at = sign.start()
            kind = kinds[at]
            if kind == self._brace:
                if len(around) == MOST_DEPTH:
                    raise Misfit
                level.kinds += kinds[begin : at + 1]
                level.tokens += tokens[begin : at + 1]
                begin = at + 1
                around.append(level)
                level = _Level()
                continue
            if level.kinds:
                level.kinds += kinds[begin:at]
                level.tokens += tokens[begin:at]
            elif begin < at:  # nearly always: the statement begins and ends here
                level.kinds = kinds[begin:at]
                level.tokens = tokens[begin:at]
            begin = at + 1
            if level.kinds:
                self._finish(source, docs, level, self._items if around else self._statements)
            if kind == self._closing:
                if not around:
                    raise Misfit
                inner, level = level, around.pop()
                level.kinds += kinds[at:begin]
                level.tokens.append(tokens[at])
                level.blocks.append(tuple(inner.statements))
        level.kinds += kinds[begin:]
        level.tokens += tokens[begin:]
        return level

    def _finish(self, source: Source, docs: Docs, level: _Level, moulds: dict[bytes, Mould]) -> None:
        """The present statement of a level, if there is any, is complete."""
        if not level.kinds:
            return
        mould = moulds.get(level.kinds) or self._mould(level.kinds, moulds)
        node = mould(source, level.tokens, level.blocks)
        if docs and isinstance(node, tree.Param | tree.Device | tree.App):
            node = replace(node, doc=docs.take(node.span.start, source.position(node.span.start).line))
        level.statements.append(node)
        level.begin()

    def _mould(self, kinds: bytes, moulds: dict[bytes, Mould]) -> Mould:
        """A mould for a shape that there is none for."""
        names = [self._lexer.names[kind] for kind in kinds]
        if max(accumulate((name == "LPAR") - (name == "RPAR") for name in names)) > MOST_DEPTH:
            raise Misfit
        parser: Any = self._lark.parse_interactive("", start="item" if moulds is self._items else "statement")
        try:
            for number, name in enumerate(names):
                parser.feed_token(Token(name, f"<<{number}>>", start_pos=number, end_pos=number))
            node = parser.feed_eof()
        except UnexpectedToken:
            raise Misfit from None
        mould = _Caster([self._lexer.group(kind) for kind in kinds]).cast(node)
        if len(kinds) <= LONGEST_SHAPE:
            if len(moulds) >= MOST_SHAPES:
                moulds.clear()
            moulds[kinds] = mould
        return mould


class _Caster:
    """Writes the mould for a statement out of its tree with numbers: `groups` are those of its tokens.

    It is written as Python, as dataclasses are: a node is one call then, and a file has a million nodes. Nothing of a text gets into it.
    """

    def __init__(self, groups: Sequence[int]) -> None:
        self.groups = groups
        self.names: dict[str, Any] = {"Span": Span}
        self.blocks = 0

    def cast(self, node: Any) -> Mould:
        """The mould that makes `node`."""
        made = self._written(node)
        tokens = "".join(f"t{number}, " for number in range(len(self.groups)))
        exec(f"def mould(source, tokens, blocks):\n    {tokens}= tokens\n    return {made}", self.names)
        mould: Mould = self.names["mould"]
        return mould

    def _written(self, value: Any) -> str:
        match value:
            case Span():
                return f"Span(source, t{value.start}.start(), t{value.end}.end({self.groups[value.end]}))"
            case tree.Block():
                self.blocks += 1
                return self._made(value, [self._written(value.span), f"blocks[{self.blocks - 1}]"])
            case Struct():
                return self._made(value, [self._written(getattr(value, name)) for name in value.__struct_fields__])
            case tuple():
                return f"({''.join(f'{self._written(one)}, ' for one in value)})"
            case str() if numbered := NUMBERED.fullmatch(value):
                return self._text(*numbered.groups())
        return repr(value)

    def _made(self, node: Struct, fields: list[str]) -> str:
        name = type(node).__name__
        self.names[name] = type(node)
        return f"{name}({', '.join(fields)})"

    def _text(self, before: str, number: str, behind: str) -> str:
        """What the tree has of a token's text: all of it, or all but some characters at its ends."""
        whole = f"t{number}[{self.groups[int(number)]}]"
        cut = (2 - len(before), len(behind) - 2)
        return whole if cut == (0, 0) else f"{whole}[{cut[0]}:{cut[1] or ''}]"
