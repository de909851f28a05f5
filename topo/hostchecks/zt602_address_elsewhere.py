"""Binds to addresses that this host does not have."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import Host, refused


@check("ZT602", "a bind to an address that this host does not have")
def address_elsewhere(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """A socket binds an address or an interface of the host that it lives on, or `*` for all of them.

    Where the host has neither the address nor an interface of the name, libzmq says "Cannot assign requested address" or "No such
    device".

    On a host that is not 192.0.2.1:

    ```ztopo ZT602
    app jobs: PUSH bind tcp://192.0.2.1:5556 { run "python jobs.py" }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5556 { run "python jobs.py" }
    ```
    """
    for written, found in refused(graph, host, errno.EADDRNOTAVAIL, errno.ENODEV):
        name = written.endpoint.address.host
        what = "address" if found.errno == errno.EADDRNOTAVAIL else "address or interface of that name"
        yield Diagnostic(
            code="ZT602",
            message=f"`{written.socket.declared}` binds `{name}`, which this host is not",
            labels=(Label(written.endpoint.span.narrow(name), f"this host has no such {what}"),),
            notes=("`*` is all addresses of the host; who is elsewhere is connected to",),
        )
