"""ZPL, the property language of the ZeroMQ RFC 4: a name and a value per line, and four blanks of indentation for each level.

It is read as the values that JSON is read as, with their places: a property with others below it is an object, a name that stands
several times is a list, and every value is a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from topo.diagnostic import Diagnostic
from topo.exchange import _mistakes as mistakes
from topo.source import Source, Span
from topo.syntax.json_text import MOST_MISTAKES, Json, Member

__all__ = ["is_writable", "read_zpl", "write_zpl"]

MOST_LEVELS = 32
LEVEL = "    "
LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
PROPERTY = re.compile(r"""([A-Za-z0-9$\-_@.&+/]+)[ \t]*(?:(=)[ \t]*(?:"([^"]*)"|'([^']*)'|([^#]*?)))?[ \t]*(?:#.*)?""")
PLAIN = re.compile(r"""[^\s#'"=]([^#'"]*[^\s#'"])?""")
"""A value that needs no quotes."""


def read_zpl(source: Source) -> tuple[Json | None, list[Diagnostic]]:
    """The object that a text is, or None if it is not ZPL, and what is wrong with it."""
    root: dict[str, Member] = {}
    open_: list[dict[str, Member]] = [root]
    said: list[Diagnostic] = []
    for line in _lines(source):
        indent = len(line.text) - len(line.text.lstrip(" "))
        match = PROPERTY.fullmatch(line.text, indent)
        level, rest = divmod(indent, len(LEVEL))
        if match is None:
            said.append(mistakes.not_zdcf(line, "this is no property: a name stands here, then perhaps `=` and a value"))
        elif rest or level >= len(open_):
            said.append(mistakes.not_zdcf(line, "each level of properties is four blanks to the right of the one above"))
        elif level >= MOST_LEVELS:
            said.append(mistakes.not_zdcf(line, f"properties stand in each other more than {MOST_LEVELS} deep"))
        else:
            del open_[level + 1 :]
            _add(source, line, match, open_, said)
        if len(said) >= MOST_MISTAKES:
            break
    return (None if said else Json(root, Span(source, 0, len(source.text)))), said


def _lines(source: Source) -> Iterator[Span]:
    """The lines that say something."""
    for match in LINE.finditer(source.text):
        text = match[1].strip()
        if text and not text.startswith("#"):
            yield Span(source, match.start(1), match.end(1))


def _add(source: Source, line: Span, match: re.Match[str], open_: list[dict[str, Member]], said: list[Diagnostic]) -> None:
    """Add a property where it belongs; what stands below it will be put into the last of `open_`."""
    key = Span(source, line.start + match.start(1), line.start + match.end(1))
    found = open_[-1]
    before = found.get(match[1])
    if match[2]:
        group = next(n for n in (3, 4, 5) if match[n] is not None)
        value = Json(match[group], Span(source, line.start + match.start(group), line.start + match.end(group)))
        if before is None:
            found[match[1]] = Member(key, value)
            return
        if isinstance(before.json.value, list):
            before.json.value.append(value)
            return
        if isinstance(before.json.value, str):
            found[match[1]] = Member(before.key, Json([before.json, value], before.json.span))
            return
    else:
        inner: dict[str, Member] = {}
        open_.append(inner)
        if before is None:
            found[match[1]] = Member(key, Json(inner, key))
            return
    said.append(mistakes.not_zdcf(key, f"`{match[1]}` stands here twice, and is more than a value"))


def is_writable(text: str) -> bool:
    """Whether ZPL can write a text: on one line, and without the one kind of quotes or the other."""
    return (text.isprintable() or not text) and not ('"' in text and "'" in text)


def write_zpl(document: dict[str, Any], level: int = 0) -> str:
    """An object as ZPL. Its names and texts are such as can be written."""
    return "".join(_written(name, value, level) for name, value in document.items())


def _written(name: str, value: Any, level: int) -> str:
    if isinstance(value, dict):
        return f"{LEVEL * level}{name}\n{write_zpl(value, level + 1)}"
    if isinstance(value, list):
        return "".join(_written(name, one, level) for one in value)
    return f"{LEVEL * level}{name} = {_spelled(value)}\n"


def _spelled(value: Any) -> str:
    text = str(int(value)) if isinstance(value, bool) else str(value)
    if PLAIN.fullmatch(text):
        return text
    quote = '"' if '"' not in text else "'"
    return f"{quote}{text}{quote}"
