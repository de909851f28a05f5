"""Monitors whose first copies nobody gets."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Device, Socket

DROPPING = ("PUB", "XPUB")


@check("ZT317", "a monitor that runs before its reader", "info")
def reader_comes_later(graph: Graph) -> Iterator[Diagnostic]:
    """A monitor that publishes keeps nothing for those who come later: what goes through the device before a reader has subscribed
    is not copied to it.

    All devices run before the first app is started, and apps that ztopo starts are started in the order of their
    declarations, without waiting for each other.

    ```ztopo ZT317
    device jobs: streamer {
        in      bind tcp://*:5560
        out     bind tcp://*:5561
        monitor bind ipc://jobs.monitor
    }
    app audit: SUB connect jobs.monitor { subscribe "" }
    ```

    Where the first copies matter, let the sources wait until the reader is there. Or let the monitor push: it keeps up to its
    HWM for a reader to come, and never holds up the traffic.

    ```ztopo
    device jobs: streamer {
        in      bind tcp://*:5560
        out     bind tcp://*:5561
        monitor PUSH connect audit
    }
    app audit: PULL bind ipc://jobs.audit
    ```
    """
    for device in graph.model.devices:
        monitor = device.side("monitor")
        if monitor is None or monitor.type not in DROPPING or not device.ours:
            continue
        for link in graph.links_of(monitor):
            reader = link.b if link.a.id == monitor.id else link.a
            if link.talks and graph.device(reader) is None:
                yield _later(device, monitor, reader)
                break  # what is true of one reader is true of all


def _later(device: Device, monitor: Socket, reader: Socket) -> Diagnostic:
    return Diagnostic(
        code="ZT317",
        message=f"`{device.span.text}` may run before `{reader.declared}` hears its monitor",
        severity="info",
        labels=(
            Label(monitor.type_span, "keeps nothing for those who come later"),
            Label(reader.span, "starts after all devices"),
        ),
        notes=("a monitor of type PUSH that connects keeps copies up to its HWM",),
    )
