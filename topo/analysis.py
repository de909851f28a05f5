"""Questions to a whole topology: what hangs on what, where nothing goes, who holds up whom, and how much may lie about.

The answers are data, with the sockets and devices that they are about; `topo/render/analysis_*.py` writes them. All but the
smallest come from networkx, over the routes of messages (`topo/routes.py`) or over who is linked to whom. Each takes time in
proportion to the links.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from topo.graph import Graph, Link, passes
from topo.model import REPLICA, Component, Device, Socket
from topo.routes import Point, peers_of, routes
from topo.source import Span
from topo.zeromq.envelopes import ENVELOPES
from topo.zeromq.sockets import SOCKETS

if TYPE_CHECKING:
    import networkx

__all__ = ["Analysis", "Cut", "Feed", "Load", "Part", "Ring", "Stall", "analyze"]

HWM = 1000
"""libzmq's high water marks where the file says nothing."""

Names = tuple[tuple[str, int], ...]
"""What something is called in the file, and how many of it there are."""


class Part(msgspec.Struct, frozen=True):
    """A part of a topology that only a device holds to the rest: what is next to it by name, how many of these, and all that hang on it."""

    name: str
    next: int
    all: int


class Cut(msgspec.Struct, frozen=True):
    """A device on which contact hangs: if it dies, these parts have none with each other."""

    device: Device
    apart: tuple[Part, ...]


class Ring(msgspec.Struct, frozen=True):
    """Devices through which messages can come back to where they have been."""

    devices: tuple[Device, ...]


class Feed(msgspec.Struct, frozen=True):
    """Who sends to a socket, and how many messages the link to it holds; None is without bound. `count` senders are declared alike.

    It may hold somewhat less while the other end reads, which tells of what it has read only now and then.
    """

    sender: Socket
    holds: int | None
    count: int = 1


class Stall(msgspec.Struct, frozen=True):
    """What becomes of messages if a socket can send no more.

    It drops them, or its program waits, or its device takes no more from those that `feed` the other side. Where the socket
    sends to several in turn, that is so only once none of them reads.
    """

    socket: Socket
    does: Literal["drops", "waits", "takes no more"]
    shared: bool
    feeds: tuple[Feed, ...] = ()


