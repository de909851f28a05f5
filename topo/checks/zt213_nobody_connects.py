"""Endpoints that are bound for nobody in the file."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Socket
from topo.zeromq.security import ZAP


@check("ZT213", "an endpoint that nobody connects to", "info")
def nobody_connects(graph: Graph) -> Iterator[Diagnostic]:
    """Nobody in the file connects to what is bound here. That is right where it is for somebody whom the file does not know.

    If it is for nobody, it is a dead end: a PUSH, a REQ, a DEALER and a PAIR wait for a peer, the others drop what they send.

    ```ztopo ZT213
    app jobs: PUSH bind tcp://127.0.0.1:5555, ipc://jobs
    app work: PULL connect jobs.ipc
    ```

    ```ztopo
    app jobs: PUSH bind ipc://jobs
    app work: PULL connect jobs
    ```

    An app that somebody else starts can be declared too, and its links are checked then: `app work[*]: PULL connect jobs.tcp`. Of
    the monitor of a device, and of the place where libzmq asks who may connect, it is not said; of a whole side of a device
    ZT221 says it.
    """
    if graph.model.doubtful:
        return  # somebody may be meant to
    linked = {(link.b.id, link.bind.index) for link in graph.links}
    for socket in graph.sockets.values():
        for bind in socket.binds if socket.role != "monitor" else ():
            if (socket.id, bind.index) not in linked and bind.endpoint.text != ZAP and not _alone(graph, socket):
                yield Diagnostic(
                    code="ZT213",
                    message=f"nobody in this file connects to `{bind.endpoint.text}` of `{socket.id}`",
                    severity="info",
                    labels=(Label(bind.span, "for whom is it?"),),
                    notes=("an app that somebody else starts can be declared, and its link is checked then",),
                )


def _alone(graph: Graph, socket: Socket) -> bool:
    """Whether another check says it: it is a side that nobody is linked to."""
    return socket.role in ("in", "out") and not socket.connects and not graph.links_of(socket)
