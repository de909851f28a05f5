"""The picture of a topology in characters: devices in heavy lines, apps in light ones, dashed where ztopo does not start them.

Arrow heads say where messages go. A cross on a line says that nothing goes over it. In an encoding without box characters
all of it is drawn in ASCII.
"""

from __future__ import annotations

from topo.layout import Box, Layout, Path, lay_out
from topo.picture import Picture
from topo.render import Style

__all__ = ["render"]

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
LINES = {
    UP: "│", DOWN: "│", UP | DOWN: "│", LEFT: "─", RIGHT: "─", LEFT | RIGHT: "─",
    UP | LEFT: "╯", UP | RIGHT: "╰", DOWN | LEFT: "╮", DOWN | RIGHT: "╭",
    UP | DOWN | LEFT: "┤", UP | DOWN | RIGHT: "├", UP | LEFT | RIGHT: "┴", DOWN | LEFT | RIGHT: "┬", UP | DOWN | LEFT | RIGHT: "┼",
}  # fmt: skip
HEAVY = "┏┓┗┛━┃┷┯┠┨─"
LIGHT = "╭╮╰╯─│┴┬├┤─"
DASHED = "╭╮╰╯╌┆┴┬├┤╌"
PLAIN = str.maketrans("┏┓┗┛━┃┷┯┠┨╭╮╰╯─│┴┬├┤┼╌┆▲▼✗·…", "++++=|++++++++-|+++++.:^vx-~")
ARROWS = {"→ ": "->", "← ": "<-", "↔ ": "<>"}
INK = {"name": ("bold",), "socket": (), "endpoint": ("cyan",), "elsewhere": ("dim",)}

Cells = dict[tuple[int, int], tuple[str, tuple[str, ...]]]


def render(picture: Picture, style: Style) -> str:
    """The picture, at most as wide as the style says."""
    layout = lay_out(picture, style.width)
    cells: Cells = {}
    for path in layout.paths:
        _draw_path(path, cells)
    for box in layout.boxes:
        _draw_box(box, cells)
    for path in layout.paths:
        _draw_ends(path, layout, cells)
    return _text(layout, cells, style)


def _draw_path(path: Path, cells: Cells) -> None:
    """Draw a net. Where it crosses another, the line that goes down is on top."""
    sides: dict[tuple[int, int], int] = {}
    for x1, y1, x2, y2 in path.pieces:
        for x in range(x1, x2 + 1):
            for y in range(y1, y2 + 1):
                across = (LEFT * (x > x1) | RIGHT * (x < x2)) if y1 == y2 else 0
                along = (UP * (y > y1) | DOWN * (y < y2)) if x1 == x2 else 0
                sides[x, y] = sides.get((x, y), 0) | across | along
    how = ("dim",) if path.talks else ("red",)
    for place, directions in sides.items():
        line = LINES.get(directions, "│")
        if place not in cells or line == "│":
            cells[place] = (line, how)


def _draw_box(box: Box, cells: Cells) -> None:
    corners = HEAVY if box.part.is_device else LIGHT if box.part.started else DASHED
    right, bottom = box.x + box.width - 1, box.y + box.height - 1
    for x in range(box.x, right + 1):
        cells[x, box.y] = cells[x, bottom] = (corners[4], ())
        if box.rule is not None:
            cells[x, box.rule] = (corners[10], ())
    for y in range(box.y, bottom + 1):
        cells[box.x, y] = cells[right, y] = (corners[5], ())
    if box.rule is not None:
        cells[box.x, box.rule], cells[right, box.rule] = (corners[8], ()), (corners[9], ())
    for place, corner in zip(((box.x, box.y), (right, box.y), (box.x, bottom), (right, bottom)), corners[:4], strict=True):
        cells[place] = (corner, ())
    for words in box.words:
        text = f" {words.text} " if words.y == box.rule else words.text
        for number, character in enumerate(text, words.x - (words.y == box.rule)):
            cells[number, words.y] = (character, INK[words.role])


def _draw_ends(path: Path, layout: Layout, cells: Cells) -> None:
    for x, y, up in path.heads:
        cells[x, y] = ("▲" if up else "▼", ()) if path.talks else ("✗", ("bold", "red"))
    for x, y, up in path.feet:
        heavy = cells[x, y][0] == HEAVY[4]
        corners = HEAVY if heavy else LIGHT
        cells[x, y] = (corners[6] if up else corners[7], ())


def _text(layout: Layout, cells: Cells, style: Style) -> str:
    lines: list[str] = []
    for y in range(layout.height):
        line, run = "", ""
        ink: tuple[str, ...] = ()
        for x in range(layout.width):
            character, how = cells.get((x, y), (" ", ()))
            if how != ink:
                line, run, ink = line + style.paint(run, *ink), "", how
            run += character
        line = (line + style.paint(run, *ink)).rstrip()
        if line or (lines and lines[-1]):
            lines.append(line)
    text = "\n".join(lines).rstrip("\n") + "\n"
    return text if style.unicode else _plain(text)


def _plain(text: str) -> str:
    """In ASCII, every character in its place."""
    for arrow, plain in ARROWS.items():
        text = text.replace(arrow, plain)
    return text.translate(PLAIN).encode("ascii", "replace").decode()
