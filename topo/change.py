"""What a change of a running topology would do: a pure function from what runs and what is wanted to a plan of changes.

It changes as little as it takes (`topo/differences.py`), in place where libzmq lets it, and says of each device and app what that means
for messages (`topo/losses.py`).

The steps come in one order, whatever changes: options; then the senders are paused and what is under way arrives, from the sources
on; who is to be elsewhere disconnects; what goes, ends; what is bound no more is given up; then everything new binds, starts and
connects; the senders go on; at last the apps start, which are told addresses only then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from topo.collector import paused
from topo.differences import Before, Target, Work, World, known, meaning, operations, sockets_of, works
from topo.links import Flow
from topo.losses import Losses
from topo.plan import AppPlan, Plan
from topo.steps import (
    ChangePlan,
    ComponentChange,
    Effect,
    Empty,
    End,
    Lodger,
    Loss,
    Noticed,
    Pause,
    Resume,
    Start,
    Step,
    replace,
)
from topo.zeromq.sockets import SOCKETS

__all__ = ["plan_change"]


def plan_change(running: Plan, snapshot: World, wanted: Plan, joined: Collection[str] = ()) -> ChangePlan:
    """Plan what is to be done so that `wanted` runs instead of `running`, which is as `snapshot` says.

    `joined` are the sockets of apps that can be paused and count their messages, as those of devices do.
    """
    with paused():
        before = Before(running, snapshot)
        return _planned(before, wanted, Losses(running, joined, before.dead), snapshot.serial)


def _planned(before: Before, wanted: Plan, losses: Losses, serial: int) -> ChangePlan:
    running = before.plan
    target = Target(before, wanted)
    found = works(before, target, losses)
    judge = Judge(before, target, losses)
    changes = tuple(judge.change(work) for work in found)
    touched = {work.name for work in found}
    return ChangePlan(
        name=running.name,
        serial=serial,
        steps=tuple(_steps(judge, found)),
        wanted=target.plan,
        changes=(*changes, *_programs_sockets(running, target.plan)),
        unchanged=tuple(name for name in (*target.devices, *target.apps) if name not in touched),
    )


# What it means for messages


class Judge:
    """What changes mean for messages, and what has to be done so that none is lost."""

    def __init__(self, before: Before, target: Target, losses: Losses) -> None:
        self.before = before
        self.target = target
        self.losses = losses
        self.flows: dict[str, tuple[Flow, ...]] = {}
        """By the name of what changes, the flows that must be empty before it does."""

    def change(self, work: Work) -> ComponentChange:
        """Judge a change."""
        losses = self._losses(work)
        if not work.ended:
            self.flows[work.name] = tuple(dict.fromkeys(flow for id in self._touched(work) for flow in self.losses.flows(id)))
        return ComponentChange(
            name=work.name,
            kind="device" if isinstance(work.new or work.old, Lodger) else "app",
            action="added" if work.old is None else "removed" if work.new is None else "changed",
            place=work.place,
            effect=self._effect(work, losses),
            differences=tuple(work.differences),
            reasons=work.reasons,
            losses=losses,
        )

    def _effect(self, work: Work, losses: tuple[Loss, ...]) -> Effect:
        if losses:
            return "may drop"
        if work.ended or work.old is None:
            return "live"
        if work.anew:
            return "restart"
        return "drain" if self.flows[work.name] else "live"

    def _losses(self, work: Work) -> tuple[Loss, ...]:
        if work.ended or work.old is None:
            return ()
        found = [loss for touched in operations(work, self.before) for loss in self.losses.of(touched)]
        for id in self._touched(work) if work.new is not None else ():
            found += self.losses.missed(sockets_of(work.old)[id])
        if work.attach is not None and work.detach is not None:
            found.append(Loss("copies for its monitor, while that is made anew"))
        return tuple(dict.fromkeys(found))

    def _touched(self, work: Work) -> tuple[str, ...]:
        """The sockets that lose connections."""
        if work.old is None:
            return ()
        if work.ends:
            return tuple(sockets_of(work.old))
        return tuple(dict.fromkeys((*(step.socket for step in work.unbinds), *(step.socket for step in work.disconnects))))


def _programs_sockets(running: Plan, wanted: Plan) -> Iterator[ComponentChange]:
    """The sockets of the program that runs the topology. They are what they are; it gets others when it asks again."""
    old, new = {s.id: s for s in running.sockets}, {s.id: s for s in wanted.sockets}
    for id, socket in new.items():
        if id not in old:
            yield ComponentChange(id, "socket", "added", socket.place)
        elif meaning(old[id]) != meaning(socket):
            why = "the program gets it so when it asks for it again"
            yield ComponentChange(id, "socket", "changed", socket.place, reasons=(why,))
    for id, socket in old.items():
        if id not in new:
            yield ComponentChange(id, "socket", "removed", socket.place)


# What is to be done


def _steps(judge: Judge, works: list[Work]) -> Iterator[Step]:
    before, target = judge.before, judge.target
    yield from (step for work in works for step in work.options)
    quiet = Quiet(judge, works)
    yield from quiet.steps()
    yield from (step for work in works for step in work.disconnects)
    yield from (work.detach for work in works if work.detach is not None)
    yield from _ends(before, [work for work in works if work.ends])
    yield from (step for work in works for step in work.unbinds)
    noticing = tuple(_noticing(judge, works))
    if noticing:
        yield Noticed(noticing)
    yield from (step for work in works for step in work.binds)
    yield from (work.attach for work in works if work.attach is not None)
    lodgers = tuple(_placed(target, work.new) for work in works if work.starts and isinstance(work.new, Lodger))
    if lodgers:
        yield Start(lodgers)
    yield from (step for work in works for step in work.connects)
    if quiet.paused:
        yield Resume(tuple(quiet.paused))
    apps = tuple(work.new for work in works if work.starts and isinstance(work.new, AppPlan))
    if apps:
        yield Start((), apps)


class Quiet:
    """How what is under way comes to its end: from the sources on, one flow after the other, and then the ways back."""

    def __init__(self, judge: Judge, works: list[Work]) -> None:
        self._links = judge.losses.links
        self._rank = {name: number for number, stage in enumerate(judge.before.plan.stages) for name in stage}
        self._flows = tuple(dict.fromkeys(flow for work in works for flow in judge.flows.get(work.name, ())))
        self._ended = {work.name for work in works if work.ends}
        ending = [work for work in works if work.ends and not work.ended]
        self._drained = {work.name for work in ending if isinstance(work.old, Lodger) and self._is_fed_by_ours(work.old)}
        """Devices to which nothing comes any more once these flows are empty. Who else ends is paused as well, for it may send."""
        self._through = self._drained | {
            work.name for work in ending if isinstance(work.old, AppPlan) and self._passes_on(work.old)
        }
        """Those who are to have passed on what has come to them, before they are paused or end."""
        self.paused: dict[str, None] = {}

    def steps(self) -> Iterator[Step]:
        """Pause and empty."""
        for flow in sorted(self._flows, key=self._order):
            senders = tuple(s for s in flow.senders if s not in self.paused and self._owner(s) not in self._drained)
            if senders:
                self.paused |= dict.fromkeys(senders)
                yield Pause(senders)
            yield Empty(flow, tuple(dict.fromkeys(o for o in map(self._owner, flow.receivers) if o in self._through)))
        gone = [sender for sender in self.paused if self._owner(sender) in self._ended]
        for sender in gone:
            del self.paused[sender]

    def _is_fed_by_ours(self, device: Lodger) -> bool:
        receiving = [socket.id for socket in sockets_of(device).values() if SOCKETS[socket.type].receives]
        return all(self._links.into.get(id) in self._flows for id in receiving)

    def _passes_on(self, app: AppPlan) -> bool:
        """Whether what an app sends may be what has come to it."""
        ids = [socket.id for socket in app.sockets]
        return any(self._links.into.get(id) in self._flows for id in ids) and any(id in self._links.out_of for id in ids)

    def _owner(self, socket: str) -> str:
        return self._links.owners.get(socket, "")

    def _order(self, flow: Flow) -> tuple[bool, int]:
        """Ways forth from the sources on, then ways back from the ends on."""
        sender = min(self._rank.get(self._owner(s), 0) for s in flow.senders)
        receiver = max(self._rank.get(self._owner(s), 0) for s in flow.receivers)
        return (False, sender) if sender <= receiver else (True, -sender)


def _ends(before: Before, works: list[Work]) -> Iterator[End]:
    """Let things end, stage by stage."""
    by_name = {work.name: work for work in works}
    staged = [[by_name.pop(name) for name in stage if name in by_name] for stage in before.plan.stages]
    for stage in (*staged, list(by_name.values())):
        devices = tuple(_where_it_was(before, work.old) for work in stage if isinstance(work.old, Lodger))
        apps = tuple(work.old for work in stage if isinstance(work.old, AppPlan))
        if devices or apps:
            yield End(devices, apps)


def _where_it_was(before: Before, lodger: Lodger) -> Lodger:
    """A device that knows what it has bound."""
    return replace(lodger, device=known(lodger.device, before.bound))


def _placed(target: Target, lodger: Lodger) -> Lodger:
    """A device that knows what it is to bind, where it was there before."""
    if lodger.device.name not in target.before.devices:
        return lodger
    return replace(lodger, device=known(lodger.device, target.had))


def _counting_app(judge: Judge, work: Work, address: str) -> str:
    """The socket of an app that counts and binds this, of those that send to what changes; empty if there is none."""
    socket = judge.before.at_apps.get(address, "")
    return socket if any(socket in flow.senders for flow in judge.flows[work.name]) else ""


def _noticing(judge: Judge, works: list[Work]) -> Iterator[str]:
    """The sockets that send, of who goes on, from which others of ours have disconnected."""
    ending = {work.name for work in works if work.ends}
    for work in works:
        if work.name not in judge.flows or not isinstance(work.old, Lodger):
            continue
        if work.ends:
            sockets = (s for s in (work.old.device.frontend, work.old.device.backend) if s is not None)
            left = [(c, address) for s in sockets for c, address in zip(s.connects, judge.before.connected(s), strict=True)]
        else:
            left = [(step.connect, step.address) for step in work.disconnects]
        for connect, address in left:
            peer = judge.before.peer(connect, address) or _counting_app(judge, work, address)
            if not peer or address.startswith("inproc:") or judge.losses.links.owners[peer] in ending:
                continue
            if SOCKETS[judge.losses.sockets[peer].type].sends:
                yield peer
