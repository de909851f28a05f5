"""Subscriptions to what no message begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.envelope import Part, begins, label
from topo.fronts import MADE_UP, State, fronts
from topo.graph import Graph
from topo.model import Socket, Value


@check("ZT416", "a subscription that matches nothing", "warning")
def topic_matches_nothing(graph: Graph) -> Iterator[Diagnostic]:
    """A subscription is compared with the first part of a message, and that is not always what a program has sent.

    In front of what a monitor copies stands the name of the side:

    ```ztopo ZT416
    device stream: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor PUB  bind tcp://*:5562
    }
    app jobs: PUSH connect stream.in
    app work: PULL connect stream.out
    app seen: SUB connect stream.monitor { subscribe "urgent" }
    ```

    ```ztopo
    device stream: streamer {
        in      PULL bind tcp://*:5560
        out     PUSH bind tcp://*:5561
        monitor PUB  bind tcp://*:5562 { prefix "in", "out" }
    }
    app jobs: PUSH connect stream.in
    app work: PULL connect stream.out
    app seen: SUB connect stream.monitor { subscribe "in" }
    ```

    In front of what a ROUTER has received stands an id, which begins with a zero byte where the peer has no `routing_id`; a REQ
    has an empty part in front. Only `subscribe ""` takes those.
    """
    for id, firsts in fronts(graph).topics.items():
        socket = graph.sockets[id]
        for option in socket.options:
            if option.name == "subscribe" and not socket.on("invert_matching"):
                for value in option.values:
                    topic = value.value
                    if isinstance(topic, bytes) and all(begins(part, topic) is False for part in firsts):
                        yield _nothing(graph, socket, value, firsts)


def _nothing(graph: Graph, socket: Socket, value: Value, firsts: Mapping[Part, State]) -> Diagnostic:
    names = sorted({_in_words(part) for part in firsts})
    return Diagnostic(
        code="ZT416",
        message=f"nothing that `{socket.declared}` is sent begins with {value.span.text}",
        severity="warning",
        labels=(Label(value.span, "this matches nothing"),),
        notes=(f"what comes begins with {' or '.join(names)}",),
    )


def _in_words(part: Part) -> str:
    if part == MADE_UP:
        return "an id that a ROUTER has made up"
    return "an empty part" if part.kind == "delimiter" else label(part)
