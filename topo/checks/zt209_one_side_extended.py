"""Publish-subscribe devices through which subscriptions cannot go."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.model import Socket
from topo.zeromq.sockets import SOCKETS

EXTENDED = {"PUB": "XPUB", "SUB": "XSUB"}


@check("ZT209", "only one side of a device can pass on subscriptions", "error", "warning")
def one_side_extended(graph: Graph) -> Iterator[Diagnostic]:
    """Subscriptions go against the messages: an XPUB reads them, and an XSUB sends them on to the publishers.

    An XSUB opposite a PUB never subscribes to anything, so nothing arrives. An XPUB opposite a SUB reads subscriptions that
    cannot go anywhere: libzmq's own proxy spins over them, pyzmq's queue ends. ztopo's devices let them lie, and what the SUB
    subscribes to itself goes through; so with a subscription of its own that is a warning.

    ```ztopo ZT209
    device relay: proxy {
        in  XSUB bind tcp://*:5560
        out PUB  bind tcp://*:5561
    }
    ```

    Both or neither: XSUB and XPUB pass subscriptions on, so that what nobody wants is not even sent. With SUB and PUB the
    device takes what it subscribes to itself.

    ```ztopo
    device relay: proxy {
        in  XSUB bind tcp://*:5560
        out XPUB bind tcp://*:5561
    }
    ```
    """
    for device, inward, outward in graph.passages:
        for extended, plain in ((inward, outward), (outward, inward)):
            why = _stuck(extended, plain)
            if why:
                yield Diagnostic(
                    code="ZT209",
                    severity="warning" if plain.option("subscribe") is not None else "error",
                    message=f"subscriptions cannot go through `{device.span.text}`",
                    labels=(Label(plain.type_span, why), Label(extended.type_span, _needs(extended))),
                    notes=("XSUB on one side wants XPUB on the other",),
                    fix=_fix(plain),
                )


def _stuck(extended: Socket, plain: Socket) -> str:
    if extended.type == "XSUB" and plain.type != "XPUB" and not SOCKETS[plain.type].receives:
        return f"a {plain.type} has no subscriptions to pass on"
    if extended.type == "XPUB" and plain.type == "SUB":
        return "a SUB takes no subscriptions to send"
    return ""


def _needs(extended: Socket) -> str:
    return "an XSUB receives only what it is told to subscribe to" if extended.type == "XSUB" else "an XPUB reads subscriptions"


def _fix(plain: Socket) -> Fix | None:
    right = EXTENDED.get(plain.type)
    if right is None or plain.type_span.text != plain.type or plain.option("subscribe") is not None:
        return None
    return Fix(f"make it an {right}", (Edit(plain.type_span, right),))
