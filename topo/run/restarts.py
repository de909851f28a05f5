"""When something is started again, and who with it: pure, and told what time it is.

Times are seconds of a clock that only goes forward and that nobody sets. A `Restarts` belongs to one device or app and hears of
each of its ends. Two things follow from what came before:

- Whether there is another restart: in no `period` are there more than `limit` of them.
- How long that waits: the first one of a row not at all, the second `backoff`, each further one twice as long, up to `longest`.
  A row ends when what was started has run for `period` without a failure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

from topo.plan import RestartPlan

__all__ = ["Restarts", "companions"]


class Restarts:
    """What one device or app has had of restarts. `total` counts them all, `row` those since it last ran for long."""

    def __init__(self, plan: RestartPlan) -> None:
        self.plan = plan
        self.total = 0
        self.row = 0
        self._moments: deque[float] = deque(maxlen=plan.limit)
        """When it was last started again, or will be: no more of them than one looks back at."""

    def ended(self, now: float, *, well: bool) -> float | None:
        """It has ended: after how many seconds it is to be started again. None if that is not asked for, or was too often."""
        if not self.asked_for(well=well):
            return None
        if self._moments and now - self._moments[-1] >= self.plan.period:
            self.row = 0
        delay = self._delay()
        if self._too_often(now + delay):
            return None
        self._moments.append(now + delay)
        self.total += 1
        self.row += 1
        return delay

    def asked_for(self, *, well: bool) -> bool:
        """Whether a restart follows such an end, if there were not too many."""
        return self.plan.policy == "always" or (self.plan.policy == "on-failure" and not well)

    def _delay(self) -> float:
        """Of the next restart. What doubles has come to `longest` long before a float has no more room for it."""
        if self.row == 0:
            return 0.0
        return min(self.plan.backoff * 2.0 ** min(self.row - 1, 64), self.plan.longest)

    def _too_often(self, moment: float) -> bool:
        """Whether a restart at this moment would be one too many."""
        full = len(self._moments) == self.plan.limit
        return full and (self.plan.limit == 0 or moment - self._moments[0] < self.plan.period)


def companions(name: str, also: Literal["", "rest", "all"], names: Sequence[str]) -> tuple[str, ...]:
    """Who ends and starts again with `name`, itself included; `names` are those of the topology, in the order of their declarations.

    What stands in a module has no company outside of it: `all` of `pool.jobs` are those whose names begin with `pool.`.
    They start in this order and end in the opposite one.
    """
    if not also:
        return (name,)
    module = name[: name.rfind(".") + 1]
    first = names.index(name) if also == "rest" else 0
    return tuple(other for other in names[first:] if other.startswith(module))
