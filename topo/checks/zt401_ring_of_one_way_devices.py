"""Rings in which a message goes round for ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, flows, ways
from topo.model import Device

if TYPE_CHECKING:
    import networkx


@check("ZT401", "a ring of one-way devices")
def ring_of_one_way_devices(graph: Graph) -> Iterator[Diagnostic]:
    """A device through which messages go one way passes on whatever comes in.

    Where its output leads back to its input, over other devices or none, each message goes round for ever, as fast as the
    machine can. Queues are not affected: their messages know where they are to go.

    ```ztopo ZT401
    device first: streamer {
        in  PULL bind tcp://*:5560
        out PUSH connect second.in
    }
    device second: streamer {
        in  PULL bind tcp://*:5561
        out PUSH connect first.in
    }
    ```

    An app in between, which looks at a message and decides, breaks the ring:

    ```ztopo
    device first: streamer {
        in  PULL bind tcp://*:5560
        out PUSH connect second.in
    }
    device second: streamer {
        in  PULL bind tcp://*:5561
        out PUSH bind tcp://*:5562
    }
    app retry {
        socket failed: PULL connect second.out
        socket again:  PUSH connect first.in
    }
    ```
    """
    after: dict[str, set[str]] = defaultdict(set)
    one_way = {d.name for d in graph.model.devices if _one_way(d)}
    for link in graph.links if one_way else ():
        if link.a.owner in one_way and link.b.owner in one_way:
            for source, target in flows(link) if link.talks else ():
                after[graph.sockets[source].owner].add(graph.sockets[target].owner)
    left = _in_rings(after)
    if left:
        yield from _rings(graph, left)


def _one_way(device: Device) -> bool:
    sides = [(s, t) for s, t in ways(device) if not t.endswith(".monitor")]
    return len(sides) == 1


def _in_rings(after: dict[str, set[str]]) -> set[str]:
    """What is left when all that nothing leads to is taken away, again and again: rings, and what hangs behind them."""
    incoming: dict[str, int] = dict.fromkeys(after, 0)
    for targets in after.values():
        for target in targets:
            incoming[target] = incoming.get(target, 0) + 1
    free = [name for name, count in incoming.items() if not count]
    left = set(incoming)
    while free:
        name = free.pop()
        left.discard(name)
        for target in after.get(name, ()):
            incoming[target] -= 1
            if not incoming[target]:
                free.append(target)
    return left


def _rings(graph: Graph, devices: Iterable[str]) -> Iterator[Diagnostic]:
    import networkx  # only where there is a ring to be found: it takes a tenth of a second

    sides = [s.id for name in devices for s in graph.components[name].sockets]
    within = graph.nx.subgraph(sides)
    for ring in networkx.strongly_connected_components(within):
        if len(ring) > 1:
            inside: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph(
                sorted(within.subgraph(ring).edges(keys=True))
            )  # a set has no order of its own
            yield _ring(graph, networkx.find_cycle(inside, min(ring)), within)


def _ring(graph: Graph, cycle: list[Any], within: networkx.MultiDiGraph[Any]) -> Diagnostic:  # Any: networkx's edges
    links = [link for a, b, key in cycle if (link := within.edges[a, b, key].get("link")) is not None]
    links.sort(key=lambda link: link.connect.span.start)
    names = list(dict.fromkeys(graph.sockets[a].owner for a, _, _ in cycle))
    round_about = " -> ".join(f"`{n}`" for n in (*names, names[0]))
    return Diagnostic(
        code="ZT401",
        message=f"messages go round for ever: {round_about}",
        labels=tuple(
            Label(link.connect.span, "this closes the ring" if n == 0 else "and on here")
            for n, link in enumerate(reversed(links))
        ),
        notes=("one-way devices pass on whatever comes in; take out one of the links, or put an app in between",),
    )
