"""Monitors whose copies cannot be told apart."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT506", "monitor prefixes that cannot be told apart", "warning")
def monitor_prefixes_alike(graph: Graph) -> Iterator[Diagnostic]:
    """The prefix of a copy says from which side the message came, and subscribers choose by it.

    A SUB takes whatever begins with its subscription. Where one prefix is the beginning of the other, or both are the same, a
    subscription to it takes the copies of both sides.

    ```ztopo ZT506
    device stream: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor PUB  bind tcp://*:5562 { prefix "stream", "stream" }
    }
    ```

    ```ztopo
    device stream: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor PUB  bind tcp://*:5562 { prefix "stream.in", "stream.out" }
    }
    ```
    """
    for device in graph.model.devices:
        monitor = device.side("monitor")
        option = monitor.option("prefix") if monitor is not None else None
        if option is None or len(option.values) != 2:
            continue
        first, second = option.values
        if not isinstance(first.value, bytes) or not isinstance(second.value, bytes):
            continue
        if first.value.startswith(second.value) or second.value.startswith(first.value):
            same = first.value == second.value
            yield Diagnostic(
                code="ZT506",
                message=f"the prefixes of `{device.span.text}` are {'the same' if same else 'alike: one begins with the other'}",
                severity="warning",
                labels=(Label(second.span, "subscribers cannot tell this one"), Label(first.span, "from this one")),
                notes=("a SUB takes whatever begins with its subscription",),
            )
