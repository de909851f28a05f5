"""Sockets at the place of the ZAP handler that cannot be one."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.security import ZAP_TYPES
from topo.zeromq.sockets import with_article


@check("ZT710", "the place of the ZAP handler taken by another socket")
def not_a_zap_handler(graph: Graph) -> Iterator[Diagnostic]:
    """`inproc://zeromq.zap.01` is where libzmq asks whether a peer may connect, and it expects a REP or a ROUTER there.

    At the first question to any other it aborts the process.

    ```ztopo ZT710
    app gate { socket zap: PULL bind inproc://zeromq.zap.01 }
    ```

    ```ztopo
    app gate { socket zap: REP bind inproc://zeromq.zap.01 }
    ```
    """
    for handler in graph.zap.values():
        socket = handler.socket
        if socket.type not in ZAP_TYPES:
            yield Diagnostic(
                code="ZT710",
                message=f"{with_article(socket.type)} cannot be a ZAP handler",
                labels=(
                    Label(socket.type_span, "the first question to it aborts the process"),
                    Label(handler.endpoint.span, "this is where libzmq asks who may connect"),
                ),
                notes=("a ZAP handler is a REP or a ROUTER",),
            )
