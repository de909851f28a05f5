"""The ways from one place to another, each with what becomes of a message on it; and where there is none, how far messages get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from topo.envelope import Journey, journey, steps_of
from topo.graph import Graph
from topo.model import Socket
from topo.routes import Point, points, routes
from topo.zeromq.sockets import SOCKETS, with_article

if TYPE_CHECKING:
    import networkx

__all__ = ["Trace", "trace"]


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of messages from one place to another."""

    start: str
    end: str
    """As they were asked for."""
    stands: tuple[tuple[str, Socket, int], ...] = ()
    """A name that stands for several, the one of them that was taken, and how many there are."""
    journeys: tuple[Journey, ...] = ()
    more: bool = False
    """Whether there are ways beside these."""
    halts: tuple[tuple[Socket, str], ...] = ()
    """Where there is no way: how far messages get, and why no further."""
    other_way: bool = False
    """Where there is no way: whether there is one from the end to the start."""


def trace(graph: Graph, starts: Sequence[Socket], ends: Sequence[Socket], most: int) -> Trace:
    """The ways from any of some sockets to any of others, the shortest first and at most so many."""
    ways = routes(graph)
    found = [path for a in starts for b in ends for path in islice(_ways_between(graph, ways, a, b), most + 1)]
    found.sort(key=len)
    if not found:
        other_way = any(True for a in starts for b in ends for _ in _ways_between(graph, ways, b, a))
        return Trace(start="", end="", halts=tuple(_halts(graph, ways, starts)), other_way=other_way)
    said = tuple(journey(graph, steps_of(graph, ways, path)) for path in found[:most])
    return Trace(start="", end="", journeys=said, more=len(found) > most)


def _ways_between(graph: Graph, ways: networkx.DiGraph[Point], start: Socket, end: Socket) -> Iterator[list[Point]]:
    from heapq import merge

    several = (_paths(ways, a, b) for a in points(graph, start, "out") for b in points(graph, end, "in"))
    return merge(*several, key=len)


def _halts(graph: Graph, ways: networkx.DiGraph[Point], starts: Iterable[Socket]) -> Iterator[tuple[Socket, str]]:
    """Where the messages of some sockets end, and why there."""
    import networkx

    ends: dict[Point, None] = {}
    for start in starts:
        for first in points(graph, start, "out"):
            reached = [first, *networkx.descendants(ways, first)] if first in ways else [first]
            ends.update((point, None) for point in reached if point not in ways or not ways.out_degree(point))
    order = {id: number for number, id in enumerate(graph.sockets)}
    told: set[tuple[str, str]] = set()
    for end in sorted(ends, key=lambda point: order[point.socket]):
        socket = graph.sockets[end.socket]
        if (socket.declared, end.way) not in told:  # once for all replicas
            told.add((socket.declared, end.way))
            yield socket, _why_no_further(graph, end, socket)


def _why_no_further(graph: Graph, point: Point, socket: Socket) -> str:
    if point.way == "out" and not SOCKETS[socket.type].sends:
        return f"`{socket.id}` is {with_article(socket.type)}: it only receives"
    if point.way == "out":
        return f"`{socket.id}` has nobody to send it to"
    device = graph.device(socket)
    if device is None:
        return f"`{socket.id}` is where a program takes it out; what the program does with it is not in the file"
    return f"`{device.name}` passes nothing on from `{socket.id}`, {with_article(socket.type)}"


def _paths(ways: networkx.DiGraph[Point], first: Point, last: Point) -> Iterator[list[Point]]:
    import networkx

    if first == last or first not in ways or last not in ways or not networkx.has_path(ways, first, last):
        return
    between = (networkx.descendants(ways, first) | {first}) & (networkx.ancestors(ways, last) | {last})
    yield from networkx.shortest_simple_paths(ways.subgraph(between).copy(), first, last)
