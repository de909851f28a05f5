"""Devices that wait at their end until everything is sent, however long that takes."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Device


@check("ZT522", "a device that may never end", "info")
def linger_without_end(graph: Graph) -> Iterator[Diagnostic]:
    """With `linger -1`, libzmq's own default, what is not yet sent holds up the end of the context, for ever if need be.

    One message for a peer that is gone is enough. `ztopo up` kills the process when its time is up, and the message is lost all
    the same; an application that runs the topology hangs in the end of its context.

    ```ztopo ZT522
    device jobs: streamer {
        in  PULL bind tcp://*:5560
        out PUSH bind tcp://*:5561 { linger -1 }
    }
    ```

    A device's sockets have `linger 1s` where the file does not say otherwise:

    ```ztopo
    device jobs: streamer {
        in  PULL bind tcp://*:5560
        out PUSH bind tcp://*:5561
    }
    ```
    """
    for socket, option in graph.options("linger"):
        if isinstance(graph.component(socket), Device) and socket.number("linger") == -1:
            yield Diagnostic(
                code="ZT522",
                message=f"`{socket.declared}` waits without end for what is not yet sent",
                severity="info",
                labels=(Label(option.values[0].span, "one message for a peer that is gone, and it never ends"),),
                notes=("leave it out for one second, or say how long is long enough",),
            )
