"""`swap` on a device that is not ROUTER on both sides."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.source import Span
from topo.zeromq.sockets import with_article


@check("ZT203", "swap where it does no good")
def swap_does_no_good(graph: Graph) -> Iterator[Diagnostic]:
    """`swap` exchanges the first two parts of each message, which is what a ROUTER needs behind another ROUTER.

    Between any other sockets it tears the message: from ROUTER to DEALER the id that a reply needs to find its way would
    stand in second place.

    ```ztopo ZT203
    device broker: queue swap {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    ```

    ```ztopo
    device broker: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    ```
    """
    for device, inward, outward in graph.passages:
        if device.swap is not None and not inward.type == outward.type == "ROUTER":
            others = [s for s in dict.fromkeys((inward, outward)) if s.type != "ROUTER"]
            gap = Span(device.swap.source, device.kind_span.end, device.swap.end)
            yield Diagnostic(
                code="ZT203",
                message=f"`swap` in `{device.span.text}`, which is not ROUTER on both sides",
                labels=(
                    Label(device.swap, "this tears the messages"),
                    *(Label(s.type_span, f"`{s.declared}` is {with_article(s.type)}") for s in others),
                ),
                notes=("only from ROUTER to ROUTER the first two parts must be exchanged",),
                fix=Fix("leave out `swap`", (Edit(gap, ""),)),
            )
