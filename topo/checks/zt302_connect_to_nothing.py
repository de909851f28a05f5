"""Connects that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Connect, Socket
from topo.zeromq.sockets import SOCKETS
from topo.zeromq.transports import interface, is_local


@check("ZT302", "a connect to nothing", "error", "warning")
def connect_to_nothing(graph: Graph) -> Iterator[Diagnostic]:
    """A connect succeeds whether or not somebody is there, and is tried again for ever. What is sent waits, or is lost.

    A name must be that of a socket that binds:

    ```ztopo ZT302
    app jobs: PUSH connect tcp://10.0.0.1:5555
    app work: PULL connect jobs
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```

    An address on this host, or an ipc path, that nobody in the file binds is a warning: a program that the file does not know
    may bind it. Declare that program, and the link can be checked.

    ```ztopo ZT302
    app work: PULL connect tcp://127.0.0.1:5555
    ```

    ```ztopo
    app jobs: PUSH bind tcp://127.0.0.1:5555
    app work: PULL connect tcp://127.0.0.1:5555
    ```

    An inproc name reaches nobody outside its process, so there it is an error. Any other address is the outside.

    A PUSH, a DEALER and a REQ that are connected to others too give nobody the same share as each of them, and it waits there.
    """
    bound_inproc = {w.endpoint.address.address for w in graph.over.get("inproc", ()) if w.use == "bind"}
    flawed = {id(w.endpoint) for w in graph.flawed}
    for socket in graph.sockets.values():
        for connect in socket.connects:
            if id(connect) in graph.linked:
                continue
            if connect.endpoint is None:
                yield from _name(graph, socket, connect)
            elif id(connect.endpoint) not in flawed:
                yield from _literal(socket, connect, bound_inproc)


def _name(graph: Graph, socket: Socket, connect: Connect) -> Iterator[Diagnostic]:
    if not connect.unbound:
        return  # `dc[others]` of a single replica: nobody is meant, and that is right
    other = graph.sockets[connect.unbound[0]]
    yield Diagnostic(
        code="ZT302",
        message=f"`{connect.span.text}` binds nothing that `{socket.declared}` could connect to",
        labels=(Label(connect.span, "it leads nowhere"), Label(other.span, "it only connects")),
        notes=("of two linked sockets one binds and the other connects",),
    )


def _literal(socket: Socket, connect: Connect, bound_inproc: set[str]) -> Iterator[Diagnostic]:
    assert connect.endpoint is not None
    address = connect.endpoint.address
    if address.transport not in ("tcp", "ipc", "inproc") or not is_local(address) or interface(address.host):
        return
    inproc = address.transport == "inproc"
    if inproc and address.address in bound_inproc:
        return  # in another process, which is another question
    yield Diagnostic(
        code="ZT302",
        message=f"`{socket.declared}` connects to `{connect.endpoint.text}`, which nobody binds",
        severity="error" if inproc else "warning",
        labels=(Label(connect.span, "nobody binds it"),),
        notes=(
            "an inproc name reaches only what lives in the same process"
            if inproc
            else "declare the app that binds it, and connect by its name; an address elsewhere is taken for the outside",
            *(("a share of what it sends goes there, and waits",) if _shares(socket) else ()),
        ),
    )


def _shares(socket: Socket) -> bool:
    """Whether it sends in turn to each that it is connected to, whether or not somebody is there."""
    facts = SOCKETS[socket.type]
    return len(socket.connects) > 1 and facts.mute == "block" and not facts.exclusive
