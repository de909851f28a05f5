"""Where messages can go, and what sockets ask of each other on the way.

`routes` is a directed graph of points, each a socket that receives or one that sends: what comes in at one side of a device
leaves it at another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from topo.graph import Graph, Link, flows
from topo.model import Device, Socket
from topo.zeromq.envelopes import ENVELOPES
from topo.zeromq.sockets import SOCKETS

if TYPE_CHECKING:
    import networkx

__all__ = ["Point", "passages", "peers_of", "points", "routes", "routing_id", "topics_of"]


class Point(NamedTuple):
    """A socket that receives a message, or one that sends it."""

    socket: str
    way: Literal["in", "out"]


def routes(graph: Graph) -> networkx.DiGraph[Point]:
    """Where messages can go. What goes over a link has it as `link`; of several between two sockets the first counts.

    From an XSUB to an XPUB go not only subscriptions but whatever is sent, so that is a way, too.
    """
    import networkx

    found: networkx.DiGraph[Point] = networkx.DiGraph()
    for link in graph.links:
        for source, target in (*flows(link), *_upstream(link)) if link.talks else ():
            if not found.has_edge(Point(source, "out"), Point(target, "in")):
                found.add_edge(Point(source, "out"), Point(target, "in"), link=link)
    for device in graph.model.devices:
        monitor = device.side("monitor")
        for entry, exit in passages(device):
            found.add_edge(Point(entry.id, "in"), Point(exit.id, "out"))
            if monitor is not None and SOCKETS[monitor.type].sends:
                found.add_edge(Point(entry.id, "in"), Point(monitor.id, "out"))
    return found


def _upstream(link: Link) -> Iterator[tuple[str, str]]:
    for source, target in ((link.a, link.b), (link.b, link.a)):
        if (source.type, target.type) == ("XSUB", "XPUB"):
            yield source.id, target.id


def passages(device: Device) -> Iterator[tuple[Socket, Socket]]:
    """The ways through a device, those of `passes` and those that lead from an XPUB or to an XSUB."""
    inward = device.side("in")
    outward = device.side("out") or inward
    if inward is None or outward is None:
        return
    for source, target in ((inward, outward), (outward, inward))[: 1 if inward is outward else 2]:
        if (SOCKETS[source.type].receives or source.type == "XPUB") and (SOCKETS[target.type].sends or target.type == "XSUB"):
            yield source, target


def points(graph: Graph, socket: Socket, way: Literal["in", "out"]) -> list[Point]:
    """Where a message that begins (out) or ends (in) at a socket may do so: at a side of a device also as it passes."""
    return [Point(socket.id, way)] if graph.device(socket) is None else [Point(socket.id, "in"), Point(socket.id, "out")]


def peers_of(graph: Graph, socket: Socket) -> dict[str, Socket]:
    """Those that a socket talks to."""
    others = (link.b if link.a.id == socket.id else link.a for link in graph.links_of(socket) if link.talks)
    return {other.id: other for other in others}


def routing_id(socket: Socket) -> bytes | bool:
    """What a socket calls itself to a ROUTER; True where its program chooses that, False where it does not."""
    option = socket.option("routing_id")
    if option is None or not option.values:
        return False
    value = option.values[0].value
    return value if isinstance(value, bytes) else option.values[0].kind == "any"


def topics_of(graph: Graph, socket: Socket) -> frozenset[bytes] | None:
    """What a SUB or an XSUB asks its publishers for; None where only its program knows.

    An XSUB that is a side of a device asks for what those ask for whose subscriptions come in opposite.
    """
    found: set[bytes] = set()
    left, seen = [socket], {socket.id}
    while left:
        asking = left.pop()
        device = graph.device(asking)
        if asking.type == "SUB":
            values = [v.value for o in asking.options if o.name == "subscribe" for v in o.values]
            if not values and device is None:
                return None
            found.update(v for v in values if isinstance(v, bytes))
        elif ENVELOPES[asking.type].topics == "forwards" and device is None:
            return None
        else:
            behind = [s for s in _subscribers(graph, asking, device) if s.id not in seen]
            seen.update(s.id for s in behind)
            left.extend(behind)
    return frozenset(found)


def _subscribers(graph: Graph, sending: Socket, device: Device | None) -> Iterator[Socket]:
    """Whose subscriptions a side of a device sends on, or who else sends them on to it.

    A subscription is a message: what passes messages on as they are, passes on subscriptions.
    """
    for source, target in passages(device) if device is not None else ():
        if target.id == sending.id and not (ENVELOPES[source.type].receives or ENVELOPES[target.type].sends):
            for peer in peers_of(graph, source).values():
                if source.type == "XPUB" or graph.device(peer) is not None:
                    yield peer
