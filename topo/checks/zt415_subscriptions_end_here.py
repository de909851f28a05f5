"""Devices that subscribe themselves, in front of subscribers who choose."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, opposite
from topo.model import Device, Option, Socket
from topo.routes import peers_of, topics_of


@check("ZT415", "subscriptions that a device does not pass on", "error", "warning")
def subscriptions_end_here(graph: Graph) -> Iterator[Diagnostic]:
    """Between SUB and PUB no subscription passes: the SUB takes what it subscribes to itself, whatever those behind it want.

    If it takes everything, everything is sent to the device, and most of it thrown away there:

    ```ztopo ZT415
    device relay: proxy {
        in  SUB bind tcp://*:5560 { subscribe "" }
        out PUB bind tcp://*:5561
    }
    app feed: PUB connect relay.in
    app seen: SUB connect relay.out { subscribe "AAPL" }
    ```

    XSUB and XPUB pass subscriptions on, up to the publisher, and what nobody wants is not sent:

    ```ztopo
    device relay: forwarder {
        in  XSUB bind tcp://*:5560
        out XPUB bind tcp://*:5561
    }
    app feed: PUB connect relay.in
    app seen: SUB connect relay.out { subscribe "AAPL" }
    ```

    If it takes only some, who asks for something else waits in vain. That is an error.
    """
    for socket in graph.of_type("SUB"):
        device = graph.device(socket)
        other = opposite(device, socket) if device is not None else None
        option = socket.option("subscribe")
        if device is not None and other is not None and other.type == "PUB" and option is not None:
            yield from _judged(graph, device, socket, other, option)


def _judged(graph: Graph, device: Device, socket: Socket, other: Socket, option: Option) -> Iterator[Diagnostic]:
    taken = topics_of(graph, socket) or frozenset()
    wanted = {peer.id: topics_of(graph, peer) for peer in peers_of(graph, other).values()}
    choosing = {id: topics for id, topics in wanted.items() if topics and b"" not in topics}
    if wanted and len(choosing) == len(wanted) and b"" in taken:
        yield _all_of_it(device, option, other, graph.sockets[next(iter(choosing))])
    for id, topics in choosing.items():
        if not any(topic.startswith(begin) or begin.startswith(topic) for topic in topics for begin in taken):
            yield _in_vain(socket, option, graph.sockets[id])


def _all_of_it(device: Device, option: Option, other: Socket, peer: Socket) -> Diagnostic:
    return Diagnostic(
        code="ZT415",
        message=f"`{device.span.text}` is sent everything, and those behind it want less",
        severity="warning",
        labels=(
            Label(option.values[0].span, "this takes everything"),
            Label(other.type_span, "a PUB keeps subscriptions to itself"),
            Label(peer.span, f"`{peer.declared}` wants less"),
        ),
        notes=("XSUB and XPUB pass subscriptions on, and what nobody wants is not even sent",),
    )


def _in_vain(socket: Socket, option: Option, peer: Socket) -> Diagnostic:
    wants = peer.option("subscribe")
    return Diagnostic(
        code="ZT415",
        message=f"what `{peer.declared}` subscribes to never comes through `{socket.declared}`",
        labels=(
            Label(wants.values[0].span if wants is not None else peer.type_span, "this subscription ends at the device"),
            Label(option.values[0].span, "the device takes only what begins like this"),
        ),
        notes=("XSUB and XPUB pass subscriptions on, up to the publisher",),
    )
