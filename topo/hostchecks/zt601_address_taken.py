"""Addresses that somebody else has."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import Host, refused


@check("ZT601", "an address that is taken on this host")
def address_taken(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """Somebody else listens there: another topology, an earlier run of the same program, something that happens to use the port.

    Where the system tells, the message says who. libzmq would be refused a port; an ipc path it would take away from the other
    one, without a word.

    Where another process has port 5555:

    ```ztopo ZT601
    app jobs: PUSH bind tcp://127.0.0.1:5555 { run "python jobs.py" }
    ```

    End that process, take another port, or let the system choose one:

    ```ztopo
    device jobs: streamer {
        in  bind tcp://127.0.0.1:*
        out bind tcp://127.0.0.1:5556
    }
    ```
    """
    for written, found in refused(graph, host, errno.EADDRINUSE):
        yield Diagnostic(
            code="ZT601",
            message=f"`{written.endpoint.text}`, which `{written.socket.declared}` binds, is taken",
            labels=(Label(written.endpoint.span, found.holder.held if found.holder else "somebody listens there"),),
            notes=found.holder.notes if found.holder else (),
        )
