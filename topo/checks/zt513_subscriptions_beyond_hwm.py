"""SUB sockets with more subscriptions than they can tell their publishers."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph

DEFAULT = 1000


@check("ZT513", "more subscriptions than the high water mark", "warning")
def subscriptions_beyond_hwm(graph: Graph) -> Iterator[Diagnostic]:
    """A SUB tells each publisher its subscriptions, as messages, when the connection comes about, and again at each later one.

    Like all messages they wait within the SUB's `sndhwm`, which is 1000 where it is not set. What is beyond that is dropped
    without a word: the publisher never learns of it.

    ```ztopo ZT513
    app feed: PUB bind tcp://*:5555
    app seen: SUB connect feed { sndhwm 2; subscribe "a", "b", "c" }
    ```

    ```ztopo
    app feed: PUB bind tcp://*:5555
    app seen: SUB connect feed { sndhwm 0; subscribe "a", "b", "c" }
    ```
    """
    for socket, option in graph.options("subscribe"):
        topics = {value.value for o in socket.options if o.name == "subscribe" for value in o.values}
        limit = socket.number("sndhwm", "hwm")
        most = DEFAULT if limit is None else limit
        if socket.type == "SUB" and 0 < most < len(topics) and graph.transports(socket) != {"inproc"}:
            mark = socket.option("sndhwm", "hwm")
            yield Diagnostic(
                code="ZT513",
                message=f"`{socket.declared}` has {len(topics)} subscriptions, and room to tell of {most}",
                severity="warning",
                labels=(
                    Label(option.span, f"{len(topics) - most} of them no publisher learns of"),
                    *((Label(mark.span, "so many wait at most"),) if mark is not None else ()),
                ),
                notes=(f"`sndhwm 0`, or one of more than {len(topics)}, has room for all",),
            )
