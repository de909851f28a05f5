"""Pairs of CURVE keys that are none."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.security import key, public_key


@check("ZT714", "a public key that does not belong to the secret one", "error", "warning")
def keys_do_not_belong_together(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """A CURVE client shows its public key and proves that it has the secret one. If they are no pair, the handshake fails.

    A server uses its secret key only. There a public key of another pair does no harm by itself, but whoever copies it from here
    to a client will wonder; that is a warning.

    ```ztopo ZT714
    param secret = env("KEY_OF_WORK", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6")
    app work: PULL connect tcp://10.0.0.1:5555 {
        curve_serverkey "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
        curve_publickey "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
        curve_secretkey ${secret}
    }
    ```

    ```ztopo
    param secret = env("KEY_OF_WORK", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs")
    app work: PULL connect tcp://10.0.0.1:5555 {
        curve_serverkey "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
        curve_publickey "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
        curve_secretkey ${secret}
    }
    ```

    These keys are the examples of zmq_curve(7), which everybody knows.
    """
    if "curve" not in libzmq.capabilities:
        return
    for socket, secret in graph.options("curve_secretkey"):
        public = socket.option("curve_publickey")
        own, shown = key(socket.text("curve_secretkey") or b""), key(socket.text("curve_publickey") or b"")
        if public is not None and own and shown and public_key(own) != shown:
            server = graph.security(socket).server
            yield Diagnostic(
                code="ZT714",
                message=f"the two keys of `{socket.declared}` do not belong together",
                severity="warning" if server else "error",
                labels=(Label(public.span, "this is not the public key"), Label(secret.span, "of this secret one")),
                notes=("a key pair is made in one go, and kept together",),
            )
