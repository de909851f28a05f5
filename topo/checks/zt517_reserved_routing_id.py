"""Routing ids that may be those that a ROUTER makes up."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT517", "a routing id that begins with a zero byte", "warning")
def reserved_routing_id(graph: Graph) -> Iterator[Diagnostic]:
    r"""Ids that begin with a zero byte are ZeroMQ's own: a ROUTER makes up such for peers that have none.

    One that is written is taken all the same. It may be the one that the ROUTER has made up for another peer; the later of the
    two is then connected and never heard.

    ```ztopo ZT517
    app hub: ROUTER bind tcp://*:5555
    app peer: DEALER connect hub { routing_id "\x00peer" }
    ```

    ```ztopo
    app hub: ROUTER bind tcp://*:5555
    app peer: DEALER connect hub { routing_id "peer" }
    ```
    """
    for socket, option in graph.options("routing_id", "connect_routing_id"):
        if (socket.text(option.name) or b"").startswith(b"\0"):
            yield Diagnostic(
                code="ZT517",
                message=f"the routing id of `{socket.declared}` begins with a zero byte",
                severity="warning",
                labels=(Label(option.values[0].span, "such ids are those that a ROUTER makes up"),),
                notes=("let it begin with any other byte",),
            )
