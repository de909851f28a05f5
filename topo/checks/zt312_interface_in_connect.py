"""Interfaces in connects."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph, Written
from topo.zeromq.transports import interface


@check("ZT312", "the name of an interface in a connect")
def interface_in_connect(graph: Graph) -> Iterator[Diagnostic]:
    """The name of a network interface, as `eth0` or `lo`, is for binding: it stands for the addresses that this host has there.

    In a connect libzmq takes it for the name of a host, does not find one, and tries again for ever.

    ```ztopo ZT312
    app jobs: PUSH connect tcp://eth0:5555
    ```

    A connect goes to an address of the other end. By which interface it leaves is said in front of that, with a port that may
    be 0:

    ```ztopo
    app jobs: PUSH connect tcp://eth0:0;10.0.0.1:5555
    ```
    """
    for written in graph.over.get("tcp", ()):
        address = written.endpoint.address
        if written.use == "connect" and interface(address.host):
            yield Diagnostic(
                code="ZT312",
                message=f"`{written.socket.declared}` connects to the interface `{address.host}`",
                labels=(Label(written.endpoint.span.narrow(address.host), "an interface of this host, not a host"),),
                notes=("libzmq looks for a host of this name, and tries again for ever",),
                fix=_loopback(written) if address.host == "lo" else None,
            )


def _loopback(written: Written) -> Fix | None:
    address = written.endpoint.address
    at = written.endpoint.span.narrow(f"{address.host}:{address.port}")
    if at.text != f"{address.host}:{address.port}":
        return None
    return Fix("connect to this host", (Edit(at, f"127.0.0.1:{address.port}"),))
