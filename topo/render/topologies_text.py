"""The topologies that run, for people: a line each."""

from __future__ import annotations

import time
from collections.abc import Sequence

from topo.render import Style
from topo.run.client import Seen
from topo.text import ago, table

__all__ = ["render"]

HEAD = ("TOPOLOGY", "PHASE", "PID", "FOR", "FILE")


def render(found: Sequence[Seen], style: Style) -> str:
    """A table of topologies."""
    rows = [HEAD, *(_row(seen, time.time()) for seen in found)]
    head, *lines = table(rows, style.width, right=(2, 3))
    return "\n".join((style.paint(head, "dim"), *lines)) + "\n"


def _row(seen: Seen, now: float) -> tuple[str, ...]:
    owner = seen.topology.owner
    phase = seen.phase or "no answer"
    return (seen.topology.id, phase, str(owner.pid), ago(now - owner.started), owner.file)
