"""Transports that a socket type does not speak."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Socket
from topo.source import Span
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.sockets import with_article
from topo.zeromq.transports import TRANSPORTS


@check("ZT311", "a transport that is not for this socket type")
def transport_not_for_type(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """Udp is for the draft types RADIO, DISH and DGRAM; pgm, epgm and norm are for PUB, SUB, XPUB and XSUB.

    libzmq refuses any other socket: "The protocol is not compatible with the socket type".

    ```ztopo ZT311
    app news: PUB bind udp://127.0.0.1:5555
    ```

    ```ztopo
    app news: PUB bind tcp://127.0.0.1:5555
    ```
    """
    for name, endpoints in graph.over.items():
        types = TRANSPORTS[name].types
        if types is None or name not in libzmq.transports:
            continue
        for written in endpoints:
            if written.socket.type not in types:
                yield _wrong(
                    written.socket, written.endpoint.span.narrow(name + "://"), f"{name} is for {', '.join(sorted(types))}", name
                )


def _wrong(socket: Socket, span: Span, why: str, transport: str) -> Diagnostic:
    return Diagnostic(
        code="ZT311",
        message=f"{with_article(socket.type)} does not speak {transport}",
        labels=(Label(span, why), Label(socket.type_span, f"`{socket.declared}` is {with_article(socket.type)}")),
    )
