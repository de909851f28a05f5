"""Copies of messages, as a line of JSON each.

    {"time": 1700000000.789012, "device": "broker", "side": "in", "size": 9, "parts": [PART, ...]}

    PART: {"text": "question"}, {"hex": "006b8b4567"}, {"json": ...} or {"msgpack": ...}: what it was read as. In MessagePack bytes
    are text where they can be printed, else base64; what JSON has nothing for is text.

`side` is empty where the monitor's prefixes do not tell.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from topo.payload import read_part
from topo.render import Style

__all__ = ["render"]


def render(
    when: float, device: str, side: str, parts: Sequence[bytes], how: str, style: Style, most: int, cells: int | None
) -> str:
    """One line, without its end. It is complete, however much people would want to see of it."""
    read = (read_part(part, how) for part in parts)
    document = {
        "time": round(when, 6),
        "device": device,
        "side": side,
        "size": sum(map(len, parts)),
        "parts": [{part.kind: part.value} for part in read],
    }
    return json.dumps(document, separators=(",", ":"))
