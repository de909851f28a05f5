"""The way of a message, socket by socket: what each does to its parts, there and back.

What the types do is a table, `topo/zeromq/envelopes.py`; what an app's program writes is the least that the message needs to
get to its end: a body, behind the name of each peer that a ROUTER on the way has to be told. A program answers behind what stood
in front of the question, as those do that know ZeroMQ.

A way through the routes (`topo/routes.py`) is walked, and the walk ends early where a socket would drop, hold back or misdirect
the message: then the leg says why, and which words of the file are the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from topo.graph import Graph, Link
from topo.model import Device, Socket
from topo.routes import Point, passages, peers_of, routing_id, topics_of
from topo.source import Span
from topo.zeromq.envelopes import ENVELOPES, Envelope
from topo.zeromq.sockets import SOCKETS, with_article

if TYPE_CHECKING:
    import networkx

__all__ = [
    "BODY",
    "DELIMITER",
    "Action",
    "Hop",
    "Journey",
    "Leg",
    "Part",
    "Parts",
    "Step",
    "Verdict",
    "begins",
    "journey",
    "label",
    "sentence",
    "steps_of",
    "telling",
]

Kind = Literal["id", "request id", "delimiter", "prefix", "subscription", "body", "answer"]
Action = Literal[
    "writes", "answers", "names", "delimits", "delimits by hand", "restores", "restores by hand", "addresses", "sends", "sends up", "tears", "spreads",
    "labels", "undelimits", "undelimits by hand", "keeps", "keeps by hand", "takes", "swaps", "copies",
    "subscribes", "forwards", "reads", "heeds", "starts",
]  # fmt: skip
Verdict = Literal["answered", "by chance", "unanswered", "one way", "lost"]
"""Whether the message arrives and an answer finds its way back; it may find it by chance only, or arrive nowhere."""


class Part(msgspec.Struct, frozen=True):
    """One part of a message, as far as it is known before the start.

    An id is that of the socket `of`; one that a ROUTER has made up means something to that ROUTER alone, `at`. `value` is what
    the part holds, where the file says so.
    """

    kind: Kind
    of: str = ""
    at: str = ""
    value: bytes | None = None


Parts = tuple[Part, ...]

BODY = Part("body")
ANSWER = Part("answer")
DELIMITER = Part("delimiter", value=b"")
REQUEST_ID = Part("request id")


class Hop(msgspec.Struct, frozen=True):
    """What one socket did to a message: the parts are those after it. `link` is what it came over, where it came over one."""

    socket: Socket
    action: Action
    parts: Parts
    link: Link | None = None
    among: int | None = 1
    """Among how many peers it goes in turn; None is any number."""


class Leg(msgspec.Struct, frozen=True):
    """One way of a message. Where it does not get through, `why` says so, and `where` is the reason in the file."""

    hops: tuple[Hop, ...]
    why: str = ""
    where: Span | None = None

    @property
    def arrives(self) -> bool:
        """Whether the message gets to its end."""
        return not self.why

    @property
    def parts(self) -> Parts:
        """What is left of it at the end."""
        return self.hops[-1].parts if self.hops else ()


class Journey(msgspec.Struct, frozen=True):
    """A message from `start` to `end` and the answer to it, by one way. Subscriptions go before, the other way round."""

    start: Socket
    end: Socket
    before: Leg | None
    there: Leg
    back: Leg | None
    verdict: Verdict
    why: str = ""
    """Why it is not simply answered."""
    where: Span | None = None


SENTENCES: dict[Action, str] = {
    "starts": "a message",
    "writes": "the program sends",
    "answers": "the program answers",
    "names": "the program puts in front whom it is for",
    "delimits": "adds an empty delimiter",
    "delimits by hand": "the program adds an empty delimiter",
    "restores": "puts back what it kept, for who asked",
    "restores by hand": "the program puts back what it kept",
    "addresses": "takes off the first part: whom it is for",
    "sends": "sends it as it is",
    "sends up": "sends it to all the publishers",
    "tears": "takes a made-up id for the end of a subscription, and sends the rest to all the publishers",
    "spreads": "sends it to those who subscribed to it",
    "labels": "puts the id of who sent it in front",
    "undelimits": "takes off the delimiter",
    "undelimits by hand": "the program takes off all up to the delimiter",
    "keeps": "keeps what stands up to the delimiter",
    "keeps by hand": "the program keeps what stands up to the delimiter",
    "takes": "takes it as it is",
    "swaps": "the device exchanges the first two parts",
    "copies": "the device copies it behind a prefix",
    "subscribes": "subscribes",
    "reads": "reads the subscription, and knows what to send",
    "forwards": "sends the subscription on",
    "heeds": "knows from now on what to send",
}


def sentence(hop: Hop) -> str:
    """What a socket did, in words."""
    said = SENTENCES[hop.action]
    if hop.action == "subscribes":
        return (
            said
            if hop.among == 1
            else "subscribes, as its program goes"
            if hop.among is None
            else f"{said} to {hop.among} topics"
        )
    if hop.among == 1:
        return said
    return f"{said}, {'to each' if hop.among is None else f'to one of {hop.among}'} in turn"


def telling(leg: Leg) -> list[Hop]:
    """The hops that say something: that a socket sends on what its program has just written, goes without saying."""
    plain = {
        n
        for n, (before, hop) in enumerate(pairwise(leg.hops), 1)
        if hop.action == "sends" and hop.among == 1 and before.socket.id == hop.socket.id and before.parts == hop.parts
    }
    return [hop for n, hop in enumerate(leg.hops) if n not in plain]


def label(part: Part) -> str:
    """A part in a few characters."""
    if part.kind == "subscription":
        return "subscription" if part.value is None else f'1 "{_text(part.value[1:])}"'
    if part.value is not None:
        return _text(part.value) if part.kind == "id" else f'"{_text(part.value)}"'
    return part.of if part.kind == "id" else part.kind


def _text(value: bytes) -> str:
    return value.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


# -- what sockets do to parts ---------------------------------------------------------------------------------------------------------


class _Ends(Exception):
    """The message gets no further."""

    def __init__(self, why: str, where: Span) -> None:
        super().__init__(why, where)
        self.why, self.where = why, where


class _Unaddressed(Exception):
    """A ROUTER needs to be told for whom the message is; the program may do so, with this part in front of the body."""

    def __init__(self, address: Part) -> None:
        super().__init__(address)
        self.address = address


def _known_as(router: Socket, peer: Socket, link: Link | None = None) -> Part:
    """The id by which a ROUTER knows a peer."""
    given = router.option("connect_routing_id")
    if given is not None and link is not None and link.a.id == router.id and link.connect == router.connects[0]:
        value = given.values[0].value
        return Part("id", peer.id, value=value if isinstance(value, bytes) else None)
    name = routing_id(peer)
    return Part("id", peer.id, "" if name else router.id, name if isinstance(name, bytes) else None)


def _calls(part: Part, known: Part) -> bool:
    """Whether a part is the id by which a peer is known."""
    return part == known or (part.value is not None and part.value == known.value)


def begins(part: Part, topic: bytes) -> bool | None:
    """Whether a part begins with a topic; None where that depends on what the program sends."""
    if not topic:
        return True
    if part.kind in ("body", "answer", "request id") or (part.kind == "id" and not part.at and part.value is None):
        return None
    return part.value is not None and part.value.startswith(topic)  # an id that is made up begins with a zero byte


def _named(socket: Socket) -> str:
    return f"`{socket.id}`"


class _Walk:
    """A message on its way. It holds the parts as they are now, and all that was done to them."""

    def __init__(self, graph: Graph, parts: Parts, kept: dict[str, Parts] | None = None) -> None:
        self.graph = graph
        self.parts = parts
        self.hops: list[Hop] = []
        self.answering = kept is not None
        self.kept: dict[str, Parts] = {} if kept is None else kept
        self.by_chance: tuple[Socket, int | None] | None = None
        self.after_subscription = False  # it goes where subscriptions have gone before

    def do(self, socket: Socket, action: Action, parts: Parts, link: Link | None = None, among: int | None = 1) -> None:
        """Note what was done."""
        self.parts = parts
        self.hops.append(Hop(socket, action, parts, link, among))

    # The program at the ends

    def write(self, socket: Socket, to: Socket | None, link: Link | None) -> None:
        """The program's own part in a message that it sends."""
        self.do(socket, "answers" if self.answering else "writes", self.parts)
        if socket.program == "REQ":
            self.do(socket, "delimits by hand", (DELIMITER, *self.parts))
        if socket.program == "REP":
            if not self.answering:
                raise _Ends(f"the program of {_named(socket)} speaks only when it is asked, as a REP does", socket.type_span)
            self.do(socket, "restores by hand", (*self.kept[socket.id], *self.parts))
        if not self.answering and ENVELOPES[socket.type].sends == "address" and to is not None:
            known = _known_as(socket, to, link)
            if known.at:
                raise _Ends(f"{_named(to)} has no `routing_id` by which {_named(socket)} could call it", to.type_span)
            self.do(socket, "names", (known, *self.parts))

    def read(self, socket: Socket) -> None:
        """The program's own part in a message that it receives."""
        if socket.program == "REP":
            self._keep(socket, "keeps by hand", None)
        if socket.program == "REQ" and self.answering:
            at = 1 if ENVELOPES[socket.type].receives == "sender" else 0
            if len(self.parts) < at + 2 or self.parts[at].kind != "delimiter":
                raise _Ends(f"the program of {_named(socket)} looks for an empty delimiter, as a REQ does", socket.type_span)
            self.do(socket, "undelimits by hand", self.parts[at + 1 :])

    # Sockets

    def send(self, socket: Socket, to: Socket, link: Link | None) -> None:
        """What a socket does as it sends to `to`, and whether that is the one that it sends to."""
        does = ENVELOPES[socket.type]
        if does.speaks == "second" and not self.answering:
            raise _Ends(f"{_named(socket)} is a REP: it speaks only when it is asked", socket.type_span)
        if does.speaks == "first" and self.answering:
            raise _Ends(f"{_named(socket)} is a REQ: it asks, and never answers", socket.type_span)
        if does.speaks == "first" and self.after_subscription:
            raise _Ends(f"{_named(socket)} is a REQ: the subscription that came first has its turn", socket.type_span)
        if does.single and len(self.parts) > 1:
            raise _Ends(f"{_named(socket)} is {with_article(socket.type)}: its messages have one part", socket.type_span)
        match does.chooses:
            case "address":
                self._address(socket, to, link)
            case "asker":
                self.do(socket, "restores", (*self.kept.get(socket.id, ()), *self.parts))
            case "all":
                self._spread(socket, to)
            case "turn":
                self._take_turns(socket, does)
            case _:
                self.do(socket, "sends", self.parts)

    def _address(self, socket: Socket, to: Socket, link: Link | None) -> None:
        front, *rest = self.parts
        known = _known_as(socket, to, link)
        if _calls(front, known):
            self.do(socket, "addresses", tuple(rest))
            return
        if front.kind == "body":
            if known.at:
                raise _Ends(f"{_named(to)} has no `routing_id` by which anybody could call it", to.type_span)
            raise _Unaddressed(known)
        for other in peers_of(self.graph, socket).values():
            if _calls(front, _known_as(socket, other)):
                raise _Ends(f"{_named(socket)} sends it to {_named(other)}, whose id stands in front", socket.type_span)
        raise _Ends(f"{_named(socket)} drops it: it knows nobody by {_words_for(front)}", socket.type_span)

    def _spread(self, socket: Socket, to: Socket) -> None:
        if ENVELOPES[socket.type].topics == "forwards":
            whole = tuple(part for part in self.parts if not part.at)
            self.do(socket, "sends up" if whole == self.parts else "tears", whole)
            return
        topics = topics_of(self.graph, to)
        if topics is not None and not topics:
            raise _Ends(f"{_named(to)} has subscribed to nothing", to.type_span)
        if topics is not None and all(begins(self.parts[0], topic) is False for topic in topics):
            raise _Ends(f"{_named(to)} has not subscribed to what begins with {_words_for(self.parts[0])}", to.type_span)
        self.do(socket, "spreads", self.parts)

    def _take_turns(self, socket: Socket, does: Envelope) -> None:
        peers = peers_of(self.graph, socket)
        among = None if any(self.graph.any_number(p) for p in peers.values()) else len(peers)
        if does.sends == "delimiter":
            correlated = socket.option("req_correlate")
            extra = (REQUEST_ID,) if correlated is not None and correlated.values[0].value == 1 else ()
            self.do(socket, "delimits", (*extra, DELIMITER, *self.parts), among=among)
        else:
            self.do(socket, "sends", self.parts, among=among)
        if self.answering and among != 1 and self.by_chance is None:
            self.by_chance = socket, among

    def receive(self, socket: Socket, sender: Socket, link: Link | None) -> None:
        """What a socket does as it receives."""
        does = ENVELOPES[socket.type]
        if does.speaks == "first" and not self.answering:
            raise _Ends(f"{_named(socket)} is a REQ: it takes nothing but answers", socket.type_span)
        if does.speaks == "second" and self.answering:
            raise _Ends(f"{_named(socket)} is a REP: it would take the answer for a question", socket.type_span)
        match does.receives:
            case "sender":
                self.do(socket, "labels", (_known_as(socket, sender, link), *self.parts), link)
            case "keeps":
                self._keep(socket, "keeps", link)
            case "delimiter":
                self._undelimit(socket, link)
            case _:
                self.do(socket, "takes", self.parts, link)

    def _keep(self, socket: Socket, action: Action, link: Link | None) -> None:
        at = next((n for n, part in enumerate(self.parts[:-1]) if part.kind == "delimiter"), None)
        if at is None:
            raise _Ends(f"{_named(socket)} drops it: it looks for an empty delimiter, and there is none", socket.type_span)
        self.kept[socket.id] = self.parts[: at + 1]
        self.do(socket, action, self.parts[at + 1 :], link)

    def _undelimit(self, socket: Socket, link: Link | None) -> None:
        rest = self.parts[1:] if self.parts[0].kind == "request id" else self.parts
        if len(rest) < 2 or rest[0].kind != "delimiter":
            raise _Ends(f"{_named(socket)} drops it: a REQ looks for an empty delimiter in front", socket.type_span)
        self.do(socket, "undelimits", rest[1:], link)

    # Devices

    def cross(self, device: Device, source: Socket, target: Socket) -> None:
        """Go through a device, from the side that has received it to the one that is to send it."""
        self.after_subscription |= source.type == "XPUB"
        if device.swap is not None and len(self.parts) > 1:
            first, second, *rest = self.parts
            self.do(source, "swaps", (second, first, *rest))
        if target.role == "monitor":
            self._copied(device, source)
            prefix = device.prefixes[0 if source.role == "in" else 1]
            self.do(target, "copies", (Part("prefix", value=prefix), *self.parts))

    def _copied(self, device: Device, source: Socket) -> None:
        """See to it that the message goes on through the device: only what does is copied."""
        target = next(t for s, t in passages(device) if s.id == source.id)
        peers = peers_of(self.graph, target)
        known = [_known_as(target, peer) for peer in peers.values()]
        does = ENVELOPES[target.type]
        if does.speaks == "second":
            raise _Ends(f"{_named(target)} is a REP: it speaks only when it is asked", target.type_span)
        if does.speaks == "first" and self.after_subscription:
            raise _Ends(f"{_named(target)} is a REQ: the subscription that came first has its turn", target.type_span)
        if does.chooses == "address" and not any(_calls(self.parts[0], k) for k in known):
            name = next((k for k in known if not k.at), None)
            if self.parts[0].kind == "body" and name is not None:
                raise _Unaddressed(name)
            raise _Ends(f"{_named(target)} drops it, and what is dropped is not copied", target.type_span)


