"""How much those who run have to do yet: what is read from counters, put together along the flows of messages.

A device counts anew in each life, so what it has counted in earlier ones is kept here. A flow in which something was lost, or may
have been, never comes out even again: it is *spoiled*, and from then on what goes through it is not counted.

A socket that is connected elsewhere takes its counts along into another flow. That comes out even if all with whom it has shared a
flow are there too, or if that one was *settled*: it was empty, and from then on all who took part in it count from zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from topo.devcore import Statistics
from topo.links import Counts, Flow, Links, under_way
from topo.plan import AppPlan, DevicePlan, Plan, SocketPlan
from topo.run.events import ChangeOver, Event, Exited, Failed, PlanChanged, Standing, Undrained
from topo.run.joined import Joined
from topo.run.lives import ALIVE
from topo.run.sight import Sight
from topo.zeromq.sockets import SOCKETS

__all__ = ["Ledger"]


class Ledger:
    """The counts of one topology. It belongs to the thread of the supervisor's loop."""

    def __init__(self, plan: Plan, sight: Sight, joined: Joined) -> None:
        self._know(plan)
        self._sight = sight
        self._joined = joined
        self._past: dict[str, Counts] = {}
        """Of each socket, what it counted in earlier lives of its device."""
        self._base: dict[str, Counts] = {}
        """Of each socket, what it had counted when its flow was settled."""
        self._spoiled: set[Flow] = set()
        self._counted_in: dict[tuple[str, str], Flow] = {}
        """Of each way and socket, the flow in which it has counted."""
        self._count_in(self.links.flows)

    def _know(self, plan: Plan) -> None:
        self.links = Links(plan)
        self._stages = {name: number for number, stage in enumerate(plan.stages) for name in stage}

    def note(self, event: Event) -> None:
        """Take note of what has happened."""
        match event:
            case PlanChanged(plan):
                self._know(plan)
                self._forget_the_gone()
            case ChangeOver():  # in the middle of a change, what is wanted does not say what flows where
                self._count_in(self.links.flows)
            case Failed(device):
                self._spoil([device])
            case Exited(name):
                self._spoil(self._sight.machine.hosts.get(name, (name,)))

    def begins(self, device: str) -> None:
        """A device is about to begin, and to count from zero."""
        look = _Look(self)
        if look.has_counted(device):  # else it begins for the first time: there is nothing to look at, and there may be thousands
            self._spoil_around([device], look)
        self._past |= {socket.id: look._raw(socket.id) for socket in self._sight.devices[device].sockets}

    def look(self, names: Iterable[str]) -> dict[str, Standing]:
        """How these stand at this moment. Of apps that do not count nothing is known."""
        look = _Look(self)
        there = {name: self._sight.devices.get(name) for name in names}
        return {
            name: look.app(self._sight.apps[name]) if device is None else look.device(device)
            for name, device in there.items()
            if device is not None or self._joined.has(name)
        }

    def undrained(self, device: str, standing: Standing, quiet: bool) -> Undrained:
        """What a device that ends like this loses, or may lose. If it was quiet, and took what came, nothing waited unseen."""
        at_most: int | None = 0
        if device in self._sight.devices and standing.listens and (standing.waiting or not quiet):
            rooms = [self.links.room(id) for id in self.uncounted(self._sight.devices[device])]
            at_most = None if None in rooms else sum(room for room in rooms if room)
        return Undrained(device, standing.held, standing.coming, at_most)

    def lost(self, device: str) -> Undrained:
        """What is lost with a device that has ended unasked, or may be: whatever was on its way to it or from it."""
        plan = self._sight.devices[device]
        standing = _Look(self).device(plan)
        rooms = [self.links.room(id) for id in self.uncounted(plan)]
        sending = [s.id for s in _sides(plan) if SOCKETS[s.type].sends]
        rooms += [self.links.room(id, "sndhwm") for id in sending if not self._is_counted(self.links.out_of.get(id))]
        between = standing.coming + standing.going
        return Undrained(device, standing.held, 0, None if None in rooms else between + sum(room for room in rooms if room))

    def settle(self, flow: Flow) -> None:
        """A flow is empty: whoever takes part in it counts from zero, unless what is parked somewhere is still to be counted."""
        look = _Look(self)
        if self.is_known(flow) and look.difference(flow):
            return
        for way, id in _ways(flow):
            base, now = self._base.get(id, Counts()), look.counts(id)
            self._base[id] = msgspec.structs.replace(base, **{way: getattr(base, way) + getattr(now, way)})
            self._counted_in.pop((way, id), None)
        self._spoiled.discard(flow)

    def under_way(self, flow: Flow) -> int | None:
        """How much is under way in a flow, or None if that cannot be told."""
        return _Look(self).under_way(flow) if self.is_known(flow) else None

    def received(self, flow: Flow) -> tuple[int, bool]:
        """How much has come out of a flow, and whether one who receives cannot take more at this moment."""
        look = _Look(self)
        standings = self.look(self.links.owners[id] for id in flow.receivers)
        return sum(look.counts(id).received for id in flow.receivers), any(s.held or s.waiting for s in standings.values())

    def _forget_the_gone(self) -> None:
        """Whose device is gone has counted nothing, should it come back. Nobody knows what it had still to receive."""
        for member in [(way, id) for way, id in self._counted_in if id not in self.links.owners]:
            self._spoiled.add(self._counted_in.pop(member))
        for counts in (self._past, self._base):
            for id in counts.keys() - self.links.devices - set(self._joined.sockets):
                del counts[id]

    def _count_in(self, flows: Iterable[Flow]) -> None:
        """From now on these are the flows. One to which a socket brings counts that come out even only elsewhere is spoiled."""
        for flow in flows:
            members = set(_ways(flow))
            before = {self._counted_in[member] for member in members if member in self._counted_in} - {flow}
            if any(old in self._spoiled or not members.issuperset(_ways(old)) for old in before):
                self._spoiled.add(flow)
            self._counted_in.update({member: flow for member in members if member[1] in self.links.owners})

    def is_known(self, flow: Flow) -> bool:
        """Whether it can be told how much is under way."""
        return self.links.is_ours(flow, self._joined.sockets) and flow not in self._spoiled

    def is_first(self, app: AppPlan) -> bool:
        """Whether nobody sends to an app but those who come after it, in answer to what it sends itself."""
        own = self._stages.get(app.name, 0)
        flows = [self.links.into[s.id] for s in app.sockets if s.id in self.links.into]
        senders = {self.links.owners.get(id, "") for flow in flows for id in flow.senders}
        return all(self._stages.get(sender, -1) > own for sender in senders)

    def uncounted(self, plan: DevicePlan) -> list[str]:
        """The sockets of a device that receive from others than those who count."""
        receiving = (s.id for s in _sides(plan) if SOCKETS[s.type].receives)
        return [id for id in receiving if not self._is_counted(self.links.into.get(id))]

    def _is_counted(self, flow: Flow | None) -> bool:
        return flow is not None and self.is_known(flow)

    def _spoil(self, names: Iterable[str]) -> None:
        """Let the flows around those who have just gone be uncounted, if they have not come out even. Who had ended before is no matter."""
        lives = self._sight.machine.life
        gone = [name for name in names if lives(name) in ALIVE]
        if gone:
            self._spoil_around(gone, _Look(self))

    def _spoil_around(self, names: Iterable[str], look: _Look) -> None:
        sockets = (socket for name in names for socket in self.links.sockets_of.get(name, ()))
        self._spoiled.update(flow for flow in self.links.around(sockets) if self.is_known(flow) and look.under_way(flow))


