"""Conflating sockets over which messages of several parts go."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, opposite
from topo.model import Device, Socket
from topo.zeromq.options import OPTIONS
from topo.zeromq.sockets import SOCKETS


@check("ZT508", "conflate on a socket that carries several parts", "error", "warning")
def conflate_tears(graph: Graph) -> Iterator[Diagnostic]:
    """With `conflate` a socket keeps only the last part that came, not the last message: of `1, 2, 3` it keeps `3`.

    Each copy of a monitor has its prefix in front of the message, a queue has the ids of those who asked, and a REQ and a REP
    have an empty part. Of all that only the end is left, and nobody can say to whom it belongs.

    ```ztopo ZT508
    device jobs: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor PUB  bind tcp://*:5562 { conflate true }
    }
    ```

    Where only the newest is wanted, a short queue does nearly the same, and keeps messages whole:

    ```ztopo
    device jobs: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor PUB  bind tcp://*:5562 { sndhwm 1 }
    }
    ```

    On any other side of a device it is a warning, for the messages may all have one part:

    ```ztopo ZT508
    device latest: streamer {
        in  PULL bind tcp://*:5560 { conflate true }
        out PUSH bind tcp://*:5561
    }
    ```

    Between apps it is what the apps agree on:

    ```ztopo
    app gauge: PUB bind tcp://*:5560
    app needle: SUB connect gauge { subscribe ""; conflate true }
    ```
    """
    for socket, option in graph.options("conflate"):
        if not socket.on("conflate") or socket.type not in (OPTIONS["conflate"].types or ()):
            continue
        certain, why = _parts(graph, socket)
        if why:
            yield Diagnostic(
                code="ZT508",
                message=f"`{socket.declared}` keeps the last part only, and its messages {'have' if certain else 'may have'} several",
                severity="error" if certain else "warning",
                labels=(Label(option.span, why),),
                notes=("`conflate` counts parts, not messages", "a high water mark of 1 keeps messages whole"),
            )


def _parts(graph: Graph, socket: Socket) -> tuple[bool, str]:
    """Whether messages of several parts are certain, and where they come from; nothing if it is not known."""
    device = graph.device(socket)
    if socket.role == "monitor":
        return True, "a copy has a prefix in front of the message"
    if socket.program:
        return True, f"what a {socket.program} sends has an empty part"
    for link in graph.links_of(socket):
        peer = link.peer(socket)
        if peer.role == "monitor":
            return True, f"the copies from `{peer.declared}` have a prefix in front"
        if SOCKETS[peer.type].turns or peer.program:
            return True, f"what goes to `{peer.declared}` and comes from it has an empty part"
    return _through(device, socket) if device is not None else (False, "")


def _through(device: Device, socket: Socket) -> tuple[bool, str]:
    other = opposite(device, socket)
    if other is not None and (SOCKETS[other.type].routed or other.type == "REP"):
        return True, f"`{other.declared}` puts the sender's id in front"
    return False, "a device passes on messages of any number of parts"
