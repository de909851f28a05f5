"""Socket files that a dead process has left behind."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import Host, endpoint_of


@check("ZT606", "a socket file that somebody has left behind", "info")
def socket_left_behind(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """The file of an ipc endpoint stays when its process dies. Nobody listens there any more, and the next bind takes it over.

    Where `/srv/old` is such a file:

    ```ztopo ZT606
    app jobs: PUSH bind ipc:///srv/old { run "python jobs.py" }
    ```

    An abstract name has no file that could stay, and a device's file is removed when ztopo ends it:

    ```ztopo
    app jobs: PUSH bind ipc://@jobs { run "python jobs.py" }
    ```
    """
    for written in graph.endpoints if host.left else ():
        if written.use == "bind" and endpoint_of(written) in host.left and graph.runs(written.socket):
            yield Diagnostic(
                code="ZT606",
                message=f"nobody listens on {written.endpoint.address.address} any more, and the file is still there",
                severity="info",
                labels=(Label(written.endpoint.span, "taken over when this is bound"),),
            )
