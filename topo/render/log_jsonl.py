"""A record of a log as a line of JSON: the fields are those of `topo.run.journal.Record`, where each is explained."""

from __future__ import annotations

import json
from typing import Any

from topo.render import Style

__all__ = ["render"]


def render(record: dict[str, Any], style: Style, before: dict[str, Any] | None) -> str:
    """A record, as it stands in the log."""
    return json.dumps(record, separators=(",", ":")) + "\n"
