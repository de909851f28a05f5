"""Sockets that want I/O threads which their context does not have."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Component, Device

MOST = 64
"""So many bits a mask has."""


@check("ZT525", "an affinity with I/O threads that are not there")
def no_such_io_thread(graph: Graph) -> Iterator[Diagnostic]:
    """Each bit of `affinity` stands for one I/O thread of the context. A context has one, unless its `io_threads` says more.

    A socket that wants only others cannot bind or connect: libzmq says "No thread available".

    ```ztopo ZT525
    process gateway {
        context { io_threads 2 }
        device jobs: streamer {
            in  PULL bind tcp://*:5560 { affinity 4 }
            out PUSH bind tcp://*:5561 { affinity 2 }
        }
    }
    ```

    ```ztopo
    process gateway {
        context { io_threads 2 }
        device jobs: streamer {
            in  PULL bind tcp://*:5560 { affinity 1 }
            out PUSH bind tcp://*:5561 { affinity 2 }
        }
    }
    ```

    Of an app that says nothing of its context, nothing is known.
    """
    for socket, option in graph.options("affinity"):
        wanted = socket.number("affinity") or 0
        threads = graph.context(socket).io_threads
        if threads is None and _ours(graph.component(socket)):
            threads = 1
        if wanted > 0 and threads and not wanted & (1 << min(threads, MOST)) - 1 and graph.transports(socket) != {"inproc"}:
            yield Diagnostic(
                code="ZT525",
                message=f"`{socket.declared}` wants I/O threads that its context does not have",
                labels=(Label(option.values[0].span, f"the context has {threads}: bits up to {1 << (threads - 1)}"),),
                notes=("the lowest bit is the first thread",),
            )


def _ours(component: Component) -> bool:
    """Whether its context is one that ztopo makes."""
    return isinstance(component, Device) and component.placement in ("process", "group")
