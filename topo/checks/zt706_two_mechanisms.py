"""Sockets with options of two security mechanisms."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.security import DECIDES

PLAIN = tuple(name for name, decides in DECIDES.items() if decides.mechanism == "PLAIN")
CURVE = tuple(name for name, decides in DECIDES.items() if decides.mechanism == "CURVE")


@check("ZT706", "PLAIN and CURVE on one socket")
def two_mechanisms(graph: Graph) -> Iterator[Diagnostic]:
    """A socket speaks one mechanism, and the option that is set last decides which. The others are forgotten.

    That is so even where the last one says no: `plain_server false` behind `curve_server true` leaves the socket open to
    everybody.

    ```ztopo ZT706
    app jobs: PUSH bind tcp://*:5555 { curve_server true; plain_server false }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { curve_server true }
    ```
    """
    for socket in dict.fromkeys(socket.id for socket, _ in graph.options(*PLAIN)):
        options = graph.sockets[socket].options
        plain, curve = graph.sockets[socket].option(*PLAIN), graph.sockets[socket].option(*CURVE)
        if plain is not None and curve is not None:
            first, last = sorted((plain, curve), key=options.index)
            speaks = graph.security(graph.sockets[socket]).mechanism
            yield Diagnostic(
                code="ZT706",
                message=f"`{graph.sockets[socket].declared}` has options of PLAIN and of CURVE",
                labels=(
                    Label(last.span, f"this one decides: it {'has none of the two' if speaks == 'NULL' else f'speaks {speaks}'}"),
                    Label(first.span, "this one does not count"),
                ),
                notes=("a socket speaks one mechanism with all of its peers",),
            )
