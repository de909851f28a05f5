"""Links between two servers, or between two clients, of one security mechanism."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Option, Socket
from topo.zeromq.security import DECIDES


@check("ZT702", "two servers, or two clients, of a security mechanism")
def one_role_twice(graph: Graph) -> Iterator[Diagnostic]:
    """PLAIN and CURVE have a server and a client, whichever of them binds. Two of a kind never complete a handshake.

    Two clients fail at once, and try again for ever. Two servers wait for each other until their time is up, and try again.

    ```ztopo ZT702
    app jobs: PUSH bind tcp://*:5555 { curve_server true }
    app work: PULL connect jobs { curve_server true }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { curve_server true }
    app work: PULL connect jobs { curve_serverkey "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" }
    ```
    """
    for link in graph.secured:
        a, b = graph.security(link.a), graph.security(link.b)
        if a.mechanism == b.mechanism != "NULL" and a.server == b.server:
            role = "server" if a.server else "client"
            yield Diagnostic(
                code="ZT702",
                message=f"`{link.a.declared}` and `{link.b.declared}` are both {role}s of {a.mechanism}",
                labels=(
                    Label(link.connect.span, "no handshake succeeds"),
                    *(Label(_why(end).span, f"this makes `{end.declared}` a {role}") for end in (link.a, link.b)),
                ),
                notes=("of two linked sockets one is the server, whichever of them binds",),
            )


def _why(socket: Socket) -> Option:
    deciding = [name for name, decides in DECIDES.items() if decides.role is not None]
    option = socket.option(*deciding) or socket.option(*DECIDES)
    assert option is not None, "a socket without such an option has no mechanism"
    return option
