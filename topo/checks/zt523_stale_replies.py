"""REQ sockets that take an old answer for the answer to a new question."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.source import Span


@check("ZT523", "req_relaxed without req_correlate", "warning")
def stale_replies(graph: Graph) -> Iterator[Diagnostic]:
    """With `req_relaxed` a REQ may ask again before it has been answered. The answer to the first question may still come.

    Without `req_correlate` it cannot be told from the answer to the second: the program gets it for that one.

    ```ztopo ZT523
    app server: REP bind tcp://*:5555
    app client: REQ connect server { req_relaxed true }
    ```

    ```ztopo
    app server: REP bind tcp://*:5555
    app client: REQ connect server { req_relaxed true; req_correlate true }
    ```

    A program that answers in a ROUTER's place must then return both parts that stand before the question.
    """
    for socket, option in graph.options("req_relaxed"):
        if socket.type == "REQ" and socket.on("req_relaxed") and not socket.on("req_correlate"):
            end = option.values[-1].span.end
            written = socket.option("req_correlate") is None and not option.span.source.program
            yield Diagnostic(
                code="ZT523",
                message=f"`{socket.declared}` may take an old answer for the answer to its question",
                severity="warning",
                labels=(Label(option.span, "it may ask again, and does not count its questions"),),
                notes=("`req_correlate true` numbers them, and drops the answers to others",),
                fix=Fix("number them", (Edit(Span(option.span.source, end, end), "; req_correlate true"),)) if written else None,
            )
