"""Answers that go to whoever has its turn, not to who asked."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, opposite
from topo.model import Socket
from topo.routes import peers_of


@check("ZT413", "answers that go to the wrong one", "error", "warning")
def answers_in_turn(graph: Graph) -> Iterator[Diagnostic]:
    """A DEALER sends to each of its peers in turn. What it brings back are answers, and each is for one peer alone.

    ```ztopo ZT413
    device relay: proxy {
        in  DEALER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    app asks[2]: DEALER as REQ connect relay.in
    app answers: REP connect relay.out
    ```

    A ROUTER knows by the id that it put in front who has asked:

    ```ztopo
    device relay: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    app asks[2]: DEALER as REQ connect relay.in
    app answers: REP connect relay.out
    ```

    Neither can a worker that is a DEALER serve two queues with one socket: to the other queue the id in front is nobody's, and
    it drops the answer. A REP answers to where the question came from.

    ```ztopo ZT413
    device first: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    device second: queue {
        in  ROUTER bind tcp://*:5562
        out DEALER bind tcp://*:5563
    }
    app asks:    DEALER as REQ connect first.in, second.in
    app answers: DEALER as REP connect first.out, second.out
    ```
    """
    for socket in graph.of_type("DEALER"):
        askers = [peer for peer in peers_of(graph, socket).values() if _asks(graph, socket, peer)]
        if len(askers) > 1 or any(map(graph.any_number, askers)):
            yield _in_turn(socket, askers[0], askers[-1])


def _asks(graph: Graph, socket: Socket, peer: Socket) -> bool:
    """Whether a peer puts questions to a socket, and waits for what comes back."""
    if socket.program == "REQ":
        return False
    device = graph.device(peer)
    if device is None:
        return peer.program == "REQ"
    beyond, own = opposite(device, peer), graph.device(socket)
    here = opposite(own, socket) if own is not None else None
    queued = peer.type == "DEALER" and beyond is not None and beyond.type == "ROUTER"
    return queued and (here is None or here.type != "ROUTER")


def _in_turn(socket: Socket, first: Socket, last: Socket) -> Diagnostic:
    certain = socket.role != "app" or socket.program == "REP"
    others = dict.fromkeys((first.type_span, last.type_span))
    return Diagnostic(
        code="ZT413",
        message=f"`{socket.declared}` sends answers to each of its peers in turn, whoever asked",
        severity="error" if certain else "warning",
        labels=(
            Label(socket.type_span, "a DEALER does not know where a question came from"),
            *(Label(span, "from here questions come" if n == 0 else "and from here") for n, span in enumerate(others)),
        ),
        notes=("a REP answers to where the question came from",)
        if socket.role == "app"
        else ("a ROUTER puts in front who has asked, and sends the answer there",),
    )