def _words_for(part: Part) -> str:
    match part.kind:
        case "id":
            return f"the id of `{part.of}`"
        case "delimiter":
            return "an empty part"
        case "prefix":
            return label(part)
    return f"the {part.kind}"


# -- legs -----------------------------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """From one socket to the next on the way: over a link, or through a device."""

    source: Socket
    target: Socket
    link: Link | None


def steps_of(graph: Graph, routes: networkx.DiGraph[Point], path: Sequence[Point]) -> list[Step]:
    """The steps of a way through the routes of a graph."""
    return [Step(graph.sockets[a.socket], graph.sockets[b.socket], routes.edges[a, b].get("link")) for a, b in pairwise(path)]


def _go(walk: _Walk, steps: Sequence[Step]) -> None:
    for source, target, link in steps:
        if link is None:
            device = walk.graph.device(source)
            assert device is not None, "what is no link is a way through a device"
            walk.cross(device, source, target)
        else:
            walk.send(source, target, link)
            walk.receive(target, source, link)


def _there(graph: Graph, steps: Sequence[Step], start: Socket, end: Socket) -> tuple[Leg, dict[str, Parts]]:
    addresses: Parts = ()
    while True:
        walk = _Walk(graph, (*addresses, BODY))
        first = steps[0] if steps else None
        try:
            if graph.device(start) is None and first is not None:
                walk.write(start, first.target, first.link)
            else:
                walk.do(start, "starts", walk.parts)
            _go(walk, steps)
            if graph.device(end) is None:
                walk.read(end)
        except _Unaddressed as needs:
            addresses = (*addresses, needs.address)
        except _Ends as ends:
            return Leg(tuple(walk.hops), ends.why, ends.where), walk.kept
        else:
            return Leg(tuple(walk.hops)), walk.kept


