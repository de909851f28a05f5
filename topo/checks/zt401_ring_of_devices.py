"""Rings in which a message goes round for ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, Link, flows, ways
from topo.zeromq.sockets import SOCKETS


@check("ZT401", "a ring of devices")
def ring_of_devices(graph: Graph) -> Iterator[Diagnostic]:
    """A device passes on whatever comes in. Where its output leads back to its input, messages go round for ever.

    It does not matter whether the way back is over other devices or none. One message is enough to keep the ring as busy as
    the machine can; in a ring of queues it grows by a part each time, because each queue adds who it came from.

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

    ```ztopo ZT401
    device near: queue {
        in  bind tcp://*:5560
        out connect far.in
    }
    device far: queue {
        in  bind tcp://*:5561
        out connect near.in
    }
    app client: REQ connect near.in
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

    Queues may follow each other, even in a ring, as long as there is somebody who answers:

    ```ztopo
    device near: queue {
        in  bind tcp://*:5560
        out connect far.in
    }
    device far: queue {
        in  bind tcp://*:5561
        out bind tcp://*:5562
    }
    app client: REQ connect near.in
    app worker: REP connect far.out
    ```

    What a ROUTER sends goes to the one that its first part names, so answers do not go round.
    """
    devices = _in_rings(_between(graph))
    onward = _onward(graph, devices)
    left = _in_rings(onward)
    if left:
        yield from _rings(graph, {a: {b: link for b, link in onward[a].items() if b in left} for a in sorted(left)})


Onward = Mapping[str, Mapping[str, Link]]
"""From each side of a device that a message may come in at, to those it comes to next, and over which link."""


def _between(graph: Graph) -> Mapping[str, set[str]]:
    """From each device to those that get messages from it. A ring of sides is one of devices, too, and there are fewer of these."""
    found: dict[str, set[str]] = defaultdict(set)
    for link in graph.links:
        if graph.device(link.a) is not None and graph.device(link.b) is not None:
            for sender, receiver in ((link.a, link.b), (link.b, link.a)):
                if SOCKETS[sender.type].sends and not SOCKETS[sender.type].routed and SOCKETS[receiver.type].receives:
                    found[sender.owner].add(receiver.owner)
                    found.setdefault(receiver.owner, set())
    return found


def _onward(graph: Graph, devices: set[str]) -> Onward:
    through: dict[str, list[str]] = defaultdict(list)  # from sides that messages go out of, back to where they came in
    for device in graph.model.devices:
        for source, target in ways(device) if device.name in devices else ():
            if not SOCKETS[graph.sockets[target].type].routed:
                through[target].append(source)
    entered = {source for sources in through.values() for source in sources}
    onward: dict[str, dict[str, Link]] = {source: {} for source in entered}
    for link in graph.links if entered else ():
        for source, target in flows(link) if link.talks else ():
            for came_in in through.get(source, ()) if target in entered else ():
                onward[came_in].setdefault(target, link)
    return onward


def _in_rings(onward: Mapping[str, Collection[str]]) -> set[str]:
    """What is left when all that nothing leads to is taken away, again and again: rings, and what hangs behind them."""
    incoming: dict[str, int] = dict.fromkeys(onward, 0)
    for targets in onward.values():
        for target in targets:
            incoming[target] += 1
    free = [side for side, count in incoming.items() if not count]
    left = set(incoming)
    while free:
        side = free.pop()
        left.discard(side)
        for target in onward[side]:
            incoming[target] -= 1
            if not incoming[target]:
                free.append(target)
    return left


def _rings(graph: Graph, onward: Onward) -> Iterator[Diagnostic]:
    import networkx  # only where there is a ring to be found: it takes a tenth of a second

    within: networkx.DiGraph[str] = networkx.DiGraph((a, b) for a, targets in onward.items() for b in sorted(targets))
    told: set[frozenset[str]] = set()
    for ring in sorted(networkx.strongly_connected_components(within), key=min):
        owners = frozenset(graph.sockets[side].owner for side in ring)
        if owners not in told and any(b in ring for a in ring for b in onward[a]) and not _has_an_end(graph, ring):
            told.add(owners)  # where both ways through the devices are rings, once is enough
            inside: networkx.DiGraph[str] = networkx.DiGraph(sorted(within.subgraph(ring).edges))  # a set has no order of its own
            cycle = networkx.find_cycle(inside, min(ring))
            yield _ring([graph.sockets[a].owner for a, _ in cycle], [onward[a][b] for a, b in cycle])


def _has_an_end(graph: Graph, ring: set[str]) -> bool:
    """Whether a question that goes round may leave the ring and be answered: some socket takes turns with others outside."""
    for side in ring:
        device = graph.device(graph.sockets[side])
        for source, target in ways(device) if device is not None else ():
            socket = graph.sockets[target]
            if source == side and SOCKETS[socket.type].receives and not SOCKETS[socket.type].routed:
                links = graph.links_of(socket)
                ends = {link.b.id if link.a.id == target else link.a.id for link in links if link.talks}
                if ends - ring or any(id(connect) not in graph.linked for connect in socket.connects):
                    return True
    return False


def _ring(owners: list[str], links: list[Link]) -> Diagnostic:
    spans = sorted({link.connect.span.start: link.connect.span for link in links}.items(), reverse=True)
    names = list(dict.fromkeys(owners))
    round_about = " -> ".join(f"`{n}`" for n in (*names, names[0]))
    return Diagnostic(
        code="ZT401",
        message=f"messages go round for ever: {round_about}",
        labels=tuple(Label(span, "this closes the ring" if n == 0 else "and on here") for n, (_, span) in enumerate(spans)),
        notes=("devices pass on whatever comes in; take out one of the links, or put an app in between",),
    )
