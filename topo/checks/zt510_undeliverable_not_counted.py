"""ROUTER sides of devices that are told not to say whom they cannot reach."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Device


@check("ZT510", "a ROUTER that does not say whom it cannot reach", "info")
def undeliverable_not_counted(graph: Graph) -> Iterator[Diagnostic]:
    """A ROUTER drops what is for a peer that is not there. With `router_mandatory` it says so, and a device of ztopo counts it.

    That is how its sockets are made. Where the file says `router_mandatory false`, what cannot be delivered is lost and looks as
    if it had been sent. pyzmq's queue and libzmq's own proxy end at the first such message if it is set to true.

    ```ztopo ZT510
    device calls: queue {
        in  ROUTER bind tcp://*:5560 { router_mandatory false }
        out DEALER bind tcp://*:5561
    }
    ```

    ```ztopo
    device calls: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    ```
    """
    for socket, option in graph.options("router_mandatory"):
        component = graph.component(socket)
        if socket.type == "ROUTER" and isinstance(component, Device) and component.ours and socket.number(option.name) == 0:
            yield Diagnostic(
                code="ZT510",
                message=f"what `{socket.declared}` cannot deliver is lost without being counted",
                severity="info",
                labels=(Label(option.span, "it does not say whom it cannot reach"),),
                notes=("leave the option out, and such messages are counted",),
            )
