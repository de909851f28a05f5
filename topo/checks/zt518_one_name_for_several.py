"""Names for the next peer, on sockets that connect to several or to none."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Socket
from topo.zeromq.options import OPTIONS


@check("ZT518", "connect_routing_id without exactly one connect", "warning")
def one_name_for_several(graph: Graph) -> Iterator[Diagnostic]:
    """`connect_routing_id` says by which id a ROUTER will know the peer that it connects to next. It counts for one connect.

    Options are set before anything connects, so of several connects the first has the name, and the others have ids that the
    ROUTER makes up or the peers bring along. Who is accepted by a bind is never named by it.

    ```ztopo ZT518
    app north: ROUTER bind tcp://*:5555
    app south: ROUTER bind tcp://*:5556
    app hub: ROUTER connect north, south { connect_routing_id "north" }
    ```

    ```ztopo
    app north: ROUTER bind tcp://*:5555
    app hub: ROUTER connect north { connect_routing_id "north" }
    ```

    Where the peers say who they are, with `routing_id`, no names are needed:

    ```ztopo
    app north: ROUTER bind tcp://*:5555 { routing_id "north" }
    app south: ROUTER bind tcp://*:5556 { routing_id "south" }
    app hub: ROUTER connect north, south
    ```
    """
    for socket, option in graph.options("connect_routing_id"):
        number = _connects(socket)
        if socket.type in (OPTIONS[option.name].types or ()) and number != 1:
            yield Diagnostic(
                code="ZT518",
                message=f"`{socket.declared}` has a name for one connect, and {number or 'no'} connect{'s' if number else ''}",
                severity="warning",
                labels=(Label(option.span, "the first of them gets it" if number else "nobody gets it"),),
                notes=("it counts for the next connect only; peers name themselves with `routing_id`",),
            )


def _connects(socket: Socket) -> int:
    return sum(1 if connect.endpoint is not None else len(connect.targets) for connect in socket.connects)
