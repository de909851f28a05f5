"""The topologies that run as one JSON document.

Its `topologies` have each

- `id`, by which every verb knows it, and `name`, which those of several programs may share;
- `phase`, as in a snapshot, or null if it does not answer;
- `pid`, the process of its supervisor, and `program`, whether that is one that does more than run it;
- `started`, in seconds since the epoch; `file`, from which it was started; `log`, the path of its log, or null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from topo.render import Style, to_json
from topo.run.client import Seen

__all__ = ["render"]


def render(found: Sequence[Seen], style: Style) -> str:
    """Topologies, as one document."""
    return to_json({"topologies": [_topology(seen) for seen in found]})


def _topology(seen: Seen) -> dict[str, Any]:
    owner = seen.topology.owner
    return {
        "id": seen.topology.id,
        "name": owner.name,
        "phase": seen.phase,
        "pid": owner.pid,
        "program": owner.program,
        "started": owner.started,
        "file": owner.file,
        "log": owner.log or None,
    }
