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
SIGN = 1
"""The group of all terminals that are a single character."""
AT_ONCE = 1024
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
        signs = [t for t in ranked if isinstance(t.pattern, PatternStr) and len(t.pattern.value) == 1]
        skipped = [t for t in ranked if t.name in lark.lexer_conf.ignore and t.name != seen]
        rest = [t for t in ranked if t not in (*words, *signs, *skipped)]
        self.names = ("", "", *(t.name for t in rest), "", *(t.name for t in (*words, *signs)))
        """The terminals by their kinds. What is always the same text, words and signs, is told apart by that, and shares a group."""
        self.kinds = {name: kind for kind, name in enumerate(self.names) if name}
        self._name = self.kinds["NAME"]
        self._none = len(rest) + 2
        self._known = {t.pattern.value: self.kinds[t.name] for t in (*words, *signs)}
        self._groups = {self.kinds[t.name]: SIGN for t in signs} | {self.kinds[t.name]: self._name for t in words}
        sign = "".join(re.escape(t.pattern.value) for t in signs)  # there are many, and nothing else begins with one
        blanks = f"(?:{'|'.join(t.pattern.to_regexp() for t in skipped)})?"
        self._blanks = re.compile(blanks)
        self._tokens = re.compile(f"(?:([{sign}])|{'|'.join(f'({t.pattern.to_regexp()})' for t in rest)}|([\\s\\S])){blanks}")
        assert self._tokens.groups == self._none, "the terminals have no groups of their own"

    def group(self, kind: int) -> int:
        """The group of a match that is the text of a token."""
        return self._groups.get(kind, kind)

    def read(self, text: str) -> Iterator[tuple[bytes, list[Match]]]:
        """The kinds of some tokens and the tokens, then those of the next.

        Raises Unreadable where no token begins.
        """
        blanks = self._blanks.match(text)
        matches = self._tokens.finditer(text, blanks.end() if blanks else 0)
        name, known = self._name, self._known.get
        while tokens := list(islice(matches, AT_ONCE)):
            kinds = bytes([known(m[kind], kind) if (kind := m.lastindex or 0) <= name else kind for m in tokens])
            if self._none in kinds:
                raise Unreadable
            yield kinds, tokens


def _rank(terminal: TerminalDef) -> tuple[int, int, int, str]:
    """The order in which Lark tries terminals."""
    return -terminal.priority, -terminal.pattern.max_width, -len(terminal.pattern.value), terminal.name


def _is_a(word: TerminalDef, name: TerminalDef) -> bool:
    """Whether a terminal is a word that would otherwise be a name."""
    return isinstance(word.pattern, PatternStr) and re.fullmatch(name.pattern.to_regexp(), word.pattern.value) is not None
