"""Links whose ends do not speak the same security mechanism."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, Link
from topo.model import Socket
from topo.zeromq.security import DECIDES


@check("ZT701", "different security mechanisms on the two ends of a link", "error", "warning")
def mechanisms_differ(graph: Graph) -> Iterator[Diagnostic]:
    """A handshake fails unless both ends speak the same mechanism: none, PLAIN or CURVE. It is not tried again.

    ```ztopo ZT701
    device gateway: streamer {
        in  PULL bind tcp://127.0.0.1:5560 { plain_server true; zap_domain "jobs" }
        out PUSH bind inproc://jobs
    }
    device work: streamer {
        in  PULL connect inproc://jobs
        out PUSH bind tcp://127.0.0.1:5561
    }
    device source: streamer {
        in  PULL bind tcp://127.0.0.1:5562
        out PUSH connect gateway.in
    }
    app zap: REP bind inproc://zeromq.zap.01 { run inside }
    ```

    ```ztopo
    param password = env("PASSWORD_OF_SOURCE", "open, sesame")
    device gateway: streamer {
        in  PULL bind tcp://127.0.0.1:5560 { plain_server true; zap_domain "jobs" }
        out PUSH bind inproc://jobs
    }
    device work: streamer {
        in  PULL connect inproc://jobs
        out PUSH bind tcp://127.0.0.1:5561
    }
    device source: streamer {
        in  PULL bind tcp://127.0.0.1:5562
        out PUSH connect gateway.in { plain_username "source"; plain_password ${password} }
    }
    app zap: REP bind inproc://zeromq.zap.01 { run inside }
    ```

    Where the end that says nothing is an app that ztopo does not run from within, it is a warning: its program may know what
    the file does not say.

    Over inproc there is no handshake, and nobody asks.
    """
    for link in graph.secured:
        a, b = graph.security(link.a), graph.security(link.b)
        if a.mechanism != b.mechanism:
            yield _differ(graph, link)


def _differ(graph: Graph, link: Link) -> Diagnostic:
    silent = [end for end in (link.a, link.b) if not graph.makes(end) and not _says(end)]
    return Diagnostic(
        code="ZT701",
        message=f"`{link.a.declared}` and `{link.b.declared}` do not speak the same security mechanism",
        severity="warning" if silent else "error",
        labels=(
            Label(
                link.connect.span,
                "no handshake succeeds" if not silent else "no handshake succeeds, unless its program does more",
            ),
            *_speaks(graph, link.a),
            *_speaks(graph, link.b),
        ),
        notes=("both ends need the same: none, PLAIN or CURVE",),
    )


def _says(socket: Socket) -> bool:
    return any(option.name in DECIDES for option in socket.options)


def _speaks(graph: Graph, socket: Socket) -> Iterator[Label]:
    mechanism = graph.security(socket).mechanism
    option = socket.option(*DECIDES)
    what = "has none" if mechanism == "NULL" else f"speaks {mechanism}"
    yield Label(option.span if option is not None else socket.type_span, f"`{socket.declared}` {what}")
