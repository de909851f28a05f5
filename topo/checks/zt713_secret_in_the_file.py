"""Secrets that are written where everybody reads them."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.options import OPTIONS

SECRETS = tuple(name for name, row in OPTIONS.items() if row.secret)


@check("ZT713", "a secret written in the file", "warning")
def secret_in_the_file(graph: Graph) -> Iterator[Diagnostic]:
    """A file that says how a system is wired is read by many, and kept for ever. What is secret belongs elsewhere.

    ```ztopo ZT713
    app work: PULL connect tcp://10.0.0.1:5555 { socks_proxy "10.0.0.2:1080"; socks_username "me"; socks_password "open, sesame" }
    ```

    In a file of its own, or in the environment:

    ```ztopo
    param password = env("PROXY_PASSWORD", "none")
    app work: PULL connect tcp://10.0.0.1:5555 { socks_proxy "10.0.0.2:1080"; socks_username "me"; socks_password ${password} }
    ```

    What is secret is never shown, here neither: not by `show`, and not in the lines of a finding.
    """
    for socket, option in graph.options(*SECRETS):
        for value in option.values:
            written = value.span.text
            if value.kind == "text" and written.startswith('"') and "${" not in written and not value.span.source.program:
                yield Diagnostic(
                    code="ZT713",
                    message=f"`{option.name}` of `{socket.declared}` is written in the file",
                    severity="warning",
                    labels=(Label(option.span, "whoever reads this file knows it"),),
                    notes=(
                        f'`{option.name} file "..."` reads it from a file of its own; a param can have it from the environment',
                    ),
                )
                break
