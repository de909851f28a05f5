"""Hosts that are written in numbers, and are not the address that they seem to be."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.zeromq.transports import numeric


@check("ZT316", "an address in numbers that is another one, or none", "error", "warning")
def odd_numeric_host(graph: Graph) -> Iterator[Diagnostic]:
    """An IPv4 address is four numbers from 0 to 255, an IPv6 address in brackets eight groups of up to four hexadecimal digits.

    What is none, libzmq takes for the name of a host: a bind is refused, and a connect is tried again for ever.

    ```ztopo ZT316
    app jobs: PUSH connect tcp://10.0.0.256:5555
    ```

    What the system completes is a warning: it takes `10.1` for 10.0.0.1, and `010.0.0.1` for 8.0.0.1, because a leading zero
    makes a number octal.

    ```ztopo ZT316
    app jobs: PUSH connect tcp://10.0.0.010:5555
    ```

    ```ztopo
    app jobs: PUSH connect tcp://10.0.0.8:5555
    ```
    """
    for written in graph.over.get("tcp", ()):
        address = written.endpoint.address
        meant = numeric(address.host)
        if meant is None or meant == address.host:
            continue
        at = written.endpoint.span.narrow(address.host)
        yield Diagnostic(
            code="ZT316",
            message=f"`{address.host}` is {f'the address {meant}' if meant else 'not an address'}",
            severity="warning" if meant else "error",
            labels=(Label(at, f"read as {meant}" if meant else "libzmq takes it for the name of a host"),),
            notes=("an IPv4 address is four numbers from 0 to 255, without leading zeros",) if ":" not in address.host else (),
            fix=Fix(f"write `{meant}`", (Edit(at, meant),)) if meant and at.text == address.host else None,
        )
