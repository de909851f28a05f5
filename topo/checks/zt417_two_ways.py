"""Messages that reach one subscriber by two ways."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph, passes
from topo.model import Socket
from topo.routes import peers_of
from topo.zeromq.envelopes import ENVELOPES
from topo.zeromq.sockets import SOCKETS


@check("ZT417", "a message that arrives twice", "warning")
def two_ways(graph: Graph) -> Iterator[Diagnostic]:
    """A publisher sends to all who have subscribed, and so does each device behind it. By two ways a message arrives twice.

    ```ztopo ZT417
    app feed: PUB bind tcp://*:5560
    device left: forwarder {
        in  XSUB connect feed
        out XPUB bind tcp://*:5561
    }
    device right: forwarder {
        in  XSUB connect feed
        out XPUB bind tcp://*:5562
    }
    app seen: SUB connect left.out, right.out { subscribe "" }
    ```

    ```ztopo
    app feed: PUB bind tcp://*:5560
    device left: forwarder {
        in  XSUB connect feed
        out XPUB bind tcp://*:5561
    }
    device right: forwarder {
        in  XSUB connect feed
        out XPUB bind tcp://*:5562
    }
    app seen:  SUB connect left.out { subscribe "" }
    app other: SUB connect right.out { subscribe "" }
    ```

    Who wants that, for the sake of safety, numbers the messages and leaves out what came before.
    """
    if not any(len(graph.links_of(socket)) > 1 for socket in graph.of_type("SUB", "XSUB")):
        return  # ways meet where somebody has several links
    for meeting in _meetings(_onward(graph)):
        yield _twice(graph, *(graph.sockets[id] for id in meeting))


Onward = dict[str, list[str]]
"""From each socket on the way of what is published, to the next."""


def _onward(graph: Graph) -> Onward:
    found: Onward = defaultdict(list)
    out_of: dict[str, list[str]] = defaultdict(list)
    for device in graph.model.devices:
        for source, target in passes(device):
            if ENVELOPES[target.type].chooses == "all":
                out_of[source.id].append(target.id)
    for socket in graph.of_type("PUB", "XPUB"):
        if socket.role == "monitor":
            continue
        found[socket.id].extend(peer.id for peer in peers_of(graph, socket).values() if _takes_all(graph, peer))
    for entry, exits in out_of.items():
        found[entry].extend(exits)
    return found


def _takes_all(graph: Graph, peer: Socket) -> bool:
    """Whether it takes what it is sent: a side of a device that subscribes to some of it may share the work with others."""
    option = peer.option("subscribe")
    chooses = peer.type == "SUB" and option is not None and all(value.value != b"" for value in option.values)
    return SOCKETS[peer.type].receives and not (chooses and graph.device(peer) is not None)


def _meetings(onward: Onward) -> Iterator[tuple[str, str, str, str]]:
    """Where two ways meet again: the socket at which they part, the nearest; the last one on each way; the socket where they meet.

    In the order of the messages each socket is told at which branches they may have been, in the bits of a number. Only what leads
    to where ways meet counts at all. Rings are left out: there is another finding.
    """
    incoming = Counter(target for targets in onward.values() for target in targets)
    leading = _leading_to([node for node, count in incoming.items() if count > 1], onward)
    arrived: dict[str, list[tuple[str, int]]] = defaultdict(list)
    branches: list[str] = []
    left = [node for node in onward if not incoming[node]] if leading else []
    while left:
        node = left.pop()
        ways = arrived.pop(node, [])
        been, common = _union(ways)
        if common:
            branch = common.bit_length() - 1
            first, second, *_ = (before for before, bits in ways if bits >> branch & 1)
            yield branches[branch], first, second, node
        if sum(target in leading for target in onward.get(node, ())) > 1:
            been |= 1 << len(branches)
            branches.append(node)
        for target in onward.get(node, ()):
            if target in leading:
                arrived[target].append((node, been))
            incoming[target] -= 1
            if not incoming[target]:
                left.append(target)


def _union(ways: list[tuple[str, int]]) -> tuple[int, int]:
    """The bits that are in any, and those that are in more than one."""
    any_of_them = several = 0
    for _, bits in ways:
        several |= any_of_them & bits
        any_of_them |= bits
    return any_of_them, several


def _leading_to(nodes: list[str], onward: Onward) -> set[str]:
    """The nodes, and all from which one gets to them."""
    backward: dict[str, list[str]] = defaultdict(list)
    for source, targets in onward.items():
        for target in targets:
            backward[target].append(source)
    found = set(nodes)
    left = list(nodes)
    while left:
        for source in backward[left.pop()]:
            if source not in found:
                found.add(source)
                left.append(source)
    return found


def _twice(graph: Graph, parting: Socket, first: Socket, second: Socket, meeting: Socket) -> Diagnostic:
    links = {link.peer(meeting).id: link for link in graph.links_of(meeting)}
    ways = sorted(
        {links[socket.id].connect.span for socket in (first, second) if socket.id in links}, key=lambda span: span.start
    )
    return Diagnostic(
        code="ZT417",
        message=f"what `{parting.declared}` sends reaches `{meeting.declared}` by two ways",
        severity="warning",
        labels=(
            Label(meeting.span, "here it arrives twice"),
            *(Label(span, "and by this way" if n else "by this way") for n, span in enumerate(ways)),
            Label(parting.span, "from here the ways part"),
        ),
        notes=("who wants that numbers the messages, and leaves out what came before",),
    )
