"""Endpoints that are not built as endpoints are."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT306", "an endpoint that cannot be read", "error", "warning")
def malformed_endpoint(graph: Graph) -> Iterator[Diagnostic]:
    """An endpoint is a transport, `://`, and an address as that transport has it.

    ```ztopo ZT306
    app jobs: PUSH bind "localhost"
    ```

    ```ztopo ZT306
    app jobs: PUSH bind ipc://@
    ```

    ```ztopo
    app jobs: PUSH bind tcp://localhost:5555
    app news: PUB  bind ipc://@news, inproc://news
    ```

    With tcp an IPv6 address stands in brackets. A connect may say from which address of this host it goes, with a port that
    may be 0; a bind would ignore that.

    ```ztopo ZT306
    app jobs: PUSH bind tcp://127.0.0.1:0;127.0.0.1:5555
    ```

    ```ztopo
    app work: PULL connect tcp://127.0.0.1:0;10.0.0.1:5555
    ```
    """
    for written in graph.flawed:
        flaw = written.flaw
        if flaw is not None and flaw.kind == "form":
            yield Diagnostic(
                code="ZT306",
                message=f"`{written.endpoint.text}` is not an endpoint" if flaw.grave else f"`{flaw.part}` is an odd host",
                severity="error" if flaw.grave else "warning",
                labels=(Label(written.endpoint.span.narrow(flaw.part), flaw.why),),
            )
