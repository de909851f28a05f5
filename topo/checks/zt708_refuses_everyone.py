"""Servers that let nobody in."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Option, Socket


@check("ZT708", "a server that refuses everyone")
def refuses_everyone(graph: Graph) -> Iterator[Diagnostic]:
    """Whether a name and a password are right is a question that libzmq asks a ZAP handler. Without one it refuses everybody.

    A handler is a REP or ROUTER which binds `inproc://zeromq.zap.01` in the same process (RFC 27), as pyzmq's authenticators do.

    ```ztopo ZT708
    device jobs: streamer {
        in  PULL bind tcp://127.0.0.1:5560 { plain_server true }
        out PUSH bind tcp://127.0.0.1:5561
    }
    ```

    An application that runs the topology has its thread devices in its own process, and a handler beside them:

    ```ztopo
    device jobs: streamer {
        in  PULL bind tcp://127.0.0.1:5560 { plain_server true }
        out PUSH bind tcp://127.0.0.1:5561
    }
    app zap: REP bind inproc://zeromq.zap.01 { run inside }
    ```

    The same goes for a CURVE server, and for a socket without a mechanism, if it has a `zap_domain` and `zap_enforce_domain`.

    Of an app's own sockets it is not said, for its program may have a handler that the file does not know.
    """
    for socket, option in graph.options("plain_server", "zap_enforce_domain"):
        device = graph.device(socket)
        if device is None or not device.ours or graph.process(socket) in graph.zap or graph.transports(socket) == {"inproc"}:
            continue
        if _must_ask(graph, socket, option):
            yield Diagnostic(
                code="ZT708",
                message=f"`{socket.declared}` refuses everyone: nobody can say who may connect",
                labels=(Label(option.span, f"there is no ZAP handler in {graph.process(socket)}"), *_elsewhere(graph)),
                notes=("a ZAP handler binds `inproc://zeromq.zap.01` in the same process, and says who may",),
            )


def _must_ask(graph: Graph, socket: Socket, option: Option) -> bool:
    """Whether this option makes libzmq refuse whoever it cannot ask about."""
    security = graph.security(socket)
    if option.name == "plain_server":
        return security.server and security.mechanism == "PLAIN" and not socket.on("zap_enforce_domain")
    enforced = socket.on("zap_enforce_domain") and socket.option("zap_domain") is not None
    return enforced and (security.server or security.mechanism == "NULL")


def _elsewhere(graph: Graph) -> Iterator[Label]:
    """A handler in another process, which may have been meant."""
    for process, handler in list(graph.zap.items())[:1]:
        yield Label(handler.endpoint.span, f"this one is in {process}")
