"""Subscribers that cannot tell from which device a copy is."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Device
from topo.source import Span


@check("ZT220", "several monitors with one prefix and one reader", "warning")
def monitors_alike(graph: Graph) -> Iterator[Diagnostic]:
    """A copy says from which side of a device it is, by its prefix; it does not say from which device.

    Who reads the monitors of several devices over one socket cannot tell their copies apart where the prefixes are the same.

    ```ztopo ZT220
    device jobs[2]: streamer {
        in      bind tcp://*:${5560 + index}
        out     bind tcp://*:${5570 + index}
        monitor bind tcp://*:${5580 + index}
    }
    app audit: SUB connect jobs.monitor { subscribe "" }
    ```

    ```ztopo
    device jobs[2]: streamer {
        in      bind tcp://*:${5560 + index}
        out     bind tcp://*:${5570 + index}
        monitor bind tcp://*:${5580 + index} { prefix "jobs.${index}.in", "jobs.${index}.out" }
    }
    app audit: SUB connect jobs.monitor { subscribe "" }
    ```
    """
    first: dict[tuple[str, bytes], Device] = {}
    told: set[str] = set()
    for link in graph.links:
        if "monitor" not in (link.a.role, link.b.role):
            continue
        for monitor, reader in ((link.a, link.b), (link.b, link.a)):
            device = graph.device(monitor)
            if device is None or monitor.role != "monitor":
                continue
            for prefix in device.prefixes:
                other = first.setdefault((reader.id, prefix), device)
                if other.name != device.name and reader.id not in told:
                    told.add(reader.id)
                    yield Diagnostic(
                        code="ZT220",
                        message=f"`{reader.declared}` cannot tell the copies of `{other.name}` from those of `{device.name}`",
                        severity="warning",
                        labels=(
                            Label(link.connect.span, "copies of several devices come together here"),
                            *(Label(span, "its prefixes") for span in dict.fromkeys((_prefixes(device), _prefixes(other)))),
                        ),
                        notes=("the option `prefix` of each monitor can name its device",),
                    )


def _prefixes(device: Device) -> Span:
    """Where they are said, or could be."""
    monitor = device.side("monitor")
    assert monitor is not None
    option = monitor.option("prefix")
    return option.span if option is not None else monitor.span
