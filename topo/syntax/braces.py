"""Where braces are missing or too many, as the lines tell: what stands in a block begins further right than the line of its brace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lark import Token

from topo.source import Source

__all__ = ["OPENING", "Guess", "indent", "missing", "surplus"]

OPENING = ("LBRACE", "BRACE_BELOW")


class Guess(NamedTuple):
    """A brace that may be the mistake, and the tokens without it."""

    brace: Token
    """The one that is never closed, or the one that closes nothing."""
    at: int
    """The number of the token in front of which a `}` is missing, or of the `}` that is too many."""


def missing(source: Source, tokens: list[Token]) -> Iterator[Guess]:
    """Braces that are open where a line begins no further right than theirs does, and the place where that was to be closed."""
    opened: list[Token] = []
    for at, token in enumerate(tokens):
        if opened and token.type != "NEWLINE" and at and tokens[at - 1].type == "NEWLINE":
            here, there = indent(source, token), indent(source, opened[-1])
            if here < there or (here == there and token.type not in ("RBRACE", "$END")):
                end = at
                while tokens[end - 1].type == "NEWLINE":
                    end -= 1
                yield Guess(opened[-1], end)
        _follow(opened, token)
    if opened:
        yield Guess(opened[-1], len(tokens) - 1)


def surplus(source: Source, tokens: list[Token]) -> Iterator[Guess]:
    """Braces behind which a line begins further right than that of the brace that they close."""
    opened: list[Token] = []
    for at, token in enumerate(tokens):
        if token.type == "RBRACE" and len(opened) == 1 and _goes_on(source, tokens, at + 1, opened[-1]):
            yield Guess(token, at)
        _follow(opened, token)


def _goes_on(source: Source, tokens: list[Token], at: int, brace: Token) -> bool:
    """Whether a line ends there, and the next one stands further right than that of a brace."""
    if tokens[at].type != "NEWLINE":
        return False
    while tokens[at].type == "NEWLINE":
        at += 1
    return tokens[at].type != "$END" and indent(source, tokens[at]) > indent(source, brace)


def _follow(opened: list[Token], token: Token) -> None:
    if token.type in OPENING:
        opened.append(token)
    elif token.type == "RBRACE" and opened:
        opened.pop()


def indent(source: Source, token: Token) -> int:
    """How far right the line of a token begins."""
    text = source.line(source.position(token.start_pos or 0).line).expandtabs(8)
    return len(text) - len(text.lstrip())
