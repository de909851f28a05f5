"""Copies of messages, a line each: when, from which side, how large, and the parts.

12:34:56.789012 broker.in 3 parts 9 B: 006b8b4567 | "" | question
"""

from __future__ import annotations

from datetime import datetime

from topo.payload import Part, read_part, shown
from topo.render import Style, plural
from topo.text import clean, cut

__all__ = ["render"]

LONGEST_PART = 300
"""In cells, on a terminal; elsewhere all of it is written."""


def render(when: float, device: str, side: str, parts: list[bytes], how: str, style: Style, whole: bool) -> str:
    """One line, without its end. `when` is in seconds since the epoch; `whole` leaves nothing out."""
    clock = datetime.fromtimestamp(when).strftime("%H:%M:%S.%f")
    place = f"{device}.{side}" if side else device
    size = sum(map(len, parts))
    texts = [_part(read_part(part, how), style, whole) for part in parts]
    head = f"{style.paint(clock, 'dim')} {style.paint(clean(place), 'cyan')} {plural(len(parts), 'part')} {size} B"
    return f"{head}: {style.paint(' | ', 'dim').join(texts)}"


def _part(part: Part, style: Style, whole: bool) -> str:
    text = clean(shown(part)) or '""'
    if not whole:
        text = cut(text, LONGEST_PART, style.ellipsis)
    return style.paint(text, "dim") if part.kind == "hex" else text
