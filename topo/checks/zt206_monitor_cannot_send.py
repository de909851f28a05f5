"""Monitors of a type that cannot serve."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.zeromq.kinds import MONITOR_TYPES
from topo.zeromq.sockets import SOCKETS, with_article


@check("ZT206", "a monitor that cannot send")
def monitor_cannot_send(graph: Graph) -> Iterator[Diagnostic]:
    """A monitor sends a copy of each message, behind a prefix, and nothing ever comes back.

    SUB, PULL and XSUB cannot send. A REQ must be answered before it sends again, a REP must be asked first. A ROUTER would
    take the prefix for the id of a peer and drop the copy. The draft types send single parts only.

    ```ztopo ZT206
    device stream: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor SUB  bind tcp://*:5562 { subscribe "" }
    }
    ```

    PUB is the usual one: whoever subscribes sees the copies, and nobody has to. PUSH, DEALER and PAIR serve where one consumer
    is to have every copy.

    ```ztopo
    device stream: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor PUB  bind tcp://*:5562
    }
    ```
    """
    for device in graph.model.devices:
        monitor = device.side("monitor")
        if monitor is not None and monitor.type not in MONITOR_TYPES:
            written = monitor.type_span.text == monitor.type
            yield Diagnostic(
                code="ZT206",
                message=f"{with_article(monitor.type)} cannot be a monitor",
                labels=(Label(monitor.type_span, _why(monitor.type)),),
                notes=("a monitor is a PUB; or a PUSH, a DEALER or a PAIR, where one consumer is to have every copy",),
                fix=Fix("make it a PUB", (Edit(monitor.type_span, "PUB"),)) if written else None,
            )


def _why(name: str) -> str:
    facts = SOCKETS[name]
    if not facts.sends:
        return "it only receives"
    if facts.turns:
        return "its sends and receives must alternate"
    if facts.routed:
        return "it takes the prefix for the address of a peer"
    return "it sends messages of a single part"
