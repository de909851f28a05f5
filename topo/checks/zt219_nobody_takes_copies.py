"""Monitors that are for one consumer, and have none."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.sockets import SOCKETS, with_article


@check("ZT219", "a monitor whose copies nobody takes", "info")
def nobody_takes_copies(graph: Graph) -> Iterator[Diagnostic]:
    """A PUSH, a DEALER or a PAIR as a monitor is for a consumer that is to have every copy. Here the file knows of none.

    ztopo's devices keep as many copies as the monitor's high water mark allows, then drop and count them; the traffic goes on.
    pyzmq's queue and libzmq's own proxy wait for the monitor: without a consumer they pass on nothing at all.

    ```ztopo ZT219
    device jobs: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor PUSH bind tcp://*:5562
    }
    ```

    ```ztopo
    device jobs: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor PUSH bind tcp://*:5562
    }
    app log: PULL connect jobs.monitor
    ```
    """
    for device in graph.model.devices if not graph.model.doubtful else ():  # somebody may be meant to
        monitor = device.side("monitor")
        if monitor is None or SOCKETS[monitor.type].mute != "block" or monitor.connects or graph.links_of(monitor):
            continue
        yield Diagnostic(
            code="ZT219",
            message=f"nobody in this file takes the copies of `{monitor.declared}`",
            severity="info",
            labels=(
                Label(monitor.type_span, f"{with_article(monitor.type)} keeps some of them for a consumer, and drops the rest"),
            ),
            notes=("pyzmq's queue, and libzmq's proxy, would pass on nothing until somebody does",),
        )
