"""Findings in one line each, as compilers write them and editors read them: `file:line:column: error[ZT201]: message`."""

from __future__ import annotations

from collections.abc import Iterable

from topo.diagnostic import Diagnostic
from topo.render import LONGEST, Style
from topo.text import clean, cut

__all__ = ["render"]

COLORS = {"error": "red", "warning": "yellow", "info": "cyan"}


def render(diagnostics: Iterable[Diagnostic], style: Style) -> str:
    """All findings, a line each."""
    return "".join(_line(d, style) + "\n" for d in diagnostics)


def _line(diagnostic: Diagnostic, style: Style) -> str:
    what = style.paint(f"{diagnostic.severity}[{diagnostic.code}]", "bold", COLORS[diagnostic.severity])
    said = f"{what}: {cut(clean(diagnostic.message), LONGEST, style.ellipsis)}"
    if diagnostic.span is None:
        return said
    start = diagnostic.span.position
    return f"{clean(diagnostic.span.source.name)}:{start.line}:{start.column}: {said}"
