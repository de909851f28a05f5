"""PAIR sockets that are not within one process."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT215", "a PAIR between processes", "info")
def pair_over_network(graph: Graph) -> Iterator[Diagnostic]:
    """PAIR is made for two threads of one process, over inproc, where connections do not break.

    Over anything else one may break unnoticed. As long as the one that bound takes the old connection for alive, the new one of
    the same peer is a second peer, and a PAIR has one: it is connected, and nothing comes through.

    ```ztopo ZT215
    app left: PAIR bind tcp://127.0.0.1:5555
    app right: PAIR connect left
    ```

    ```ztopo
    app both {
        socket left: PAIR bind inproc://both
        socket right: PAIR connect .left
    }
    ```

    Heartbeats let a dead connection be noticed. A DEALER on both ends does the same as a PAIR, and takes a second peer.
    """
    for link in graph.links:
        if link.a.type == link.b.type == "PAIR" and link.transport != "inproc":
            yield Diagnostic(
                code="ZT215",
                message=f"`{link.a.declared}` and `{link.b.declared}` are a PAIR over {link.transport}",
                severity="info",
                labels=(Label(link.connect.span, "after a break it may not come about again"),),
                notes=("a DEALER on both ends does the same, and takes the new connection",),
            )
