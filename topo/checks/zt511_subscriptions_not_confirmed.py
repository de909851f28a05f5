"""XPUB sockets of devices that wait for a program to confirm each subscription."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT511", "subscriptions that nobody confirms")
def subscriptions_not_confirmed(graph: Graph) -> Iterator[Diagnostic]:
    """With `xpub_manual` an XPUB subscribes nobody to anything until its program confirms the subscription.

    A device has no program that could: it reads the subscription, passes it on, and sends to nobody. That is so in every loop
    there is.

    ```ztopo ZT511
    device relay: forwarder {
        in  XSUB bind tcp://*:5560
        out XPUB bind tcp://*:5561 { xpub_manual true }
    }
    ```

    ```ztopo
    device relay: forwarder {
        in  XSUB bind tcp://*:5560
        out XPUB bind tcp://*:5561
    }
    ```
    """
    for socket, option in graph.options("xpub_manual", "xpub_manual_last_value"):
        if graph.device(socket) is not None and socket.type == "XPUB" and socket.on(option.name):
            yield Diagnostic(
                code="ZT511",
                message=f"`{socket.declared}` sends to nobody: its subscriptions are never confirmed",
                labels=(Label(option.span, "a device has no program that confirms them"),),
                notes=("leave it out: then each subscription counts as it comes",),
            )
