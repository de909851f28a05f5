"""What is known to go wrong with ZeroMQ, rule by rule: `tests/rules/` says which finding covers each, or why none does.

A file per group, a table per rule: what the rule says, the `codes` that cover it, and under `left_out` why it, or a part of it, is
left out. The page `grammar/findings.md` is made from the findings and these tables; `make golden` writes it anew.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from inspect import cleandoc
from pathlib import Path

import msgspec
import pytest

from topo.check import findings
from topo.diagnostic import Finding
from topo.render.explanation import families

PAGE = Path(__file__).parents[1] / "grammar" / "findings.md"
GROUPS = {"A": 26, "B": 20, "C": 6, "D": 27, "E": 7, "F": 16, "G": 18, "H": 5}
"""How many rules each group has."""

Golden = Callable[[Path, str], None]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that goes wrong."""

    rule: str
    codes: tuple[str, ...] = ()
    left_out: str = ""


class Group(msgspec.Struct, frozen=True):
    """The rules of one file. One that is not `complete` may have rules that are not decided."""

    title: str
    rules: dict[str, Rule]
    complete: bool = True


def group(path: Path) -> Group:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    title, complete = table.pop("title"), table.pop("complete", True)
    return Group(title, msgspec.convert(table, dict[str, Rule]), complete)


FILES = sorted((Path(__file__).parent / "rules").glob("*.toml"))
ALL = [group(path) for path in FILES]


def test_every_rule_has_its_row() -> None:
    named = [name for each in ALL for name in each.rules]
    assert named == [f"{letter}{number}" for letter, count in GROUPS.items() for number in range(1, count + 1)]


@pytest.mark.parametrize("each", ALL, ids=lambda g: g.title)
def test_every_rule_is_decided(each: Group) -> None:
    undecided = [name for name, rule in each.rules.items() if not rule.codes and not rule.left_out]
    assert not undecided if each.complete else undecided, "a complete group has none, an incomplete one has some"


@pytest.mark.parametrize("each", ALL, ids=lambda g: g.title)
def test_every_code_is_one_that_there_is(each: Group) -> None:
    assert {code for rule in each.rules.values() for code in rule.codes} <= set(findings())


def test_the_page_says_what_the_program_knows(golden: Golden) -> None:
    golden(PAGE, "\n".join(page()) + "\n")


HEAD = """
# What ztopo finds

Everything that `ztopo check` and `ztopo up` can say, by family; `ztopo explain CODE` says the same. An *error* cannot work, a
*warning* usually bites, an *info* is worth knowing and shown with `-v`. A comment `# ztopo: allow CODE "reason"` silences one
finding of the statement that it stands behind, or below it; where that cannot be, it says so here. This page is made from the
program.
"""

LEFT_OUT = """
## What is left out

What is known to go wrong with ZeroMQ, and is no finding, or only in part.
"""


def page() -> Iterator[str]:
    """The whole page, by line."""
    by_family = list(families(findings().values()))
    yield HEAD.strip()
    for name, family in by_family:
        yield f"\n**{name}**\n\n| code | level | what |\n| --- | --- | --- |"
        yield from (f"| [{f.code}](#{f.code.lower()}) | {', '.join(f.levels)} | {f.title} |" for f in family)
    for name, family in by_family:
        yield f"\n## {name}"
        for finding in family:
            yield from chapter(finding)
    yield LEFT_OUT.rstrip()
    for each in ALL:
        rows = [f"| {rule.rule} | {rule.left_out} |" for rule in each.rules.values() if rule.left_out]
        if rows:
            yield f"\n**{each.title}**\n\n| what | why not |\n| --- | --- |"
            yield from rows


def chapter(finding: Finding) -> Iterator[str]:
    yield f"\n### {finding.code}\n\n**{finding.title[0].upper()}{finding.title[1:]}** ({', '.join(finding.levels)})\n"
    text = re.sub(r"^```ztopo ZT\d+$", "Wrong:\n\n```ztopo", cleandoc(finding.explanation), flags=re.MULTILINE)
    yield re.sub(r"(?<!Wrong:\n\n)^```ztopo$", "Right:\n\n```ztopo", text, flags=re.MULTILINE)
    if not finding.allowable and finding.code < "ZT9":
        yield "\nNo comment can allow this."
