"""Transports that libzmq, or this libzmq, does not have."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label, did_you_mean
from topo.graph import Graph
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.transports import TRANSPORTS


@check("ZT307", "a transport that there is not")
def unknown_transport(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """Libzmq refuses a transport that it does not know, and one that it was built without.

    The libzmq in pyzmq's wheels has tcp, ipc, inproc, udp and tipc. WebSockets (ws, wss), pgm, epgm, norm, vmci and vsock need
    one that was built with them.

    ```ztopo ZT307
    app jobs: PUSH bind tpc://*:5555
    ```

    ```ztopo ZT307
    app jobs: PUSH bind ws://*:5555
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    ```
    """
    for written in graph.endpoints:
        name = written.endpoint.address.transport
        label = Label(written.endpoint.span.narrow(name + "://"))
        if written.flaw is not None and written.flaw.kind == "transport":
            near = did_you_mean(name, libzmq.transports)
            at = written.endpoint.span.narrow(name)
            lower = name.lower()
            yield Diagnostic(
                code="ZT307",
                message=f"there is no transport `{name}`",
                labels=(label,),
                notes=near or (f"there is {', '.join(sorted(libzmq.transports))}",),
                fix=Fix(f"write `{lower}`", (Edit(at, lower),), safe=True) if lower in TRANSPORTS and at.text == name else None,
            )
        elif written.flaw is None and name not in libzmq.transports:
            yield Diagnostic(
                code="ZT307",
                message=f"{libzmq.name} was built without the transport `{name}`",
                labels=(label,),
                notes=(f"it has {', '.join(sorted(libzmq.transports))}",),
            )
