"""Publishers and subscribers that do not agree on what a match is."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.zeromq.options import OPTIONS


@check("ZT515", "invert_matching on one end only", "error", "warning")
def matching_differs(graph: Graph) -> Iterator[Diagnostic]:
    """With `invert_matching` a publisher sends what a subscriber has not subscribed to.

    The subscriber looks at what comes once more, by its own setting. Where only one of the two has it, what the one lets through
    the other throws away: nothing arrives.

    ```ztopo ZT515
    app feed: PUB bind tcp://*:5555 { invert_matching true }
    app seen: SUB connect feed { subscribe "debug" }
    ```

    ```ztopo
    app feed: PUB bind tcp://*:5555 { invert_matching true }
    app seen: SUB connect feed { subscribe "debug"; invert_matching true }
    ```

    An XSUB does not look again, so it has no such option. Where the end without it is an app that ztopo does not run from within,
    it is a warning: its program may know what the file does not say.
    """
    matching = OPTIONS["invert_matching"].types or frozenset()
    for socket, option in graph.options("invert_matching"):
        if socket.type not in matching or not socket.on("invert_matching"):
            continue
        for link in graph.links_of(socket):
            peer = link.peer(socket)
            if link.talks and peer.type in matching and not peer.on("invert_matching"):
                yield Diagnostic(
                    code="ZT515",
                    message=f"nothing gets through between `{link.a.declared}` and `{link.b.declared}`: only one inverts the matching",
                    severity="error" if graph.makes(peer) else "warning",
                    labels=(
                        Label(option.span, f"`{socket.declared}` inverts it"),
                        Label(peer.type_span, f"`{peer.declared}` does not"),
                        Label(link.connect.span, "what the one lets through the other throws away"),
                    ),
                    notes=("both ends need it, or neither",),
                )
