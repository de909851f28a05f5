"""Changing what runs, step by step, as a plan of changes says: all of it, or nothing.

A change is carried out in a thread of its own, one at a time; the next one waits for its turn. It was planned for what ran at that
moment, and is refused if the world has moved since. After each step what is wanted is what holds by then, so whatever dies in the
middle starts again as it has to be. If a step cannot be done, or whoever wanted the change does no longer, everything done so far is
taken back, the last first, and what could not be is said.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from topo.differences import bound_by_apps
from topo.links import Flow, Links
from topo.plan import Plan
from topo.run.events import ChangeBegun, Changed, ChangeOver, ChangeStep, Changing, RolledBack
from topo.run.hands import Hands, Patience, Stuck, Undoable, Unsure
from topo.run.moment import Moment
from topo.source import Source
from topo.steps import (
    ChangePlan,
    Connect,
    Disconnect,
    Empty,
    End,
    Noticed,
    Pause,
    Resume,
    Start,
    Step,
    after,
    inverse,
    said,
    where,
)

if TYPE_CHECKING:
    from topo.run.supervisor import Supervisor

__all__ = ["Change", "Changer", "Moved", "summary"]

HAS_MOVED = "the world has moved: something has started, ended or changed since this was planned"


TRIES = 20
"""So often a change is begun that finds messages on the way back each time."""
PARTING = (Disconnect, End)
"""The steps after which connections end that others have to notice."""


class Moved(Exception):
    """What runs is no longer what the change was planned for."""


class Change:
    """A change that is being carried out, or waits for its turn. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self.over = Moment()
        self.withdrawn = threading.Event()
        """Whether it is no longer wanted."""
        self._rolled_back: RolledBack | None = None
        self._raised: BaseException | None = None

    def withdraw(self) -> None:
        """It is no longer wanted: if it is not done yet, take back what is."""
        self.withdrawn.set()

    def result(self) -> RolledBack | None:
        """None if it is done; else what could not be done. Waits until it is over; who is interrupted meanwhile withdraws it.

        Raises `Moved` if it was refused, RuntimeError at the end of the topology.
        """
        try:
            self.over.wait()
        except BaseException:
            self.withdraw()
            self.over.wait()
            raise
        if self._raised is not None:
            raise self._raised
        return self._rolled_back

    def run(self, work: Callable[[], RolledBack | None]) -> None:
        """Let this be how it comes out."""
        try:
            self._rolled_back = work()
        except BaseException as error:  # raised again in the thread that waits
            self._raised = error
        finally:
            self.over.set()


class Changer:
    """Changes one topology. Its methods may be called from any thread but that of the supervisor's loop."""

    def __init__(self, supervisor: Supervisor, patience: Patience | None = None) -> None:
        self._supervisor = supervisor
        self._patience = patience or Patience()
        self.turn = threading.Lock()
        """Held by whoever changes something."""

    def begin(self, change: ChangePlan, sources: Mapping[str, Source] | None = None) -> Change:
        """Begin a change, as soon as it is its turn. `sources` are the texts that the places of the new plan are in."""
        begun = Change()
        work = partial(self._in_turn, change, sources or {}, begun.withdrawn)
        threading.Thread(target=begun.run, args=(work,), name="ztopo change", daemon=True).start()
        return begun

    def _in_turn(self, change: ChangePlan, sources: Mapping[str, Source], withdrawn: threading.Event) -> RolledBack | None:
        with self.turn:
            before = self._supervisor.call(lambda loop: _open(loop, change, sources))
            hands = Hands(self._supervisor, self._patience, withdrawn)
            try:
                return Work(self._supervisor, hands, before).do(change, withdrawn)
            finally:
                self._supervisor.post(ChangeOver())


class Before(NamedTuple):
    """What was wanted before a change, and the texts that this is in."""

    plan: Plan
    sources: Mapping[str, Source]


