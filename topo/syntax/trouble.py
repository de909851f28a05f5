"""A token that does not fit, with all that is known where it stands: what a mistake is named by."""

from __future__ import annotations

import msgspec
from lark import Token

from topo.source import Source, Span

__all__ = ["ENDS", "SIGNS", "Trouble", "is_word"]

ENDS = ("NEWLINE", "SEMICOLON", "RBRACE", "$END")
"""What a statement may end with."""

SIGNS = {
    "NEWLINE", "SEMICOLON", "LBRACE", "RBRACE", "LPAR", "RPAR", "COLON", "COMMA", "EQUALS", "DOT", "STAR", "BRACKET", "NAME", "NUMBER", "STRING",
    "ENDPOINT", "INTERPOLATION", "$END",
}  # fmt: skip
"""The types of tokens that are no words of the language."""


class Trouble(msgspec.Struct, frozen=True):
    """A token that does not fit."""

    source: Source
    token: Token
    accepted: frozenset[str]
    """The types of the tokens that would."""
    before: tuple[Token, ...]
    """What has been read of the statement."""
    behind: tuple[Token, ...]
    """What follows, to the end of the line."""
    opened: tuple[Token, ...]
    """The braces that are open."""
    state: int
    """The parser's."""

    @property
    def span(self) -> Span:
        """Where the token stands. The end of a line is an empty place."""
        return self.place(self.token)

    @property
    def last(self) -> Token | None:
        """The token in front, if it belongs to the statement."""
        return self.before[-1] if self.before else None

    @property
    def head(self) -> Token:
        """What the statement begins with."""
        return self.before[0] if self.before else self.token

    @property
    def next(self) -> str:
        """The type of the token behind; that of the end of the text if there is none."""
        return self.behind[0].type if self.behind else "$END"

    @property
    def is_word(self) -> bool:
        """Whether the token is a name, or a word of the language."""
        return is_word(self.token)

    @property
    def words(self) -> list[str]:
        """The words of the language that would fit."""
        return sorted(t.lower() for t in self.accepted if t not in SIGNS)

    def place(self, token: Token) -> Span:
        """Where a token stands. Of a comma that goes over the ends of lines only the comma."""
        start, end = token.start_pos or 0, token.end_pos or 0
        if token.type == "NEWLINE":
            end = start
        elif token.type == "COMMA":
            end = start + 1
        return Span(self.source, start, end)

    def gap(self) -> Span:
        """The empty place right behind the token in front."""
        at = (self.last.end_pos or 0) if self.last is not None else self.span.start
        return Span(self.source, at, at)

    def word(self) -> Span:
        """From the token to the next blank, comma, brace or `;`: what the writer took for one word."""
        text, start, end = self.source.text, self.span.start, self.span.start
        while end < len(text) and not text[end].isspace() and text[end] not in ",;{}":
            end += 1
        return Span(self.source, start, end if self.token.type == "OTHER_COMMENT" else max(end, self.span.end))


def is_word(token: Token) -> bool:
    """Whether a token is a name, or a word of the language."""
    return token.type == "NAME" or str(token) == token.type.lower()
