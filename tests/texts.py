"""Every text of the language that the project has: examples, corpus, specification, explanations of findings."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from topo.check import findings

__all__ = ["EXPLAINED", "every_text", "specified"]

ROOT = Path(__file__).parents[1]
FENCED = re.compile(r"^```ztopo[ ]?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXPLAINED = {code: textwrap.dedent(finding.explanation.partition("\n")[2]) for code, finding in findings().items()}
"""The explanations of all findings, without their first line."""


def _whole(text: str) -> str:
    """An example as a file."""
    return text if text.startswith("ztopo") else f"ztopo 1\n{text}"


def specified(text: str) -> list[str]:
    """The examples in a text in Markdown."""
    return [m[2] for m in FENCED.finditer(text)]


def _found() -> Iterator[tuple[str, str]]:
    for path in sorted([*ROOT.glob("examples/*.ztopo"), *ROOT.glob("tests/**/*.ztopo")]):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for number, text in enumerate(specified((ROOT / "grammar" / "ztopo.md").read_text(encoding="utf-8")), 1):
        yield f"ztopo.md {number}", _whole(text)
    for code, explanation in EXPLAINED.items():
        for number, text in enumerate(specified(explanation), 1):
            yield f"{code} {number}", _whole(text)


@lru_cache(maxsize=1)
def every_text() -> Mapping[str, str]:
    """All of them, by where they stand."""
    return dict(_found())
