"""PLAIN servers that abort their process."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT709", "a PLAIN server that enforces a domain and has none")
def enforced_without_domain(graph: Graph) -> Iterator[Diagnostic]:
    """With `zap_enforce_domain` libzmq asks a ZAP handler only where there is a `zap_domain`. A PLAIN server must ask.

    Without a domain libzmq aborts the process as soon as a peer connects.

    ```ztopo ZT709
    app jobs: PUSH bind tcp://127.0.0.1:5555 { plain_server true; zap_enforce_domain true }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://127.0.0.1:5555 { plain_server true; zap_enforce_domain true; zap_domain "jobs" }
    ```
    """
    for socket, option in graph.options("zap_enforce_domain"):
        security = graph.security(socket)
        if security.mechanism == "PLAIN" and security.server and socket.on(option.name) and socket.option("zap_domain") is None:
            yield Diagnostic(
                code="ZT709",
                message=f"the first peer of `{socket.declared}` would abort the process",
                labels=(Label(option.span, "it enforces a domain, and there is none"),),
                notes=("say `zap_domain`, or leave out `zap_enforce_domain`",),
            )
