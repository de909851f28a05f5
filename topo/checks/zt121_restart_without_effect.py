"""Restarts that are declared and never made."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Component, Device, Restart
from topo.source import Span


@check("ZT121", "a restart that nothing comes of", "warning")
def restart_without_effect(graph: Graph) -> Iterator[Diagnostic]:
    """Only what ztopo starts it can start again: its devices, and apps with a command.

    ```ztopo ZT121
    app work: PULL bind tcp://*:5555 { restart always }
    ```

    A device that stands in an app is part of that program, and ends with it. And what is never started again has no limits:

    ```ztopo ZT121
    app work: PULL bind tcp://*:5555 { run "./work"; restart never max 5 in 60s }
    ```

    ```ztopo
    app work: PULL bind tcp://*:5555 { run "./work"; restart always max 5 in 60s }
    ```
    """
    said: set[tuple[int, int]] = set()
    for component in graph.model.components:
        restart = component.restart
        if restart is None or (place := (id(restart.span.source), restart.span.start)) in said:
            continue
        found = _useless(component, restart)
        if found is not None:
            said.add(place)
            span, message, why = found
            yield Diagnostic(code="ZT121", message=message, severity="warning", labels=(Label(span, why),))


def _useless(component: Component, restart: Restart) -> tuple[Span, str, str] | None:
    """What nothing comes of, and why."""
    name = component.replica.base if component.replica else component.name
    if isinstance(component, Device):
        if not component.ours:
            return restart.span, f"`{name}` is never started again by ztopo", "it is part of the app that it stands in"
    elif component.inside:
        return restart.span, f"`{name}` is never started again by ztopo", "it is the program that runs the topology"
    elif not component.started:
        return restart.span, f"`{name}` is never started again by ztopo", "it has no `run`: somebody else starts it"
    if restart.useless is not None:
        return restart.useless, f"`{name}` is never started again, whatever the limits say", "nothing comes of this"
    return None
