"""Texts in a terminal, which counts cells: how wide they are, how they are cut and wrapped, and nothing in them that moves the cursor."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["ago", "clean", "cut", "harmless", "nearest", "padded", "plural", "sentence", "table", "width", "wrap"]

CONTROLS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


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


COLOR = re.compile(r"(\x1b\[[0-9;:]*m)")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def harmless(line: str) -> str:
    """A line of somebody's output for a terminal: its colours end where it ends, and nothing else in it is obeyed."""
    if CONTROL.search(line) is None:
        return line
    pieces = COLOR.split(line)
    shown = "".join(piece if n % 2 else CONTROL.sub(lambda found: _visible(found[0]), piece) for n, piece in enumerate(pieces))
    return shown + "\x1b[0m" if len(pieces) > 1 else shown


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
                lines.append(line.rstrip(" "))
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line.rstrip(" "))
    return lines


COMMAND = re.compile(r"`[^`]*`")


def sentence(text: str, cells: int) -> list[str]:
    """The text in lines as `wrap` makes them, with each `command` in one piece, so that it can be copied."""
    whole = COMMAND.sub(lambda found: found[0].replace(" ", "\0"), text)
    return [line.replace("\0", " ") for line in wrap(whole, cells)]


def nearest(path: str, *folders: str) -> str:
    """An absolute path as it is called from that of the folders which is nearest; as it is if it is in none of them."""
    starts = [folder.rstrip("/") + "/" for folder in folders if folder.startswith("/")]
    return min((path[len(start) :] for start in starts if path.startswith(start)), key=len, default=path)


def padded(text: str, cells: int, *, right: bool = False) -> str:
    """The text in so many cells, with blanks behind it, or before it."""
    blanks = " " * (cells - width(text))
    return blanks + text if right else text + blanks


LEAST = 12
"""As narrow as a column gets while another one may be cut as well."""


def table(rows: Sequence[Sequence[str]], cells: int, *, right: Sequence[int] = (), cuttable: Sequence[int] = (-1,)) -> list[str]:
    """Rows as lines whose columns stand below each other, two blanks apart; those in `right` end at the same cell.

    What is wider than so many cells loses it in the columns `cuttable`, in the first of them first.
    """
    if not rows:
        return []
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    over = sum(widths) + 2 * (len(widths) - 1) - cells
    for column in cuttable:
        least = 1 if column == cuttable[-1] else LEAST
        lost = min(max(over, 0), max(widths[column] - least, 0))
        widths[column] -= lost
        over -= lost
    lines = []
    for row in rows:
        shown = (padded(cut(text, widths[n]), widths[n], right=n in right) for n, text in enumerate(row))
        lines.append("  ".join(shown).rstrip())
    return lines


UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def ago(seconds: float) -> str:
    """How long something has lasted, in the largest unit of which it is two or more: `90 s`, `5 min`, `47 h`."""
    for size, unit in UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
