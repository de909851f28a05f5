"""Socket types that only a draft build of libzmq has."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.sockets import SOCKETS, with_article


@check("ZT210", "a socket type that this libzmq does not have")
def draft_socket_type(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """SERVER, CLIENT, RADIO, DISH, GATHER, SCATTER, DGRAM, PEER and CHANNEL are drafts.

    A libzmq that was built without its draft API, as in every wheel of pyzmq, makes such a socket without complaint, and
    aborts the process at the first handshake.

    ```ztopo ZT210
    app calls: SERVER bind tcp://*:5555
    app caller: CLIENT connect calls
    ```

    ```ztopo
    app calls: ROUTER bind tcp://*:5555
    app caller: DEALER connect calls
    ```
    """
    if libzmq.draft:
        return
    for socket in graph.of_type(*(t.name for t in SOCKETS.values() if t.draft)):
        yield Diagnostic(
            code="ZT210",
            message=f"{libzmq.name} does not have {with_article(socket.type)}",
            labels=(Label(socket.type_span, "the first handshake would abort the process"),),
            notes=("the type is a draft, and this libzmq was built without drafts",),
        )
