"""Findings as GitHub's runner takes them from the output of a workflow, and shows them at the lines of a change.

    ::error file=example.ztopo,line=2,col=24,endLine=2,endColumn=28,title=ztopo ZT201::a SUB cannot talk to a PUSH%0A...

One line each. The runner undoes `%25`, `%0D` and `%0A`, and among the properties `%3A` and `%2C`; anything else is taken as it
stands. It takes columns only where a finding begins and ends on one line.
"""

from __future__ import annotations

from collections.abc import Iterable

from topo.diagnostic import Diagnostic
from topo.render import LONGEST, Style, last_line
from topo.text import clean, cut

__all__ = ["render"]

COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
IN_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
IN_PROPERTY = {**IN_MESSAGE, ":": "%3A", ",": "%2C"}


def render(diagnostics: Iterable[Diagnostic], style: Style) -> str:
    """All findings, a line each."""
    return "".join(_line(d, style) + "\n" for d in diagnostics)


def _line(diagnostic: Diagnostic, style: Style) -> str:
    properties = {**_place(diagnostic), "title": f"ztopo {diagnostic.code}"}
    said = ",".join(f"{name}={_escaped(value, IN_PROPERTY)}" for name, value in properties.items())
    lines = [cut(clean(text), LONGEST, style.ellipsis) for text in (diagnostic.message, *_more(diagnostic))]
    return f"::{COMMANDS[diagnostic.severity]} {said}::" + _escaped("\n".join(lines), IN_MESSAGE)


def _place(diagnostic: Diagnostic) -> dict[str, str]:
    span = diagnostic.span
    if span is None:
        return {}
    start, end = span.position, span.end_position
    place = {"file": clean(span.source.name), "line": f"{start.line}"}
    if last_line(span) > start.line:
        return place | {"endLine": f"{last_line(span)}"}
    columns = {"endLine": f"{start.line}", "endColumn": f"{end.column}"} if end.line == start.line else {}
    return place | {"col": f"{start.column}"} | columns


def _more(diagnostic: Diagnostic) -> Iterable[str]:
    """What belongs to a finding beside its place: the other places, the notes, the fix."""
    yield from (f"{label.span.where}: {label.text}" for label in diagnostic.labels[1:] if label.text)
    yield from (f"note: {note}" for note in diagnostic.notes)
    if diagnostic.fix is not None:
        yield f"fix: {diagnostic.fix.title}"


def _escaped(text: str, how: dict[str, str]) -> str:
    return "".join(how.get(character, character) for character in text)
