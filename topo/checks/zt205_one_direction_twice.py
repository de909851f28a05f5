"""Devices through which no message can go."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Device, Socket
from topo.zeromq.sockets import SOCKETS, with_article


@check("ZT205", "both sides only receive, or both only send")
def one_direction_twice(graph: Graph) -> Iterator[Diagnostic]:
    """A device receives on one side and sends on the other.

    PULL, SUB and XSUB only receive, PUSH, PUB and XPUB only send. With two of a kind nothing can go through, and what comes
    in stays where it is.

    ```ztopo ZT205
    device stream: proxy {
        in  PULL bind tcp://*:5560
        out PULL bind tcp://*:5561
    }
    ```

    ```ztopo
    device stream: proxy {
        in  PULL bind tcp://*:5560
        out PUSH bind tcp://*:5561
    }
    ```
    """
    for device, inward, outward in graph.passages:
        if _passes(inward, outward) or _passes(outward, inward):
            continue
        if outward is inward:
            yield _one_socket(device, inward)
            continue
        does = "receive" if SOCKETS[inward.type].receives else "send"
        yield Diagnostic(
            code="ZT205",
            message=f"nothing can go through `{device.span.text}`: both sides only {does}",
            labels=(
                Label(outward.type_span, f"{with_article(outward.type)} only {does}s"),
                Label(inward.type_span, f"{with_article(inward.type)} only {does}s"),
            ),
            notes=("one side must receive what the other sends, as PULL and PUSH or XSUB and XPUB do",),
        )


def _one_socket(device: Device, socket: Socket) -> Diagnostic:
    does = "receives" if SOCKETS[socket.type].receives else "sends"
    return Diagnostic(
        code="ZT205",
        message=f"nothing can go through `{device.span.text}`: its one socket only {does}",
        labels=(Label(socket.type_span, f"{with_article(socket.type)} only {does}"),),
        notes=("with `out same` one socket both receives and sends, as ROUTER, DEALER and PAIR do",),
    )


def _passes(source: Socket, target: Socket) -> bool:
    return SOCKETS[source.type].receives and SOCKETS[target.type].sends
