"""The way of a message for people: each socket with what it does to the parts, and the parts drawn beside it.

The parts stand at the right edge, the body always in the same place, so that one sees what is put in front and taken off. A
drawing ends where the message goes over a link, and begins anew behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from topo.envelope import Journey, Leg, Part, Parts, label, sentence, telling
from topo.model import Socket
from topo.render import Style
from topo.source import Source, Span
from topo.text import clean, cut, width, wrap
from topo.trace import Trace

__all__ = ["render"]

WIDEST, LEAST = 80, 60
NARROWEST = 34
"""Cells that the words have at least, beside the parts."""
SIZES = [*((cells, 8) for cells in range(24, 7, -1)), (8, 7), (8, 6), (8, 5), *((cells, 5) for cells in range(7, 2, -1))]
"""How long an id may be and how many parts are drawn, the best first. Of more parts the middle is left out."""
INK = {"id": ("cyan",), "request id": ("cyan",), "delimiter": ("dim",), "prefix": ("green",), "subscription": ("yellow",)}

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
CORNERS = {
    UP | LEFT: "┘", UP | RIGHT: "└", DOWN | LEFT: "┐", DOWN | RIGHT: "┌", UP | DOWN | LEFT: "┤", UP | DOWN | RIGHT: "├",
    UP | LEFT | RIGHT: "┴", DOWN | LEFT | RIGHT: "┬", UP | DOWN | LEFT | RIGHT: "┼", LEFT | RIGHT: "─", UP | DOWN: "│",
}  # fmt: skip
PLAIN = str.maketrans(dict.fromkeys("┘└┐┌┤├┴┬┼", "+") | {"─": "-", "│": "|", "▼": "v", "✗": "x", "…": "~"})


Cell = tuple[str, tuple[str, ...]]
"""A part as it is drawn: its text, and the colours of it."""
Cells = tuple[Cell, ...]


class Row(msgspec.Struct, frozen=True):
    """Words at the left, and at the right the line of a drawing: the parts, a border between two of them, or the sides only."""

    words: str = ""
    ink: tuple[str, ...] = ()
    cells: Cells = ()
    border: tuple[Cells, Cells] | None = None
    blank: bool = False


def render(trace: Trace, style: Style) -> str:
    """The whole text."""
    lines = [*_head(trace, style)]
    for number, journey in enumerate(trace.journeys, 1):
        if len(trace.journeys) > 1:
            lines += ["", style.paint(f"{'The shortest way' if number == 1 else 'Another way'}", "bold", "magenta")]
        lines += _journey(journey, style)
    lines += _tail(trace, style)
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return text if style.unicode else text.translate(PLAIN).encode("ascii", "replace").decode()


def _head(trace: Trace, style: Style) -> Iterator[str]:
    yield style.paint(f"{clean(trace.start)} to {clean(trace.end)}", "bold")
    for name, socket, count in trace.stands:
        several = "any number" if count == 0 else str(count)
        yield from _paragraph(f"`{name}` stands for {several}; here it is `{socket.id}`", style)


def _tail(trace: Trace, style: Style) -> Iterator[str]:
    if trace.more:
        yield ""
        yield from _paragraph("There are more ways than are shown here.", style)
    if not trace.journeys:
        yield ""
        yield style.paint("No message gets there.", "bold", "red")
        for socket, why in trace.halts:
            yield from _paragraph(f"{why} ({socket.span.where})", style)
        if trace.other_way:
            yield from _paragraph(f"From `{trace.end}` to `{trace.start}` there is a way.", style)


def _paragraph(text: str, style: Style) -> list[str]:
    return wrap(clean(text), min(style.width, WIDEST))


VERDICTS = {
    "answered": "The answer finds its way back.",
    "by chance": "The answer finds its way back only by chance",
    "unanswered": "No answer comes back",
    "one way": "Nothing comes back",
    "lost": "The message does not arrive.",
}


def _journey(journey: Journey, style: Style) -> Iterator[str]:
    main = journey.start.span.source
    legs = (("before: a subscription", journey.before), ("there", journey.there), ("back", journey.back))
    shown = _Shown(max((leg for _, leg in legs if leg is not None), key=_widest), style)
    for title, leg in legs:
        if leg is not None:
            yield ""
            yield style.paint(title, "bold", "magenta")
            yield ""
            yield from _leg(leg, shown, main, style)
    yield ""
    said = VERDICTS[journey.verdict]
    if not said.endswith("."):
        said += f": {journey.why}{_at(journey.where)}" if journey.why else ""
    good = journey.verdict in ("answered", "one way")
    yield from (style.paint(line, "bold", "green" if good else "red") for line in _paragraph(said, style))


def _at(where: Span | None) -> str:
    return f" ({where.where})" if where is not None else ""


def _widest(leg: Leg) -> int:
    return max((sum(len(label(p)) + 3 for p in hop.parts) for hop in leg.hops), default=0)


class _Shown:
    """How parts are drawn, so that the widest message leaves room for the words."""

    def __init__(self, widest: Leg, style: Style) -> None:
        self.style = style
        self.width = max(LEAST, min(style.width, WIDEST))
        for self.longest, self.most in SIZES:
            most = max((_wide(self.cells(hop.parts)) for hop in widest.hops), default=0)
            if most <= self.width - NARROWEST:
                break
        self.room = self.width - most - 1

    def cells(self, parts: Parts) -> Cells:
        """A message as it is drawn."""
        cells = [(self._text(part), INK.get(part.kind, ())) for part in parts]
        if len(cells) > self.most:
            left_out = len(cells) - self.most + 1
            cells[2 : 2 + left_out] = [(f"{left_out} more", ("dim",))]
        return tuple(cells)

    def _text(self, part: Part) -> str:
        text = clean(label(part))
        return cut(text, self.longest, self.style.ellipsis) if part.kind in ("id", "prefix", "subscription") else text


def _wide(cells: Cells) -> int:
    """How wide the drawing of a message is."""
    return sum(width(text) + 3 for text, _ in cells) + 1


def _bars(cells: Cells) -> set[int]:
    """Where the upright lines of a message stand, counted from the right edge."""
    return {_wide(cells[n:]) - 1 for n in range(len(cells) + 1)} if cells else set()


def _leg(leg: Leg, shown: _Shown, main: Source, style: Style) -> Iterator[str]:
    for row in _rows(leg, shown, main):
        drawing, wide = _drawing(row, style)
        pad = " " * max(1, shown.width - width(row.words) - wide)
        yield style.paint(row.words, *row.ink) + (pad + drawing if drawing else "")
    if leg.why:
        marked = wrap(clean(f"{leg.why}{_at(leg.where)}"), shown.width - 4)
        yield from (style.paint(f"  {'✗' if n == 0 else ' '} {line}", "red") for n, line in enumerate(marked))


def _rows(leg: Leg, shown: _Shown, main: Source) -> Iterator[Row]:
    """The rows of a leg: a head for each socket, the words for each thing that it did, and the parts beside them."""
    before: Cells = ()
    for previous, hop in pairwise([None, *telling(leg)]):
        assert hop is not None
        cells = shown.cells(hop.parts)
        if hop.link is not None:
            yield Row(f"  ▼ {clean(cut(hop.link.endpoint, shown.room - 6))}", ("dim",), border=(before, ()))
            before = ()
        again = previous is not None and previous.socket.id == hop.socket.id
        if not again:
            yield Row(_heading(hop.socket, main, shown), ("bold",), border=(before, cells))
        elif cells != before:
            yield Row(border=(before, cells))
        for number, line in enumerate(wrap(sentence(hop), shown.room - 4)):
            yield Row(f"    {line}", cells=cells, blank=number > 0 or (again and cells == before))
        before = cells
    yield Row(border=(before, ()))


def _heading(socket: Socket, main: Source, shown: _Shown) -> str:
    kind = f"{socket.type} as {socket.program}" if socket.program else socket.type
    position = f"line {socket.span.position.line}" if socket.span.source is main else socket.span.where
    rest = clean(f"  {kind}  {position}")
    return f"  {cut(clean(socket.id), max(5, shown.room - width(rest) - 2), shown.style.ellipsis)}{rest}"


def _drawing(row: Row, style: Style) -> tuple[str, int]:
    """The line of a drawing, and how wide it is."""
    if row.border is not None:
        line = _border(*map(_bars, row.border))
        return line, len(line)
    if not row.cells:
        return "", 0
    texts = (" " * width(text) if row.blank else style.paint(text, *ink) for text, ink in row.cells)
    return "│ " + " │ ".join(texts) + " │", _wide(row.cells)


def _border(above: set[int], below: set[int]) -> str:
    """The line between two messages, or above or below one."""
    most = max(above | below, default=-1)
    return "".join(
        CORNERS[
            UP * (x in above) | DOWN * (x in below) | LEFT * (_within(x, above, 1) or _within(x, below, 1))
            | RIGHT * (_within(x, above, 0) or _within(x, below, 0))
        ]
        for x in range(most, -1, -1)
    )  # fmt: skip


def _within(x: int, bars: set[int], left: int) -> bool:
    """Whether a message has an edge to the left (1) or the right (0) of a place; places are counted from the right."""
    return bool(bars) and (x < max(bars) if left else x > 0)
