"""ipc paths that do not fit."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.transports import path_length


@check("ZT305", "an ipc path that is too long")
def ipc_path_too_long(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """The system keeps the path of a local socket in a field of fixed size: 107 bytes on Linux, 103 on macOS.

    What counts is the absolute path. A relative one is relative to the folder of the file that it stands in.

    ```ztopo ZT305
    param shift = "the-jobs-of-the-night-shift-that-nobody-could-finish"
    app jobs: PUSH bind ipc:///run/${shift}/${shift}/jobs
    ```

    ```ztopo
    param shift = "night"
    app jobs: PUSH bind ipc:///run/${shift}/${shift}/jobs
    ```
    """
    for written in graph.over.get("ipc", ()):
        length = path_length(written.endpoint.address)
        if length > libzmq.ipc_path_max:
            path = written.endpoint.address.address
            as_written = path in written.endpoint.span.text
            yield Diagnostic(
                code="ZT305",
                message=f"the path of an ipc endpoint has {length} bytes, and {libzmq.ipc_path_max} is the most",
                labels=(
                    Label(written.endpoint.span, "too long" if as_written else f"too long by {length - libzmq.ipc_path_max}"),
                ),
                notes=(
                    *(() if as_written else (f"the whole path is {path}",)),
                    "a shorter path, or an abstract name as in `ipc://@jobs`, will do",
                ),
            )
