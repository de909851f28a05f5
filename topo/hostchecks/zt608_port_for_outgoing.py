"""Ports that the system may give to somebody who connects."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import OVER_TCP, Host


@check("ZT608", "a port from the range for outgoing connections", "warning")
def port_for_outgoing(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """Whoever connects needs a port for its own end, and the system gives it one from a range; on Linux 32768 to 60999.

    A socket that connects, again and again, to such a port of its own host, while nobody listens there yet, is given that very
    port one day. Then it is connected to itself, and whoever is to bind the port finds it taken.

    ```ztopo ZT608
    app jobs: PUSH bind tcp://127.0.0.1:50000 { run "python jobs.py" }
    app work: PULL connect jobs { run "python work.py" }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://127.0.0.1:5000 { run "python jobs.py" }
    app work: PULL connect jobs { run "python work.py" }
    ```
    """
    first, last = host.outgoing
    for link in graph.links:
        address = link.bind.endpoint.address
        if address.transport not in OVER_TCP or not address.port.isdecimal():
            continue
        port = int(address.port)
        if first <= port <= last and port not in host.reserved and graph.runs(link.a) and graph.runs(link.b):
            yield Diagnostic(
                code="ZT608",
                message=f"port {port} of `{link.b.declared}` is one that the system gives to those who connect",
                severity="warning",
                labels=(
                    Label(link.bind.span.narrow(address.port), f"this host gives out {first} to {last}"),
                    Label(link.connect.span, "may be given it before it is bound, and be connected to itself"),
                ),
                notes=(f"a port below {first} is given to nobody",),
            )
