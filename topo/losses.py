"""What messages may be lost when sockets of a running plan are changed or closed, and how many at most.

What each operation does to a socket of a type says `topo/zeromq/changes.py`; whether that matters says who is at the other end. Over a
flow of ours (`topo/links.py`) the senders can be paused and what is under way can arrive first, so nothing of it is lost. Elsewhere a
plain peer goes on sending. Then as much may be lost as the queues hold that are thrown away: the high water marks, for each peer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

import msgspec

from topo.links import HWM, Flow, Links
from topo.plan import AppPlan, DevicePlan, Plan, SocketPlan
from topo.steps import Loss
from topo.zeromq.changes import Change, Operation, change
from topo.zeromq.sockets import SOCKETS, with_article

__all__ = ["Losses", "Touched"]

ANY_NUMBER = "[*]"
UNHEARD = "its peer would not hear the new connection while the old one is there"
ABORTS = "libzmq may end the process if {a_type} that has read half a message is disconnected"
ANSWERS = "answers to what is not answered yet, for a ROUTER knows its peers by their connections"
MISSED = "what is published before the subscriptions have arrived"


class Touched(msgspec.Struct, frozen=True):
    """What an operation does to a socket: to all its connections, or to that to the socket `peer` (empty if nobody knows whose)."""

    socket: SocketPlan
    operation: Operation
    inproc: bool = False
    peer: str | None = None
    program: bool = False
    """It is an app's, whose program ends as it likes."""


class Losses:
    """The losses of changes to what runs. `joined` are the sockets of apps that count what they send and receive."""

    def __init__(self, plan: Plan, joined: Collection[str] = (), dead: Collection[str] = ()) -> None:
        """`dead` are the devices and apps that do not run: nobody counts there, and what is on its way to them does not arrive."""
        self._plan = plan
        self._joined = joined
        self._dead = dead

    @cached_property
    def links(self) -> Links:
        """The links, and the flows that they make up."""
        return Links(self._plan)

    @cached_property
    def sockets(self) -> dict[str, SocketPlan]:
        """Every socket that the plan knows, by id."""
        owners: tuple[DevicePlan | AppPlan, ...] = (*self._plan.devices, *self._plan.apps)
        return {s.id: s for s in (*self._plan.sockets, *(s for owner in owners for s in owner.sockets))}

    @cached_property
    def _senders(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for link in self._plan.links:
            found.setdefault(link.receiver, []).append(link.sender)
        return found

    @cached_property
    def _receivers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for link in self._plan.links:
            found.setdefault(link.sender, []).append(link.receiver)
        return found

    def flows(self, socket: str) -> tuple[Flow, ...]:
        """The flows of ours that a socket takes part in: those that can be emptied before it changes."""
        return tuple(flow for flow in self.links.at(socket) if self._is_ours(flow))

    def impossible(self, touched: Touched) -> str:
        """Why this cannot be done while the device lives; nothing if it can."""
        socket = touched.socket
        row = change(socket.type, touched.operation)
        if row is None:
            return f"nothing is known of what happens to a {socket.type} then"
        again = change(socket.type, "rewire when empty")
        if touched.operation == "disconnect" and again is not None and again.unheard == "always":
            return UNHEARD
        if row.aborts and not self._is_ours(self.links.into.get(socket.id)):
            return ABORTS.format(a_type=with_article(socket.type))
        return ""

    def of(self, touched: Touched) -> Iterator[Loss]:
        """What may be lost of what goes over the connections concerned."""
        socket = touched.socket
        row = change(socket.type, touched.operation) or change("DEALER", touched.operation)
        assert row is not None
        if SOCKETS[socket.type].sends and not self._is_ours(self.links.out_of.get(socket.id)):
            yield from self._sent(touched, row)
        if SOCKETS[socket.type].receives and not self._is_ours(self.links.into.get(socket.id)):
            yield from self._coming(touched, row)
        if row.forgotten and self._answers(socket):
            yield Loss(ANSWERS)

    def missed(self, socket: SocketPlan) -> Iterator[Loss]:
        """What may pass by a socket that is connected anew, or its subscribers."""
        row = change(socket.type, "rewire when empty")
        if row is not None and row.misses:
            yield Loss(MISSED)

    def _is_ours(self, flow: Flow | None) -> bool:
        if flow is None or not self.links.is_ours(flow, self._joined):
            return False
        return not self._dead or not any(self.links.owners[socket] in self._dead for socket in flow.sockets)

    def _sent(self, touched: Touched, row: Change) -> Iterator[Loss]:
        fate = "lost" if touched.program else row.sent_inproc if touched.inproc else row.sent
        if fate == "lingers" and self._value(touched.socket.id, "linger", -1) == -1 and not _over_ipc(touched.socket):
            return
        if fate in ("lost", "lingers"):
            peers = self._peers(touched, self._receivers)
            marks = (self._value(touched.socket.id, "sndhwm", HWM),)
            why = f"what {touched.socket.id} has not yet sent"
            if fate == "lingers":
                why += (
                    " when its linger is over" if not _over_ipc(touched.socket) else ", or its peer has not yet taken in over ipc"
                )
            yield _loss(why, peers, marks)

    def _coming(self, touched: Touched, row: Change) -> Iterator[Loss]:
        fate = row.coming_inproc if touched.inproc else row.coming
        if fate != "lost":
            return
        peers = self._peers(touched, self._senders)
        marks = [self._value(touched.socket.id, "rcvhwm", HWM)]
        if touched.operation == "disconnect" or touched.socket.connects:  # a peer that binds loses its queue too
            marks.append(max((self._value(peer, "sndhwm", HWM) for peer in peers if peer), default=HWM))
        yield _loss(f"what is on its way to {touched.socket.id}", peers, marks)

    def _peers(self, touched: Touched, of: dict[str, list[str]]) -> list[str]:
        """Who is at the other end. An empty name is somebody of whom nothing is known."""
        if touched.peer is not None:
            return [touched.peer]
        return of.get(touched.socket.id) or [""]

    def _answers(self, socket: SocketPlan) -> bool:
        """Whether a ROUTER, this or at the other end, knows somebody by a connection that says no name of its own."""
        asked = self._senders.get(socket.id, [])
        if not asked or not self._receivers.get(socket.id):
            return False
        if socket.type == "ROUTER":
            return any(not self._value(peer, "routing_id", 0) for peer in asked)
        routers = any(peer in self.sockets and self.sockets[peer].type == "ROUTER" for peer in asked)
        return routers and not self._value(socket.id, "routing_id", 0)

    def _value(self, socket: str, name: str, usual: int) -> int:
        """What an option is set to; a text counts as 1."""
        known = self.sockets.get(socket)
        values = [option.value for option in known.options if option.name == name] if known is not None else []
        if not values:
            return usual
        return values[-1] if isinstance(values[-1], int) else 1


def _over_ipc(socket: SocketPlan) -> bool:
    endpoints = (*(bind.endpoint for bind in socket.binds), *(connect.endpoint for connect in socket.connects))
    return any(endpoint.startswith("ipc:") for endpoint in endpoints)


def _loss(why: str, peers: list[str], marks: Iterable[int]) -> Loss:
    marks = tuple(marks)
    most = None if 0 in marks else sum(marks) * len(peers)
    unknown = [peer for peer in peers if peer.endswith(ANY_NUMBER)]
    if not unknown:
        return Loss(why, most)
    return Loss(why, None if most is None else sum(marks), unknown[0].removesuffix(ANY_NUMBER) if len(peers) == 1 else "peer")
