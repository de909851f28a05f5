"""Messages that put something else where a ROUTER looks for the name of a peer."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.envelope import DELIMITER
from topo.fronts import Trouble, fronts
from topo.graph import Graph
from topo.model import Socket


@check("ZT410", "a message whose first part is nobody's name")
def nobody_called_so(graph: Graph) -> Iterator[Diagnostic]:
    """A ROUTER sends a message to the peer that its first part names, and drops what names nobody.

    Behind a swap the first part is the one that the program has written. A REQ cannot write it, for an empty part stands in
    front of all that it sends, and nobody is called that:

    ```ztopo ZT410
    device mesh: queue swap {
        in  ROUTER bind tcp://*:5560
        out ROUTER bind tcp://*:5561
    }
    app asks:    REQ connect mesh.in
    app answers: DEALER connect mesh.out { routing_id "answers" }
    ```

    A DEALER writes the name in front:

    ```ztopo
    device mesh: queue swap {
        in  ROUTER bind tcp://*:5560
        out ROUTER bind tcp://*:5561
    }
    app asks:    DEALER connect mesh.in
    app answers: DEALER connect mesh.out { routing_id "answers" }
    ```

    What a queue sends on has the id of who asked in front, which is a name to that queue alone:

    ```ztopo ZT410
    device near: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER connect far.in
    }
    device far: proxy {
        in  DEALER bind tcp://*:5561
        out ROUTER bind tcp://*:5562
    }
    app asks:    REQ connect near.in
    app answers: DEALER connect far.out { routing_id "answers" }
    ```

    `ztopo trace` shows what stands in front, and since when.
    """
    for trouble, sender in fronts(graph).blamed("address"):
        yield _dropped(trouble, sender)


def _dropped(trouble: Trouble, sender: Socket) -> Diagnostic:
    first = trouble.front[0]
    what = "an empty part" if first == DELIMITER else "the id of a sender" if first.kind == "id" else "a prefix"
    instead = ("a DEALER can write the name in front, a REQ cannot",) if "REQ" in (sender.type, sender.program) else ()
    return Diagnostic(
        code="ZT410",
        message=f"`{trouble.socket.declared}` drops what `{sender.declared}` sends: {what} stands where it looks for a name",
        labels=(
            Label(sender.type_span, "what this sends"),
            Label(trouble.socket.type_span, "a ROUTER sends to the peer that the first part names"),
        ),
        notes=(
            *instead,
            f"`ztopo trace` shows it: from `{sender.declared}` to whom it is for",
        ),
    )
