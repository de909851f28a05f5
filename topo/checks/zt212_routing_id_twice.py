"""Peers of one ROUTER that call themselves the same."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph
from topo.model import Socket, Value
from topo.source import Span


@check("ZT212", "two peers of a ROUTER with one routing_id", "error", "warning")
def routing_id_twice(graph: Graph) -> Iterator[Diagnostic]:
    """A ROUTER knows its peers by their routing ids, and takes each id once.

    A second peer of the same id is connected and never heard: its messages vanish without a word. With `router_handover` it
    throws the first one out instead.

    ```ztopo ZT212
    app hub: ROUTER bind tcp://*:5555
    app peer[2]: DEALER connect hub { routing_id "peer" }
    ```

    ```ztopo
    app hub: ROUTER bind tcp://*:5555
    app peer[2]: DEALER connect hub { routing_id "peer-${index}" }
    ```

    Without `routing_id` a ROUTER makes one up for each peer, which is enough for those that are only answered.
    """
    for router in graph.of_type("ROUTER"):
        first: dict[bytes, tuple[Socket, Value]] = {}
        for link in graph.links_of(router):
            peer = link.b if link.a.id == router.id else link.a
            value = _routing_id(peer)
            if value is None or not isinstance(value.value, bytes) or not link.talks:
                continue
            other, named = first.setdefault(value.value, (peer, value))
            if other.id != peer.id or graph.any_number(peer):
                yield _clash(router, peer, value, named, handover=_on(router))


def _routing_id(socket: Socket) -> Value | None:
    option = socket.option("routing_id")
    return option.values[0] if option is not None and option.values[0].kind == "text" else None


def _on(router: Socket) -> bool:
    option = router.option("router_handover")
    return option is not None and option.values[0].value == 1


def _clash(router: Socket, peer: Socket, value: Value, named: Value, handover: bool) -> Diagnostic:
    what = "throws the others out" if handover else "is not heard"
    alone = value.span == named.span
    labels = (
        (Label(value.span, f"every replica has this id, and a second one {what}"),)
        if alone
        else (Label(value.span, f"the second of that id {what}"), Label(named.span, "the first"))
    )
    return Diagnostic(
        code="ZT212",
        message=f"peers of the ROUTER `{router.declared}` share one routing id",
        severity="warning" if handover else "error",
        labels=(*labels, Label(router.type_span, f"`{router.declared}` knows its peers by their ids")),
        notes=("leave out `routing_id` where nobody calls the peer by name",),
        fix=_fix(peer, value.span) if alone else None,
    )


def _fix(peer: Socket, span: Span) -> Fix | None:
    if not span.text.endswith('"') or "${" in span.text or "[*]" in peer.id:
        return None
    end = Span(span.source, span.end - 1, span.end - 1)
    return Fix("number them", (Edit(end, "-${index}"),))
