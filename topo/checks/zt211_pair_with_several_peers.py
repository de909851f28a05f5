"""PAIR sockets with more than one peer."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, Link
from topo.model import Socket
from topo.zeromq.sockets import SOCKETS, with_article


@check("ZT211", "a PAIR with several peers", "error", "warning")
def pair_with_several_peers(graph: Graph) -> Iterator[Diagnostic]:
    """A PAIR talks to one peer. The handshake with a second one succeeds, and then nothing is sent to it or taken from it.

    ```ztopo ZT211
    app hub: PAIR bind tcp://*:5555
    app left: PAIR connect hub
    app right: PAIR connect hub
    ```

    DEALER and ROUTER have any number of peers:

    ```ztopo
    app hub: ROUTER bind tcp://*:5555
    app left: DEALER connect hub
    app right: DEALER connect hub
    ```
    """
    for socket in graph.of_type(*(t.name for t in SOCKETS.values() if t.exclusive)):
        links = tuple(link for link in graph.links_of(socket) if link.talks)
        any_number = any(graph.any_number(_peer(link, socket)) for link in links)
        if len(links) > 1 or any_number:
            yield _crowded(socket, links, certain=len(links) > 1)


def _peer(link: Link, socket: Socket) -> Socket:
    return link.b if link.a.id == socket.id else link.a


def _crowded(socket: Socket, links: tuple[Link, ...], certain: bool) -> Diagnostic:
    places = list(dict.fromkeys(link.connect.span for link in links))
    how_many = f"{len(links)} peers" if certain else "any number of peers"
    labels = [Label(span, "the one" if n == 0 else "another") for n, span in enumerate(places[:3])]
    if len(places) == 1:
        labels = [Label(places[0], "each of its replicas is one" if certain else "each that is started is one")]
    return Diagnostic(
        code="ZT211",
        message=f"`{socket.declared}` is {with_article(socket.type)} and has {how_many}",
        severity="error" if certain else "warning",
        labels=(Label(socket.type_span, f"{with_article(socket.type)} talks to one"), *labels),
        notes=("DEALER, and ROUTER where an answer must go to the one who asked, have any number of peers",),
    )
