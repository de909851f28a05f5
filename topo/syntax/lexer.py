"""The terminals of a grammar as one regular expression.

It finds the tokens that Lark's basic lexer finds, in the order of rank that Lark gives the terminals, and a token costs a match instead of
a `Token`: what stands there and where it is, is asked of the match by those who want to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from lark.lexer import PatternStr

if TYPE_CHECKING:
    from lark import Lark
    from lark.lexer import TerminalDef

__all__ = ["Lexer", "Match", "Unreadable"]

Match = re.Match[str]
AT_ONCE = 4096
"""How many tokens are taken apart at a time: many, for the sake of speed; not all, for that of memory."""


class Unreadable(Exception):
    """No token begins where the next one should."""


class Lexer:
    """Takes texts apart.

    A token is a match, and its kind the number of a terminal: `kinds` and `names` translate. Its text is the group `group(kind)` of the
    match; the match itself has the blanks behind it as well.
    """

    def __init__(self, lark: Lark, seen: str) -> None:
        """Use the terminals of `lark`. What it ignores is passed over, except for the terminal `seen`, which is dealt with by the caller."""
        ranked = sorted(lark.terminals, key=_rank)
        name = next(t for t in ranked if t.name == "NAME")
        words = [t for t in ranked if _is_a(t, name)]
        skipped = [t for t in ranked if t.name in lark.lexer_conf.ignore and t.name != seen]
        rest = [t for t in ranked if t not in words and t not in skipped]
        self.names = ("", *(t.name for t in rest), "", *(t.name for t in words))
        """The terminals by their kinds."""
        self.kinds = {name: kind for kind, name in enumerate(self.names) if name}
        self._name = self.kinds["NAME"]
        self._none = len(rest) + 1
        self._words = {t.pattern.value: self.kinds[t.name] for t in words}
        blanks = f"(?:{'|'.join(t.pattern.to_regexp() for t in skipped)})*"
        self._blanks = re.compile(blanks)
        self._tokens = re.compile(f"(?:{'|'.join(f'({t.pattern.to_regexp()})' for t in rest)}|([\\s\\S])){blanks}")
        assert self._tokens.groups == self._none, "the terminals have no groups of their own"

    def group(self, kind: int) -> int:
        """The group of a match that is the text of a token."""
        return kind if kind < self._none else self._name

    def read(self, text: str) -> Iterator[tuple[bytes, list[Match]]]:
        """The kinds of some tokens and the tokens, then those of the next.

        Raises Unreadable where no token begins.
        """
        blanks = self._blanks.match(text)
        matches = self._tokens.finditer(text, blanks.end() if blanks else 0)
        name, kind_of = self._name, self._words.get
        while tokens := list(islice(matches, AT_ONCE)):
            kinds = bytes([kind if (kind := m.lastindex or 0) != name else kind_of(m[name], name) for m in tokens])
            if self._none in kinds:
                raise Unreadable
            yield kinds, tokens


def _rank(terminal: TerminalDef) -> tuple[int, int, int, str]:
    """The order in which Lark tries terminals."""
    return -terminal.priority, -terminal.pattern.max_width, -len(terminal.pattern.value), terminal.name


def _is_a(word: TerminalDef, name: TerminalDef) -> bool:
    """Whether a terminal is a word that would otherwise be a name."""
    return isinstance(word.pattern, PatternStr) and re.fullmatch(name.pattern.to_regexp(), word.pattern.value) is not None
