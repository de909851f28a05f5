"""Devices in which messages pile up without any limit."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, ways
from topo.model import Device, Socket


@check("ZT512", "no high water mark on the way through a device", "warning")
def memory_without_bound(graph: Graph) -> Iterator[Diagnostic]:
    """A high water mark of 0 is none. With none on both sides, a device takes whatever comes and keeps whatever does not go.

    As long as those behind it are slower than those before it, its memory grows, until the system ends its process.

    ```ztopo ZT512
    device jobs: streamer {
        in  PULL bind tcp://*:5560 { rcvhwm 0 }
        out PUSH bind tcp://*:5561 { sndhwm 0 }
    }
    ```

    One limit is enough: a device that cannot send stops receiving, and those before it wait.

    ```ztopo
    device jobs: streamer {
        in  PULL bind tcp://*:5560 { rcvhwm 0 }
        out PUSH bind tcp://*:5561 { sndhwm 100_000 }
    }
    ```
    """
    unlimited = {socket.owner for socket, _ in graph.options("sndhwm", "hwm") if socket.number("sndhwm", "hwm") == 0}
    for owner in unlimited:
        device = graph.components[owner]
        if isinstance(device, Device):
            yield from _ways_without(graph, device)


def _ways_without(graph: Graph, device: Device) -> Iterator[Diagnostic]:
    pairs = [(graph.sockets[a], graph.sockets[b]) for a, b in ways(device)]
    same = device.side("in") if device.side("out") is None else None
    for source, target in (*pairs, *([(same, same)] if same is not None else ())):
        if target.role != "monitor" and _none(source, "rcvhwm") and _none(target, "sndhwm"):
            taken, kept = source.option("rcvhwm", "hwm"), target.option("sndhwm", "hwm")
            assert taken is not None
            assert kept is not None
            yield Diagnostic(
                code="ZT512",
                message=f"nothing limits what piles up in `{device.span.text}`",
                severity="warning",
                labels=(Label(kept.span, "what does not go is kept"), Label(taken.span, "whatever comes is taken")),
                notes=("0 is no limit at all; one of the two should have one",),
            )
            return  # the other way says the same


def _none(socket: Socket, name: str) -> bool:
    return socket.number(name, "hwm") == 0
