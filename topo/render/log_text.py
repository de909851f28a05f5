"""A record of a log for people: when, who, what, and where that is declared.

    2026-11-24
    10:52:28.123  broker        ready  request_broker.ztopo:8
    10:52:28.377  client      | asked, and got an answer
    10:52:29.002  request_broker  the process of `broker` was killed by SIGKILL [ZT904]
                                  note: `broker` had received 12 messages, sent 12 and held 0

The time is that of this place. A line with the day stands before the first record of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from topo.render import Style
from topo.text import cut, harmless, padded, sentence, width

__all__ = ["render"]

COLORS = {"error": "red", "warning": "yellow"}
NAME = 16
"""How wide the column of names is."""
INDENT = 12 + 2 + NAME + 3
"""Where what has happened begins, behind the time and the name."""
BARS = {False: "|", True: "+"}
"""What stands before a line of output, and before one that goes on with the line above."""


def render(record: dict[str, Any], style: Style, before: dict[str, Any] | None) -> str:
    """A record as a line. `before` is the one that was shown before."""
    when = _when(record)
    day = "" if before is not None and _when(before)[:10] == when[:10] else f"{style.paint(when[:10], 'dim')}\n"
    name = padded(cut(_name(record), NAME, style.ellipsis), NAME)
    notes = "".join(f"{' ' * INDENT}{line}\n" for line in _notes(record))
    return f"{day}{style.paint(when[11:], 'dim')}  {name} {_what(record, style)}\n{notes}"


def _notes(record: dict[str, Any]) -> Iterator[str]:
    """The notes of a finding, line by line."""
    data = record.get("data")
    notes = data.get("notes") if isinstance(data, dict) else None
    for note in notes if isinstance(notes, list) else ():
        first, *more = str(note).splitlines() or [""]
        yield harmless(f"note: {first}")
        yield from (harmless(f"      {line}") for line in more)


def _when(record: dict[str, Any]) -> str:
    """The day and the time of this place, to milliseconds."""
    return datetime.fromisoformat(str(record.get("time"))).astimezone().isoformat(" ", "milliseconds")[:23]


def _name(record: dict[str, Any]) -> str:
    return str(record.get("component") or record.get("topology", ""))


def _what(record: dict[str, Any], style: Style) -> str:
    message = harmless(str(record.get("message", "")))
    if record.get("event") == "output":
        return f"{style.paint(BARS[bool(record.get('data'))], 'dim')} {message}"
    color = COLORS.get(str(record.get("level")))
    where = str(record.get("where") or "")
    if not style.terminal:
        return f"  {_painted(message, color, style)}" + (f"  {style.paint(where, 'dim')}" if where else "")
    lines = sentence(message, style.width - INDENT)
    fits = width(lines[-1]) + 2 + width(where) <= style.width - INDENT
    shown = [_painted(line, color, style) for line in lines]
    if where and fits:
        shown[-1] += f"  {style.paint(where, 'dim')}"
    elif where:
        shown.append(style.paint(where, "dim"))
    return "  " + ("\n" + " " * INDENT).join(shown)


def _painted(text: str, color: str | None, style: Style) -> str:
    return style.paint(text, color) if color else text
