"""Publishers of devices that wait for the slowest of their subscribers."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT526", "a device that waits for its slowest subscriber", "info")
def one_holds_up_all(graph: Graph) -> Iterator[Diagnostic]:
    """A PUB or XPUB drops what a subscriber has no room for. With `xpub_nodrop` it takes no more for anybody until that one has.

    A device then passes on nothing, and those before it wait. That may be what is wanted: nothing is lost, and all are as slow as
    the slowest. On a monitor the traffic goes on, and what does not fit is dropped for all of its subscribers.

    ```ztopo ZT526
    device relay: forwarder {
        in  XSUB bind tcp://*:5560
        out XPUB bind tcp://*:5561 { xpub_nodrop true }
    }
    ```

    ```ztopo
    device relay: forwarder {
        in  XSUB bind tcp://*:5560
        out XPUB bind tcp://*:5561
    }
    ```
    """
    for socket, option in graph.options("xpub_nodrop"):
        if graph.device(socket) is not None and socket.type in ("PUB", "XPUB") and socket.on("xpub_nodrop"):
            yield Diagnostic(
                code="ZT526",
                message=f"`{socket.declared}` takes nothing while one subscriber has no room",
                severity="info",
                labels=(Label(option.span, "the slowest decides for all"),),
            )
