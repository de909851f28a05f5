"""What took how long: a line for each part of the work, then one for each check, the longest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from topo.render import Style

__all__ = ["render"]

CHECK = re.compile(r"ZT\d+ ")


def render(spent: Mapping[str, float], style: Style) -> str:
    """Milliseconds and shares of the whole."""
    total = sum(spent.values())
    parts = [(name, seconds) for name, seconds in spent.items() if not CHECK.match(name)]
    asked = sorted(((n, s) for n, s in spent.items() if CHECK.match(n)), key=lambda part: -part[1])
    checks = sum(seconds for _, seconds in asked)
    lines = [
        *_rows(parts, total),
        *_rows([("all checks", checks)], total),
        *(style.paint(line, "dim") for line in _rows(asked, total)),
        *_rows([("in all", total)], total),
    ]
    return "\n".join(lines)


def _rows(parts: Iterable[tuple[str, float]], total: float) -> Iterator[str]:
    for name, seconds in parts:
        yield f"{seconds * 1000:9.1f} ms {100 * seconds / total if total else 0:5.1f} %  {name}"
