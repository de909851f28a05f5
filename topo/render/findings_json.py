"""Findings as one JSON document. What is there keeps its meaning as long as `format_version` is 1; more may come beside it.

    {
      "format_version": 1,
      "diagnostics": [
        {
          "code": "ZT201",
          "severity": "error",                      error | warning | info
          "message": "a SUB cannot talk to a PUSH",
          "labels": [                               the first is the place; the others are what it clashes with
            {
              "file": "example.ztopo",              as it was named
              "start": {"line": 2, "column": 23, "offset": 55},
              "end": {"line": 2, "column": 27, "offset": 59},
              "text": "this link carries nothing, silently",
              "lines": [{"line": 2, "column": 1, "text": "app seen: SUB  connect jobs { subscribe \\"\\" }"}]
            }
          ],
          "notes": ["a PUSH talks only to a PULL"],
          "fix": {                                  or null
            "title": "write `jobs`",
            "safe": false,                          true: it never changes what a right file means
            "edits": [{"file": ..., "start": ..., "end": ..., "text": "jobs"}]
          }
        }
      ]
    }

Lines and columns count from 1, offsets from 0, all three in code points; `end` is the place just after the last character.
`lines` are those of the text that a place is in, without their ends: at most the first ten, and of one that is longer than 1,000
characters so many, from `column` on. A finding without a place, as for a file that cannot be read, has no labels. The order is
that of files and places. `findings.schema.json` beside this file is the JSON Schema of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from topo.diagnostic import Diagnostic, Fix
from topo.render import Style, lines, place, to_json

__all__ = ["render"]


def render(diagnostics: Iterable[Diagnostic], style: Style) -> str:
    """All findings, as one document."""
    return to_json({"diagnostics": [_diagnostic(d) for d in diagnostics]})


def _diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "labels": [place(label.span) | {"text": label.text, "lines": lines(label.span)} for label in diagnostic.labels],
        "notes": list(diagnostic.notes),
        "fix": _fix(diagnostic.fix) if diagnostic.fix else None,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {"title": fix.title, "safe": fix.safe, "edits": [place(edit.span) | {"text": edit.text} for edit in fix.edits]}
