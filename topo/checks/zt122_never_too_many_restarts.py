"""Restarts that wait so long that their limit is never reached."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Restart


@check("ZT122", "a limit of restarts that is never reached", "warning")
def never_too_many_restarts(graph: Graph) -> Iterator[Diagnostic]:
    """Restarts are too many when more than `max` of them come within the time behind `in`. Those that wait long enough never do.

    Here the six restarts that would be one too many take 3.1 seconds with their waits of 100, 200, 400, 800 and 1600 ms, so that
    something that always fails at once is started again for ever, and the topology never ends:

    ```ztopo ZT122
    app work: PULL bind tcp://*:5555 { run "./work"; restart on-failure max 5 in 2s }
    ```

    ```ztopo
    app work: PULL bind tcp://*:5555 { run "./work"; restart on-failure max 5 in 60s }
    ```

    Where that is what is wanted, a comment says so:

    ```ztopo
    # ztopo: allow ZT122 "the camera may be away for days"
    app work: PULL bind tcp://*:5555 { run "./work"; restart always max 1 in 1s backoff 1s..60s }
    ```
    """
    said: set[tuple[int, int]] = set()
    for component in graph.model.components:
        restart = component.restart
        if restart is None or restart.policy == "never" or _fastest(restart) < restart.period:
            continue
        place = (id(restart.span.source), restart.span.start)
        if place not in said:
            said.add(place)
            name = component.replica.base if component.replica else component.name
            message = f"`{name}` never has more than {_count(restart.limit)} within {_seconds(restart.period)}"
            why = f"with the waits one more takes {_seconds(_fastest(restart))}"
            yield Diagnostic(code="ZT122", message=message, severity="warning", labels=(Label(restart.span, why),))


def _fastest(restart: Restart) -> int:
    """How long it takes from the first restart to the one that is one too many, in milliseconds, if each fails at once."""
    return sum(min(restart.backoff << min(n, 40), restart.longest) for n in range(restart.limit))


def _count(limit: int) -> str:
    return f"{limit:,} restart{'s' if limit > 1 else ''}"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:,.10g} s"
