"""Options that are written twice on one socket."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Option
from topo.zeromq.options import known


@check("ZT507", "an option given twice", "warning")
def option_twice(graph: Graph) -> Iterator[Diagnostic]:
    """Options are set one after the other, and of two for the same thing the last one counts.

    ```ztopo ZT507
    app jobs: PUSH bind tcp://*:5555 { sndhwm 100; sndhwm 1000 }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { sndhwm 1000 }
    ```

    `subscribe` may stand any number of times: each adds one. `hwm` before `sndhwm` is fine too, and means the other direction.
    """
    for socket in graph.sockets.values():
        first: dict[str, Option] = {}
        for option in socket.options:
            row = known(option.name)
            other = first.setdefault(option.name, option)
            if other is not option and row is not None and not row.many:
                yield Diagnostic(
                    code="ZT507",
                    message=f"`{option.name}` is given twice",
                    severity="warning",
                    labels=(Label(option.span, "this one counts"), Label(other.span, "this one does not")),
                )
