"""Sockets that are linked to nothing because they neither bind nor connect."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT207", "a socket with neither bind nor connect")
def neither_bind_nor_connect(graph: Graph) -> Iterator[Diagnostic]:
    """A socket talks to others once it binds an endpoint or connects to one. Before that it blocks or drops everything.

    ```ztopo ZT207
    app jobs: PUSH
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    ```
    """
    for socket in graph.sockets.values():
        if not socket.binds and not socket.connects:
            yield Diagnostic(
                code="ZT207",
                message=f"`{socket.declared}` neither binds nor connects",
                labels=(Label(socket.span, "nothing can reach it"),),
                notes=("say what it binds, or to which socket it connects",),
            )
