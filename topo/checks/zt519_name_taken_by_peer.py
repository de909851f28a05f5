"""Names for a peer that another peer has already."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Connect, Socket


@check("ZT519", "a connect_routing_id that another peer has")
def name_taken_by_peer(graph: Graph) -> Iterator[Diagnostic]:
    """Two peers of one ROUTER cannot have one id. Where the ROUTER itself gives it, with `connect_routing_id`, libzmq insists.

    If the other peer is there already when the ROUTER connects, libzmq aborts the process. If it comes later, it is connected
    and never heard.

    ```ztopo ZT519
    app north: ROUTER bind tcp://*:5555
    app hub: ROUTER bind tcp://*:5556 connect north { connect_routing_id "north" }
    app other: DEALER connect hub { routing_id "north" }
    ```

    ```ztopo
    app north: ROUTER bind tcp://*:5555
    app hub: ROUTER bind tcp://*:5556 connect north { connect_routing_id "north" }
    app other: DEALER connect hub { routing_id "other" }
    ```
    """
    for socket, option in graph.options("connect_routing_id"):
        name = socket.text(option.name)
        if socket.type != "ROUTER" or not name or not socket.connects:
            continue
        for link in graph.links_of(socket):
            peer = link.peer(socket)
            own = peer.option("routing_id")
            if own is not None and peer.text("routing_id") == name and not _is_named(socket, link.connect, peer):
                yield Diagnostic(
                    code="ZT519",
                    message=f"two peers of the ROUTER `{socket.declared}` have one routing id",
                    labels=(
                        Label(option.values[0].span, f"`{socket.declared}` gives it to the one that it connects to"),
                        Label(own.values[0].span, f"`{peer.declared}` has it already"),
                    ),
                    notes=("libzmq aborts the process if both are there when the connect is made",),
                )


def _is_named(socket: Socket, connect: Connect, peer: Socket) -> bool:
    """Whether this peer is the one that gets the name: the first that the socket connects to."""
    first = socket.connects[0]
    return connect is first and (not first.targets or first.targets[0].socket == peer.id)
