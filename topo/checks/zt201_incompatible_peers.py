"""Links between sockets that never talk."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, Link
from topo.zeromq.sockets import PEERS, with_article


@check("ZT201", "linked sockets cannot talk to each other")
def incompatible_peers(graph: Graph) -> Iterator[Diagnostic]:
    """ZeroMQ completes a handshake only between compatible socket types.

    A link between any others connects, is dropped, and is not tried again, not even if another socket binds the address later:
    neither side is told why. Over inproc nobody asks for the types at all, and what happens is left to chance.

    ```ztopo ZT201
    app jobs: PUSH bind tcp://*:5555
    app seen: SUB  connect jobs { subscribe "" }
    ```

    Give the link a partner that can answer:

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```

    Of the 66 pairs of types twelve can talk: PUB and XPUB with SUB and XSUB, REQ with REP and ROUTER, DEALER with REP, DEALER
    and ROUTER, ROUTER with ROUTER, PUSH with PULL, PAIR with PAIR. A STREAM speaks plain TCP, with no socket of ZeroMQ's.
    """
    for link in graph.links:
        if not link.talks:
            yield _silent(link)


def _silent(link: Link) -> Diagnostic:
    a, b = link.a.type, link.b.type
    inproc = link.bind.endpoint.address.transport == "inproc"
    return Diagnostic(
        code="ZT201",
        message=f"{with_article(a)} cannot talk to {with_article(b)}",
        labels=(
            Label(
                link.connect.span,
                "nobody checks this, and nothing good comes of it" if inproc else "this link carries nothing, silently",
            ),
            Label(link.a.type_span, f"`{link.a.declared}` is {with_article(a)}"),
            Label(link.b.type_span, f"`{link.b.declared}` is {with_article(b)}"),
        ),
        notes=(_talks_to(a), *((_talks_to(b),) if a != b else ())),
    )


def _talks_to(name: str) -> str:
    peers = sorted(PEERS[name])
    if not peers:
        return f"{with_article(name)} talks to no socket of ZeroMQ's"
    listed = ", ".join(with_article(p) for p in peers[:-1])
    return f"{with_article(name)} talks only to " + (f"{listed} or " if listed else "") + with_article(peers[-1])
