"""Contexts without I/O threads in processes that talk to others."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import App, Component, Endpoint, Socket
from topo.source import Span


@check("ZT403", "no I/O thread for what needs one")
def no_io_threads(graph: Graph) -> Iterator[Diagnostic]:
    """Everything but inproc goes through the I/O threads of the context. With `io_threads 0` there are none.

    Then a bind or a connect over any other transport is refused with "No thread available".

    ```ztopo ZT403
    process gateway {
        context { io_threads 0 }
        device calls: queue { in bind tcp://*:5560; out bind inproc://calls }
        device replies: queue { in connect inproc://calls; out bind inproc://replies }
    }
    ```

    ```ztopo
    process gateway {
        context { io_threads 1 }
        device calls: queue { in bind tcp://*:5560; out bind inproc://calls }
        device replies: queue { in connect inproc://calls; out bind inproc://replies }
    }
    ```
    """
    contexts = [*(p.context for p in graph.model.processes), *(a.context for a in graph.model.apps)]
    if all(context.io_threads != 0 for context in contexts):
        return
    for socket in graph.sockets.values():
        if graph.context(socket).io_threads == 0:
            for span in _over_threads(graph, socket):
                yield Diagnostic(
                    code="ZT403",
                    message=f"`{socket.declared}` needs an I/O thread, and its context has none",
                    labels=(
                        Label(span, "only inproc goes without"),
                        Label(_home(graph, graph.component(socket)), "`io_threads 0` is said here"),
                    ),
                    notes=("libzmq makes one where nothing is said, and that is enough for most",),
                )


def _over_threads(graph: Graph, socket: Socket) -> Iterator[Span]:
    def needs(endpoint: Endpoint) -> bool:
        return endpoint.address.transport != "inproc"

    yield from (bind.span for bind in socket.binds if needs(bind.endpoint))
    for connect in socket.connects:
        there = [graph.sockets[t.socket].binds[t.index].endpoint for t in connect.targets]
        if any(map(needs, there)) or (connect.endpoint is not None and needs(connect.endpoint)):
            yield connect.span


def _home(graph: Graph, component: Component) -> Span:
    if isinstance(component, App):
        return component.span
    if component.placement == "app":
        return graph.components[component.home].span
    return next(p.span for p in graph.model.processes if p.name == component.home)
