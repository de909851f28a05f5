"""Sockets that are told to be both server and client of a security mechanism."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Option, Socket
from topo.zeromq.security import DECIDES


@check("ZT705", "a socket that is to be server and client at once")
def server_and_client(graph: Graph) -> Iterator[Diagnostic]:
    """A socket has one role in its mechanism, for all of its peers. Of two options that decide it, libzmq obeys the last.

    `curve_server` makes it a server, `curve_serverkey` a client; `plain_server` a server, `plain_username` and `plain_password` a
    client.

    ```ztopo ZT705
    app jobs: PUSH bind tcp://*:5555 {
        curve_serverkey "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
        curve_server    true
    }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { curve_server true }
    ```

    A program that is one to some and the other to others needs two sockets.
    """
    for socket, server in graph.options("curve_server", "plain_server"):
        mechanism = DECIDES[server.name].mechanism
        other = _of_a_client(socket, mechanism)
        if other is not None and socket.on(server.name):
            first, last = sorted((server, other), key=socket.options.index)
            yield Diagnostic(
                code="ZT705",
                message=f"`{socket.declared}` is to be server and client of {mechanism} at once",
                labels=(Label(last.span, "this one decides"), Label(first.span, "this one does not")),
                notes=("a socket has one role, whichever of two linked sockets binds",),
            )


def _of_a_client(socket: Socket, mechanism: str) -> Option | None:
    names = [name for name, decides in DECIDES.items() if decides.mechanism == mechanism and decides.role == "client"]
    return socket.option(*names)
