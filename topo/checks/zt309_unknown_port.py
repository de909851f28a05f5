"""Ports that are chosen by the system in a program that ztopo does not see into."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import App, Component


@check("ZT309", "a port that only the app knows")
def unknown_port(graph: Graph) -> Iterator[Diagnostic]:
    """A port `*` is chosen by the system when it is bound. Only the one who binds it knows it then.

    What a device binds, ztopo binds, so it can tell everybody who connects by name. An app binds in a process of its own, and
    tells nobody.

    ```ztopo ZT309
    app feed: PUB bind tcp://127.0.0.1:*
    app seen: SUB connect feed { subscribe "" }
    ```

    Write the port, or let the app connect to a device:

    ```ztopo
    app feed: PUB bind tcp://127.0.0.1:6000
    app seen: SUB connect feed { subscribe "" }
    ```
    """
    for link in graph.links:
        if link.connect.endpoint is None and link.bind.endpoint.address.wild_port and _elsewhere(graph.component(link.b)):
            what = "path" if link.bind.endpoint.address.transport == "ipc" else "port"
            yield Diagnostic(
                code="ZT309",
                message=f"`{link.b.declared}` binds a {what} that nobody else can know",
                labels=(
                    Label(
                        link.bind.span.narrow(link.bind.endpoint.address.port or "*"),
                        f"the system chooses this {what} in the app",
                    ),
                    Label(link.connect.span, f"`{link.a.declared}` needs to know it"),
                ),
                notes=(f"write the {what}; or let a device bind, whose wildcards ztopo can tell",),
            )


def _elsewhere(owner: Component) -> bool:
    """Whether it binds in a process that ztopo does not see into."""
    return not owner.inside if isinstance(owner, App) else not owner.ours
