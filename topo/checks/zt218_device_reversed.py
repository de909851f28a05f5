"""Devices through which messages go from `out` to `in`."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.sockets import SOCKETS, with_article


@check("ZT218", "a device the other way round", "info")
def device_reversed(graph: Graph) -> Iterator[Diagnostic]:
    """A device works as well with its sides exchanged. But its messages then come in at `out`, and go out at `in`.

    Whoever reads the file may wonder, and the monitor says `out` of what came in, unless its prefixes are exchanged too.

    ```ztopo ZT218
    device jobs: proxy {
        in  PUSH bind tcp://*:5560
        out PULL bind tcp://*:5561
    }
    ```

    ```ztopo
    device jobs: proxy {
        in  PULL bind tcp://*:5561
        out PUSH bind tcp://*:5560
    }
    ```
    """
    for device in graph.model.devices:
        inward, outward = device.side("in"), device.side("out")
        if inward is None or outward is None or (SOCKETS[inward.type].receives and SOCKETS[outward.type].sends):
            continue
        if SOCKETS[outward.type].receives and SOCKETS[inward.type].sends:
            yield Diagnostic(
                code="ZT218",
                message=f"messages go through `{device.span.text}` from `out` to `in`",
                severity="info",
                labels=(
                    Label(outward.type_span, f"{with_article(outward.type)} receives"),
                    Label(inward.type_span, f"{with_article(inward.type)} sends"),
                ),
                notes=("it works; `in` and `out` can be exchanged, and the prefixes of the monitor with them",),
            )
