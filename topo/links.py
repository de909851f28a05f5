"""Where messages of a plan flow, and how many are under way, as pure arithmetic.

A PUSH that is linked to two PULLs gives each message to one of them, and each PULL takes from all who are linked to it. So what can
be counted is not a link but a *flow*: sockets that send, and all that get what these send. As many messages come out of it as go in,
and the difference is under way: it is empty when there is none.

That holds of a flow only if it is *counted*: whatever goes in comes out once, which is not so where everybody gets a copy. And it can
be known only if it is *ours*: if all who take part in it count, which devices do, and apps that use `topo.socket`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from topo.plan import AppPlan, DevicePlan, LinkPlan, Plan, SocketPlan
from topo.zeromq.options import OPTIONS

__all__ = ["Counts", "Flow", "Links", "flows", "under_way"]

Mark = Literal["rcvhwm", "sndhwm"]
HWM = 1000
"""What libzmq takes as a high water mark that is not set."""


class Counts(msgspec.Struct, frozen=True):
    """How many whole messages a socket has sent and received."""

    sent: int = 0
    received: int = 0


class Flow(msgspec.Struct, frozen=True):
    """Sockets that send, and those that get what these send, by their ids."""

    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    counted: bool

    @property
    def sockets(self) -> tuple[str, ...]:
        """All that take part in it."""
        return tuple(dict.fromkeys((*self.senders, *self.receivers)))


def flows(links: Iterable[LinkPlan]) -> tuple[Flow, ...]:
    """The flows that links make up."""
    links = tuple(links)
    to: dict[str, list[LinkPlan]] = {}
    of: dict[str, list[LinkPlan]] = {}
    for link in links:
        to.setdefault(link.sender, []).append(link)
        of.setdefault(link.receiver, []).append(link)
    seen: set[str] = set()
    return tuple(_flow(sender, to, of, seen) for sender in to if sender not in seen)


def _flow(start: str, to: Mapping[str, list[LinkPlan]], of: Mapping[str, list[LinkPlan]], seen: set[str]) -> Flow:
    """Everything that hangs together with a sender."""
    senders: dict[str, None] = {start: None}
    receivers: dict[str, None] = {}
    waiting = [start]
    counted = True
    while waiting:
        for link in to[waiting.pop()]:
            counted = counted and link.counted
            if link.receiver not in receivers:
                receivers[link.receiver] = None
                fresh = [other.sender for other in of[link.receiver] if other.sender not in senders]
                senders |= dict.fromkeys(fresh)
                waiting += dict.fromkeys(fresh)
    seen.update(senders)
    return Flow(tuple(senders), tuple(receivers), counted)


def under_way(flow: Flow, counts: Mapping[str, Counts]) -> int:
    """How many messages have gone into a flow of ours and not come out."""
    return sum(counts[s].sent for s in flow.senders) - sum(counts[r].received for r in flow.receivers)


class Links:
    """The links of a plan, and the questions one asks of them."""

    def __init__(self, plan: Plan) -> None:
        self.owners: dict[str, str] = dict(_owners(plan))
        """Of each socket of what ztopo starts, its device or its app."""
        self.sockets_of: dict[str, list[str]] = {}
        for socket, owner in self.owners.items():
            self.sockets_of.setdefault(owner, []).append(socket)
        self.devices = frozenset(socket.id for device in plan.devices for socket in device.sockets)
        self.flows = flows(plan.links)
        self.out_of: dict[str, Flow] = {socket: flow for flow in self.flows for socket in flow.senders}
        """Where each socket sends to."""
        self.into: dict[str, Flow] = {socket: flow for flow in self.flows for socket in flow.receivers}
        """Where each socket receives from."""
        self._peers: dict[str, set[str]] = {}
        self._sockets = dict(_sockets(plan))
        for link in plan.links:
            self._peers.setdefault(link.receiver, set()).add(link.sender)
            self._peers.setdefault(link.sender, set()).add(link.receiver)

    def is_ours(self, flow: Flow, joined: Collection[str] = ()) -> bool:
        """Whether it is known how many messages are under way. `joined` are the sockets of apps that count."""
        return flow.counted and all(s in self.devices or s in joined for s in flow.sockets)

    def at(self, socket: str) -> tuple[Flow, ...]:
        """The flows that a socket takes part in."""
        there = (self.into.get(socket), self.out_of.get(socket))
        return tuple(flow for flow in there if flow is not None)

    def around(self, sockets: Iterable[str]) -> tuple[Flow, ...]:
        """The flows that any of these takes part in: those to be empty before they may go."""
        return tuple({id(flow): flow for socket in sockets for flow in self.at(socket)}.values())

    def upstream(self, sockets: Iterable[str]) -> tuple[str, ...]:
        """The devices and apps that send to any of these, and are counted: those to be paused so that nothing more comes."""
        senders = (sender for socket in sockets if socket in self.into for sender in self.into[socket].senders)
        return tuple(dict.fromkeys(self.owners[sender] for sender in senders if sender in self.owners))

    def stilled(self, names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who is to be paused so that nothing more comes to these, and whose messages then still do.

        A device that these send to in their turn cannot be paused, for then it would not take what is on its way to it; so those
        who send to it are, and what it has is waited for.
        """
        through = list(names)
        paused: dict[str, None] = {}
        for name in through:
            for sender in self.upstream(self.sockets_of.get(name, ())):
                if sender in paused or sender in through:
                    continue
                answers = set(self.upstream(self.sockets_of[sender])).intersection(through)
                if answers and self.devices.intersection(self.sockets_of[sender]):
                    through.append(sender)
                else:
                    paused[sender] = None
        return tuple(paused), tuple(through)

    def room(self, socket: str, mark: Mark = "rcvhwm") -> int | None:
        """How many messages can wait in a socket until it reads them, or to be sent: a bound, or None if there is none.

        That is its high water mark for each peer, of which there are as many as the file says.
        """
        limit = _mark(self._sockets[socket], mark)
        return limit * max(1, len(self._peers.get(socket, ()))) if limit else None


def _owners(plan: Plan) -> Iterator[tuple[str, str]]:
    owners: tuple[DevicePlan | AppPlan, ...] = (*plan.devices, *plan.apps)
    for owner in owners:
        for socket in owner.sockets:
            yield socket.id, owner.name


def _sockets(plan: Plan) -> Iterator[tuple[str, SocketPlan]]:
    owners: tuple[DevicePlan | AppPlan, ...] = (*plan.devices, *plan.apps)
    yield from ((socket.id, socket) for owner in owners for socket in owner.sockets)


def _mark(socket: SocketPlan, name: Mark) -> int:
    """A high water mark of a socket; 0 is none."""
    values = [option.value for option in socket.options if option.number == OPTIONS[name].number]
    return values[-1] if values and isinstance(values[-1], int) else HWM
