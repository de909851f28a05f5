"""Ports that are none."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.source import Span
from topo.zeromq.transports import Address


@check("ZT304", "a port that is missing, out of range, or not a number")
def port_out_of_range(graph: Graph) -> Iterator[Diagnostic]:
    """A port is a number from 1 to 65535; `*` lets the system choose one.

    libzmq does not look closely: it reads the digits it finds and keeps sixteen bits of them. 70000 binds port 4464, `5733x`
    binds 5733, and `2950_1` binds 2950.

    ```ztopo ZT304
    app jobs: PUSH bind tcp://*:70000
    ```

    ```ztopo ZT304
    app jobs: PUSH bind tcp://*:5_555
    ```

    ```ztopo ZT304
    app jobs: PUSH bind tcp://127.0.0.1
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:7000
    ```
    """
    for written in graph.flawed:
        flaw = written.flaw
        if flaw is None or flaw.kind != "port":
            continue
        address, span = written.endpoint.address, written.endpoint.span
        message = f"`{address.port}` is not a port" if address.port else f"`{written.endpoint.text}` has no port"
        yield Diagnostic(
            code="ZT304",
            message=message,
            labels=(Label(span.narrow(flaw.part), flaw.why),),
            notes=("`*` lets the system choose a port",) if written.use == "bind" and not address.port else (),
            fix=_fix(address, span),
        )


def _fix(address: Address, span: Span) -> Fix | None:
    digits = address.port.replace("_", "")
    at = span.narrow(address.port)
    if (
        digits == address.port
        or at.text != address.port
        or not (digits.isascii() and digits.isdigit())
        or not 1 <= int(digits[:6]) <= 65535
    ):
        return None
    return Fix(f"write `{digits}`", (Edit(at, digits),), safe=True)
