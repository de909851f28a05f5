"""Ports that only others may bind."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import OVER_TCP, Host, refused


@check("ZT603", "a port that this user may not bind")
def port_for_others(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """Low ports are for root, and for those whom root lets: "Permission denied". Usually these are the ports below 1024.

    Where nobody has changed that:

    ```ztopo ZT603
    app jobs: PUSH bind tcp://*:80 { run "python jobs.py" }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:8080 { run "python jobs.py" }
    ```
    """
    for written, _ in refused(graph, host, errno.EACCES, errno.EPERM, transports=OVER_TCP):
        port = written.endpoint.address.port
        yield Diagnostic(
            code="ZT603",
            message=f"`{written.socket.declared}` binds port {port}, which this user may not",
            labels=(Label(written.endpoint.span.narrow(port), "the system does not permit it"),),
            notes=("ports below 1024 are for root; on Linux net.ipv4.ip_unprivileged_port_start says from where on not",),
        )
