"""Devices that nobody feeds, or whose output nobody takes."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Socket
from topo.zeromq.sockets import SOCKETS


@check("ZT221", "a side of a device that nobody is linked to", "info")
def side_without_peers(graph: Graph) -> Iterator[Diagnostic]:
    """Nobody in the file is linked to this side. That is right where it is for somebody whom the file does not know.

    If it is for nobody, nothing comes in here, or nothing that goes out here arrives: a PUSH, a DEALER and a PAIR without peers
    let messages wait in those before them, others drop them. libzmq's own proxy then takes all of a processor, ztopo's devices
    none.

    ```ztopo ZT221
    device jobs: streamer {
        in  PULL bind tcp://127.0.0.1:5560
        out PUSH bind tcp://127.0.0.1:5561
    }
    app source: PUSH connect jobs.in
    ```

    ```ztopo
    device jobs: streamer {
        in  PULL bind tcp://127.0.0.1:5560
        out PUSH bind tcp://127.0.0.1:5561
    }
    app source: PUSH connect jobs.in
    app work: PULL connect jobs.out
    ```

    Those that somebody else starts can be declared too: `app work[*]: PULL connect jobs.out`.
    """
    for device in graph.model.devices if not graph.model.doubtful else ():  # somebody may be meant to
        for socket in device.sockets:
            if socket.role in ("in", "out") and socket.binds and not socket.connects and not graph.links_of(socket):
                yield Diagnostic(
                    code="ZT221",
                    message=f"nobody in this file is linked to `{socket.id}`",
                    severity="info",
                    labels=(Label(socket.span, _consequence(graph, socket)),),
                    notes=("an app that somebody else starts can be declared, and its link is checked then",),
                )


def _consequence(graph: Graph, socket: Socket) -> str:
    nobody_else = graph.transports(socket) == {"inproc"} and graph.process(socket) != "the application"
    whom = "nobody can, from outside its process" if nobody_else else "then nobody does, in this file"
    facts = SOCKETS[socket.type]
    if not facts.sends:
        return f"nothing comes in unless somebody connects; {whom}"
    return f"what is to go out {'waits' if facts.mute == 'block' else 'is dropped'} unless somebody connects; {whom}"
