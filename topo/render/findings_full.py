"""Findings as a person reads them: what is, the lines of the text with carets under the places, why, and what to do.

    error[ZT201]: a SUB cannot talk to a PUSH
     --> example.ztopo:2:23
    1 | app jobs: PUSH bind tcp://*:5555
      |           ---- jobs is a PUSH
    2 | app seen: SUB  connect jobs { subscribe "" }
      |                        ^^^^ this link carries nothing, silently
      = note: a PUSH talks only to a PULL

A label is first laid out in cells: tabs are expanded, wide characters take two, what cannot be shown is replaced. From there
on everything counts cells. A label over several lines is drawn as two marks, where it starts and where it ends. A line that
is too long for the terminal is cut to a window that shows its labels.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, islice
from typing import NamedTuple

from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.render import LONGEST, Style, last_line, without_secrets
from topo.source import Source
from topo.text import clean, cut, width, wrap

__all__ = ["render"]

COLORS = {"error": "red", "warning": "yellow", "info": "cyan"}
TAB = 4


def render(diagnostics: Iterable[Diagnostic], style: Style) -> str:
    """All findings, an empty line between them."""
    return "\n".join("\n".join(_diagnostic(d, style)) + "\n" for d in diagnostics)


def _diagnostic(diagnostic: Diagnostic, style: Style) -> Iterator[str]:
    color = COLORS[diagnostic.severity]
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    first, *rest = wrap(f"{head}: {cut(clean(diagnostic.message), LONGEST, style.ellipsis)}", style.width - 2)
    yield style.paint(head, "bold", color) + style.paint(first[len(head) :], "bold")
    yield from (style.paint(f"  {line}", "bold") for line in rest)
    gutter = _gutter(diagnostic)
    for number, (source, labels) in enumerate(_by_source(diagnostic).items()):
        start = labels[0].span.position
        arrow = "-->" if number == 0 else ":::"
        yield " " * gutter + style.paint(arrow, "blue") + f" {clean(source.name)}:{start.line}:{start.column}"
        yield from _snippet(source, labels, diagnostic, gutter, style)
    for note in diagnostic.notes:
        yield from _remark("note", note, gutter, style)
    if diagnostic.fix is not None:
        yield from _fix(diagnostic.fix, gutter, style)


def _by_source(diagnostic: Diagnostic) -> dict[Source, list[Label]]:
    found: dict[Source, list[Label]] = defaultdict(list)
    for label in diagnostic.labels:
        found[label.span.source].append(label)
    return found


def _gutter(diagnostic: Diagnostic) -> int:
    """How wide the widest line number is."""
    spans = [label.span for label in diagnostic.labels]
    spans += [edit.span for edit in diagnostic.fix.edits] if diagnostic.fix else []
    return max((len(str(last_line(span))) for span in spans), default=1)


def _remark(word: str, text: str, gutter: int, style: Style) -> Iterator[str]:
    start = " " * gutter + " = "
    lines = wrap(clean(text), max(20, style.width - len(start) - len(word) - 2))
    yield " " * gutter + style.paint(" =", "blue") + " " + style.paint(word, "bold") + ": " + lines[0]
    for line in lines[1:]:
        yield " " * (len(start) + len(word) + 2) + line


# -- the lines of the text --------------------------------------------------------------------------------------------------------


class Mark(NamedTuple):
    """A label on one line, in cells: what to write from where to where, and the words beside it."""

    start: int
    end: int
    text: str
    primary: bool


class Line(NamedTuple):
    """A line laid out: what to show of each character, and at which cell it starts (one more for the end)."""

    shown: list[str]
    cells: list[int]


def _snippet(source: Source, labels: list[Label], diagnostic: Diagnostic, gutter: int, style: Style) -> Iterator[str]:
    marks: dict[int, list[Mark]] = defaultdict(list)
    for label in labels:
        for number, mark in _marks(source, label, primary=label is diagnostic.labels[0]):
            marks[number].append(mark)
    color = COLORS[diagnostic.severity]
    before = 0
    for number in sorted(marks):
        if before and number == before + 2:
            yield _numbered(number - 1, _window(_lay_out(source.line(number - 1)), [], gutter, style)[0], gutter, style)
        elif before and number > before + 2:
            yield style.paint("." * max(3, gutter), "blue")
        line, shifted = _window(_lay_out(source.line(number)), marks[number], gutter, style)
        yield _numbered(number, line, gutter, style)
        for under in _underlines(shifted, style.width - gutter - 3, style, color):
            yield (" " * gutter + style.paint(" |", "blue") + " " + under).rstrip()
        before = number


def _numbered(number: int, text: str, gutter: int, style: Style) -> str:
    return (style.paint(f"{number:>{gutter}} |", "blue") + " " + text).rstrip()


@lru_cache(maxsize=64)  # a line may have many findings, and each has labels
def _lay_out(line: str) -> Line:
    shown: list[str] = []
    cells = [0]
    at = 0
    for character in without_secrets(line):
        text = " " * (TAB - at % TAB) if character == "\t" else clean(character)
        shown.append(text)
        at += width(text)
        cells.append(at)
    return Line(shown, cells)


def _marks(source: Source, label: Label, *, primary: bool) -> Iterator[tuple[int, Mark]]:
    span = label.span
    first, last = span.position.line, last_line(span)
    text = clean(label.text).strip()
    if first == last:
        yield first, _mark(source, first, span.start, span.end, text, primary)
        return
    yield first, _mark(source, first, span.start, None, "from here", primary)
    yield last, _mark(source, last, None, span.end, f"to here: {text}" if text else "to here", primary)


def _mark(source: Source, number: int, start: int | None, end: int | None, text: str, primary: bool) -> Mark:
    """A mark between two offsets of a line; None is where its text begins, or ends."""
    line = source.line(number)
    cells = _lay_out(line).cells
    base = source.starts[number - 1]
    from_ = len(line) - len(line.lstrip()) if start is None else min(start - base, len(line))
    to = len(line) if end is None else min(end - base, len(line))
    return Mark(cells[from_], max(cells[max(to, from_)], cells[from_] + 1), text, primary)


def _window(line: Line, marks: list[Mark], gutter: int, style: Style) -> tuple[str, list[Mark]]:
    """The part of a line that fits and shows its marks, and the marks moved to where they are then."""
    room = max(20, style.width - gutter - 3)
    total = max(line.cells[-1], *(m.end for m in marks), 0)  # a mark may stand behind the end of the line
    if total <= room:
        return "".join(line.shown), marks
    dots = len(style.ellipsis)
    wanted = next((m for m in marks if m.primary), marks[0] if marks else Mark(0, 0, "", False))
    first = min((m.start for m in marks), default=0)
    if wanted.end - first > room - 2 * dots:
        first = wanted.start
    left = 0 if max(first, wanted.end) <= room - dots else max(0, min(first - room // 4, total - room + dots))
    right = min(total, left + room - (dots if left else 0))
    right -= dots if right < total else 0
    text = (style.ellipsis if left else "") + _cells(line, left, right) + (style.ellipsis if right < total else "")
    shift = left - (dots if left else 0)
    inside = [m for m in marks if m.start < right and m.end > left]
    return text, [m._replace(start=max(m.start, left) - shift, end=min(m.end, right) - shift) for m in inside]


def _cells(line: Line, left: int, right: int) -> str:
    """What stands between two cells; half of a wide character becomes a blank."""
    first = max(0, bisect_right(line.cells, left) - 1)
    found = []
    at = line.cells[first]
    for character in chain.from_iterable(line.shown[first : bisect_left(line.cells, right)]):
        wide = width(character)
        if at >= left and at + wide <= right:
            found.append(character)
        elif at < right and at + wide > left:
            found.append(" " * (min(at + wide, right) - max(at, left)))
        at += wide
    return "".join(found)


def _underlines(marks: list[Mark], room: int, style: Style, color: str) -> Iterator[str]:
    """The carets under a line, then the words: those of the last mark beside it, the others hung below, from right to left."""
    row = Row()
    for mark in sorted(marks, key=lambda m: (m.start - m.end, m.primary)):  # the narrower over the wider
        row.put(mark.start, ("^" if mark.primary else "-") * (mark.end - mark.start), _ink(mark, color))
    told = sorted({m for m in marks if m.text}, key=lambda m: (m.start, m.end, m.primary, m.text))
    end = max(m.end for m in marks)
    if told and told[-1].end == end and end + 1 + width(told[-1].text) <= room:
        row.put(end + 1, told[-1].text, _ink(told.pop(), color))
    yield row.text(style)
    if told:
        yield _bars(told, style, color)
    while told:
        mark = told.pop()
        for start, words in _hung(mark, room):
            below = Row()
            for other in told:
                if other.start < start:
                    below.put(other.start, "|", _ink(other, color))
            below.put(start, words, _ink(mark, color))
            yield below.text(style)


def _hung(mark: Mark, room: int) -> list[tuple[int, str]]:
    """The words of a mark, below it if they fit there, further left and in several lines if not."""
    start = max(0, min(mark.start, room - min(width(mark.text), max(24, room // 2))))
    return [(start, line) for line in wrap(mark.text, max(24, room - start))]


def _bars(marks: list[Mark], style: Style, color: str) -> str:
    row = Row()
    for mark in marks:
        row.put(mark.start, "|", _ink(mark, color))
    return row.text(style)


def _ink(mark: Mark, color: str) -> tuple[str, ...]:
    return ("bold", color) if mark.primary else ("blue",)


class Row:
    """A row of cells that is written on, what comes later over what was there."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, str, tuple[str, ...]]] = []

    def put(self, at: int, text: str, how: tuple[str, ...]) -> None:
        """Write a text at a cell."""
        self._pieces.append((at, text, how))

    def text(self, style: Style) -> str:
        """The row as text."""
        cells: dict[int, tuple[str, tuple[str, ...]]] = {}
        for at, text, how in self._pieces:
            cell = at
            for character in text:
                cells[cell] = (character, how)
                cell += width(character)
        return _painted(cells, style)