class Load(msgspec.Struct, frozen=True):
    """The most that a device or an app may hold: messages to be sent, and messages to be read; None is without bound.

    `each` says that it is for each of any number of peers.
    """

    component: Component
    to_send: int | None
    to_read: int | None
    each: bool

    @property
    def messages(self) -> int | None:
        """Both together."""
        return None if self.to_send is None or self.to_read is None else self.to_send + self.to_read


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found."""

    name: str
    span: Span
    """The declaration of the topology, in the file that all is about."""
    message_size: int
    cuts: tuple[Cut, ...]
    unreached: tuple[Socket, ...]
    """Sockets that could receive, and that no message of this topology gets to."""
    rings: tuple[Ring, ...]
    readers: tuple[tuple[Socket, tuple[Feed, ...]], ...]
    """The ends, one of each declaration, and who feeds them."""
    stalls: Mapping[str, Stall]
    """By the id of the socket that sends."""
    loads: tuple[Load, ...]
    start: tuple[Names, ...]
    """The order in which to start: what stands together may be started at once."""


def analyze(graph: Graph, message_size: int) -> Analysis:
    """Ask everything. The size of a message is in bytes."""
    ways = routes(graph)
    return Analysis(
        name=graph.model.name,
        span=graph.model.span,
        message_size=message_size,
        cuts=tuple(_cuts(graph)),
        unreached=tuple(_unreached(graph, ways)),
        rings=tuple(_rings(graph, ways)),
        readers=tuple(_readers(graph)),
        stalls={socket.id: _stall(graph, socket) for socket in graph.sockets.values() if SOCKETS[socket.type].sends},
        loads=tuple(_load(graph, component) for component in graph.model.components if component.sockets),
        start=tuple(_start(graph)),
    )


def _declared(component: Component) -> str:
    return REPLICA.sub("", component.name)


def _counted(names: Iterator[str]) -> Names:
    return tuple(Counter(names).items())


# What hangs on what


def _cuts(graph: Graph) -> Iterator[Cut]:
    """The devices that hold a topology together, by what falls apart without them.

    Where a graph is cut into blocks, each in one piece whichever node dies, blocks and the nodes between them are a tree; so how
    much lies behind a block is counted once from below, for all of them.
    """
    import networkx

    contact: networkx.Graph[str] = networkx.Graph()
    contact.add_nodes_from(component.name for component in graph.model.components)
    contact.add_edges_from((a.owner, b.owner) for a, b in _talking(graph) if a.owner != b.owner)
    blocks: list[frozenset[str]] = []
    nearest: dict[tuple[int, str], str] = {}
    position = {name: number for number, name in enumerate(graph.components)}
    for number, edges in enumerate(networkx.biconnected_component_edges(contact)):
        blocks.append(frozenset(name for edge in edges for name in edge))
        for a, b in edges:
            for one, other in ((a, b), (b, a)):
                nearest[number, one] = min(nearest.get((number, one), other), other, key=position.__getitem__)
    of_node: dict[str, list[int]] = defaultdict(list)
    for number, block in enumerate(blocks):
        for name in block:
            of_node[name].append(number)
    sizes = _sizes(contact, blocks, of_node)
    for device in graph.model.devices:
        numbers = sorted(of_node[device.name], key=lambda number: position[nearest[number, device.name]])
        if len(numbers) > 1:
            parts: dict[str, list[int]] = defaultdict(list)
            for number in numbers:
                parts[_declared(graph.components[nearest[number, device.name]])].append(sizes[number, device.name])
            yield Cut(device, tuple(Part(name, len(all), sum(all)) for name, all in parts.items()))


def _talking(graph: Graph) -> Iterator[tuple[Socket, Socket]]:
    return ((link.a, link.b) for link in graph.links if link.talks)


def _sizes(
    contact: networkx.Graph[str], blocks: list[frozenset[str]], of_node: Mapping[str, list[int]]
) -> dict[tuple[int, str], int]:
    """How many nodes lie in a block and behind it, as seen from each node on its edge."""
    import networkx

    found: dict[tuple[int, str], int] = {}
    for piece in networkx.connected_components(contact):
        root = min(piece)
        order: list[tuple[int, str]] = []  # each block with the node through which it is entered from the root
        left = [(number, root) for number in of_node[root]]
        while left:
            number, entry = left.pop()
            order.append((number, entry))
            left.extend((other, node) for node in blocks[number] if node != entry for other in of_node[node] if other != number)
        for number, entry in reversed(order):
            behind = sum(
                found[other, node] for node in blocks[number] if node != entry for other in of_node[node] if other != number
            )
            found[number, entry] = len(blocks[number]) - 1 + behind
        for number, entry in order:
            for node in blocks[number]:
                if node != entry and len(of_node[node]) > 1:
                    others = sum(found[other, node] for other in of_node[node] if other != number)
                    found[number, node] = len(piece) - 1 - others
    return found


# Where nothing goes, and where it goes round


def _unreached(graph: Graph, ways: networkx.DiGraph[Point]) -> Iterator[Socket]:
    reached: set[Point] = set()
    left = [Point(s.id, "out") for a in graph.model.apps for s in a.sockets if _speaks(s)]
    while left:
        point = left.pop()
        if point in reached:
            continue
        reached.add(point)
        left.extend(ways.adj.get(point, ()))
        socket = graph.sockets[point.socket]
        if point.way == "in" and socket.role == "app" and SOCKETS[socket.type].sends:
            left.append(Point(socket.id, "out"))  # it answers
    for socket in graph.sockets.values():
        if SOCKETS[socket.type].receives and socket.role != "monitor" and Point(socket.id, "in") not in reached:
            yield socket


def _speaks(socket: Socket) -> bool:
    """Whether a program may send through a socket without being asked."""
    return SOCKETS[socket.type].sends and ENVELOPES[socket.type].speaks != "second" and socket.program != "REP"


def _rings(graph: Graph, ways: networkx.DiGraph[Point]) -> Iterator[Ring]:
    import networkx

    for points in networkx.strongly_connected_components(ways):
        if len(points) > 1:
            owners = {graph.sockets[point.socket].owner for point in points}
            yield Ring(tuple(device for device in graph.model.devices if device.name in owners))


# Who holds up whom


def _hwm(socket: Socket, peer: Socket, name: Literal["sndhwm", "rcvhwm"]) -> int:
    """The high water mark of a socket for a peer; 0 is none. A REQ has one question at a time on the way, or one answer."""
    if "REQ" in (socket.type, peer.type):
        return 1
    number = socket.number(name, "hwm")
    return HWM if number is None else number


def _holds(sender: Socket, receiver: Socket) -> int | None:
    """How many messages a link holds. Both ends add; without a mark at one of them there is no bound."""
    if "REQ" in (sender.type, receiver.type):
        return 1
    ends = _hwm(sender, receiver, "sndhwm"), _hwm(receiver, sender, "rcvhwm")
    return sum(ends) if all(ends) else None


def _feeds(graph: Graph, receiver: Socket) -> tuple[Feed, ...]:
    """Who sends to a socket, those declared alike together."""
    found: dict[tuple[str, int | None], list[Socket]] = defaultdict(list)
    for peer in peers_of(graph, receiver).values():
        if SOCKETS[peer.type].sends and SOCKETS[receiver.type].receives:
            found[peer.declared, _holds(peer, receiver)].append(peer)
    return tuple(Feed(peers[0], holds, len(peers)) for (_, holds), peers in found.items())


def _readers(graph: Graph) -> Iterator[tuple[Socket, tuple[Feed, ...]]]:
    told: set[str] = set()
    for app in graph.model.apps:
        for socket in app.sockets:
            if SOCKETS[socket.type].receives and socket.declared not in told:
                told.add(socket.declared)
                feeds = _feeds(graph, socket)
                if feeds:
                    yield socket, feeds


def _stall(graph: Graph, socket: Socket) -> Stall:
    does = ENVELOPES[socket.type]
    shared = does.chooses == "turn" and len(peers_of(graph, socket)) > 1
    device = graph.device(socket)
    told = socket.on("xpub_nodrop") or (socket.on("router_mandatory") and device is None)  # a device never waits for its ROUTER
    if SOCKETS[socket.type].mute == "drop" and not told:
        return Stall(socket, "drops", shared=False)
    if device is None:
        return Stall(socket, "waits", shared)
    if socket.role == "monitor":
        return Stall(socket, "drops", shared)  # a device never waits for its monitor
    feeds = [feed for source, target in passes(device) if target.id == socket.id for feed in _feeds(graph, source)]
    return Stall(socket, "takes no more", shared, tuple(feeds))


# How much may lie about


def _load(graph: Graph, component: Component) -> Load:
    to_send: list[int] = []
    to_read: list[int] = []
    each = False
    for socket in component.sockets:
        if socket.role == "monitor" and SOCKETS[socket.type].mute == "block":
            to_send.append(_hwm(socket, socket, "sndhwm"))  # so many copies wait in the device for such a monitor
        for peer in (link.peer(socket) for link in graph.links_of(socket) if link.talks):
            each = each or graph.any_number(peer)
            if SOCKETS[socket.type].sends and SOCKETS[peer.type].receives:
                to_send.append(_hwm(socket, peer, "sndhwm"))
            if SOCKETS[socket.type].receives and SOCKETS[peer.type].sends:
                to_read.append(_hwm(socket, peer, "rcvhwm"))
    return Load(component, _sum(to_send), _sum(to_read), each)


def _sum(marks: list[int]) -> int | None:
    return sum(marks) if all(marks) else None


# In which order to start


def _start(graph: Graph) -> Iterator[Names]:
    """Who receives before who sends; of two that answer each other, who asks comes last. A ring starts at once."""
    import networkx

    order: networkx.DiGraph[str] = networkx.DiGraph()
    order.add_nodes_from(component.name for component in graph.model.components)
    for link in graph.links:
        if link.talks:
            sender, receiver = (link.a, link.b) if _begins_at_a(link) else (link.b, link.a)
            if sender.owner != receiver.owner:
                order.add_edge(receiver.owner, sender.owner)
    condensed = networkx.condensation(order)
    position = {name: number for number, name in enumerate(graph.components)}
    for generation in networkx.topological_generations(condensed):
        names = sorted((name for n in generation for name in condensed.nodes[n]["members"]), key=position.__getitem__)
        yield _counted(_declared(graph.components[name]) for name in names)


def _begins_at_a(link: Link) -> bool:
    """Whether what goes over a link begins at its connecting end."""
    for socket, other, connecting in ((link.a, link.b, True), (link.b, link.a, False)):
        one_way = not (SOCKETS[other.type].sends and SOCKETS[socket.type].receives)
        asks = ENVELOPES[socket.type].speaks == "first" or ENVELOPES[other.type].speaks == "second"
        if one_way or asks or socket.program == "REQ" or other.program == "REP" or other.role == "in" or socket.role == "out":
            return connecting
    return True