def _ways(flow: Flow) -> Iterator[tuple[str, str]]:
    """What each socket counts of a flow."""
    yield from (("sent", id) for id in flow.senders)
    yield from (("received", id) for id in flow.receivers)


class _Look:
    """One look: nothing is read twice."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._links = ledger.links
        self._sight = ledger._sight
        self._statistics: dict[str, Statistics | None] = {}
        self._under_way: dict[Flow, int] = {}

    def device(self, plan: DevicePlan) -> Standing:
        """How a device stands."""
        seen = self._seen(plan.name)
        if seen is None:
            return Standing()
        sides = [socket.id for socket in _sides(plan)]
        uncounted = self._ledger.uncounted(plan)
        return Standing(
            held=seen.frontend.held + seen.backend.held,
            waiting=bool(seen.waiting),
            coming=self._sum(self._links.into, sides),
            going=self._sum(self._links.out_of, sides),
            listens=bool(uncounted),
            heard=sum(self.counts(id).received for id in uncounted),
            turns=seen.turns,
            paused=seen.state == "paused",
        )

    def app(self, plan: AppPlan) -> Standing:
        """How an app stands."""
        sockets = [socket.id for socket in plan.sockets]
        counts = [self._ledger._joined.counts(id) for id in sockets]
        return Standing(
            coming=self._sum(self._links.into, sockets),
            going=self._sum(self._links.out_of, sockets),
            listens=any(id in self._links.into for id in sockets),
            heard=sum(c.sent + c.received for c in counts),
            paused=self._ledger._joined.is_paused(plan.name),
            role="source" if self._ledger.is_first(plan) else "app",
        )

    def _sum(self, flows: Mapping[str, Flow], sockets: Iterable[str]) -> int:
        """How much is under way in the flows of these sockets to somebody who lives."""
        there = {flows[id] for id in sockets if id in flows}
        return sum(self.under_way(flow) for flow in there if self._ledger.is_known(flow) and self._arrives(flow))

    def _arrives(self, flow: Flow) -> bool:
        lives = self._sight.machine.life
        return any(lives(self._links.owners[id]) in ALIVE for id in flow.receivers if id in self._links.owners)

    def under_way(self, flow: Flow) -> int:
        """How much is under way in a flow of which that is known. Never less than nothing, though counts are read one by one."""
        if flow not in self._under_way:
            count = max(0, self.difference(flow))
            self._under_way[flow] = 0 if count and self._is_parked(flow, count) else count
        return self._under_way[flow]

    def difference(self, flow: Flow) -> int:
        """How much more was sent than received."""
        return under_way(flow, {id: self.counts(id) for id in flow.sockets})

    def _is_parked(self, flow: Flow, count: int) -> bool:
        """Whether so many have come as far as they can: to apps that read no more before they may send, and have room for them."""
        rooms = [self._links.room(id) for id in flow.receivers if self._ledger._joined.is_waiting(id)]
        return bool(rooms) and (None in rooms or count <= sum(room for room in rooms if room))

    def counts(self, socket: str) -> Counts:
        """What a socket has counted, in all lives of its owner."""
        raw, base = self._raw(socket), self._ledger._base.get(socket, Counts())
        return Counts(raw.sent - base.sent, raw.received - base.received)

    def _raw(self, socket: str) -> Counts:
        plan = self._sight.devices.get(self._links.owners[socket])
        if plan is None:
            return self._ledger._joined.counts(socket)
        past, now = self._ledger._past.get(socket, Counts()), _counts(self._seen(plan.name), plan, socket)
        return Counts(past.sent + now.sent, past.received + now.received)

    def has_counted(self, device: str) -> bool:
        """Whether a device has lived before."""
        return self._seen(device) is not None

    def _seen(self, device: str) -> Statistics | None:
        if device not in self._statistics:
            self._statistics[device] = self._sight.counts((device,)).get(device)
        return self._statistics[device]


def _sides(plan: DevicePlan) -> list[SocketPlan]:
    return [side for side in (plan.frontend, plan.backend) if side is not None]


def _counts(seen: Statistics | None, plan: DevicePlan, socket: str) -> Counts:
    """What the statistics of a device say of one of its sockets. Where both sides are one, what is sent is counted as the other's."""
    if seen is None:
        return Counts()
    if plan.capture is not None and socket == plan.capture.id:
        return Counts(sent=seen.capture.passed)
    if plan.backend is None:
        return Counts(seen.backend.sent.messages, seen.frontend.received.messages)
    side = seen.frontend if socket == plan.frontend.id else seen.backend
    return Counts(side.sent.messages, side.received.messages)
