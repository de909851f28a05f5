"""Findings for machines: JSON, SARIF and GitHub's annotations say the same as the findings do, and keep to their standards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from tests.render.test_findings import DIAGNOSTICS, diagnostics
from tests.test_corpus import CORPUS, compiled
from topo.check import findings
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.render import MOST_LINES, WIDEST_LINE, Style, findings_github, findings_json, findings_sarif
from topo.source import Source, Span

GOLDEN = Path(__file__).parent / "golden"
Golden = Callable[[Path, str], None]

JSON = Draft202012Validator(json.loads((resources.files("topo.render") / "findings.schema.json").read_text()))
SARIF = Draft202012Validator(json.loads((Path(__file__).parent / "sarif-subset.schema.json").read_text()))
BAD = [d for path in sorted((CORPUS / "bad").glob("*.ztopo")) for d in compiled(path).diagnostics]
KNOWN = tuple(d for d in DIAGNOSTICS if d.code in findings())


def as_json(found: list[Diagnostic]) -> list[dict[str, Any]]:
    document = json.loads(findings_json.render(found, Style()))
    JSON.validate(document)
    return list(document["diagnostics"])


def as_sarif(found: list[Diagnostic]) -> dict[str, Any]:
    document = json.loads(findings_sarif.render(found, Style()))
    SARIF.validate(document)
    run: dict[str, Any] = document["runs"][0]
    return run


def as_annotations(found: list[Diagnostic]) -> list[tuple[str, dict[str, str], str]]:
    """What the runner makes of the lines."""
    read = []
    for line in findings_github.render(found, Style(width=80)).splitlines():
        match = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert match is not None, line
        properties = dict(p.split("=", 1) for p in match[2].split(","))
        for name, value in properties.items():
            properties[name] = undone(value, {"%3A": ":", "%2C": ",", "%0D": "\r", "%0A": "\n", "%25": "%"})
        read.append((match[1], properties, undone(match[3], {"%0D": "\r", "%0A": "\n", "%25": "%"})))
    return read


def undone(text: str, escapes: dict[str, str]) -> str:
    for escape, character in escapes.items():
        text = text.replace(escape, character)
    return text


def cut_out(text: str, region: dict[str, int]) -> str:
    """What a region of SARIF has of a text, by lines and code points."""
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    start = starts[region["startLine"] - 1] + region["startColumn"] - 1
    return text[start : starts[region["endLine"] - 1] + region["endColumn"] - 1]


def test_the_schemas_are_schemas() -> None:
    for validator in (JSON, SARIF):
        Draft202012Validator.check_schema(validator.schema)
    assert not JSON.is_valid({"format_version": 2, "diagnostics": []})
    assert not JSON.is_valid({"format_version": 1, "diagnostics": [{"code": "ZT001"}]})


def test_all_of_the_corpus_is_as_the_schemas_say() -> None:
    assert [d["code"] for d in as_json(BAD)] == [d.code for d in BAD]
    assert [r["ruleId"] for r in as_sarif(BAD)["results"]] == [d.code for d in BAD]
    assert [p["title"] for _, p, _ in as_annotations(BAD)] == [f"ztopo {d.code}" for d in BAD]


def test_sarif(golden: Golden) -> None:
    text = findings_sarif.render(KNOWN, Style())
    assert text.isascii()
    golden(
        GOLDEN / "findings_sarif.out", re.sub(r'"version": "\d+\.\d+\.\d+[^"]*",\n(\s*"rules")', r'"version": "...",\n\1', text)
    )


def test_github(golden: Golden) -> None:
    golden(GOLDEN / "findings_github.out", findings_github.render(DIAGNOSTICS, Style()))


def test_nothing_found_is_still_a_document() -> None:
    assert as_sarif([])["results"] == []
    assert findings_github.render([], Style()) == ""


def test_rules_come_from_the_catalogue() -> None:
    run = as_sarif(BAD)
    rules = run["tool"]["driver"]["rules"]
    assert [r["id"] for r in rules] == sorted({d.code for d in BAD})
    for rule in rules:
        assert rule["shortDescription"]["text"].replace("{{", "{").replace("}}", "}") == findings()[rule["id"]].title
        assert "```" not in rule["help"]["text"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


@given(diagnostics())
@settings(max_examples=300)
def test_sarif_places_are_those_of_the_finding(diagnostic: Diagnostic) -> None:
    (result,) = as_sarif([diagnostic])["results"]
    located = [*result["locations"], *result.get("relatedLocations", ())]
    assert len(located) == len(diagnostic.labels)
    for label, location in zip(diagnostic.labels, located, strict=True):
        region = location["physicalLocation"]["region"]
        assert cut_out(label.span.source.text, region) == label.span.text == region["snippet"]["text"]
    assert diagnostic.fix is not None
    assert ("fixes" in result) is bool(diagnostic.fix.edits)
    changes = result["fixes"][0]["artifactChanges"] if diagnostic.fix.edits else []
    replaced = [r for change in changes for r in change["replacements"]]
    for edit, replacement in zip(sorted(diagnostic.fix.edits, key=lambda e: e.span.start), replaced, strict=True):
        assert cut_out(edit.span.source.text, replacement["deletedRegion"]) == edit.span.text
        assert replacement["insertedContent"]["text"] == edit.text


@given(diagnostics())
@settings(max_examples=300)
def test_json_lines_show_the_place(diagnostic: Diagnostic) -> None:
    (found,) = as_json([diagnostic])
    for label, place in zip(diagnostic.labels, found["labels"], strict=True):
        assert place["lines"][0]["line"] == place["start"]["line"]
        for line in place["lines"]:
            assert line["text"] == label.span.source.line(line["line"])


@given(diagnostics())
@settings(max_examples=300)
def test_an_annotation_is_one_line_that_the_runner_can_undo(diagnostic: Diagnostic) -> None:
    ((kind, properties, message),) = as_annotations([diagnostic])
    assert kind == "error"
    assert ("file" in properties) is (diagnostic.span is not None)
    if diagnostic.span is not None:
        assert properties["line"] == str(diagnostic.span.position.line)
    told = [label for label in diagnostic.labels[1:] if label.text]
    assert len(message.split("\n")) == 1 + len(told) + len(diagnostic.notes) + 1


def test_what_would_end_a_property_or_a_line_is_escaped() -> None:
    source = Source("abc\n", "a,b:c%41.ztopo")
    found = Diagnostic(code="ZT001", message="100% of `a`", labels=(Label(Span(source, 1, 2)),), notes=("why %0A not",))
    line = findings_github.render([found], Style())
    assert line == (
        "::error file=a%2Cb%3Ac%2541.ztopo,line=1,col=2,endLine=1,endColumn=3,title=ztopo ZT001"
        "::100%25 of `a`%0Anote: why %250A not\n"
    )
    ((_, properties, message),) = as_annotations([found])
    assert properties["file"] == source.name
    assert message == "100% of `a`\nnote: why %0A not"


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("x.ztopo", "x.ztopo"),
        ("a b/ü#1?.ztopo", "a%20b/%C3%BC%231%3F.ztopo"),
        ("../c:d.ztopo", "../c%3Ad.ztopo"),
        ("/srv/a b.ztopo", "file:///srv/a%20b.ztopo"),
        ("<stdin>", "%3Cstdin%3E"),
    ],
)
def test_a_file_is_a_uri(name: str, uri: str) -> None:
    found = Diagnostic(code="ZT001", message="x", labels=(Label(Span(Source("abc", name), 0, 1)),))
    (result,) = as_sarif([found])["results"]
    written = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert written == uri
    assert unquote(uri).removeprefix("file://") == name


def test_code_points_beyond_the_first_plane_count_once() -> None:
    source = Source('app "🎉": X', "x.ztopo")
    found = Diagnostic(code="ZT001", message="x", labels=(Label(Span(source, 9, 10)),))
    run = as_sarif([found])
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"]["startColumn"] == 10


def test_braces_in_messages_are_doubled() -> None:
    source = Source("{", "x.ztopo")
    fix = Fix("write `${x}`", (Edit(Span(source, 0, 1), "${x}"),))
    found = Diagnostic(code="ZT001", message="`{0}`", labels=(Label(Span(source, 0, 1), "{"),), fix=fix)
    (result,) = as_sarif([found])["results"]
    assert result["message"]["text"] == "`{{0}}`"
    assert result["locations"][0]["message"]["text"] == "{{"
    assert result["fixes"][0]["description"]["text"] == "write `${{x}}`"
    assert result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"] == "${x}"


def test_huge_places_are_repeated_in_part() -> None:
    many = Source("line\n" * 1000, "many.ztopo")
    wide = Source("x" * 100_000, "wide.ztopo")
    found = Diagnostic(
        code="ZT001",
        message="x",
        labels=(Label(Span(many, 0, 5000)), Label(Span(wide, 50_000, 50_003)), Label(Span(wide, 99_999, 100_000))),
    )
    lines, middle, end = (label["lines"] for label in as_json([found])[0]["labels"])
    assert [line["line"] for line in lines] == list(range(1, MOST_LINES + 1))
    for (shown,), place in ((middle, 50_000), (end, 99_999)):
        assert len(shown["text"]) == WIDEST_LINE
        assert shown["column"] <= place + 1 < shown["column"] + WIDEST_LINE