def _back(
    graph: Graph, steps: Sequence[Step], there: Leg, kept: dict[str, Parts]
) -> tuple[Leg, tuple[Socket, int | None] | None]:
    """The answer, by the same way. The last step of the way there is the first of the way back."""
    start, end = steps[-1].target, steps[0].source
    parts = tuple(ANSWER if part.kind == "body" else part for part in there.parts)
    walk = _Walk(graph, parts, dict(kept))
    try:
        walk.write(start, steps[-1].source, steps[-1].link)
        for source, target, link in reversed(steps):
            _can_return(graph, target, source, link)
            _go(walk, [Step(target, source, link)])
        walk.read(end)
    except _Ends as ends:
        return Leg(tuple(walk.hops), ends.why, ends.where), walk.by_chance
    return Leg(tuple(walk.hops)), walk.by_chance


def _can_return(graph: Graph, source: Socket, target: Socket, link: Link | None) -> None:
    """See to it that something can go from `source` to `target`, where it came the other way."""
    if link is None:
        if not SOCKETS[source.type].receives:
            raise _Ends(f"{_named(source)} is {with_article(source.type)}: it only sends", source.type_span)
        if not SOCKETS[target.type].sends:
            raise _Ends(f"{_named(target)} is {with_article(target.type)}: it only receives", target.type_span)
    elif not SOCKETS[source.type].sends:
        raise _Ends(f"{_named(source)} is {with_article(source.type)}: it only receives", source.type_span)


