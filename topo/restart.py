"""What a `restart` statement comes to: policy, limits and company, each of them known and possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, get_args

from topo import mistakes
from topo.diagnostic import Diagnostic, Edit, Fix
from topo.model import Company, Policy, Restart
from topo.source import Span
from topo.syntax import tree
from topo.values import Given, Mistake, Numbers, Values

__all__ = ["read"]

POLICIES: dict[str, Policy] = {policy: policy for policy in get_args(Policy)}
COMPANIES: dict[str, Company] = {company: company for company in get_args(Company) if company}
MOST = 10_000
"""The largest limit."""
LONGEST_PERIOD, LONGEST_WAIT = 366 * 24 * 3_600_000, 24 * 3_600_000
"""In milliseconds, as all durations here."""

T = TypeVar("T")


def read(item: tree.Restart, values: Values, numbers: Numbers, say: Callable[[Diagnostic], None]) -> Restart:
    """What the statement says.

    Raises Mistake once all that is wrong with it has been said.
    """
    reading = _Reading(values, numbers, say)
    usual = Restart(item.span, "never")
    policy = reading.word(item.policy, "restart policy", POLICIES, usual.policy)
    limit = reading.limit(item.most, usual.limit)
    period = reading.period(item.period, usual.period)
    waits = reading.waits(item.backoff, item.longest, (usual.backoff, usual.longest))
    company = reading.word(item.company, "company for a restart", COMPANIES, usual.company)
    if reading.wrong:
        raise Mistake
    return Restart(item.span, policy, limit, period, *waits, company, _behind(item) if policy == "never" else None)


def _behind(item: tree.Restart) -> Span | None:
    """What is written behind the policy; in JSON its parts have any order."""
    parts = (item.most, item.period, item.backoff, item.longest, item.company)
    spans = [part.span for part in parts if part is not None]
    return Span(spans[0].source, min(s.start for s in spans), max(s.end for s in spans)) if spans else None


class _Reading:
    """The parts of one statement. A method that finds a mistake says it, and returns what is usual."""

    def __init__(self, values: Values, numbers: Numbers, say: Callable[[Diagnostic], None]) -> None:
        self._values = values
        self._numbers = numbers
        self._say = say
        self.wrong = False

    def word(self, name: tree.Name | None, what: str, known: Mapping[str, T], usual: T) -> T:
        if name is not None and name.text not in known:
            self._fail(mistakes.unknown_policy(name.span, what, tuple(known)))
        return known.get(name.text, usual) if name is not None else usual

    def limit(self, node: tree.Value | None, usual: int) -> int:
        given = self._given(node)
        if node is None or given is None:
            return usual
        if given.kind != "int" or not isinstance(given.value, int) or not 1 <= given.value <= MOST:
            notes = ("that nothing is started again is `restart never`",) if given.value == 0 else ()
            self._fail(mistakes.bad_restart(node.span, f"`max` is a number from 1 to {MOST:,}, not `{given.shown}`", notes))
            return usual
        return given.value

    def period(self, node: tree.Value | None, usual: int) -> int:
        found = self._duration(node, "in", 1, LONGEST_PERIOD) if node is not None else None
        return usual if found is None else found

    def waits(self, node: tree.Value | None, end: tree.Value | None, usual: tuple[int, int]) -> tuple[int, int]:
        """From the second restart on: a range, or always the same."""
        if node is None:
            return usual
        shortest = self._duration(node, "backoff", 0, LONGEST_WAIT)
        longest = self._duration(end, "backoff", 0, LONGEST_WAIT) if end is not None else shortest
        if shortest is None or longest is None:
            return usual
        if end is not None and shortest > longest:
            turned = Fix("turn them around", (Edit(node.span, end.span.text), Edit(end.span, node.span.text)))
            self._fail(mistakes.bad_restart(end.span, "the longest wait is shorter than the first", (), turned))
        elif shortest == 0 < longest:
            notes = ("each wait is twice as long as the one before",)
            self._fail(mistakes.bad_restart(node.span, "a wait of nothing never becomes a longer one", notes))
        return shortest, longest

    def _duration(self, node: tree.Value, what: str, least: int, most: int) -> int | None:
        given = self._given(node)
        if given is None:
            return None
        value = given.value
        if isinstance(value, int) and given.kind == "int" and value > 0:
            fix = Fix(f"write `{value}s`", (Edit(node.span, f"{value}s"),)) if node.span.text == given.shown else None
            self._fail(
                mistakes.bad_restart(node.span, f"`{given.shown}` has no unit", ("a duration is `250ms`, `5s`, `1m`",), fix)
            )
        elif not isinstance(value, int) or given.kind not in ("duration", "int") or not least <= value <= most:
            message = f"behind `{what}` stands a duration from {least}ms to {most // 3_600_000:,}h, not `{given.shown}`"
            self._fail(mistakes.bad_restart(node.span, message))
        else:
            return value
        return None

    def _given(self, node: tree.Value | None) -> Given | None:
        try:
            return self._values.given(node, self._numbers) if node is not None else None
        except Mistake:
            self.wrong = True
            return None

    def _fail(self, diagnostic: Diagnostic) -> None:
        self.wrong = True
        self._say(diagnostic)
