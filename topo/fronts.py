"""What messages begin with, at every socket at once.

`topo/envelope.py` walks with one message from one end to another. Here all that apps may send without being asked goes through
the whole graph, and what monitors copy: of each message only the parts up to the body, of each program only that it may write any. So a state is a socket
and such a front, there are few of each, and the whole takes time in proportion to the links. Where a message cannot go on, that is
trouble; who sent it is found by going back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal

import msgspec

from topo.envelope import BODY, DELIMITER, Part, Parts
from topo.graph import Graph, Link, passes
from topo.model import Device, Socket
from topo.routes import passages, routing_id
from topo.source import Span
from topo.zeromq.envelopes import ENVELOPES
from topo.zeromq.sockets import SOCKETS

__all__ = ["Fronts", "Trouble", "fronts"]

DEEPEST = 8
"""Parts that are looked at; in a ring there could be any number."""
NAME = Part("id")
MADE_UP = Part("id", at="*")

Wanted = Literal["address", "delimiter"]
State = tuple[str, Parts]
"""A socket and what a message begins with there: as it comes in at a side of a device, as it goes out of an app."""


class Trouble(msgspec.Struct, frozen=True):
    """A message that comes to its end at a socket, which looks for an address or for a delimiter and finds something else.

    Of all that the same message comes to, it is the first.
    """

    looks_for: Wanted
    socket: Socket
    front: Parts
    state: State
    """From where it came there."""


class Fronts:
    """The fronts of all messages. `topics` has for each SUB what the messages begin with that are sent to it."""

    def __init__(self, graph: Graph) -> None:
        self._troubles: dict[tuple[str, State], Trouble] = {}
        self.topics: dict[str, dict[Part, State]] = {}
        self._graph = graph
        self._came: dict[State, list[State]] = {}
        self._left: deque[State] = deque()
        for app in graph.model.apps:
            for socket in app.sockets:
                front = _written(socket)
                if front is not None:
                    self._begin(socket, front)
        for device in graph.model.devices:
            monitor = device.side("monitor")
            if monitor is not None and graph.links_of(monitor):
                for side in dict.fromkeys(entry.role for entry, _ in passages(device)):
                    prefix = Part("prefix", value=device.prefixes[0 if side == "in" else 1])
                    self._begin(monitor, (prefix, BODY))
        while self._left:
            self._cross(*self._left.popleft())

    def _begin(self, socket: Socket, front: Parts) -> None:
        self._came[socket.id, front] = []
        self._send(socket, front, (socket.id, front))

    def blamed(self, looks_for: Wanted) -> Iterator[tuple[Trouble, Socket]]:
        """Every trouble of a kind with who sends such messages: each declaration once, with the first trouble that it makes."""
        seen: set[State] = set()
        told: set[Span] = set()
        for trouble in self._troubles.values():
            if trouble.looks_for == looks_for:
                for sender in self._senders(trouble.state, seen):
                    if sender.type_span not in told:
                        told.add(sender.type_span)
                        yield trouble, sender

    def _senders(self, state: State, seen: set[State]) -> Iterator[Socket]:
        left = [] if state in seen else [state]
        seen.update(left)
        while left:
            at = left.pop()
            if not self._came[at]:
                yield self._graph.sockets[at[0]]
            for before in self._came[at]:
                if before not in seen:
                    seen.add(before)
                    left.append(before)

    def _send(self, socket: Socket, front: Parts, state: State) -> None:
        """Over all links of a socket."""
        for link in self._graph.links_of(socket):
            if link.talks:
                self._receive(link.peer(socket), socket, link, front, state)

    def _receive(self, socket: Socket, sender: Socket, link: Link, front: Parts, state: State) -> None:
        does = ENVELOPES[socket.type]
        if not SOCKETS[socket.type].receives or does.speaks == "first":
            return
        if does.topics == "asks":
            self.topics.setdefault(socket.id, {}).setdefault(front[0], state)
        if does.receives == "sender":
            front = (NAME if routing_id(sender) else MADE_UP, *front)[:DEEPEST]
        if does.receives == "keeps" or socket.program == "REP":
            if front[0].kind == "prefix":
                return  # what is copied may have one further on
            if DELIMITER not in front:
                self._trouble("delimiter", socket, front, state)
                return
            front = front[front.index(DELIMITER) + 1 :] or (BODY,)
        if socket.role == "app":
            return
        came = (socket.id, front)
        if came in self._came:
            self._came[came].append(state)
        else:
            self._came[came] = [state]
            self._left.append(came)

    def _cross(self, id: str, front: Parts) -> None:
        """Through the device that it has come to."""
        source = self._graph.sockets[id]
        device = self._graph.device(source)
        assert device is not None, "apps pass nothing on"
        state = (id, front)
        if device.swap is not None and len(front) > 1:
            front = (front[1], front[0], *(front[2:] or (BODY,) * (front[1] is BODY)))
        for side, target in passes(device):
            if side is source:
                self._leave(device, source, target, front, state)

    def _leave(self, device: Device, source: Socket, target: Socket, front: Parts, state: State) -> None:
        does = ENVELOPES[target.type]
        if does.speaks == "second":
            return
        if does.sends == "delimiter":
            front = (DELIMITER, *front)[:DEEPEST]
        if does.sends == "address":
            if front[0] is not BODY:
                if source.type != target.type or device.swap is not None:  # of two ROUTERs without `swap` something else is said
                    self._trouble("address", target, front, state)
                return
            front = front[1:] or (BODY,)
        self._send(target, front, state)

    def _trouble(self, looks_for: Wanted, socket: Socket, front: Parts, state: State) -> None:
        self._troubles.setdefault((looks_for, state), Trouble(looks_for, socket, front, state))


def _written(socket: Socket) -> Parts | None:
    """What a program sends through a socket before it was asked, as it leaves the socket; None if that is nothing."""
    does = ENVELOPES[socket.type]
    if not SOCKETS[socket.type].sends or does.speaks == "second" or socket.program == "REP" or does.single:
        return None
    return (DELIMITER, BODY) if does.sends == "delimiter" or socket.program == "REQ" else (BODY,)


def fronts(graph: Graph) -> Fronts:
    """The fronts of all messages in a graph."""
    return graph.ask(Fronts)
