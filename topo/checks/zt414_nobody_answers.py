"""Questions that only get to where no answer comes from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, opposite, passes
from topo.model import Device, Socket
from topo.routes import peers_of
from topo.zeromq.sockets import SOCKETS, with_article


@check("ZT414", "a question that no answer can come to")
def nobody_answers(graph: Graph) -> Iterator[Diagnostic]:
    """A REQ asks once, and then waits for the answer. Where none can come back, it waits for ever.

    ```ztopo ZT414
    device jobs: proxy {
        in  ROUTER bind tcp://*:5560
        out PUSH   bind tcp://*:5561
    }
    app asks:  REQ connect jobs.in
    app works: PULL connect jobs.out
    ```

    Jobs that nobody answers are pushed; then no id stands in front of them either.

    ```ztopo
    device jobs: streamer {
        in  PULL bind tcp://*:5560
        out PUSH bind tcp://*:5561
    }
    app sends: PUSH connect jobs.in
    app works: PULL connect jobs.out
    ```

    Questions that are answered go through a device both of whose sides send and receive:

    ```ztopo
    device jobs: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    app asks:  REQ connect jobs.in
    app works: REP connect jobs.out
    ```
    """
    asking = [s for s in graph.of_type("REQ", "DEALER", "ROUTER") if s.role == "app" and "REQ" in (s.type, s.program)]
    if not any(_one_way(device) for device in graph.model.devices) or not asking:
        return
    answered = _before(graph, {s.id: s for s in graph.sockets.values() if _answers(graph, s)})
    lost = _before(graph, {entry.id: entry for device in graph.model.devices if (entry := _one_way(device)) is not None})
    for socket in asking:
        peers = peers_of(graph, socket)
        outside = any(id(connect) not in graph.linked for connect in socket.connects)
        entry = next((lost[id] for id in peers if id in lost), None)
        if entry is not None and not outside and not any(id in answered for id in peers):
            yield _waits(graph, socket, entry)


def _one_way(device: Device) -> Socket | None:
    """The side at which a question could come in that is passed on, and the answer to it is not."""
    ways = passes(device)
    if len(ways) == 1:
        entry, onward = ways[0]
        if SOCKETS[entry.type].sends and entry is not onward:
            return entry
    return None


def _answers(graph: Graph, socket: Socket) -> bool:
    """Whether a question that comes in at a socket may be answered: by a program, or by somebody of whom the file says nothing."""
    device = graph.device(socket)
    if device is None:
        facts = SOCKETS[socket.type]
        return facts.receives and facts.sends and "REQ" not in (socket.type, socket.program)
    onward = opposite(device, socket)
    if onward is None or not _both_ways(device):
        return False
    return not graph.links_of(onward) or any(id(connect) not in graph.linked for connect in onward.connects)


def _before(graph: Graph, found: dict[str, Socket]) -> dict[str, Socket]:
    """The sockets at which a question may come in that gets to one of these, and which of them; both ways all along."""
    found = dict(found)
    left = deque(graph.sockets[id] for id in found)
    while left:
        at = left.popleft()
        for peer in peers_of(graph, at).values():
            device = graph.device(peer)
            entry = opposite(device, peer) if device is not None else None
            if device is not None and entry is not None and entry.id not in found and _both_ways(device):
                found[entry.id] = found[at.id]
                left.append(entry)
    return found


def _both_ways(device: Device) -> bool:
    ways = passes(device)
    return bool(ways) and (ways[0][1], ways[0][0]) in ways


def _waits(graph: Graph, socket: Socket, entry: Socket) -> Diagnostic:
    device = graph.device(entry)
    onward = opposite(device, entry) if device is not None else None
    assert device is not None, "what is entered is a device"
    assert onward is not None, "what comes in goes on"
    return Diagnostic(
        code="ZT414",
        message=f"`{socket.declared}` waits for an answer that cannot come back through `{device.span.text}`",
        labels=(
            Label(socket.type_span, "a REQ asks once, and waits for the answer"),
            Label(onward.type_span, f"{with_article(onward.type)} only sends"),
            Label(entry.type_span, "here the question comes in"),
        ),
        notes=("with DEALER in its place answers come back; what needs none is pushed, from PUSH to PULL",),
    )
