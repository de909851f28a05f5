"""Messages for a REP without an empty part."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.fronts import Trouble, fronts
from topo.graph import Graph
from topo.model import Socket
from topo.source import Span
from topo.zeromq.sockets import with_article


@check("ZT411", "a message for a REP without an empty part", "warning")
def no_delimiter(graph: Graph) -> Iterator[Diagnostic]:
    """A REP takes all up to the first empty part for the way back. Where there is none, it drops the message without a word.

    A REQ puts that part in front. A DEALER does not, nor does a PUSH: their programs have to.

    ```ztopo ZT411
    device broker: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    app asks:    DEALER connect broker.in
    app answers: REP connect broker.out
    ```

    `as REQ` says that the program does so:

    ```ztopo
    device broker: queue {
        in  ROUTER bind tcp://*:5560
        out DEALER bind tcp://*:5561
    }
    app asks:    DEALER as REQ connect broker.in
    app answers: REP connect broker.out
    ```

    The answer comes with the empty part in front, too.
    """
    for trouble, sender in fronts(graph).blamed("delimiter"):
        yield _dropped(trouble, sender)


def _dropped(trouble: Trouble, sender: Socket) -> Diagnostic:
    asks = sender.type in ("DEALER", "ROUTER")
    end = Span(sender.type_span.source, sender.type_span.end, sender.type_span.end)
    written = asks and sender.type_span.text == sender.type
    by_hand = " by hand" if trouble.socket.program else ""
    return Diagnostic(
        code="ZT411",
        message=f"`{trouble.socket.declared}` drops what `{sender.declared}` sends: it looks for an empty part",
        severity="warning",
        labels=(
            Label(sender.type_span, f"{with_article(sender.type)} adds no empty part"),
            Label(trouble.socket.type_span, f"a REP{by_hand} takes all up to an empty part for the way back"),
        ),
        notes=("with `as REQ` the file says that the program adds it",) if asks else ("the program has to add it",),
        fix=Fix("say that the program adds it", (Edit(end, " as REQ"),)) if written else None,
    )
