"""One output format per file, and here what all of them need: how wide a text is, colours, places as JSON.

A file is named for what it shows and how: `findings_full.py`, `findings_json.py`, `graph_ascii.py`. Each has a function `render`
that returns the whole text, and none knows of another.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec

from topo.source import Span

__all__ = ["FORMAT_VERSION", "Style", "clean", "cut", "place", "plural", "to_json", "width", "wrap"]

FORMAT_VERSION = 1
"""Of every JSON document that ztopo writes. Nothing that scripts read changes without it."""

CODES = {
    "bold": "1",
    "dim": "2",
    "italic": "3",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
CONTROLS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class Style(msgspec.Struct, frozen=True):
    """How to write to whom it may concern: in colour or plain, how wide, in Unicode or ASCII."""

    color: bool = False
    width: int = 80
    unicode: bool = True

    def paint(self, text: str, *how: str) -> str:
        """The text in colour, where there is colour."""
        if not self.color or not text or not how:
            return text
        return f"\x1b[{';'.join(CODES[h] for h in how)}m{text}\x1b[0m"

    @property
    def ellipsis(self) -> str:
        """What stands where something was left out."""
        return "…" if self.unicode else "..."


def width(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # only where it is needed: most texts are ASCII

    return cell_len(text)


def clean(text: str) -> str:
    """The text with all that could move the cursor, or hide something, made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character < " ":
        return chr(0x2400 + ord(character))
    if character == "\x7f":
        return "␡"
    return "�" if unicodedata.category(character) in CONTROLS else character


def cut(text: str, cells: int, ellipsis: str = "…") -> str:
    """The text in at most so many cells, with its middle left out: both ends of an address say something."""
    if width(text) <= cells:
        return text
    room = max(0, cells - len(ellipsis))
    head, tail = (room + 1) // 2, room // 2
    while width(text[:head]) > (room + 1) // 2:
        head -= 1
    while tail and width(text[-tail:]) > room // 2:
        tail -= 1
    return text[:head] + ellipsis[:cells] + (text[-tail:] if tail else "")


def wrap(text: str, cells: int) -> list[str]:
    """The text in lines of at most so many cells, broken at blanks. A word that is longer gets a line of its own."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and width(line) + 1 + width(word) > cells:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def place(span: Span) -> dict[str, Any]:
    """A place for JSON: the file as it was named; lines and columns from 1, offsets from 0, all in code points."""
    return {"file": span.source.name, "start": _point(span, span.start), "end": _point(span, span.end)}


def _point(span: Span, offset: int) -> dict[str, int]:
    line, column = span.source.position(offset)
    return {"line": line, "column": column, "offset": offset}


def to_json(document: dict[str, Any]) -> str:
    """One JSON document with `format_version` first, indented, ending with a newline."""
    text = msgspec.json.encode({"format_version": FORMAT_VERSION, **document})
    return msgspec.json.format(text, indent=2).decode() + "\n"


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
