"""ipc paths at which something else lies."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import Host, refused


@check("ZT605", "an ipc path at which something else lies")
def file_in_the_way(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """Libzmq removes whatever file is at the path that it binds. ztopo lets it remove a socket that nobody listens on, and nothing
    else.

    Where `/srv/notes` is a file, or a folder:

    ```ztopo ZT605
    app jobs: PUSH bind ipc:///srv/notes { run "python jobs.py" }
    ```

    ```ztopo
    app jobs: PUSH bind ipc:///srv/notes.socket { run "python jobs.py" }
    ```
    """
    for written, found in refused(graph, host, errno.EEXIST, errno.EISDIR):
        what = "a folder" if found.errno == errno.EISDIR else "a file that is no socket"
        yield Diagnostic(
            code="ZT605",
            message=f"`{written.socket.declared}` binds {written.endpoint.address.address}, where {what} lies",
            labels=(Label(written.endpoint.span, f"{what} is there"),),
            notes=("remove it yourself if nobody needs it: ztopo removes dead sockets only",),
        )
