"""CURVE without the keys that it needs."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.security import DECIDES

NEEDS = {
    True: ("curve_secretkey",),
    False: ("curve_serverkey", "curve_publickey", "curve_secretkey"),
}
"""The keys of a server, and of a client."""


@check("ZT704", "CURVE without its keys")
def keys_missing(graph: Graph) -> Iterator[Diagnostic]:
    """A CURVE server needs its secret key; a client needs the server's public key and both of its own.

    Without them binds and connects succeed, and no handshake does. Nobody is told.

    ```ztopo ZT704
    device jobs: streamer {
        in  PULL bind tcp://127.0.0.1:5560 { curve_server true; zap_domain "jobs" }
        out PUSH bind tcp://127.0.0.1:5561
    }
    app zap: REP bind inproc://zeromq.zap.01 { run inside }
    ```

    ```ztopo
    param secret = env("KEY_OF_JOBS", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6")
    device jobs: streamer {
        in  PULL bind tcp://127.0.0.1:5560 { curve_server true; zap_domain "jobs"; curve_secretkey ${secret} }
        out PUSH bind tcp://127.0.0.1:5561
    }
    app zap: REP bind inproc://zeromq.zap.01 { run inside }
    ```

    Only sockets that ztopo makes are held to it: an app's program may have its keys from elsewhere.
    """
    for socket in graph.speaking("CURVE"):
        server = graph.security(socket).server
        missing = [name for name in NEEDS[server] if socket.option(name) is None]
        option = socket.option(*DECIDES)
        if missing and option is not None and graph.makes(socket) and graph.transports(socket) != {"inproc"}:
            yield Diagnostic(
                code="ZT704",
                message=f"`{socket.declared}` is a CURVE {'server' if server else 'client'} without {_listed(missing)}",
                labels=(Label(option.span, "no handshake succeeds without"),),
                notes=('a secret key belongs into a file of its own: `curve_secretkey file "..."`',)
                if "curve_secretkey" in missing
                else (),
            )


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}" if len(quoted) > 1 else quoted[0]
