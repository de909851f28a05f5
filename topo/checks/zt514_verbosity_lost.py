"""Publishers that want to hear every subscription, behind devices that pass on only the first."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, opposite
from topo.model import Option, Socket

VERBOSE = ("xpub_verbose", "xpub_verboser")


@check("ZT514", "a device that does not pass on every subscription", "warning")
def verbosity_lost(graph: Graph) -> Iterator[Diagnostic]:
    """An XPUB tells of a subscription once, however many subscribe to the same; with `xpub_verbose` it tells each time.

    A last value cache lives on that: who subscribes is sent the last value at once. Behind a device it hears what the device's
    XPUB tells, and that is only the first, unless it is verbose as well.

    ```ztopo ZT514
    device relay: forwarder {
        in  XSUB bind tcp://*:5560
        out XPUB bind tcp://*:5561
    }
    app cache: XPUB connect relay.in { xpub_verbose true }
    ```

    ```ztopo
    device relay: forwarder {
        in  XSUB bind tcp://*:5560
        out XPUB bind tcp://*:5561 { xpub_verbose true }
    }
    app cache: XPUB connect relay.in { xpub_verbose true }
    ```

    With `xpub_verboser` an XPUB tells of each end of a subscription too; but an XSUB passes on only the last one, unless libzmq
    is a draft build and the XSUB has `xsub_verbose_unsubscribe`.
    """
    for socket, option in graph.options(*VERBOSE):
        if socket.type != "XPUB" or not socket.on(option.name):
            continue
        for link in graph.links_of(socket):
            peer = link.peer(socket)
            device = graph.device(peer) if peer.type == "XSUB" else None
            other = opposite(device, peer) if device is not None else None
            if other is not None and other.type == "XPUB" and not any(other.on(name) for name in VERBOSE):
                yield _lost(socket, option, other)


def _lost(socket: Socket, option: Option, other: Socket) -> Diagnostic:
    return Diagnostic(
        code="ZT514",
        message=f"`{socket.declared}` hears of the first of equal subscriptions only",
        severity="warning",
        labels=(
            Label(option.span, f"`{socket.declared}` is to hear of all"),
            Label(other.type_span, f"`{other.declared}` tells of the first"),
        ),
        notes=(f"`{other.declared}` needs the option as well",),
    )
