"""ipc paths in folders that are not there, or that nothing can be made in."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import PurePath

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import Host, refused

WHY = {
    errno.ENOENT: "there is no such folder",
    errno.ENOTDIR: "this is not a folder",
    errno.EACCES: "this user may make no file there",
    errno.EPERM: "this user may make no file there",
    errno.EROFS: "nothing can be written there",
}


@check("ZT604", "an ipc path in a folder that cannot be used")
def no_folder(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """An ipc endpoint is a file, which libzmq makes when it binds. It makes no folder for it, and needs the right to write there.

    Where there is no folder `/run/jobs`:

    ```ztopo ZT604
    app jobs: PUSH bind ipc:///run/jobs/all { run "python jobs.py" }
    ```

    A relative path is a file beside the topology's own:

    ```ztopo
    app jobs: PUSH bind ipc://jobs { run "python jobs.py" }
    ```
    """
    for written, found in refused(graph, host, *WHY, transports=frozenset({"ipc"})):
        folder = os.fspath(PurePath(written.endpoint.address.address).parent)
        yield Diagnostic(
            code="ZT604",
            message=f"`{written.socket.declared}` cannot make its ipc file in {folder}",
            labels=(Label(written.endpoint.span.narrow(folder), WHY[found.errno]),),
            notes=("libzmq makes the file of an endpoint, and no folder",) if found.errno == errno.ENOENT else (),
        )
