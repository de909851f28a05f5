"""inproc names that are longer than libzmq documents."""

from __future__ import annotations

import os
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph

MOST = 256
"""Source: zmq_inproc(7). The code does not look."""


@check("ZT314", "an inproc name that is too long", "warning")
def inproc_name_too_long(graph: Graph) -> Iterator[Diagnostic]:
    """The name of an inproc endpoint has at most 256 bytes.

    libzmq says so, and takes a longer one all the same; but a program that asks the socket where it is bound gets "Invalid
    argument".

    ```ztopo ZT314
    param shift = "the-jobs-of-the-night-shift-that-nobody-could-finish-before-the-morning-came-and-all-were-asleep"
    device jobs: streamer {
        in  bind inproc://${shift}/${shift}/${shift}
        out bind tcp://*:5555
    }
    ```

    ```ztopo
    param shift = "night"
    device jobs: streamer {
        in  bind inproc://${shift}/${shift}/${shift}
        out bind tcp://*:5555
    }
    ```
    """
    for written in graph.over.get("inproc", ()):
        length = len(os.fsencode(written.endpoint.address.address))
        if length > MOST:
            yield Diagnostic(
                code="ZT314",
                message=f"the name of an inproc endpoint has {length} bytes, and {MOST} is the most",
                severity="warning",
                labels=(Label(written.endpoint.span, f"too long by {length - MOST}"),),
                notes=("libzmq takes it, but does not say where the socket is bound",),
            )
