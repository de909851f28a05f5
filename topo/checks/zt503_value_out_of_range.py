"""Options with values that libzmq refuses."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Option, Value
from topo.zeromq import options
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.options import INT_MAX, fits, in_range, known, lacking


@check("ZT503", "an option with a value out of range", allowable=False)
def value_out_of_range(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """Libzmq refuses a value out of range with "Invalid argument", and the socket cannot be made.

    ```ztopo ZT503
    app jobs: PUSH bind tcp://*:5555 { sndhwm -1 }
    ```

    ```ztopo ZT503
    app client: DEALER connect tcp://10.0.0.1:5555 { routing_id "" }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { sndhwm 0 }
    app client: DEALER connect tcp://10.0.0.1:5555 { routing_id "client" }
    ```
    """
    for _, option in graph.settings:
        row = known(option.name)
        if row is None or lacking(row, libzmq) or (not row.many and len(option.values) != row.values):
            continue
        for value in option.values:
            if value.kind != "any" and fits(row, value.kind, value.value) and not in_range(row, value.value):
                yield _out(option, row, value)


def _out(option: Option, row: options.Option, value: Value) -> Diagnostic:
    return Diagnostic(
        code="ZT503",
        message=f"the value of `{option.name}` is out of range",
        labels=(Label(value.span, _why(row, value.value)),),
    )


def _why(row: options.Option, value: int | bytes) -> str:
    if isinstance(value, bytes):
        return _length(row, value)
    if row.unit == "s" and value % 1000:
        return "it is counted in whole seconds"
    unit = {"ms": "ms", "s": "s", "kB": "KB", "": "B" if row.kind == "size" else ""}[row.unit]
    infinite = ", and -1" if row.infinite else ""
    if row.high is None or row.high >= INT_MAX:
        return f"it goes from {row.low}{unit} up{infinite}"
    return f"it goes from {row.low}{unit} to {row.high}{unit}{infinite}"


def _length(row: options.Option, value: bytes) -> str:
    if row.kind == "key":
        return "a CURVE key has 32 bytes, or 40 characters of Z85"
    if row.form and row.low <= len(value) and (row.high is None or len(value) <= row.high):
        return f"it is {row.doc}"
    if row.high is None:
        return f"it has {row.low} bytes at least"
    return f"it has {len(value)} bytes; {row.low} to {row.high} are allowed"
