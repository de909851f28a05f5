"""ROUTERs that face each other, with nobody who could be called by name."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, Link, opposite
from topo.model import Device, Socket
from topo.routes import peers_of, routing_id


@check("ZT412", "nobody can be called by name", "error", "warning")
def nobody_can_be_called(graph: Graph) -> Iterator[Diagnostic]:
    """A ROUTER sends only to whom the message names, and knows by a made-up id whoever has no `routing_id`.

    Nobody knows that id but who has heard from the peer. Through a device with `swap` peers call each other by name; where none
    on the one side has a name, those on the other can call nobody, and without a name of their own are not called either.

    ```ztopo ZT412
    device mesh: queue swap {
        in  ROUTER bind tcp://*:5560
        out ROUTER bind tcp://*:5561
    }
    app asks:    DEALER connect mesh.in
    app answers: DEALER connect mesh.out
    ```

    It is enough that one side has names. Who is called learns the id of who has called.

    ```ztopo
    device mesh: queue swap {
        in  ROUTER bind tcp://*:5560
        out ROUTER bind tcp://*:5561
    }
    app asks:    DEALER connect mesh.in
    app answers: DEALER connect mesh.out { routing_id "answers" }
    ```

    Two ROUTERs that are linked stay silent for ever where neither has a name:

    ```ztopo ZT412
    app here:  ROUTER bind tcp://*:5560
    app there: ROUTER connect here
    ```

    `routing_id *` says that the program chooses one. A program that somebody else has written may do so without a word in the
    file: then it is a warning.
    """
    silent = [link for link in graph.links if _is_silent(link)]
    yield from (_silent(link, certain=graph.makes(link.a) and graph.makes(link.b)) for link in silent)
    told = {socket.id for link in silent for socket in (link.a, link.b)}
    for device in graph.model.devices:
        near = device.side("in") if device.swap is not None else None
        far = opposite(device, near) if near is not None else None
        if near is not None and far is not None and near.type == far.type == "ROUTER":
            yield from _unreachable(graph, device, near, far, told)


def _is_silent(link: Link) -> bool:
    if not link.a.type == link.b.type == "ROUTER":
        return False
    return not any(routing_id(s) or s.option("connect_routing_id") for s in (link.a, link.b))


def _silent(link: Link, *, certain: bool) -> Diagnostic:
    return Diagnostic(
        code="ZT412",
        severity="error" if certain else "warning",
        message=f"neither `{link.a.declared}` nor `{link.b.declared}` has a name by which the other could call it",
        labels=(
            Label(link.connect.span, "over this link nothing can ever be sent"),
            Label(link.a.type_span, "a ROUTER without `routing_id`"),
            Label(link.b.type_span, "and another"),
        ),
        notes=("give at least one of them a `routing_id`",),
    )


def _unreachable(graph: Graph, device: Device, near: Socket, far: Socket, told: set[str]) -> Iterator[Diagnostic]:
    """Those who have no name, if nobody opposite has one; if nobody at all has one, that is said once."""
    sides = [list(peers_of(graph, side).values()) for side in (near, far)]
    if not all(sides) or any(id(connect) not in graph.linked for side in (near, far) for connect in side.connects):
        return
    named = [any(map(routing_id, peers)) for peers in sides]
    certain = [all(map(graph.makes, peers)) for peers in sides]
    if not any(named):
        if not any(peer.id in told for peer in (*sides[0], *sides[1])):
            yield _nameless(device, sides[0][0], sides[1][-1], certain=all(certain))
        return
    for peers, across, has_names, sure in zip(sides, reversed(sides), reversed(named), reversed(certain), strict=True):
        for peer in peers if not has_names else ():
            if not routing_id(peer) and peer.id not in told:
                yield _isolated(device, peer, across[0], certain=sure and graph.makes(peer))


def _nameless(device: Device, first: Socket, last: Socket, *, certain: bool) -> Diagnostic:
    spans = dict.fromkeys((first.type_span, last.type_span))
    return Diagnostic(
        code="ZT412",
        severity="error" if certain else "warning",
        message=f"nobody at `{device.span.text}` has a name by which the others could call it",
        labels=(
            Label(device.swap or device.span, "through a swap peers call each other by name"),
            *(Label(span, "nor has this" if n else "this has no `routing_id`") for n, span in enumerate(spans)),
        ),
        notes=("give those a `routing_id` who are called first; they learn the ids of the others",),
    )


def _isolated(device: Device, peer: Socket, other: Socket, *, certain: bool) -> Diagnostic:
    return Diagnostic(
        code="ZT412",
        severity="error" if certain else "warning",
        message=f"`{peer.declared}` can call nobody through `{device.span.text}`, and nobody can call it",
        labels=(Label(peer.type_span, "it has no `routing_id`"), Label(other.type_span, f"nor has `{other.declared}`")),
        notes=("through a swap peers call each other by name; give those a `routing_id` who are called first",),
    )
