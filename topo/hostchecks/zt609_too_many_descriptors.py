"""Processes that would need more files than they may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import Host
from topo.model import Device

BASE = 24
"""What a process of devices has open before it has any: its streams, its channel, a context with one I/O thread. Measured."""
DEVICE = 1
"""What a device takes beside its sockets: the way to be told something. Measured."""
NETWORK = frozenset({"tcp", "ipc", "ws", "wss", "tipc", "vsock"})
"""The transports over which each bind and each connection is a file of the process."""


@check("ZT609", "more sockets than a process may have open")
def too_many_descriptors(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """A process may have so many files and sockets open, and no more: "Too many open files". ztopo lets its processes have all that
    the system allows them at most, which `ulimit -H -n` says.

    A ZeroMQ socket takes one, and one more for each address that it binds, and for each connection; a device takes one beside
    those of its sockets.

    Where a process may have 1024:

    ```ztopo ZT609
    device jobs[400]: streamer {
        in  bind ipc://jobs.in.${index}
        out bind ipc://jobs.out.${index}
    }
    ```

    A device with `run process` has a process of its own, and those in the braces of a `process` share one:

    ```ztopo
    device jobs[400]: streamer {
        run process
        in  bind ipc://jobs.in.${index}
        out bind ipc://jobs.out.${index}
    }
    ```
    """
    needed: Counter[str] = Counter()
    first: dict[str, Device] = {}
    for device in graph.model.devices:
        if not device.ours:
            continue
        process = graph.process(device.sockets[0]) if device.sockets else device.name
        first.setdefault(process, device)
        needed[process] += DEVICE + len(device.sockets)
        for socket in device.sockets:
            needed[process] += sum(bind.endpoint.address.transport in NETWORK for bind in socket.binds)
            needed[process] += sum(link.bind.endpoint.address.transport in NETWORK for link in graph.links_of(socket))
    for process, count in needed.items():
        if count + BASE > host.descriptors:
            device = first[process]
            yield Diagnostic(
                code="ZT609",
                message=f"{process} needs about {count + BASE:,} open files, and may have {host.descriptors:,}",
                labels=(Label(device.span, "the first of its devices"),),
                notes=("`ulimit -H -n` says how many a process may have; devices can be shared among several by `process`",),
            )
