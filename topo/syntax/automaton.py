"""The parser without values: which tokens would fit, and what would then.

Lark's parser reduces what it has read before it finds that a token does not fit, and is then in another state, in which less
fits. Here nothing changes: a stack of states goes in, another comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lark.parsers.lalr_analysis import Shift

__all__ = ["Automaton", "Stuck"]


class Stuck(Exception):
    """A token does not fit. `stack` are the states after all that can be reduced in front of it."""

    def __init__(self, stack: list[Any]) -> None:
        super().__init__()
        self.stack = stack


class Automaton:
    """The states of a parser, and how it goes from one to another."""

    def __init__(self, states: Mapping[Any, Mapping[str, tuple[Any, Any]]], end: Any) -> None:
        self._states = states
        self._end = end

    def feed(self, stack: Sequence[Any], kind: str) -> list[Any]:
        """The states behind a token of some type.

        Raises Stuck if none fits there.
        """
        states, after = self._states, list(stack)
        while True:
            action, to = states[after[-1]].get(kind, (None, None))
            if action is None:
                raise Stuck(after)
            if action is Shift:
                after.append(to)
                return after
            if to.expansion:
                del after[-len(to.expansion) :]
            after.append(states[after[-1]][to.origin.name][1])
            if kind == "$END" and after[-1] == self._end:
                return after

    def fits(self, stack: Sequence[Any], kinds: Iterable[str]) -> bool:
        """Whether tokens of these types fit, one after the other."""
        after = list(stack)
        try:
            for kind in kinds:
                after = self.feed(after, kind)
        except Stuck:
            return False
        return True

    def accepted(self, stack: Sequence[Any]) -> frozenset[str]:
        """The types of the tokens that fit."""
        return frozenset(kind for kind in self._states[stack[-1]] if kind.isupper() and self.fits(stack, (kind,)))
