"""Comments that silence a finding: `# ztopo: allow ZT302 "the reason"`.

Such a comment is for the statement that it stands behind, or for the one that begins in the line below it. Behind a brace that
is the statement whose block it is; otherwise the innermost one. It silences one finding of that code whose primary place is
in the statement, the first one; of several comments the one for the smallest statement goes first.

Comments have left the tree. So a text that has the word is looked at once more, line by line, which serves wrong texts too.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

import msgspec

from topo import check, mistakes
from topo.diagnostic import Diagnostic
from topo.source import Source, Span
from topo.syntax import tree

__all__ = ["Allow", "Judged", "find", "silence", "unreadable", "useless"]

WORD = "ztopo:"
HOST = "ZT6"
"""What the codes begin with that are given only when the host is asked."""

ENDPOINT = r"[A-Za-z][A-Za-z0-9+.\-]*://(?:\$\{[^}\n]*\}|;(?=[^\s,{}])|[^\s,{};$]|\$(?!\{))*"
COMMENT = re.compile(rf'{ENDPOINT}|"(?:[^"\\\n]|\\[^\n])*"|\$\{{[^}}\n]*\}}|\[[^\]\n]*\]|(?P<comment>#[^\n]*)')
"""A comment, or what a `#` may stand in that begins none. No token but a comma and the comments behind it goes over a line's end."""
ORDER = re.compile(r"#[ \t]*ztopo:[ \t]*([A-Za-z]+)\b[ \t]*(.*?)[ \t\r]*")
WANTED = re.compile(r'([A-Z]+\d+)(?:[ \t]+"([^"]*)")?')


class Allow(msgspec.Struct, frozen=True):
    """One such comment."""

    span: Span
    code: str
    """The code, or nothing where the comment cannot be read."""
    statement: Span | None
    """What it is for; None if no statement stands there."""
    wrong: str = ""
    """Why it cannot be obeyed."""


class Judged(msgspec.Struct, frozen=True):
    """Findings once the allows have done their work."""

    said: list[Diagnostic]
    silenced: list[Diagnostic]
    unused: list[Allow]
    """Those that silenced nothing."""


# Finding them


def find(file: tree.File) -> Iterator[Allow]:
    """Every allow in a text."""
    source = file.source
    at = -1 if source.program or source.is_json else source.text.find(WORD)
    while at >= 0:
        line = source.position(at).line
        yield from _in_line(file, line)
        at = source.text.find(WORD, source.starts[line]) if line < len(source.starts) else -1


def _in_line(file: tree.File, line: int) -> Iterator[Allow]:
    source = file.source
    start = _comment(source, line)
    order = ORDER.fullmatch(source.line(line), start - source.starts[line - 1]) if start >= 0 else None
    if order is None or not get_close_matches(order[1].lower(), ["allow"], cutoff=0.7):
        return
    span = Span(source, start, start + len(order[0].rstrip()))
    at = _place(source, line, start)
    statement = _innermost(file.statements, at) if at >= 0 else None
    wanted = WANTED.fullmatch(order[2])
    wrong = f"`{order[1]}` is not `allow`" if order[1] != "allow" else _wrong(wanted)
    yield Allow(span, wanted[1] if wanted and not wrong else "", statement.span if statement else None, wrong)


def _comment(source: Source, line: int) -> int:
    """Where the comment of a line begins, or -1."""
    start = source.starts[line - 1]
    return next((start + m.start() for m in COMMENT.finditer(source.line(line)) if m["comment"] is not None), -1)


def _place(source: Source, line: int, comment: int) -> int:
    """A place in the statement that a comment is for, or -1."""
    before = source.text[source.starts[line - 1] : comment].rstrip(" \t\r\f;")
    if before:
        return source.starts[line - 1] + len(before) - 1
    while line < len(source.starts):
        line += 1
        text = source.line(line)
        word = text.lstrip()
        if not word.startswith("#"):
            return source.starts[line - 1] + len(text) - len(word) if word and word[0] != "}" else -1
    return -1


def _innermost(items: Sequence[tree.Statement | tree.Item], at: int) -> tree.Statement | tree.Item | None:
    """The innermost statement that a place lies in."""
    number = bisect_right(items, at, key=lambda item: item.span.start) - 1
    if number < 0 or at >= items[number].span.end:
        return None
    block: tree.Block | None = getattr(items[number], "block", None)
    return (_innermost(block.items, at) if block else None) or items[number]


def _wrong(wanted: re.Match[str] | None) -> str:
    if wanted is None:
        return 'behind `allow` stand a code and a reason, as in `allow ZT302 "started by hand"`'
    asked = check.host_checks() if wanted[1].startswith(HOST) else check.checks()
    if any(ask.finding.code == wanted[1] and ask.finding.allowable for ask in asked):
        return "" if wanted[2] and wanted[2].strip() else "it gives no reason, in quotes behind the code"
    if wanted[1] in check.findings():
        return f"what {wanted[1]} finds cannot be allowed: nothing could be made of such a file"
    return f"there is no finding {wanted[1]}"


# Obeying them


def silence(diagnostics: Sequence[Diagnostic], allows: Iterable[Allow]) -> Judged:
    """Take out what is allowed."""
    left: dict[tuple[str, Source], list[tuple[int, int]]] = defaultdict(list)
    for number, diagnostic in enumerate(diagnostics):
        if diagnostic.span is not None:
            left[diagnostic.code, diagnostic.span.source].append((diagnostic.span.start, number))
    for places in left.values():
        places.sort()
    silenced: set[int] = set()
    unused: list[Allow] = []
    for allow in sorted(allows, key=_size):
        taken = _take(left.get((allow.code, allow.span.source), []), allow.statement)
        if taken is None:
            unused.append(allow)
        else:
            silenced.add(taken)
    return Judged([d for n, d in enumerate(diagnostics) if n not in silenced], [diagnostics[n] for n in sorted(silenced)], unused)


def _size(allow: Allow) -> int:
    return allow.statement.end - allow.statement.start if allow.statement else 0


def _take(places: list[tuple[int, int]], statement: Span | None) -> int | None:
    """Take the first finding in a statement out of those that are left."""
    if statement is None:
        return None
    first = bisect_left(places, (statement.start, -1))
    return places.pop(first)[1] if first < len(places) and places[first][0] < statement.end else None


# Judging them


def unreadable(allows: Iterable[Allow]) -> Iterator[Diagnostic]:
    """What there is to say of those that cannot be obeyed."""
    yield from (mistakes.bad_allow(allow.span, allow.wrong) for allow in allows if allow.wrong)


def useless(unused: Iterable[Allow], *, host: bool = False) -> Iterator[Diagnostic]:
    """What there is to say of those that silenced nothing: of what the host was asked, or of what the text says."""
    for allow in unused:
        if not allow.wrong and allow.code.startswith(HOST) is host:
            yield mistakes.useless_allow(allow.span, allow.code, allow.statement is not None)
