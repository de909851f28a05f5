"""ROUTER on both sides of a device that does not swap."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.model import Device, Socket
from topo.source import Span


@check("ZT202", "ROUTER on both sides without swap", "error", "warning")
def router_router_without_swap(graph: Graph) -> Iterator[Diagnostic]:
    """A ROUTER puts the sender's id in front of what it receives, and sends to whom stands in front.

    From ROUTER to ROUTER the first part is therefore the sender, who is not there on the other side: the message is dropped
    without a word. With `swap` the device exchanges the first two parts, so that the sender's own first part says to whom.

    ```ztopo ZT202
    device mux: queue {
        in  ROUTER bind tcp://*:5560
        out ROUTER bind tcp://*:5561
    }
    ```

    ```ztopo
    device mux: queue swap {
        in  ROUTER bind tcp://*:5560
        out ROUTER bind tcp://*:5561
    }
    ```

    With `out same` the device has one ROUTER, through which its peers reach each other by name; without `swap` each would
    only get back what it sent itself, which is a warning.

    Where the ones behind the device are workers that share the load, and nobody calls them by name, DEALER is right:

    ```ztopo
    device broker: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    ```
    """
    for device, inward, outward in graph.passages:
        if not inward.type == outward.type == "ROUTER" or device.swap is not None:
            continue
        end = Span(device.kind_span.source, device.kind_span.end, device.kind_span.end)
        fix = Fix("exchange the first two parts", (Edit(end, " swap"),))
        if outward is inward:
            yield _back_to_the_sender(device, inward, fix)
        else:
            yield Diagnostic(
                code="ZT202",
                message=f"`{inward.declared}` and `{outward.declared}` are both ROUTER, and nothing gets from one to the other",
                labels=(
                    Label(device.kind_span, "without `swap`"),
                    Label(inward.type_span, "a ROUTER puts the sender's id in front"),
                    Label(outward.type_span, "and this one looks for a peer of that id"),
                ),
                notes=("with DEALER as `out` replies find their way, and requests are shared among those behind it",),
                fix=fix,
            )


def _back_to_the_sender(device: Device, socket: Socket, fix: Fix) -> Diagnostic:
    return Diagnostic(
        code="ZT202",
        message=f"`{device.span.text}` sends every message back to who sent it",
        severity="warning",
        labels=(
            Label(device.kind_span, "without `swap`"),
            Label(socket.type_span, "a ROUTER puts the sender's id in front, and sends to whom stands in front"),
        ),
        notes=("with `swap` the sender's own first part says to whom",),
        fix=fix,
    )
