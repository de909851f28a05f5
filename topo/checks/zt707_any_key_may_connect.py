"""CURVE servers that let everybody in."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Socket


@check("ZT707", "a CURVE server that takes any key", "warning")
def any_key_may_connect(graph: Graph) -> Iterator[Diagnostic]:
    """CURVE by itself encrypts, and proves who the server is. Who may connect is a question that libzmq asks a ZAP handler.

    That is a REP or ROUTER which binds `inproc://zeromq.zap.01` in the same process (RFC 27). Where there is none, nobody is
    asked: whoever knows the server's public key may connect, with any key of its own. pyzmq's authenticators are such handlers.

    ```ztopo ZT707
    param secret = env("KEY_OF_JOBS", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6")
    device jobs: streamer {
        in  PULL bind tcp://127.0.0.1:5560 { curve_server true; curve_secretkey ${secret} }
        out PUSH bind tcp://127.0.0.1:5561
    }
    ```

    An application that runs the topology has its thread devices in its own process, and a handler beside them:

    ```ztopo
    param secret = env("KEY_OF_JOBS", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6")
    device jobs: streamer {
        in  PULL bind tcp://127.0.0.1:5560 { curve_server true; curve_secretkey ${secret} }
        out PUSH bind tcp://127.0.0.1:5561
    }
    app zap: REP bind inproc://zeromq.zap.01 { run inside }
    ```

    With `zap_enforce_domain` libzmq asks only where there is a `zap_domain`, so a server without one takes any key again.

    Of an app's own sockets it is not said, for its program may have one that the file does not know.
    """
    for socket in graph.speaking("CURVE"):
        device, option = graph.device(socket), socket.option("curve_server")
        if device is None or not device.ours or option is None or not graph.security(socket).server:
            continue
        why = _nobody_asked(graph, socket)
        if why and graph.transports(socket) != {"inproc"}:
            yield Diagnostic(
                code="ZT707",
                message=f"whoever knows the public key of `{socket.declared}` may connect to it",
                severity="warning",
                labels=(Label(option.span, why), *_elsewhere(graph, socket)),
                notes=("a ZAP handler binds `inproc://zeromq.zap.01` in the same process, and says who may",),
            )


def _nobody_asked(graph: Graph, socket: Socket) -> str:
    enforced, domain = socket.on("zap_enforce_domain"), socket.option("zap_domain") is not None
    if graph.process(socket) not in graph.zap:
        return "" if enforced and domain else f"there is no ZAP handler in {graph.process(socket)}"
    return (
        "with `zap_enforce_domain`, and without a `zap_domain`, the ZAP handler is not asked" if enforced and not domain else ""
    )


def _elsewhere(graph: Graph, socket: Socket) -> Iterator[Label]:
    """A handler in another process, which may have been meant."""
    for process, handler in () if graph.process(socket) in graph.zap else list(graph.zap.items())[:1]:
        yield Label(handler.endpoint.span, f"this one is in {process}")
