"""Findings as they are shown: pictures with carets, one line each, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.render import Style, findings_concise, findings_full, findings_json, findings_sarif
from topo.source import Source, Span
from topo.text import clean, width, wrap

GOLDEN = Path(__file__).parent / "golden"
Golden = Callable[[Path, str], None]

TEXT = Source(
    "app jobs: PUSH bind tcp://*:5555\n"
    'app seen: SUB  connect jobs { subscribe "" }\n'
    '\tapp wide: "日本語" PUSH connect\ttcp://x\n'
    "device broker: queue {\n"
    "    in ROUTER\n"
    "    out DEALER\n"
    "}\n"
    f"# {'long ' * 60}here is it {'and on ' * 40}\n",
    "example.ztopo",
)
OTHER = Source("device x: queue {\n}\n", "other.ztopo")


def span(text: str, number: int = 0, source: Source = TEXT) -> Span:
    start = [m.start() for m in re.finditer(re.escape(text), source.text)][number]
    return Span(source, start, start + len(text))


BLOCK = Span(TEXT, TEXT.text.index("device"), TEXT.text.index("}\n#") + 1)
END = Span(TEXT, len(TEXT.text), len(TEXT.text))

DIAGNOSTICS = (
    Diagnostic(
        code="ZT201",
        message="a SUB cannot talk to a PUSH",
        labels=(
            Label(span("jobs", 1), "this link carries nothing, silently"),
            Label(span("PUSH"), "jobs is a PUSH"),
            Label(span("SUB")),
        ),
        notes=("a PUSH talks only to a PULL",),
    ),
    Diagnostic(
        code="ZT002",
        severity="warning",
        message="several on one line, and words that do not fit beside",
        labels=(
            Label(span("connect"), "here"),
            Label(span("seen"), "seen is a thing"),
            Label(span("SUB"), "is a SUB"),
            Label(span("subscribe"), "takes all, and this is so long that it does not fit to the right of what is marked"),
        ),
        notes=("a note that is rather long and has to be broken somewhere because no terminal is as wide as all its words",),
    ),
    Diagnostic(
        code="ZT003",
        severity="info",
        message="tabs, wide characters, and what would \x1b[31mmove the cursor",
        labels=(Label(span("tcp://x"), "after a tab"), Label(span("語"), "wide")),
        fix=Fix("write another", (Edit(span("tcp://x"), "tcp://y"), Edit(span("wide"), "narrow"))),
    ),
    Diagnostic(
        code="ZT004",
        message="several lines, and two files",
        labels=(Label(BLOCK, "the block"), Label(span("x", 0, OTHER), "declared here too")),
    ),
    Diagnostic(code="ZT005", message="a long line", labels=(Label(span("here is it"), "it"), Label(span("jobs"), "far away"))),
    Diagnostic(
        code="ZT006",
        message="at the end, with a line put in before the first",
        labels=(Label(END, "something is expected"),),
        fix=Fix("say which version it is", (Edit(Span(TEXT, 0, 0), "ztopo 1\n"),), safe=True),
    ),
    Diagnostic(
        code="ZT007",
        message="one label within another",
        labels=(Label(Span(TEXT, 0, 20), "all of it"), Label(Span(TEXT, 4, 8), "the name")),
    ),
    Diagnostic(
        code="ZT008",
        message="a line between two marked ones is shown",
        labels=(Label(span("out DEALER")), Label(span("broker"), "of this")),
    ),
    Diagnostic(code="ZT009", message="no place"),
    Diagnostic(code="ZT010", message="quotes something absurd: " + "1" * 10_000, labels=(Label(span("5555")),)),
    Diagnostic(
        code="ZT011",
        message="a fix that takes lines out, and one that joins some",
        labels=(Label(span("out DEALER")),),
        fix=Fix("leave it out", (Edit(Span(TEXT, TEXT.text.index("    in"), TEXT.text.index("}\n#")), ""),)),
    ),
)


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("plain", Style(width=80)),
        ("narrow", Style(width=40)),
        ("color", Style(color=True, width=80)),
        ("ascii", Style(width=60, unicode=False)),
    ],
)
def test_full(name: str, style: Style, golden: Golden) -> None:
    golden(GOLDEN / f"findings_{name}.out", findings_full.render(DIAGNOSTICS, style))


def test_concise(golden: Golden) -> None:
    golden(GOLDEN / "findings_concise.out", findings_concise.render(DIAGNOSTICS, Style()))


def test_a_finding_is_its_line() -> None:
    lines = findings_concise.render(DIAGNOSTICS, Style()).splitlines()
    assert [str(d) for d in DIAGNOSTICS if len(d.message) < 1000] == [line for line in lines if "absurd" not in line]
    assert str(DIAGNOSTICS[0]) == "example.ztopo:2:24: error[ZT201]: a SUB cannot talk to a PUSH"


def test_json(golden: Golden) -> None:
    text = findings_json.render(DIAGNOSTICS, Style())
    assert text.isascii()
    assert len(json.loads(text)["diagnostics"]) == len(DIAGNOSTICS)
    golden(GOLDEN / "findings_json.out", text)


texts = st.text(st.sampled_from("ab \t\n\r日é\u0301\x1b\x00\u202e🎉x"), max_size=60)


@st.composite
def diagnostics(draw: st.DrawFn) -> Diagnostic:
    source = Source(draw(texts), "x")

    def place() -> Span:
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(source.text))] * 2)))
        return Span(source, start, end)

    labels = tuple(Label(place(), draw(texts)) for _ in range(draw(st.integers(0, 4))))
    edits, at = [], 0
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(at, len(source.text)))
        at = draw(st.integers(start, len(source.text)))
        edits.append(Edit(Span(source, start, at), draw(texts)))
    return Diagnostic(code="ZT001", message=draw(texts), labels=labels, notes=(draw(texts),), fix=Fix("x", tuple(edits)))


def test_a_wrapped_line_ends_with_its_last_word() -> None:
    assert wrap("aaaaaaaaaaaaa  bbbbb", 14) == ["aaaaaaaaaaaaa", "bbbbb"]


@given(diagnostics(), st.integers(20, 100), st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_is_shown_is_clean(diagnostic: Diagnostic, cells: int, color: bool) -> None:
    text = findings_full.render([diagnostic], Style(width=cells, color=color))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert color or plain == text
    assert all(character == "\n" or character.isprintable() for character in plain)
    assert findings_full.render([diagnostic], Style(width=cells)) == plain
    for line in plain.splitlines()[1:]:
        if re.match(r" *\d+ \|", line):
            assert width(line) <= max(cells, 20 + 4)
    concise = findings_concise.render([diagnostic], Style())
    assert concise.count("\n") == 1
    json.loads(findings_json.render([diagnostic], Style()))


@given(diagnostics())
@settings(max_examples=200, deadline=None)
def test_carets_stand_under_what_they_mark(diagnostic: Diagnostic) -> None:
    lines = findings_full.render(
        [Diagnostic(code="ZT001", message="x", labels=diagnostic.labels[:1])], Style(width=1000)
    ).splitlines()
    for label in diagnostic.labels[:1]:
        marked = label.span.text.split("\n")[0]
        if not marked or "\t" in marked or "\r" in marked:
            continue
        at = next(n for n, line in enumerate(lines) if re.match(r" *\d+ \| ?", line))
        start, end = lines[at + 1].index("^"), lines[at + 1].rindex("^") + 1
        if "\n" not in label.span.text.rstrip("\n"):
            assert end - start == max(1, width(clean(marked)))


def test_a_mark_behind_the_end_of_a_long_line_is_shown() -> None:
    source = Source("app a: PUB bind " + "x" * 100 + "\n", "x.ztopo")
    end = len(source.text) - 1
    for columns in (40, 80, 117, 118, 119, 120, 121, 122, 123, 200):
        shown = findings_full.render(
            [Diagnostic(code="ZT001", message="", labels=(Label(Span(source, end, end)),))], Style(width=columns)
        )
        assert shown.splitlines()[-1].endswith("^")
        assert max(len(line) for line in shown.splitlines()) <= columns


SECRETS = [
    ('{ plain_password "open, sesame" }', '{ plain_password "************" }'),
    ('{ plain_password   "a\\"b"; linger 0 }', '{ plain_password   "****"; linger 0 }'),
    ('{ curve_secretkey "never closed }', '{ curve_secretkey "**************'),
    ('{ curve_secretkey file "a"; plain_username "me" }', '{ curve_secretkey file "a"; plain_username "me" }'),
    (
        '{ plain_pasword "a"; curve_secret_key "a"; my_password "a" }',
        '{ plain_pasword "a"; curve_secret_key "*"; my_password "*" }',
    ),
    ('{ secret: text = "a"; secrets "a"; secret bind "ipc://a" }', '{ secret: text = "*"; secrets "*"; secret bind "ipc://a" }'),
    ("{ plain_password 'open'; linger 0 }", "{ plain_password '****'; linger 0 }"),
    ('{ plain_password: "it\'s"; linger 0 }', '{ plain_password: "****"; linger 0 }'),
    ("{ plain_password “open”; linger 0 }", "{ plain_password “****”; linger 0 }"),
    ('{ plain_password "a"; socks_password "日本" }', '{ plain_password "*"; socks_password "**" }'),
]


@pytest.mark.parametrize(("written", "seen"), SECRETS)
def test_secrets_are_not_in_the_lines_that_are_shown(written: str, seen: str) -> None:
    source = Source(f"app a: PUSH bind ipc://a {written}\n", "a.ztopo")
    quoted = Span(source, source.text.rindex(written.split()[1]), len(source.text) - 1)
    diagnostic = Diagnostic(code="ZT201", message="something", labels=(Label(quoted, "here"),))
    assert findings_full.render([diagnostic], Style(width=200)).splitlines()[2] == f"1 | app a: PUSH bind ipc://a {seen}"
    (label,) = json.loads(findings_json.render([diagnostic], Style()))["diagnostics"][0]["labels"]
    assert label["lines"][0]["text"] == f"app a: PUSH bind ipc://a {seen}"
    (result,) = json.loads(findings_sarif.render([diagnostic], Style()))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["region"]["snippet"]["text"] == seen[2:]


LINE = "app a: PUB bind tcp://*:5 { 日本 \t e\u0301 🎉 }  # " + "語 x\t" * 60


@pytest.mark.parametrize("columns", [*range(40, 201, 7), 200])
@pytest.mark.parametrize("wide", ["日", "🎉", "é", "e\u0301", "\t", "語 x"])
def test_no_terminal_is_too_narrow_for_wide_text(columns: int, wide: str) -> None:
    """Whatever is marked in a long line with wide characters and tabs: the line fits, and so does its mark, below it."""
    text = f"{LINE}{wide} marked {wide} {LINE}"
    source = Source(text + "\n", "x.ztopo")
    start = text.index(f"{wide} marked")
    label = Label(Span(source, start, start + len(f"{wide} marked {wide}")), "these words say what it is")
    shown = findings_full.render([Diagnostic(code="ZT001", message="x", labels=(label,))], Style(width=columns)).splitlines()
    at = next(n for n, line in enumerate(shown) if line.startswith("1 |"))
    assert all(width(line) <= columns for line in shown)
    assert "marked" in shown[at]
    carets = shown[at + 1]
    start, end = carets.index("^"), carets.rindex("^") + 1
    before = width(shown[at][: shown[at].index("marked")])
    assert start < before
    assert end >= before + len("marked")
