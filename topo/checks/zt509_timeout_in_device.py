"""Timeouts of sends and receives on the sockets of a device."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Device


@check("ZT509", "a timeout on a socket of a device", "warning")
def timeout_in_device(graph: Graph) -> Iterator[Diagnostic]:
    """A device waits for whichever of its sockets is ready, and never in a send or a receive.

    So `sndtimeo` and `rcvtimeo` mean nothing to ztopo's devices. pyzmq's queue and libzmq's own proxy do wait in a send, and end
    with "Resource temporarily unavailable" when the time is up.

    ```ztopo ZT509
    device jobs: streamer {
        in  PULL bind tcp://*:5560
        out PUSH bind tcp://*:5561 { sndtimeo 100ms }
    }
    ```

    ```ztopo
    device jobs: streamer {
        in  PULL bind tcp://*:5560
        out PUSH bind tcp://*:5561
    }
    ```

    In an app they say how long its program waits:

    ```ztopo
    app jobs: PUSH bind tcp://*:5560 { sndtimeo 100ms }
    ```
    """
    for socket, option in graph.options("sndtimeo", "rcvtimeo"):
        component = graph.component(socket)
        if isinstance(component, Device) and socket.number(option.name) != -1:
            does = "it does nothing here" if component.ours else "pyzmq's loop, and libzmq's, end when the time is up"
            yield Diagnostic(
                code="ZT509",
                message=f"`{option.name}` on `{socket.declared}`, a socket of a device",
                severity="warning",
                labels=(Label(option.span, does),),
                notes=("a device waits for all of its sockets at once; leave the option out",),
            )
