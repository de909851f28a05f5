"""Who of those that are to end has nothing more to do, as a function of what was seen of them.

A device may end once nothing is on its way to it, in its hand, or on its way from it: who has sent stays until that has arrived. Over
flows of ours that is counted. Who receives from others as well listens until nothing has come for a while, at any time since the
wish to stop: so a whole topology in which nothing happens waits only once. On a busy machine a device may not have had the time
to see what has come. So whoever seems quiet is asked to go round once more before it ends. Who is never quiet is paused after some time, so that what
it has passed on can arrive; what still comes to it is lost.

Of an app that counts nobody knows what it has in mind. So it is paused first: a source at once, another when nothing comes to it any
more and it has sent nothing for a while. It ends when all that it has sent has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from topo.run.events import Standing

__all__ = ["Draining", "Verdict"]

Verdict = Literal["wait", "turn", "pause", "end"]

TURNS = 2
"""After so many more turns it has looked at all that was there: the turn under way may have looked before."""


class Draining:
    """What has been seen of all who drain, and what follows for each. Times are those of a clock that never jumps."""

    def __init__(self, silence: float, patience: float) -> None:
        """Who has heard nothing for `silence` seconds is quiet. So that it becomes so is waited `patience` seconds."""
        self._silence = silence
        self._patience = patience
        self.standings: dict[str, Standing] = {}
        self._heard_last: dict[str, float] = {}
        """When each was seen to have heard something, or for the first time."""
        self._turns: dict[str, int] = {}
        """How often each had gone round when it was seen to be silent, of those that are to end."""
        self._due_since: dict[str, float] = {}
        self.told_to_pause: set[str] = set()

    def see(self, standings: Mapping[str, Standing], now: float) -> None:
        """Take note of how some stand now."""
        for name, standing in standings.items():
            before = self.standings.get(name)
            if before is None or before.heard != standing.heard:
                self._heard_last[name] = now
                self._turns.pop(name, None)
            elif name in self._due_since and self._is_silent(name, now):
                self._turns.setdefault(name, standing.turns)
            self.standings[name] = standing

    def begin(self, names: Iterable[str], now: float) -> None:
        """From now on these are to end as soon as they can."""
        self._due_since.update(dict.fromkeys(names, now))

    def verdict(self, name: str, now: float) -> Verdict:
        """What is to be done about one who is to end."""
        standing = self.standings[name]
        if standing.role != "device":
            return self._verdict_of_app(name, standing, now)
        if standing.paused or name in self.told_to_pause:
            return "wait" if standing.going or not standing.paused else "end"
        if not self.is_quiet(name, now):
            if now - self._due_since[name] >= self._patience:
                return "pause"
            return "turn" if self._is_silent(name, now) else "wait"
        return "wait" if standing.left or standing.going else "end"

    def _verdict_of_app(self, name: str, standing: Standing, now: float) -> Verdict:
        has_done = not standing.coming and self.is_quiet(name, now)
        if standing.paused:
            return "end" if has_done and not standing.going else "wait"
        too_long = now - self._due_since[name] >= self._patience
        return "pause" if standing.role == "source" or has_done or too_long else "wait"

    def is_quiet(self, name: str, now: float) -> bool:
        """Whether nothing has come from those whose messages cannot be counted for a while."""
        standing = self.standings[name]
        return not standing.listens or (self._is_silent(name, now) and not self._may_not_have_looked(name, standing))

    def _is_silent(self, name: str, now: float) -> bool:
        return now - self._heard_last[name] >= self._silence

    def _may_not_have_looked(self, name: str, standing: Standing) -> bool:
        """Whether a device that is to end may have something before it that it has not seen, for want of time."""
        if standing.role != "device" or name not in self._due_since:
            return False
        return name not in self._turns or standing.turns < self._turns[name] + TURNS

    def undrained(self, name: str, now: float) -> bool:
        """Whether something is lost, or may be, if it ends now. A device that was paused was never quiet."""
        standing = self.standings[name]
        if standing.role != "device":
            return standing.left
        return standing.left or name in self.told_to_pause or not self.is_quiet(name, now)
