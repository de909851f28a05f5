"""Sockets that give up when a connection breaks."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT527", "a connection that is not made again", "warning", "info")
def never_reconnects(graph: Graph) -> Iterator[Diagnostic]:
    """With `reconnect_ivl -1` a connection that breaks stays broken, and one that does not come about at first is not tried again.

    In a device nobody would notice, and nobody could connect anew: it lives on, linked to nobody. A program may watch its
    connections; so there it is only worth knowing.

    ```ztopo ZT527
    device jobs: streamer {
        in  PULL bind tcp://*:5560
        out PUSH connect tcp://10.0.0.1:5555 { reconnect_ivl -1 }
    }
    ```

    ```ztopo
    device jobs: streamer {
        in  PULL bind tcp://*:5560
        out PUSH connect tcp://10.0.0.1:5555 { reconnect_ivl 1s; reconnect_ivl_max 30s }
    }
    ```
    """
    for socket, option in graph.options("reconnect_ivl"):
        if socket.connects and socket.number("reconnect_ivl") == -1 and graph.transports(socket) != {"inproc"}:
            yield Diagnostic(
                code="ZT527",
                message=f"`{socket.declared}` does not connect again once a connection is broken",
                severity="warning" if graph.device(socket) is not None else "info",
                labels=(Label(option.values[0].span, "-1 means never"),),
                notes=("`reconnect_ivl_max` lets it try ever more seldom instead",),
            )
