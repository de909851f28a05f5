"""Devices that are called what they are not."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.model import Device
from topo.zeromq.kinds import KINDS
from topo.zeromq.sockets import with_article


@check("ZT217", "a kind of device that its socket types do not fit", "warning")
def kind_does_not_fit(graph: Graph) -> Iterator[Diagnostic]:
    """The kind of a device says which pattern it is for: a queue asks and answers, a forwarder publishes, a streamer hands on.

    It decides the types that are left out, and nothing else: libzmq, pyzmq and ztopo pass on whatever the sockets are. With other
    types the name tells whoever reads it something wrong.

    ```ztopo ZT217
    device jobs: streamer {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    ```

    ```ztopo
    device jobs: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    ```

    A `proxy` may have any types.
    """
    for device in graph.model.devices:
        fitting = KINDS[device.kind].family if device.kind in KINDS else frozenset()
        for socket in device.sockets if fitting else ():
            if socket.role in ("in", "out") and socket.type not in fitting:
                yield Diagnostic(
                    code="ZT217",
                    message=f"`{device.span.text}` is called a {device.kind}, and `{socket.declared}` is {with_article(socket.type)}",
                    severity="warning",
                    labels=(
                        Label(device.kind_span, f"a {device.kind} has {', '.join(sorted(fitting))}"),
                        Label(socket.type_span, f"this is {with_article(socket.type)}"),
                    ),
                    notes=("a `proxy` may have any types",),
                    fix=_fix(device),
                )
                break


def _fix(device: Device) -> Fix | None:
    """The kind that fits. It changes nothing where the types are written."""
    sides = [socket for socket in device.sockets if socket.role in ("in", "out")]
    if any(socket.type_span.text != socket.type for socket in sides):
        return None
    types = {socket.type for socket in sides}
    right = next((kind.name for kind in KINDS.values() if types <= kind.family), "proxy")
    return Fix(f"call it a {right}", (Edit(device.kind_span, right),), safe=True)
