"""Abstract ipc names on systems that have none."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.source import Span
from topo.zeromq.libzmq import Libzmq


@check("ZT315", "an abstract ipc name off Linux")
def abstract_name_here(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """Only Linux has ipc endpoints that are a name without a file: `ipc://@jobs`. Elsewhere it cannot be bound.

    On a Mac:

    ```ztopo ZT315
    app jobs: PUSH bind ipc://@jobs
    ```

    A path works on all systems that have ipc:

    ```ztopo
    app jobs: PUSH bind ipc://jobs
    ```
    """
    for written in graph.over.get("ipc", ()) if not libzmq.abstract else ():
        if written.endpoint.address.address.startswith("@"):
            at = written.endpoint.span.narrow("@")
            yield Diagnostic(
                code="ZT315",
                message=f"`{written.endpoint.text}` is an abstract name, which only Linux has",
                labels=(Label(at, "a name without a file"),),
                notes=("a path works on all systems that have ipc",),
                fix=Fix("make it a path", (Edit(Span(at.source, at.start, at.end), ""),)) if at.text == "@" else None,
            )
