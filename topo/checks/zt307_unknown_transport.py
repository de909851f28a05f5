"""Transports that libzmq, or this libzmq, does not have."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label, did_you_mean
from topo.graph import Graph
from topo.model import Endpoint
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
    listed = ", ".join(sorted(libzmq.transports))
    for written in graph.flawed:
        if written.flaw is not None and written.flaw.kind == "transport":
            yield _unknown(written.endpoint, libzmq, listed)
    for name in graph.over.keys() - libzmq.transports:
        for written in graph.over[name]:
            yield Diagnostic(
                code="ZT307",
                message=f"{libzmq.name} was built without the transport `{name}`",
                labels=(Label(written.endpoint.span.narrow(name + "://")),),
                notes=(f"it has {listed}",),
            )


def _unknown(endpoint: Endpoint, libzmq: Libzmq, listed: str) -> Diagnostic:
    name = endpoint.address.transport
    at = endpoint.span.narrow(name)
    lower = name.lower()
    return Diagnostic(
        code="ZT307",
        message=f"there is no transport `{name}`",
        labels=(Label(endpoint.span.narrow(name + "://")),),
        notes=did_you_mean(name, libzmq.transports) or (f"there is {listed}",),
        fix=Fix(f"write `{lower}`", (Edit(at, lower),), safe=True) if lower in TRANSPORTS and at.text == name else None,
    )
