"""IPv6 addresses on sockets that do not speak it."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, ipv6_on


@check("ZT310", "an IPv6 address without the option ipv6")
def ipv6_without_option(graph: Graph) -> Iterator[Diagnostic]:
    """A socket speaks IPv4 only, unless its option `ipv6` is set.

    Without it a bind to an IPv6 address is refused with "No such device", and a connect is tried again for ever.

    ```ztopo ZT310
    app jobs: PUSH bind tcp://[::1]:5555
    ```

    ```ztopo
    app jobs: PUSH bind tcp://[::1]:5555 { ipv6 true }
    ```
    """
    for written in graph.over.get("tcp", ()):
        address = written.endpoint.address
        if address.ipv6 and not ipv6_on(written.socket):
            yield Diagnostic(
                code="ZT310",
                message=f"`{written.socket.declared}` does not speak IPv6",
                labels=(Label(written.endpoint.span.narrow(address.host), "an IPv6 address"),),
                notes=("set its option: `ipv6 true`",),
            )
