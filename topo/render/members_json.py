"""The devices and apps that run as one JSON document.

Its `members` have the `topology` that each belongs to, its `kind`, which is `app` or that of a device, and what a snapshot says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from topo.render import Style, to_json
from topo.run.client import Seen

__all__ = ["render"]

LEFT_OUT = ("sockets", "statistics")
"""What `ztopo status` and `ztopo top` show."""


def render(found: Sequence[Seen], style: Style) -> str:
    """Devices and apps, as one document."""
    return to_json({"members": [member for seen in found for member in _members(seen)]})


def _members(seen: Seen) -> Iterator[dict[str, Any]]:
    assert seen.snapshot is not None
    for member in (*seen.snapshot.devices, *seen.snapshot.apps):
        fields = {name: value for name, value in msgspec.to_builtins(member).items() if name not in LEFT_OUT}
        yield {"topology": seen.topology.id, "kind": "app", **fields}
