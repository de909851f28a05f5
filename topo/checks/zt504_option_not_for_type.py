"""Options on sockets that do not take them."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Option, Socket
from topo.zeromq import options
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.options import known, lacking
from topo.zeromq.sockets import with_article


@check("ZT504", "an option that is not for this socket", "error", "warning")
def option_not_for_type(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """Many options are for certain socket types, and libzmq refuses them on any other with "Invalid argument".

    ```ztopo ZT504
    app feed: PUB bind tcp://*:5555 { subscribe "AAPL" }
    ```

    ```ztopo
    app feed: PUB bind tcp://*:5555
    app seen: SUB connect feed { subscribe "AAPL" }
    ```

    Some it takes and does nothing with, as a `routing_id` on a type that tells it to nobody. That is a warning:

    ```ztopo ZT504
    app jobs: PUSH bind tcp://*:5555 { routing_id "jobs" }
    ```

    ```ztopo
    app hub: ROUTER bind tcp://*:5555
    app jobs: DEALER connect hub { routing_id "jobs" }
    ```
    """
    for socket, option in graph.settings:
        row = known(option.name)
        if row is None or lacking(row, libzmq):
            continue
        if row.sides is not None and socket.role not in row.sides:
            yield _not_here(socket, option, f"it is for the {' and '.join(sorted(row.sides))} of a device")
        elif row.types is not None and socket.type not in row.types:
            yield _wrong_type(socket, option, row)


def _wrong_type(socket: Socket, option: Option, row: options.Option) -> Diagnostic:
    assert row.types is not None
    shown = ", ".join(sorted(row.types))
    if socket.type in row.idle:
        return Diagnostic(
            code="ZT504",
            message=f"`{option.name}` does nothing on {with_article(socket.type)}",
            severity="warning",
            labels=(Label(option.span, "taken, and without effect"), _type(socket)),
            notes=(f"it is for {shown}",),
        )
    return Diagnostic(
        code="ZT504",
        message=f"{with_article(socket.type)} does not take `{option.name}`",
        labels=(Label(option.span, f"it is for {shown}"), _type(socket)),
        notes=("an XSUB subscribes by sending a message, `\\x01` and the topic",) if _subscribes(socket, option) else (),
    )


def _subscribes(socket: Socket, option: Option) -> bool:
    return socket.type == "XSUB" and option.name == "subscribe"


def _not_here(socket: Socket, option: Option, why: str) -> Diagnostic:
    return Diagnostic(
        code="ZT504",
        message=f"`{option.name}` is not for `{socket.declared}`",
        labels=(Label(option.span, why),),
    )


def _type(socket: Socket) -> Label:
    return Label(socket.type_span, f"`{socket.declared}` is {with_article(socket.type)}")
