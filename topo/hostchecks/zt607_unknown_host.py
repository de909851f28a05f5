"""Connects to hosts that nobody knows here."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import Host


@check("ZT607", "a connect to a host that nobody knows here", "warning")
def unknown_host(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """Libzmq looks up the name of a host when it connects. It does not say that there is none, and looks again for ever.

    A name that is known later is found then. The lookup has two seconds; a name for which nobody has answered by then is not
    judged.

    Where no host is called `jobs.example`:

    ```ztopo ZT607
    app work: PULL connect tcp://jobs.example:5555 { run "python work.py" }
    ```

    ```ztopo
    app work: PULL connect tcp://192.0.2.1:5555 { run "python work.py" }
    ```
    """
    for written in graph.endpoints if host.unknown else ():
        name = written.endpoint.address.host
        if written.use == "connect" and written.flaw is None and name in host.unknown and graph.runs(written.socket):
            yield Diagnostic(
                code="ZT607",
                message=f"`{written.socket.declared}` connects to `{name}`, which nobody knows here",
                severity="warning",
                labels=(Label(written.endpoint.span.narrow(name), "no such host is found"),),
                notes=("libzmq says nothing, and looks again for ever",),
            )