def _painted(cells: dict[int, tuple[str, tuple[str, ...]]], style: Style) -> str:
    found, run, at = "", "", 0
    ink: tuple[str, ...] = ()
    for cell in sorted(cells):
        character, how = cells[cell]
        if cell > at or how != ink:
            found += style.paint(run, *ink) + " " * (cell - at)
            run, ink = "", how
        run += character
        at = cell + width(character)
    return found + style.paint(run, *ink)


# -- the fix ----------------------------------------------------------------------------------------------------------------------


def _fix(fix: Fix, gutter: int, style: Style) -> Iterator[str]:
    yield from _remark("fix", fix.title, gutter, style)
    by_source: dict[Source, list[Edit]] = defaultdict(list)
    for edit in fix.edits:
        by_source[edit.span.source].append(edit)
    for source, edits in by_source.items():
        for first, last, old, new in _changes(source, edits):
            changed = _first_difference(old, new, edits)
            for number, line in zip(range(first, last + 1), old, strict=True):
                yield _changed(number, "-", line, changed, "red", gutter, style)
            for number, line in enumerate(new, first):
                yield _changed(number, "+", line, changed, "green", gutter, style)


def _first_difference(old: list[str], new: list[str], edits: list[Edit]) -> int:
    """The first column in which two lines differ, if each is only one."""
    if len(old) != 1 or len(new) != 1:
        return 0
    start = min(edit.span.start for edit in edits) - edits[0].span.source.starts[edits[0].span.position.line - 1]
    pairs = enumerate(zip(islice(old[0], start, None), islice(new[0], start, None), strict=False), start)
    return next((n for n, (a, b) in pairs if a != b), min(len(old[0]), len(new[0])))


