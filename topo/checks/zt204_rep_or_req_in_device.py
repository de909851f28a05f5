"""REP or REQ as a side of a device."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.zeromq.sockets import SOCKETS, with_article

INSTEAD = {"REP": "ROUTER", "REQ": "DEALER"}


@check("ZT204", "REP or REQ inside a device")
def rep_or_req_in_device(graph: Graph) -> Iterator[Diagnostic]:
    """A REP must answer before it receives again, and a REQ must be answered before it sends again.

    A device passes on what comes, in no such order. libzmq's own proxy ends with an error at the second message. ztopo's
    devices, and pyzmq's queue, do one request at a time, and stand still for ever once a worker is lost with one.

    ```ztopo ZT204
    device broker: queue {
        in  REP bind tcp://*:5560
        out REQ bind tcp://*:5561
    }
    ```

    ROUTER and DEALER take any number of requests at once, and the REQ and REP of the programs around may stay:

    ```ztopo
    device broker: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    app client: REQ connect broker.in
    app worker: REP connect broker.out
    ```
    """
    for device in graph.model.devices:
        for socket in device.sockets:
            if socket.role in ("in", "out") and SOCKETS[socket.type].turns:
                written = socket.type_span.text == socket.type
                right = INSTEAD[socket.type]
                yield Diagnostic(
                    code="ZT204",
                    message=f"`{socket.declared}` is {with_article(socket.type)}, which a device cannot use",
                    labels=(Label(socket.type_span, "its sends and receives must alternate"),),
                    notes=(f"{with_article(right)} does the same for any number of requests at once",),
                    fix=Fix(f"make it {with_article(right)}", (Edit(socket.type_span, right),)) if written else None,
                )
