"""Processes with more sockets than their context may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.source import Span


@check("ZT402", "more sockets than the context may have")
def too_many_sockets(graph: Graph) -> Iterator[Diagnostic]:
    """A context has at most `max_sockets` sockets. The next one is refused with "Too many open files".

    ```ztopo ZT402
    process gateway {
        context { max_sockets 3 }
        device calls: queue { in bind tcp://*:5560; out bind inproc://calls }
        device replies: queue { in connect inproc://calls; out bind tcp://*:5561 }
    }
    ```

    ```ztopo
    process gateway {
        context { max_sockets 100 }
        device calls: queue { in bind tcp://*:5560; out bind inproc://calls }
        device replies: queue { in connect inproc://calls; out bind tcp://*:5561 }
    }
    ```

    Where it is left out, ztopo gives the processes that it makes as many as they need.
    """
    limited = list(_limits(graph))
    if not limited:
        return
    counts = Counter(graph.process(socket) for socket in graph.sockets.values())
    for name, most, span in limited:
        if counts[name] > most:
            yield Diagnostic(
                code="ZT402",
                message=f"{name} has {counts[name]} sockets, and its context may have {most}",
                labels=(Label(span, f"`max_sockets {most}` is too few for these"),),
                notes=("what a program opens besides counts as well; leave it out, or let there be room",),
            )


def _limits(graph: Graph) -> Iterator[tuple[str, int, Span]]:
    """Each process whose context has a limit in the file, by the name that the graph has for it."""
    for process in graph.model.processes:
        if process.context.max_sockets is not None:
            yield f"process group {process.name}", process.context.max_sockets, process.span
    for app in graph.model.apps:
        if app.context.max_sockets is not None:
            yield "the application" if app.inside else f"app {app.name}", app.context.max_sockets, app.span
