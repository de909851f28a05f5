"""What `ztopo explain` prints: the Markdown of an explanation for a terminal, and the catalogue of all codes.

Only what explanations use is understood: paragraphs, lists, tables (left as they are), fenced blocks, `code` and **bold**. A
block of ztopo is headed with whether it is wrong or right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from itertools import groupby

from topo.diagnostic import Finding
from topo.render import Style
from topo.text import clean, wrap

__all__ = ["catalogue", "families", "render"]

WIDEST = 80
LEVELS = len("error, warning")
"""How wide the column of the levels is."""
FAMILIES = {
    "0": "Syntax",
    "1": "Names",
    "2": "Sockets and devices",
    "3": "Endpoints",
    "4": "The topology as a whole",
    "5": "Options",
    "6": "The host",
    "7": "Security",
    "9": "Run time",
}
ITEM = re.compile(r"([-*]|\d+\.) ")
INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
WORD = re.compile(r"(ztopo|topology|param|device|app|process|in|out|monitor|socket|bind|connect|run|swap)\b|#.*|\"[^\"]*\"")


def catalogue(findings: Iterable[Finding], style: Style) -> str:
    """All codes with their levels and titles, by family."""
    lines = []
    for name, family in families(findings):
        lines += ["", style.paint(name, "bold"), ""]
        for found in family:
            title = wrap(found.title, WIDEST - LEVELS - 11)
            levels = ", ".join(found.levels)
            lines.append(f"  {style.paint(found.code, 'cyan')}  {levels:{LEVELS}}  {title[0]}")
            lines.extend(" " * (LEVELS + 11) + line for line in title[1:])
    return "\n".join(lines[1:]) + "\n"


def families(findings: Iterable[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    """The findings by family, each with its name; they come in the order of their codes."""
    for digit, family in groupby(findings, key=lambda f: f.code[2:3]):
        yield FAMILIES.get(digit, "Others"), list(family)


def render(finding: Finding, style: Style) -> str:
    """The explanation of one code."""
    cells = min(style.width, WIDEST)
    head = style.paint(finding.code, "bold", "cyan") + style.paint(f": {finding.title}", "bold")
    blocks = ["\n".join(_block(lines, finding.code, cells, style)) for lines in _blocks(cleandoc(finding.explanation))]
    return "\n\n".join([head, *blocks]) + "\n"


def _blocks(text: str) -> Iterator[list[str]]:
    """The text in blocks, which an empty line ends unless it stands in a fence."""
    block: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fence = line.startswith("```")
        if fence and not fenced and block:
            yield block
            block = []
        if line or fenced:
            block.append(line)
        elif block:
            yield block
            block = []
        if fence:
            fenced = not fenced
            if not fenced:
                yield block
                block = []
    if block:
        yield block


def _block(lines: list[str], code: str, cells: int, style: Style) -> Iterator[str]:
    if lines[0].startswith("```"):
        yield from _example(lines, code, style)
    elif lines[0].startswith("|"):
        yield from (f"  {clean(line)}" for line in lines)
    elif ITEM.match(lines[0]):
        for item in _items(lines):
            start = item.index(" ") + 1
            wrapped = wrap(item[start:], cells - start - 2)
            yield f"  {item[:start]}" + _inline(wrapped[0], style)
            yield from (" " * (start + 2) + _inline(line, style) for line in wrapped[1:])
    else:
        yield from _paragraph(" ".join(line.strip() for line in lines), cells, style)


def _items(lines: list[str]) -> list[str]:
    items: list[str] = []
    for line in lines:
        if ITEM.match(line):
            items.append(line)
        else:
            items[-1] += " " + line.strip()
    return items


def _paragraph(text: str, cells: int, style: Style) -> Iterator[str]:
    """Wrapped first and painted then; so a piece of code that is broken over two lines keeps its marks."""
    yield from (_inline(line, style) for line in wrap(text, cells))


def _inline(text: str, style: Style) -> str:
    if not style.color:
        return clean(text)
    return INLINE.sub(lambda m: style.paint(m[1], "cyan") if m[1] else style.paint(m[2], "bold"), clean(text))


def _example(lines: list[str], code: str, style: Style) -> Iterator[str]:
    words = lines[0].removeprefix("```").split()
    if words[:1] == ["ztopo"]:
        wrong = code in words
        yield "  " + style.paint("wrong:" if wrong else "right:", "bold", "red" if wrong else "green")
        yield ""
    for line in lines[1:-1]:
        yield ("    " + _highlighted(clean(line), style)).rstrip()


def _highlighted(line: str, style: Style) -> str:
    """A line of ztopo with its keywords, texts and comments in colour."""
    if not style.color:
        return line

    def paint(match: re.Match[str]) -> str:
        text = match[0]
        ink = "dim" if text.startswith("#") else "green" if text.startswith('"') else "blue"
        before = line[match.start() - 1 : match.start()]
        return text if before and (before.isalnum() or before in "_./$-") else style.paint(text, ink)

    return WORD.sub(paint, line)
