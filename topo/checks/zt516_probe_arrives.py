"""Sockets that greet their peers with an empty message which these take for a message."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.options import OPTIONS


@check("ZT516", "a probe that arrives as a message", "warning")
def probe_arrives(graph: Graph) -> Iterator[Diagnostic]:
    """With `probe_router` a socket sends an empty message over each new connection, so that a ROUTER learns of it.

    A peer of another type gets an empty message that it cannot tell from others. A device passes it on like any other, to
    whoever is behind it, after each reconnect again.

    ```ztopo ZT516
    app hub: DEALER bind tcp://*:5555
    app peer: DEALER connect hub { probe_router true }
    ```

    ```ztopo ZT516
    device calls: queue {
        in  ROUTER bind tcp://*:5555
        out DEALER bind tcp://*:5556
    }
    app peer: DEALER connect calls.in { probe_router true }
    ```

    It is for the ROUTER of a program that awaits it:

    ```ztopo
    app hub: ROUTER bind tcp://*:5555
    app peer: DEALER connect hub { probe_router true }
    ```
    """
    for socket, option in graph.options("probe_router"):
        if socket.type not in (OPTIONS["probe_router"].types or ()) or not socket.on("probe_router"):
            continue
        for link in graph.links_of(socket):
            peer = link.peer(socket)
            passed_on = graph.device(peer) is not None
            if link.talks and (peer.type != "ROUTER" or passed_on):
                what = f"`{peer.declared}` is a {peer.type}, and takes it for a message"
                yield Diagnostic(
                    code="ZT516",
                    message=f"`{socket.declared}` sends an empty message to `{peer.declared}` first",
                    severity="warning",
                    labels=(
                        Label(option.span, "an empty message over each new connection"),
                        Label(peer.type_span, f"`{peer.declared}` passes it on" if passed_on else what),
                    ),
                    notes=("a probe is for a ROUTER whose program awaits it",),
                )
