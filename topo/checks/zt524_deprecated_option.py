"""Options that libzmq keeps for old programs only."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.model import Option, Socket
from topo.zeromq.options import OPTIONS

DEPRECATED = {name: row.deprecated for name, row in OPTIONS.items() if row.deprecated}


@check("ZT524", "an option that is deprecated", "info")
def deprecated_option(graph: Graph) -> Iterator[Diagnostic]:
    """Libzmq still takes it, and its manual says not to use it any more.

    ```ztopo ZT524
    app jobs: PUSH bind tcp://*:5555 { ipv4only false }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { ipv6 true }
    ```
    """
    for socket, option in graph.options(*DEPRECATED):
        yield Diagnostic(
            code="ZT524",
            message=f"`{option.name}` of `{socket.declared}` is deprecated",
            severity="info",
            labels=(Label(option.span, f"there is {DEPRECATED[option.name]} instead"),),
            fix=_fix(socket, option),
        )


def _fix(socket: Socket, option: Option) -> Fix | None:
    """That of `ipv4only`, which is `ipv6` the other way round."""
    value = socket.number(option.name)
    if option.name != "ipv4only" or value is None or socket.option("ipv6") is not None:
        return None
    right = f"ipv6 {'false' if value else 'true'}"
    return Fix(f"write `{right}`", (Edit(option.span.to(option.values[0].span), right),), safe=True)
