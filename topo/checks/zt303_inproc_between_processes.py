"""inproc between sockets that do not live in one process."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Bind, Connect, Socket


@check("ZT303", "inproc between two processes")
def inproc_between_processes(graph: Graph) -> Iterator[Diagnostic]:
    """An inproc endpoint is a name within one context, and a context lives in one process.

    From another process a connect to it succeeds, messages are sent, and none ever arrives.

    ```ztopo ZT303
    device calls: queue {
        in  ROUTER bind tcp://*:5555
        out DEALER bind inproc://calls
    }
    app worker: REP connect calls.out
    ```

    An app is a process of its own, and so is a device with `run process`; all other devices share one. Between processes of
    one host ipc does what inproc does within one:

    ```ztopo
    device calls: queue {
        in  ROUTER bind tcp://*:5555
        out DEALER bind ipc://calls
    }
    app worker: REP connect calls.out
    ```

    The program that uses the Python API shares its process with the devices, so inproc reaches an app that is `run inside`:

    ```ztopo
    device calls: queue {
        in  ROUTER bind tcp://*:5555
        out DEALER bind inproc://calls
    }
    app worker: REP connect calls.out { run inside }
    ```
    """
    for link in graph.links:
        if link.bind.endpoint.address.transport == "inproc" and graph.process(link.a) != graph.process(link.b):
            yield _apart(graph, link.a, link.connect, link.b, link.bind)
    bound = {
        bind.endpoint.address.address: (socket, bind)
        for socket in graph.sockets.values()
        for bind in socket.binds
        if bind.endpoint.address.transport == "inproc"
    }
    for socket in graph.sockets.values() if bound else ():
        for connect in socket.connects:
            if connect.endpoint is None or connect.endpoint.address.transport != "inproc" or id(connect) in graph.linked:
                continue
            elsewhere = bound.get(connect.endpoint.address.address)
            if elsewhere is not None:
                yield _apart(graph, socket, connect, *elsewhere)


def _apart(graph: Graph, socket: Socket, connect: Connect, other: Socket, bind: Bind) -> Diagnostic:
    return Diagnostic(
        code="ZT303",
        message=f"`{socket.declared}` and `{other.declared}` are linked over inproc, but live in different processes",
        labels=(
            Label(connect.span, f"`{socket.declared}` lives in {graph.process(socket)}"),
            Label(bind.span, f"`{other.declared}` lives in {graph.process(other)}"),
        ),
        notes=("nothing would ever arrive, and nobody would be told", "between processes of one host, ipc does the same"),
    )
