"""CURVE clients that know another key than that of the server they connect to."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Option, Socket
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.security import Security, key, public_key


@check("ZT703", "a server key that is not that of the server")
def wrong_server_key(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """A CURVE client knows its server by the server's public key. With any other the handshake fails, and is tried again for ever.

    That of a server is told from its `curve_publickey`, or worked out from its `curve_secretkey`.

    ```ztopo ZT703
    app jobs: PUSH bind tcp://*:5555 {
        curve_server    true
        curve_publickey "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
    }
    app work: PULL connect jobs { curve_serverkey "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID" }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 {
        curve_server    true
        curve_publickey "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
    }
    app work: PULL connect jobs { curve_serverkey "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" }
    ```
    """
    if "curve" not in libzmq.capabilities:
        return
    known: dict[str, tuple[Option, bytes] | None] = {}
    for link in graph.secured:
        for server, client in ((link.a, link.b), (link.b, link.a)):
            told = client.option("curve_serverkey")
            if told is None or graph.security(server) != CURVE_SERVER or graph.security(client).mechanism != "CURVE":
                continue
            if server.id not in known:
                known[server.id] = _own(server)
            own, wanted = known[server.id], key(client.text("curve_serverkey") or b"")
            if own is not None and wanted and wanted != own[1]:
                yield _wrong(server, own[0], client, told)


CURVE_SERVER = Security("CURVE", server=True)


def _own(server: Socket) -> tuple[Option, bytes] | None:
    """The public key of a server, and the option that tells it."""
    secret, public = server.option("curve_secretkey"), server.option("curve_publickey")
    if secret is not None and (written := key(server.text("curve_secretkey") or b"")):
        return secret, public_key(written)
    if public is not None and (written := key(server.text("curve_publickey") or b"")):
        return public, written
    return None


def _wrong(server: Socket, own: Option, client: Socket, told: Option) -> Diagnostic:
    return Diagnostic(
        code="ZT703",
        message=f"the server key of `{client.declared}` is not that of `{server.declared}`",
        labels=(
            Label(told.values[0].span, f"`{client.declared}` expects this key"),
            Label(own.span, f"`{server.declared}` has another"),
        ),
        notes=("the server key is the public key that belongs to the server's secret key",),
    )
