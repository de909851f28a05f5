"""What runs as one JSON document: the fields are those of `topo.run.snapshot.Snapshot`, where each is explained."""

from __future__ import annotations

import msgspec

from topo.render import Style, to_json
from topo.run.snapshot import Snapshot

__all__ = ["render"]


def render(snapshot: Snapshot, style: Style) -> str:
    """A running topology, as one document."""
    return to_json(msgspec.to_builtins(snapshot))
