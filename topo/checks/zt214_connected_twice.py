"""Two connections between the same two sockets."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, Link
from topo.model import Connect, Socket
from topo.zeromq.sockets import SOCKETS

ONCE = frozenset({"DEALER", "SUB", "PUB", "REQ"})
"""The types that libzmq connects to one text once, except over inproc."""


@check("ZT214", "two connections between the same two sockets", "warning")
def connected_twice(graph: Graph) -> Iterator[Diagnostic]:
    """A socket that is connected to another one twice takes the two connections for two peers.

    A subscriber gets every message twice; a PUSH, a DEALER and a REQ give the other end two shares of what they send; a ROUTER
    does not know which of two to answer.

    ```ztopo ZT214
    app feed: PUB bind tcp://*:5555, ipc://feed
    app seen: SUB connect feed.tcp, feed.ipc { subscribe "" }
    ```

    ```ztopo
    app feed: PUB bind tcp://*:5555, ipc://feed
    app seen: SUB connect feed { subscribe "" }
    ```

    A second connect of a SUB, a PUB, a REQ or a DEALER to the very same endpoint libzmq ignores, except over inproc:

    ```ztopo ZT214
    app jobs: DEALER connect tcp://10.0.0.1:5555, tcp://10.0.0.1:5555
    ```

    ```ztopo
    app jobs: DEALER connect tcp://10.0.0.1:5555, tcp://10.0.0.2:5555
    ```
    """
    first: dict[tuple[str, str], Link] = {}
    for link in graph.links:
        a, b = link.a.id, link.b.id
        other = first.setdefault((a, b) if a < b else (b, a), link)
        if other is not link and a != b and link.talks:
            ignored = other.endpoint == link.endpoint and link.transport != "inproc" and link.a.type in ONCE
            yield _twice(link.a, link.b.declared, other.connect, link.connect, ignored=ignored)
    for socket in graph.sockets.values():
        if len(socket.connects) > 1:
            yield from _outside(graph, socket)


def _outside(graph: Graph, socket: Socket) -> Iterator[Diagnostic]:
    """The same endpoint twice, somewhere outside."""
    first: dict[str, Connect] = {}
    for connect in socket.connects:
        if connect.endpoint is not None and id(connect) not in graph.linked:
            other = first.setdefault(connect.endpoint.text, connect)
            if other is not connect:
                yield _twice(socket, connect.endpoint.text, other, connect, ignored=socket.type in ONCE)


def _twice(socket: Socket, other: str, first: Connect, second: Connect, *, ignored: bool) -> Diagnostic:
    return Diagnostic(
        code="ZT214",
        message=f"`{socket.declared}` and `{other}` are connected twice",
        severity="warning",
        labels=(
            Label(second.span, "libzmq ignores this one" if ignored else _consequence(socket)),
            *((Label(first.span, "the first connection"),) if first is not second else ()),
        ),
        notes=("one connection carries everything, in both directions",),
    )


def _consequence(socket: Socket) -> str:
    if socket.type in ("PUB", "XPUB", "SUB", "XSUB"):
        return "every message comes twice"
    return "two peers, as it seems, that are one" if SOCKETS[socket.type].routed else "it gets two shares of what is sent"
