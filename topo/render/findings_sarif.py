"""Findings as SARIF 2.1.0, which code hosts and editors read: one run, with a rule for each code that was found.

Lines end with LF or CR LF, and columns are code points, as `columnKind` says. The first label is the location, the others are
related ones; a fix is given as replacements. A remark (info) is a `note`. A file is named as it was given: relative names are
relative URIs, absolute ones begin with `file://`. In messages braces are doubled, as the standard has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from itertools import groupby
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from topo.check import findings
from topo.diagnostic import Diagnostic, Edit, Finding, Fix, Label
from topo.render import LONGEST, Style, shown
from topo.source import Span

__all__ = ["render"]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render(diagnostics: Iterable[Diagnostic], style: Style) -> str:
    """All findings, as one document."""
    from topo import __version__

    found = list(diagnostics)
    numbers = {code: number for number, code in enumerate(sorted({d.code for d in found}))}
    known = findings()
    driver = {"name": "ztopo", "version": __version__, "rules": [_rule(known[code]) for code in numbers]}
    results = [_result(d, numbers[d.code]) for d in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(finding: Finding) -> dict[str, Any]:
    """What the catalogue says of a code, but for its examples, whose braces nobody wants to see doubled."""
    prose = list(_prose(finding))
    examples = f"`ztopo explain {finding.code}` shows a wrong and a right example."
    return {
        "id": finding.code,
        "shortDescription": _message(finding.title),
        "fullDescription": _message(prose[0]),
        "help": _message("\n\n".join([*prose, examples])),
    }


def _prose(finding: Finding) -> Iterator[str]:
    fenced = False
    for block in cleandoc(finding.explanation).split("\n\n"):
        if not fenced and not block.startswith("```"):
            yield " ".join(block.split("\n")) if not block.startswith(("|", "- ")) else block
        fenced ^= block.count("```") % 2 == 1


def _message(text: str) -> dict[str, str]:
    return {"text": text.replace("{", "{{").replace("}", "}}")}


def _result(diagnostic: Diagnostic, rule: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": LEVELS[diagnostic.severity],
        "message": _message("\n".join([diagnostic.message, *diagnostic.notes])),
        "locations": [_location(label) for label in diagnostic.labels[:1]],
    }
    if diagnostic.labels[1:]:
        result["relatedLocations"] = [_location(label) | {"id": id} for id, label in enumerate(diagnostic.labels[1:], 1)]
    if diagnostic.fix is not None and diagnostic.fix.edits:
        result["fixes"] = [_fix(diagnostic.fix)]
    return result


def _location(label: Label) -> dict[str, Any]:
    region = _region(label.span)
    if len(label.span.text) <= LONGEST:
        region["snippet"] = {"text": shown(label.span)}
    location = {"physicalLocation": {"artifactLocation": _artifact(label.span), "region": region}}
    return location | ({"message": _message(label.text)} if label.text else {})


def _artifact(span: Span) -> dict[str, Any]:
    name = PurePath(span.source.name)
    return {"uri": name.as_uri() if name.is_absolute() else quote(name.as_posix())}


def _region(span: Span) -> dict[str, Any]:
    start, end = span.position, span.end_position
    return {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column}


def _fix(fix: Fix) -> dict[str, Any]:
    edits = sorted(fix.edits, key=lambda edit: (edit.span.source.name, edit.span.start))
    changes = [_change(list(of_one)) for _, of_one in groupby(edits, key=lambda edit: edit.span.source.name)]
    return {"description": _message(fix.title), "artifactChanges": changes}


def _change(edits: list[Edit]) -> dict[str, Any]:
    replacements = [{"deletedRegion": _region(e.span), "insertedContent": {"text": e.text}} for e in edits]
    return {"artifactLocation": _artifact(edits[0].span), "replacements": replacements}
