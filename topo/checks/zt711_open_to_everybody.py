"""Endpoints that anybody on the network may connect to."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT711", "open to everybody on the network", "info")
def open_to_everybody(graph: Graph) -> Iterator[Diagnostic]:
    """`*` is all addresses of the host. Without a security mechanism whoever reaches one of them may connect, read and send.

    ```ztopo ZT711
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```

    Where all peers are on the host, its loopback address is enough:

    ```ztopo
    app jobs: PUSH bind tcp://127.0.0.1:5555
    app work: PULL connect jobs
    ```

    Where they are not, CURVE says who may connect, and encrypts.
    """
    for socket in graph.sockets.values():
        for bind in socket.binds:
            if bind.endpoint.address.wild_host and graph.security(socket).mechanism == "NULL":
                host = bind.endpoint.address.host
                yield Diagnostic(
                    code="ZT711",
                    message=f"anybody on the network may connect to `{socket.declared}`",
                    severity="info",
                    labels=(Label(bind.span.narrow(host), "all addresses of the host, and no security mechanism"),),
                    notes=("127.0.0.1 where all peers are on this host, CURVE where they are not",),
                )
