"""Connects to what can only be bound."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph, Written


@check("ZT308", "a connect to a wildcard", "error", "warning")
def connect_to_wildcard(graph: Graph) -> Iterator[Diagnostic]:
    """A wildcard is for binding: all addresses of the host, a port or a path that the system chooses. No peer lives there.

    libzmq refuses a connect to `tcp://*:5555`, and accepts one to port 0 or to `ipc://*` without ever reaching anything.

    ```ztopo ZT308
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect tcp://*:5555
    ```

    Connect by name, and the wildcard becomes an address that can be reached:

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```

    A connect to `0.0.0.0` is a warning: on Linux it reaches this host, elsewhere it may not.
    """
    for written in graph.flawed:
        flaw = written.flaw
        if flaw is not None and flaw.kind == "wild":
            yield Diagnostic(
                code="ZT308",
                message=f"`{written.endpoint.text}` can be bound, but not connected to"
                if flaw.grave
                else f"a connect to `{written.endpoint.text}`",
                severity="error" if flaw.grave else "warning",
                labels=(Label(written.endpoint.span.narrow(flaw.part), flaw.why),),
                notes=("connect by the name of the socket that binds it",),
                fix=_loopback(written),
            )


def _loopback(written: Written) -> Fix | None:
    address = written.endpoint.address
    at = written.endpoint.span.narrow(f"{address.host}:{address.port}")
    if (
        not address.wild_host
        or not address.host
        or address.wild_port
        or address.ipv6
        or at.text != f"{address.host}:{address.port}"
    ):
        return None
    return Fix("connect to this host", (Edit(at, f"127.0.0.1:{address.port}"),))
