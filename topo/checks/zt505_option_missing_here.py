"""Options that this libzmq does not have, or nobody can set."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.options import known, lacking


@check("ZT505", "an option that cannot be set with this libzmq")
def option_missing_here(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """Some options are drafts, which only a libzmq built with its draft API has; some need a library that libzmq was built
    with; some can only be read.

    ```ztopo ZT505
    app hub: ROUTER bind tcp://*:5555 { router_notify 3 }
    ```

    ```ztopo ZT505
    app hub: ROUTER bind tcp://*:5555 { last_endpoint "tcp://*:5555" }
    ```

    ```ztopo
    app hub: ROUTER bind tcp://*:5555 { router_mandatory true }
    ```

    pyzmq's wheels have no drafts, no GSSAPI, no NORM, no VMCI and no secure WebSockets.
    """
    for _, option in graph.settings:
        row = known(option.name)
        why = lacking(row, libzmq) if row is not None else ""
        if why:
            yield Diagnostic(
                code="ZT505",
                message=f"`{option.name}` cannot be set here",
                labels=(Label(option.span, why),),
            )
