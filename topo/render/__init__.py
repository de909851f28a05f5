"""One output format per file, and here what all of them need: colours, places as JSON.

A file is named for what it shows and how: `findings_full.py`, `findings_json.py`, `graph_ascii.py`. Each has a function `render`
that returns the whole text, and none knows of another.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import msgspec

from topo.source import Span
from topo.text import plural, sentence
from topo.zeromq.options import OPTIONS

__all__ = [
    "FORMAT_VERSION",
    "LONGEST",
    "Style",
    "here",
    "last_line",
    "lines",
    "place",
    "plural",
    "said",
    "shown",
    "shown_bytes",
    "to_json",
    "without_secrets",
]

FORMAT_VERSION = 1
"""Of every JSON document that ztopo writes. Nothing that scripts read changes without it."""

LONGEST = 500
"""The most cells of a message; the middle of a longer one, which can only quote something absurd, is left out."""

MOST_LINES = 10
"""The most lines of a text that a document repeats for one place."""

WIDEST_LINE = 1000
"""The most characters of a line that a document repeats."""

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


class Style(msgspec.Struct, frozen=True):
    """How to write to whom it may concern: in colour or plain, how wide, in Unicode or ASCII, and whether that is a terminal."""

    color: bool = False
    width: int = 80
    unicode: bool = True
    terminal: bool = False

    def paint(self, text: str, *how: str) -> str:
        """The text in colour, where there is colour."""
        if not self.color or not text or not how:
            return text
        return f"\x1b[{';'.join(CODES[h] for h in how)}m{text}\x1b[0m"

    @property
    def ellipsis(self) -> str:
        """What stands where something was left out."""
        return "…" if self.unicode else "..."


def here() -> str:
    """The folder that we are in; empty if it is not there any more."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def said(text: str, style: Style) -> list[str]:
    """A text in lines: on a terminal as many as it takes there, elsewhere one."""
    return sentence(text, style.width) if style.terminal else [text]


def place(span: Span) -> dict[str, Any]:
    """A place for JSON: the file as it was named; lines and columns from 1, offsets from 0, all in code points."""
    return {"file": span.source.name, "start": _point(span, span.start), "end": _point(span, span.end)}


def _point(span: Span, offset: int) -> dict[str, int]:
    line, column = span.source.position(offset)
    return {"line": line, "column": column, "offset": offset}


def last_line(span: Span) -> int:
    """The line of the last character."""
    return span.source.position(max(span.start, span.end - 1)).line


def lines(span: Span) -> list[dict[str, Any]]:
    """The lines that a place is in, for JSON: the first of them if it has very many, and of a very long one what is around it."""
    first = span.position.line
    return [_line(span, number) for number in range(first, min(last_line(span), first + MOST_LINES - 1) + 1)]


SECRET_NAMES = "|".join((*(name for name, row in OPTIONS.items() if row.secret), r"\w*(?:secret|password)\w*"))
SECRET = re.compile(
    rf"\b((?:{SECRET_NAMES})\b(?:\s*:\s*\w+)?\s*[=:]?\s*[\"'“„‘])"
    r"""((?<=")(?:[^"\\\n]|\\.)*|(?<=['“„‘])(?:[^'“”’\\\n]|\\.)*)"""
)
"""The value of an option that is never shown, or of anything that is called a secret or a password, where it is written as a text,
or nearly so."""


def without_secrets(text: str) -> str:
    """Whole lines of a text as they may be shown: of a secret that is written in them only how long it is."""
    return SECRET.sub(lambda found: found[1] + "*" * len(found[2]), text)


def shown(span: Span) -> str:
    """What stands at a place, as it may be shown."""
    start = span.source.starts[span.position.line - 1]
    return without_secrets(span.source.text[start : span.end])[span.start - start :]


def _line(span: Span, number: int) -> dict[str, Any]:
    text = without_secrets(span.source.line(number))
    marked = span.position.column if number == span.position.line else 1
    column = 1 if len(text) <= WIDEST_LINE else max(1, min(marked - WIDEST_LINE // 4, len(text) - WIDEST_LINE + 1))
    return {"line": number, "column": column, "text": text[column - 1 : column - 1 + WIDEST_LINE]}


def to_json(document: dict[str, Any], line: int = 0) -> str:
    """One JSON document with `format_version` first, indented, in ASCII, so that no encoding can spoil it.

    What has room on a `line` of so many columns stands on one.
    """
    return _indented({"format_version": FORMAT_VERSION, **document}, line, "\n") + "\n"


def _indented(value: Any, line: int, newline: str) -> str:
    if not value or not isinstance(value, dict | list | tuple):
        return json.dumps(value)
    inner = newline + "  "
    if isinstance(value, dict):
        start, end = "{}"
        parts = [f"{json.dumps(key)}: {_indented(v, line, inner)}" for key, v in value.items()]
    else:
        start, end = "[]"
        parts = [_indented(v, line, inner) for v in value]
    if len(newline) + sum(map(len, parts)) + 2 * len(parts) <= line and not any("\n" in part for part in parts):
        return f"{start}{', '.join(parts)}{end}"
    return f"{start}{inner}{f',{inner}'.join(parts)}{newline}{end}"


def shown_bytes(data: bytes) -> str:
    r"""Bytes as a text: `\xNN` where they are not UTF-8, and a backslash doubled, so that it can be read back."""
    return data.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
