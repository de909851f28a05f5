"""Ports that are chosen by the system, and apps that nobody tells them."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT313", "a port that an app outside is not told", "warning")
def port_not_told(graph: Graph) -> Iterator[Diagnostic]:
    """A port `*` is chosen by the system when it is bound. ztopo tells the devices and the apps that it starts what it became.

    An app that somebody else starts is told by nobody: each time it is another port, and `ztopo up` says which.

    ```ztopo ZT313
    device broker: queue {
        in  bind tcp://127.0.0.1:*
        out bind tcp://127.0.0.1:5556
    }
    app client[*]: REQ connect broker.in
    ```

    Write the port, or let ztopo start the app:

    ```ztopo
    device broker: queue {
        in  bind tcp://127.0.0.1:5555
        out bind tcp://127.0.0.1:*
    }
    app client[*]: REQ connect broker.in
    app worker: REP connect broker.out { run "python worker.py" }
    ```
    """
    for link in graph.links:
        address = link.bind.endpoint.address
        if address.wild_port and graph.makes(link.b) and not graph.runs(link.a):
            what = "path" if address.transport == "ipc" else "port"
            yield Diagnostic(
                code="ZT313",
                message=f"nobody tells `{link.a.declared}` which {what} `{link.b.declared}` has",
                severity="warning",
                labels=(
                    Label(link.connect.span, f"whoever starts this needs to know the {what}"),
                    Label(link.bind.span.narrow(address.port or "*"), f"the system chooses this {what}"),
                ),
                notes=(f"write the {what}, or let ztopo start the app: `run` in its braces",),
            )
