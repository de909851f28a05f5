"""Copies of messages, a line each: when, from which side, how large, and the parts.

12:34:56.789012 broker.in 3 parts 9 B: 006b8b4567 | "" | question
12:34:57.012345 broker.in 1 part 100,000 B: 00ff3c… (100,000 B)

Of a long part the beginning is shown, and how long it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from topo.payload import read_part, shown
from topo.render import Style, plural
from topo.text import clean, width

__all__ = ["render"]

BETWEEN = " | "
LEAST = 16
"""So many cells a part gets on a terminal, and if that is too much for all, the last ones are left out."""


class _Piece(NamedTuple):
    """A part, as much of it as is shown."""

    text: str
    tail: str
    """What stands behind it if that is not all."""
    dim: bool

    @property
    def cells(self) -> int:
        return width(self.text) + width(self.tail)


def render(
    when: float, device: str, side: str, parts: Sequence[bytes], how: str, style: Style, most: int, cells: int | None
) -> str:
    """One line, without its end. `when` is in seconds since the epoch.

    At most so many bytes are shown of each part, and the line takes at most so many cells, if that is said.
    """
    clock = datetime.fromtimestamp(when).strftime("%H:%M:%S.%f")
    place = clean(f"{device}.{side}" if side else device)
    size = f"{plural(len(parts), 'part')} {sum(map(len, parts)):,} B"
    left_out = 0
    pieces = [_piece(part, how, most, style) for part in parts]
    if cells is not None:
        room = cells - width(f"{clock} {place} {size}: ")
        pieces = _fitting(pieces, parts, room, style)
        left_out = len(parts) - len(pieces)
    texts = [(style.paint(piece.text, "dim") if piece.dim else piece.text) + style.paint(piece.tail, "dim") for piece in pieces]
    texts += [style.paint(_more(left_out, style), "dim")] if left_out else []
    return f"{style.paint(clock, 'dim')} {style.paint(place, 'cyan')} {size}: {style.paint(BETWEEN, 'dim').join(texts)}"


def _piece(data: bytes, how: str, most: int, style: Style) -> _Piece:
    part = read_part(data, how)
    dim = part.kind == "hex"
    text = shown(part)
    beginning = text[: 2 * most if dim else most]
    return _Piece(clean(beginning) or '""', _tail(data, style) if beginning != text else "", dim)


def _tail(data: bytes, style: Style) -> str:
    return f"{style.ellipsis} ({len(data):,} B)"


def _more(count: int, style: Style) -> str:
    return f"{style.ellipsis} {count:,} more"


def _fitting(pieces: list[_Piece], parts: Sequence[bytes], cells: int, style: Style) -> list[_Piece]:
    """The first pieces, as many as have room, the long ones cut so that they do."""
    all_there = max(LEAST, _share(pieces, cells))
    if sum(min(piece.cells, all_there) for piece in pieces) + len(BETWEEN) * (len(pieces) - 1) > cells:
        cells -= width(_more(len(pieces), style)) + len(BETWEEN)
        ends = accumulate(min(piece.cells, LEAST) + len(BETWEEN) for piece in pieces)
        pieces = pieces[: max(1, sum(end <= cells + len(BETWEEN) for end in ends))]
    share = max(LEAST, _share(pieces, cells))
    return [
        piece if piece.cells <= share else _cut(piece, _tail(part, style), share)
        for piece, part in zip(pieces, parts, strict=False)
    ]


def _share(pieces: Sequence[_Piece], cells: int) -> int:
    """How many cells each piece may have at most, so that all of them fit: what short ones do not need, long ones get."""
    left = cells - len(BETWEEN) * (len(pieces) - 1)
    widths = sorted(piece.cells for piece in pieces)
    for number, taken in enumerate(widths):
        if taken * (len(widths) - number) > left:
            return left // (len(widths) - number)
        left -= taken
    return max(widths, default=0)


def _cut(piece: _Piece, tail: str, cells: int) -> _Piece:
    text = piece.text[: max(1, cells - width(tail))]
    while len(text) > 1 and width(text) + width(tail) > cells:
        text = text[:-1]
    return _Piece(text, tail, piece.dim)