class Work:
    """A change that is being carried out."""

    def __init__(self, supervisor: Supervisor, hands: Hands, before: Before) -> None:
        self._supervisor = supervisor
        self._hands = hands
        self._before = before
        self._plan = before.plan
        self._done: list[Step] = []
        self._now: Step | None = None
        """The step that is being done."""
        self._unsure: Unsure | None = None
        """Why it is not known whether the last of these is done."""

    def do(self, change: ChangePlan, withdrawn: threading.Event) -> RolledBack | None:
        """All of it, or nothing. Where two ways could not be empty at the same moment, another moment may do."""
        for left_to_try in reversed(range(TRIES)):
            try:
                self._do_all(change, withdrawn)
            except Undoable as error:
                rolled_back = self._take_back(error, change.wanted)
                if isinstance(error, Stuck) and left_to_try and not rolled_back.left:
                    continue
                self._supervisor.call(lambda loop: loop.know(self._before.sources))
                self._tell(rolled_back)
                return rolled_back
            break
        self._supervisor.adopt(change.wanted)
        self._tell(Changed(summary(change)))
        return None

    def _do_all(self, change: ChangePlan, withdrawn: threading.Event) -> None:
        watched = tuple(socket for step in change.steps if isinstance(step, Noticed) for socket in step.sockets)
        self._plan, self._done, self._unsure = self._before.plan, [], None
        try:
            for number, planned in enumerate(change.steps, 1):
                step = self._now = self._hands.resolved(planned)
                self._supervisor.post(ChangeStep(number, said(step), where(step)))
                if withdrawn.is_set():
                    raise Undoable("it is no longer wanted")
                if watched and isinstance(step, PARTING) and not any(isinstance(d, PARTING) for d in self._done):
                    self._hands.watch(watched)
                self._do(step)
        finally:
            self._hands.unwatch(watched)

    def _do(self, step: Step) -> None:
        plan = after(self._plan, step)
        try:
            step = self._hands.do(step, plan)
        except Unsure as unsure:
            self._done.append(step)
            self._plan = plan
            self._unsure = unsure
            raise
        self._done.append(step)
        self._plan = plan

    def _take_back(self, error: Undoable, wanted: Plan) -> RolledBack:
        """Take back what is done, as far as that can be done."""
        with self._hands.insisting():
            left = self._all_taken_back(wanted)
        self._supervisor.adopt(self._before.plan)
        failed = self._now
        return RolledBack(said(failed) if failed else "begin", str(error), where(failed) if failed else "", tuple(left))

    def _all_taken_back(self, wanted: Plan) -> list[str]:
        """What is left."""
        left: list[str] = []
        done, last = self._done[::-1], self._done[-1:]
        counting = self._supervisor.joined.sockets
        noticing = tuple(_noticing(done, {at: id for at, id in bound_by_apps(self._plan).items() if id in counting}))
        with self._leaving(left):
            self._hands.watch(noticing)
        for step in done:
            back = inverse(step)
            if back is None:
                continue
            if isinstance(back, Resume):
                with self._leaving(left):
                    self._hands.do(Noticed(noticing), self._plan)
            self._plan = after(self._plan, back)
            if not (step in last and self._never_told()):
                with self._leaving(left, back):
                    self._hands.do(back, self._plan)
            if isinstance(back, Pause):
                for flow in _flows(back.senders, wanted):
                    with self._leaving(left):
                        self._hands.do(Empty(flow), self._plan)
        self._hands.unwatch(noticing)
        return left

    @contextmanager
    def _leaving(self, left: list[str], step: Step | None = None) -> Iterator[None]:
        """What cannot be done within the block is left as it is, and said."""
        try:
            yield
        except Undoable as why:
            left.append(f"{said(step)}: {why}" if step is not None else str(why))

    def _never_told(self) -> bool:
        """Whether the device of the last step lives a life in which nobody told it of that."""
        return self._unsure is not None and self._hands.life(self._unsure.device) != self._unsure.life

    def _tell(self, event: Changed | RolledBack) -> None:
        self._supervisor.call(lambda loop: loop.take(event))


def _noticing(done: Iterable[Step], apps: Mapping[str, str]) -> Iterator[str]:
    """The sockets to which the steps have connected something, once for each: they lose it when that is taken back.

    `apps` are those of apps that count, by where one connects to them.
    """
    for step in done:
        sockets = [s for lodger in step.devices for s in lodger.device.sockets] if isinstance(step, Start) else []
        connects = [step.connect] if isinstance(step, Connect) else [c for s in sockets for c in s.connects]
        for connect in connects:
            peer = connect.origin.socket if connect.origin is not None else apps.get(connect.endpoint, "")
            if peer and not connect.endpoint.startswith("inproc:"):
                yield peer


def _flows(senders: Iterable[str], wanted: Plan) -> tuple[Flow, ...]:
    """Where these send to once that is wanted, as far as it is counted."""
    links = Links(wanted)
    found = (links.out_of.get(sender) for sender in senders)
    return tuple(dict.fromkeys(flow for flow in found if flow is not None and links.is_ours(flow)))


def summary(change: ChangePlan) -> str:
    """A change in a few words; none if there is nothing to do."""
    counts = Counter(there.action for there in change.changes)
    return ", ".join(f"{counts[action]} {action}" for action in ("added", "removed", "changed") if counts[action])


def _open(supervisor: Supervisor, change: ChangePlan, sources: Mapping[str, Source]) -> Before:
    """Begin a change, in the thread of the loop, where nothing else happens meanwhile."""
    if supervisor.machine.phase != "running":
        raise Moved(f"{supervisor.plan.name} is {supervisor.machine.phase}")
    if supervisor.sight.serial != change.serial:
        raise Moved(HAS_MOVED)
    before = Before(supervisor.plan, supervisor.know(sources))
    supervisor.take(ChangeBegun())
    supervisor.take(Changing(summary(change), len(change.steps), change.wanted))
    return before
