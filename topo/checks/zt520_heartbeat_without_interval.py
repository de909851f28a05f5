"""Parts of a heartbeat where no heart beats."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.options import OPTIONS, in_range

SHORTEST = 100


@check("ZT520", "a heartbeat that does not beat", "warning")
def heartbeat_without_interval(graph: Graph) -> Iterator[Diagnostic]:
    """`heartbeat_ivl` says how often a socket asks its peers whether they live. Without it none is ever asked.

    `heartbeat_timeout` and `heartbeat_ttl`, which say how long to wait for an answer, then do nothing.

    ```ztopo ZT520
    app jobs: PUSH bind tcp://*:5555 { heartbeat_timeout 2s }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { heartbeat_ivl 500ms; heartbeat_timeout 2s }
    ```

    A `heartbeat_ttl` goes over the wire in tenths of a second; one of less than that is none.

    ```ztopo ZT520
    app jobs: PUSH bind tcp://*:5555 { heartbeat_ivl 20ms; heartbeat_ttl 50ms }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { heartbeat_ivl 20ms; heartbeat_ttl 100ms }
    ```
    """
    for socket, option in graph.options("heartbeat_timeout", "heartbeat_ttl"):
        value = socket.number(option.name) or 0
        asks = (socket.number("heartbeat_ivl") or 0) > 0
        short = option.name == "heartbeat_ttl" and value < SHORTEST
        if value > 0 and in_range(OPTIONS[option.name], value) and (not asks or short):
            why = "it is less than 100ms, which libzmq takes for 0" if asks else "without `heartbeat_ivl` it does nothing"
            yield Diagnostic(
                code="ZT520",
                message=f"`{option.name}` of `{socket.declared}` does nothing",
                severity="warning",
                labels=(Label(option.values[0].span if asks else option.span, why),),
                notes=("the shortest is 100ms",) if asks else ("`heartbeat_ivl` says how often peers are asked",),
            )
