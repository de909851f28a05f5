"""The language for Pygments, and so for Sphinx, MkDocs, GitLab pages and `pygmentize`: made from the table of `topo/highlight.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, ClassVar

from pygments.lexer import RegexLexer, include
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
    _TokenType,
)

from topo.highlight import RULES, Include, Match, Range, Rule

__all__ = ["TOKENS", "ZtopoLexer"]

TOKENS: dict[str, _TokenType] = {
    "comment": Comment.Single,
    "doc": String.Doc,
    "keyword": Keyword,
    "declared": Name.Class,
    "name": Name,
    "kind": Keyword.Type,
    "type": Name.Builtin,
    "option": Name.Attribute,
    "string": String.Double,
    "escape": String.Escape,
    "endpoint": String.Other,
    "number": Number,
    "unit": Keyword.Pseudo,
    "constant": Keyword.Constant,
    "inserted": String.Interpol,
    "variable": Name.Variable,
    "operator": Operator,
    "punctuation": Punctuation,
}
"""What Pygments calls what is told apart."""

Found = Iterator[tuple[int, _TokenType, str]]
Action = Callable[[RegexLexer, "re.Match[str]"], Found]


def _action(is_: str, groups: Sequence[str | Include]) -> Action:
    """What is yielded for a match: its groups and what lies between them, or all of it."""

    def act(lexer: RegexLexer, match: re.Match[str]) -> Found:
        at = match.start()
        for number, group in enumerate(groups, 1):
            if match[number] is None:
                continue
            if at < match.start(number):
                yield at, Whitespace, match.string[at : match.start(number)]
            yield from _group(lexer, match.start(number), match[number], group)
            at = match.end(number)
        if at < match.end():
            yield at, TOKENS[is_] if is_ else Whitespace, match.string[at : match.end()]

    return act


def _group(lexer: RegexLexer, at: int, text: str, is_: str | Include) -> Found:
    if isinstance(is_, Include):
        for inner, token, value in lexer.get_tokens_unprocessed(text, (f"only {is_.name}",)):
            yield at + inner, token, value
    elif text:
        yield at, Whitespace if text.isspace() else TOKENS[is_], text


NOTHING: list[Any] = [(r"[ \t\r\f]+", Whitespace), (r"\n", Whitespace), (r"[^\n]", Error)]
"""What no rule matches. A line's end is by itself, so that what ends with the line can."""


def _states() -> dict[str, list[Any]]:
    states: dict[str, list[Any]] = {"root": [include("statements"), *NOTHING]}
    numbers = count()

    def converted(rules: Sequence[Rule]) -> Iterator[Any]:
        for rule in rules:
            match rule:
                case Include(name):
                    yield include(name)
                case Match(regex, is_, groups):
                    yield regex, _action(is_, groups)
                case Range(begin, begins, end, ends, inner):
                    name = f"range {next(numbers)}"
                    states[name] = [(end, _action("", ends), "#pop"), *converted(inner), *NOTHING]
                    yield begin, _action("", begins), name

    for name, rules in RULES.items():
        states[name] = list(converted(rules))
        states[f"only {name}"] = [include(name), *NOTHING]
    return states


class ZtopoLexer(RegexLexer):
    """A ztopo text."""

    name = "ztopo"
    aliases: ClassVar[list[str]] = ["ztopo"]
    filenames: ClassVar[list[str]] = ["*.ztopo"]
    mimetypes: ClassVar[list[str]] = ["text/x-ztopo"]
    url = ""
    version_added = ""
    tokens = _states()
