"""Safe fixes, applied: of a text with mistakes, the one in which those are mended that can be mended in one way only."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from topo.compile import Compilation
from topo.diagnostic import Diagnostic, Edit
from topo.source import Source

__all__ = ["MOST_ROUNDS", "mend"]

MOST_ROUNDS = 20
"""What a fix brings to light may be mended again; after so many times something is wrong with the fixes."""


def mend(compilation: Compilation, again: Callable[[Source], Compilation]) -> tuple[Compilation, tuple[Diagnostic, ...]]:
    """Apply the safe fixes to the text itself, and again to what then is found, until none is left; with what was mended.

    Of fixes that touch each other the first is taken, and the other is seen to in the next round. The texts of modules are
    not changed.
    """
    mended: list[Diagnostic] = []
    for _ in range(MOST_ROUNDS):
        chosen = _apart(compilation.source, compilation.diagnostics)
        if not chosen:
            break
        mended += chosen
        compilation = again(_applied(compilation.source, chosen))
    return compilation, tuple(mended)


def _apart(source: Source, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those with a safe fix of this text, as far as the fixes do not touch each other."""
    chosen: list[Diagnostic] = []
    taken: list[Edit] = []
    for diagnostic in diagnostics:
        edits = diagnostic.fix.edits if diagnostic.fix is not None and diagnostic.fix.safe else ()
        if edits and all(e.span.source is source and not any(_touch(e, other) for other in taken) for e in edits):
            chosen.append(diagnostic)
            taken.extend(edits)
    return chosen


def _touch(one: Edit, other: Edit) -> bool:
    return one.span.start <= other.span.end and other.span.start <= one.span.end


def _applied(source: Source, diagnostics: Iterable[Diagnostic]) -> Source:
    text = source.text
    ends = "\r\n" if "\r\n" in text else "\n"
    edits = [edit for d in diagnostics if d.fix is not None for edit in d.fix.edits]
    for edit in sorted(edits, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text.replace("\n", ends) + text[edit.span.end :]
    return Source(text, source.name, source.path)