def _before(graph: Graph, steps: Sequence[Step]) -> Leg | None:
    """The subscription that goes ahead, from the last that subscribes on the way to whoever takes it to heart."""
    last = next((n for n in reversed(range(len(steps))) if steps[n].link and ENVELOPES[steps[n].target.type].topics), None)
    if last is None:
        return None
    start = steps[last].target
    topics = topics_of(graph, start)
    if graph.device(start) is not None and start.type == "XSUB":
        return None
    topic = min(topics) if topics else None
    part = Part("subscription", start.id, value=None if topic is None else b"\x01" + topic)
    hops = [Hop(start, "subscribes", (part,), among=None if topics is None else len(topics))]
    for n in range(last, -1, -2):
        publisher, link = steps[n].source, steps[n].link
        device = graph.device(publisher)
        on = device is not None and publisher.type == "XPUB" and n >= 2 and steps[n - 2].target.type == "XSUB"
        hops.append(Hop(publisher, "reads" if publisher.type == "XPUB" else "heeds", (part,), link))
        if not on:
            break
        hops.append(Hop(steps[n - 2].target, "forwards", (part,)))
    return Leg(tuple(hops))


def journey(graph: Graph, steps: Sequence[Step]) -> Journey:
    """A message and the answer to it, by one way."""
    start, end = steps[0].source, steps[-1].target
    before = _before(graph, steps)
    there, kept = _there(graph, steps, start, end)
    if not there.arrives:
        return Journey(start, end, before, there, None, "lost", there.why, there.where)
    if graph.device(start) is not None or graph.device(end) is not None:
        return Journey(start, end, before, there, None, "one way", "what a device answers, those behind it do")
    monitor = next((step.target for step in steps if step.target.role == "monitor"), None)
    if monitor is not None:
        return Journey(start, end, before, there, None, "one way", f"what comes from {_named(monitor)} is a copy", monitor.span)
    if not SOCKETS[start.type].receives:
        return Journey(
            start,
            end,
            before,
            there,
            None,
            "one way",
            f"{_named(start)} is {with_article(start.type)}: it only sends",
            start.type_span,
        )
    up = next(
        (hop.socket for hop in there.hops if ENVELOPES[hop.socket.type].topics == "forwards" and hop.action != "takes"), None
    )
    if up is not None:
        why = f"{_named(up)} is an XSUB: it asks for topics, and what comes is no answer"
        return Journey(start, end, before, there, None, "one way", why, up.type_span)
    back, chance = _back(graph, steps, there, kept)
    if back.arrives and chance is None:
        return Journey(start, end, before, there, back, "answered")
    if back.arrives and chance is not None:
        socket, among = chance
        whom = "one of any number" if among is None else f"one of {among}"
        why = f"{_named(socket)} sends answers to {whom} in turn, whoever asked"
        return Journey(start, end, before, there, back, "by chance", why, socket.type_span)
    if len(back.hops) > 1:
        return Journey(start, end, before, there, back, "unanswered", back.why, back.where)
    expects = ENVELOPES[start.program or start.type].speaks == "first"
    return Journey(start, end, before, there, None, "unanswered" if expects else "one way", back.why, back.where)
