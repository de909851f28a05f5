"""SUB sockets that subscribe to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.options import known


@check("ZT208", "a SUB without a subscription", "error", "warning")
def sub_without_subscription(graph: Graph) -> Iterator[Diagnostic]:
    """A SUB receives only what it has subscribed to, and in the beginning that is nothing.

    In a device nobody can subscribe later, so there it is an error. A program may subscribe as it goes; it is a warning,
    because the file is then silent about what the program wants to see, and forgetting to subscribe is the most frequent
    reason for messages that do not arrive.

    ```ztopo ZT208
    app feed: PUB bind tcp://*:5555
    app seen: SUB connect feed
    ```

    An empty subscription takes everything, any other what begins with it:

    ```ztopo
    app feed: PUB bind tcp://*:5555
    app seen: SUB connect feed { subscribe "AAPL", "MSFT" }
    app rest: SUB connect feed { subscribe "" }
    ```

    In a device XSUB and XPUB do it better: they pass on the subscriptions of those behind it.
    """
    for socket in graph.of_type("SUB"):
        if socket.role == "monitor" or any(known(o.name) is None for o in socket.options):
            continue  # a monitor cannot be a SUB at all; an option that is not known may be meant to subscribe
        if socket.option("subscribe") is None:
            in_device = graph.device(socket) is not None
            yield Diagnostic(
                code="ZT208",
                message=f"`{socket.declared}` is a SUB and subscribes to nothing",
                severity="error" if in_device else "warning",
                labels=(Label(socket.type_span, "it receives no message"),),
                notes=('`subscribe ""` takes everything, `subscribe "A"` what begins with A',),
            )