def _changed(number: int, sign: str, line: str, changed: int, color: str, gutter: int, style: Style) -> str:
    most = 2 * max(40, style.width)  # so many characters fill the line to the left and to the right of the change
    if changed > most:
        line, changed = line[changed - most :], most
    laid_out = _lay_out(line[: changed + most])
    at = laid_out.cells[min(changed, len(line))]
    text = _window(laid_out, [Mark(at, min(at + 10, laid_out.cells[-1]), "", True)], gutter, style)[0]
    return style.paint(f"{number:>{gutter}} ", "blue") + style.paint(f"{sign} {text}".rstrip(), color)


def _changes(source: Source, edits: list[Edit]) -> Iterator[tuple[int, int, list[str], list[str]]]:
    """The lines that edits change, joined where they touch: first and last number, what stands there, what will."""
    groups: list[list[Edit]] = []
    for edit in sorted(edits, key=lambda e: e.span.start):
        if groups and edit.span.position.line <= groups[-1][-1].span.end_position.line:
            groups[-1].append(edit)
        else:
            groups.append([edit])
    for group in groups:
        first, last = group[0].span.position.line, max(e.span.end_position.line for e in group)
        old = [source.line(n) for n in range(first, last + 1)]
        text = source.text[source.starts[first - 1] : group[0].span.start]
        for number, edit in enumerate(group):
            text += edit.text
            text += source.text[edit.span.end : group[number + 1].span.start] if number + 1 < len(group) else ""
        end = group[-1].span.end
        text += source.text[end : end + len(source.line(last)) + 1].split("\n", 1)[0].rstrip("\r")
        new = text.split("\n")
        while old and new and old[-1] == new[-1]:  # a line put in before another: that other one does not change
            last -= 1
            old.pop()
            new.pop()
        yield first, last, old, new
