"""Passwords that go over the network as they are."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Endpoint, Socket
from topo.zeromq.transports import is_local


@check("ZT712", "PLAIN over a network", "warning")
def password_in_the_clear(graph: Graph) -> Iterator[Diagnostic]:
    """PLAIN sends name and password as they are. Whoever sees the traffic sees them, and everything that follows.

    ```ztopo ZT712
    app jobs: PUSH bind tcp://*:5555 { plain_server true }
    ```

    Within the host that is fine; beyond it there is CURVE, which encrypts:

    ```ztopo
    app jobs: PUSH bind tcp://127.0.0.1:5555 { plain_server true }
    ```
    """
    for socket in graph.speaking("PLAIN"):
        for endpoint in _endpoints(graph, socket):
            yield Diagnostic(
                code="ZT712",
                message=f"the passwords of `{socket.declared}` can be read on the network",
                severity="warning",
                labels=(Label(endpoint.span, "this leaves the host, and PLAIN hides nothing"),),
                notes=("CURVE encrypts; within the host ipc and 127.0.0.1 do",),
            )


def _endpoints(graph: Graph, socket: Socket) -> Iterator[Endpoint]:
    written = [bind.endpoint for bind in socket.binds] + [c.endpoint for c in socket.connects if c.endpoint is not None]
    for endpoint in written:
        address = endpoint.address
        if address.ported and (address.wild_host or not is_local(address)):
            yield endpoint
