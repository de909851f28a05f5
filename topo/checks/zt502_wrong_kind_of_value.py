"""Options with values of the wrong kind, or with too many."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.model import Option, Socket, Value
from topo.zeromq import options
from topo.zeromq.libzmq import Libzmq
from topo.zeromq.options import fits, known, lacking

EXAMPLES = {
    "int": "a whole number, as `1000`",
    "bool": "`true` or `false`",
    "duration": "a duration, as `250ms` or `5s`",
    "size": "a size, as `64KiB`",
    "bytes": 'a text, as `"name"`',
    "text": 'a text, as `"name"`',
    "key": "a CURVE key as a text",
}


@check("ZT502", "an option with a value of the wrong kind", allowable=False)
def wrong_kind_of_value(graph: Graph, libzmq: Libzmq) -> Iterator[Diagnostic]:
    """Each option takes one kind of value: a number, true or false, a duration, a size, or a text.

    Durations and sizes have a unit, for libzmq counts some in milliseconds and others in seconds, and nobody should have to
    know which. Only 0 and -1, which is libzmq's word for "without end" or "as the system has it", need none.

    ```ztopo ZT502
    app jobs: PUSH bind tcp://*:5555 { linger 5 }
    ```

    ```ztopo ZT502
    app jobs: PUSH bind tcp://*:5555 { sndhwm "many" }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { linger 5ms; sndhwm 5000; sndbuf 64KiB; immediate true; rcvtimeo -1 }
    ```

    Only `subscribe` and the like take several values; the `prefix` of a monitor takes two texts, for its two sides.
    """
    for socket, option in graph.settings:
        row = known(option.name)
        if row is None or lacking(row, libzmq):
            continue
        if not row.many and len(option.values) != row.values:
            yield _count(option, row)
            continue
        for value in option.values:
            if not fits(row, value.kind, value.value) or (value.kind == "any" and graph.device(socket) is not None):
                yield _kind(socket, option, row, value)


def _count(option: Option, row: options.Option) -> Diagnostic:
    wanted = "one value" if row.values == 1 else f"{row.values} values, for the two sides"
    surplus = option.values[row.values :]
    return Diagnostic(
        code="ZT502",
        message=f"`{option.name}` takes {wanted}, and has {len(option.values)}",
        labels=(Label(surplus[0].span.to(surplus[-1].span), "too many") if surplus else Label(option.span, "too few"),),
    )


def _kind(socket: Socket, option: Option, row: options.Option, value: Value) -> Diagnostic:
    if value.kind == "any":
        why = "a device has no program that could choose" if option.name == "routing_id" else f"it takes {EXAMPLES[row.kind]}"
        return Diagnostic(
            code="ZT502", message=f"`{option.name}` of `{socket.declared}` cannot be `*`", labels=(Label(value.span, why),)
        )
    return Diagnostic(
        code="ZT502",
        message=f"`{option.name}` takes {EXAMPLES[row.kind]}",
        labels=(Label(value.span, "a number without a unit" if _bare(row, value) else f"this is {_what(value)}"),),
        notes=(f"libzmq counts `{option.name}` in {_unit(row)}",) if _bare(row, value) else (),
        fix=_fix(row, value),
    )


def _bare(row: options.Option, value: Value) -> bool:
    return row.kind in ("duration", "size") and value.kind == "int"


def _what(value: Value) -> str:
    return {"int": "a number", "bool": "true or false", "duration": "a duration", "size": "a size"}.get(value.kind, "a text")


def _unit(row: options.Option) -> str:
    return {"ms": "milliseconds", "s": "seconds", "kB": "kilobytes", "": "bytes"}[row.unit]


def _fix(row: options.Option, value: Value) -> Fix | None:
    written = value.span.text
    if _bare(row, value) and written.replace("_", "").isdigit():
        right = written + {"": "B", "kB": "KiB"}.get(row.unit, row.unit)
        if row.kind == "size" and isinstance(value.value, int) and value.value % 1024 == 0:
            right = f"{value.value // 1024}KiB"
        return Fix(f"write `{right}`", (Edit(value.span, right),))
    if row.kind == "bool" and written in ('"true"', '"false"'):
        return Fix("leave out the quotes", (Edit(value.span, written.strip('"')),), safe=True)
    return None
