"""Options for other transports than those that a socket uses."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Option, Socket
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.options import OPTIONS, lacking
from topo.zeromq.transports import TRANSPORTS


@check("ZT521", "an option that does nothing over these transports", "warning")
def option_without_effect(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """Many options are about connections, some about those of one transport. On a socket that has none of these they do nothing.

    Over inproc messages go from hand to hand: there is no handshake, nothing is encrypted, no peer is asked whether it lives.

    ```ztopo ZT521
    device jobs: streamer {
        in  PULL bind tcp://*:5560
        out PUSH bind inproc://jobs { heartbeat_ivl 1s }
    }
    ```

    ```ztopo ZT521
    app jobs: PUSH bind ipc://jobs { tcp_keepalive true }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { tcp_keepalive true; heartbeat_ivl 1s }
    ```

    What stands in a set of options, or in a file that is used several times, is fine if it does something for one of its users.
    """
    idle: dict[tuple[int, int], list[tuple[Socket, Option]]] = {}
    useful: set[tuple[int, int]] = set()
    for row in OPTIONS.values():
        if row.over is None or lacking(row, libzmq):
            continue
        for socket, option in graph.options(row.name):
            place = (id(option.span.source), option.span.start)
            transports = graph.transports(socket)
            if transports and transports <= TRANSPORTS.keys() and row.over.isdisjoint(transports):
                idle.setdefault(place, []).append((socket, option))
            else:
                useful.add(place)
    for place, uses in idle.items():
        for socket, option in uses if place not in useful else ():
            yield _idle(graph, socket, option, libzmq)


def _idle(graph: Graph, socket: Socket, option: Option, libzmq: Libzmq) -> Diagnostic:
    row = OPTIONS[option.name]
    over = sorted((row.over or frozenset()) & libzmq.transports)
    spoken = " and ".join(sorted(graph.transports(socket)))
    return Diagnostic(
        code="ZT521",
        message=f"`{option.name}` does nothing for `{socket.declared}`, which is reached over {spoken}",
        severity="warning",
        labels=(Label(option.span, f"it is for {', '.join(over)}" if over else f"it is {row.doc}"),),
    )
