"""What editors colour, as one table: `topo/pygments_lexer.py` reads it, and `grammar/ztopo.tmLanguage.json` is written from it.

A rule is a `Match`, of one line; or a `Range`, from its `begin` to its `end` with other rules between, over any number of lines. That is
what a TextMate grammar can say. A word is a keyword only where a statement begins or goes on, so each sort of statement has a range
of its own; a comma is a range too, since the line goes on behind it. Where several rules match at a place the first is taken, the end
of a range before all of them.

The tokens are those of `ztopo.lark`, and the tests hold the words to it as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

__all__ = ["RULES", "SCOPES", "Include", "Match", "Range", "Rule", "keywords", "textmate"]

SCOPES: Mapping[str, str] = {
    "comment": "comment.line.number-sign",
    "doc": "comment.line.documentation",
    "keyword": "keyword.control",
    "declared": "entity.name.type",
    "name": "variable.other",
    "kind": "storage.type",
    "type": "support.type.socket",
    "option": "entity.other.attribute-name",
    "string": "string.quoted.double",
    "escape": "constant.character.escape",
    "endpoint": "string.unquoted.endpoint",
    "number": "constant.numeric",
    "unit": "keyword.other.unit",
    "constant": "constant.language",
    "inserted": "punctuation.section.interpolation",
    "variable": "variable.parameter",
    "operator": "keyword.operator",
    "punctuation": "punctuation",
}
"""What is told apart, and what TextMate calls it."""


@dataclass(frozen=True)
class Include:
    """The rules of a name in `RULES`."""

    name: str


Class = str | Include
"""What something is, or the rules that tell."""


@dataclass(frozen=True)
class Match:
    """Something on one line. `groups` says what each group is; without it, `is_` what all of it is."""

    regex: str
    is_: str = ""
    groups: tuple[Class, ...] = ()


@dataclass(frozen=True)
class Range:
    """From `begin` to `end`, both with what their groups are; `inner` are the rules between, `is_` what is none of these."""

    begin: str
    begins: tuple[Class, ...]
    end: str
    ends: tuple[Class, ...] = ()
    inner: tuple[Rule, ...] = ()
    is_: str = ""


Rule = Match | Range | Include


@lru_cache(maxsize=1)
def _terminals() -> Mapping[str, str]:
    """The regular expressions of the grammar's terminals, without groups."""
    grammar = (resources.files("topo.grammar") / "ztopo.lark").read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Z]+)(?:\.\d+)?: /(.*)/$", grammar, re.MULTILINE))


@dataclass(frozen=True)
class _Pieces:
    """Parts of regular expressions."""

    name: str = field(default_factory=lambda: _terminals()["NAME"])
    number: str = field(default_factory=lambda: _terminals()["NUMBER"])
    string: str = field(default_factory=lambda: _terminals()["STRING"])
    endpoint: str = field(default_factory=lambda: _terminals()["ENDPOINT"])
    insertion: str = field(default_factory=lambda: _terminals()["INTERPOLATION"])
    bracket: str = field(default_factory=lambda: _terminals()["BRACKET"])

    @property
    def reference(self) -> str:
        """A whole reference."""
        part = rf"{self.name}(?:{BLANK}{self.bracket})?"
        return rf"(?:\.{BLANK})?{part}(?:{BLANK}\.{BLANK}{part})*"

    @property
    def place(self) -> str:
        """What stands behind `bind` or `connect`."""
        return f"(?:{self.endpoint}|{self.string}|{self.insertion}|{self.reference})"

    @property
    def value(self) -> str:
        """A value that is no call."""
        return rf"(?:file{BLANK}{self.string}|{self.endpoint}|{self.string}|{self.number}|{self.insertion}|\*|{self.reference})"


BLANK = r"[ \t\r\f]*"
BLANKS = r"[ \t\r\f]+"
WORD_ENDS = r"(?![A-Za-z0-9_]|-[A-Za-z0-9_])"
STATEMENT_ENDS = r"(?=[;}])|$"
UNITS = ("ms", "s", "m", "h", "B", "KiB", "MiB", "GiB")


def _word(*words: str) -> str:
    return f"({'|'.join(words)}){WORD_ENDS}"


def _statement(word: str, *inner: Rule, named: bool = True) -> Range:
    """A statement that a word begins, and perhaps the name of what it declares."""
    begin = f"({word}){BLANKS}({P.name})" if named else _word(word)
    return Range(begin, ("keyword", "declared") if named else ("keyword",), STATEMENT_ENDS, inner=(*inner, COMMENT, BLOCK))


P = _Pieces()
COMMENT = Include("comment")
BLOCK = Include("block")
BRACKET = Include("bracket")
SPEC = Include("spec")
VALUES = Include("values")
STRING = Include("string")
INSERTION = Include("insertion")
KIND = Match(rf"(:){BLANK}({P.name})", groups=("punctuation", "kind"))
COLON = Match(":", "punctuation")
LIMIT = _word("max", "in", "backoff")
COMPANY = Match(rf"(with){BLANKS}({P.name})", groups=("keyword", "name"))
AS_NAME = Match(rf"(as){BLANKS}({P.name})", groups=("keyword", "declared"))

RULES: Mapping[str, tuple[Rule, ...]] = {
    "statements": (
        Match(r"^([ \t\r\f;]*)(##[^\n]*)", groups=("punctuation", "doc")),
        COMMENT,
        Match(";", "punctuation"),
        Match(rf"(ztopo){BLANKS}({P.number})", groups=("keyword", "number")),
        Match(rf"(topology){BLANKS}({P.name})", groups=("keyword", "declared")),
        COMPANY,
        _statement("param", KIND, Match("=", "operator"), VALUES),
        _statement("device", BRACKET, KIND, Match(_word("swap"), groups=("keyword",))),
        _statement("process", BRACKET),
        _statement("app", BRACKET, COLON, SPEC),
        _statement("socket", BRACKET, COLON, SPEC),
        *(_statement(side, SPEC, named=False) for side in ("in", "out", "monitor", "control")),
        _statement("use", AS_NAME, STRING, BRACKET, named=False),
        _statement("host", BRACKET, VALUES),
        _statement("security", KIND),
        _statement("options"),
        _statement("run", Match(_word("thread", "process", "inside"), groups=("keyword",)), STRING, named=False),
        Range(
            rf"(restart){BLANKS}({P.name})",
            ("keyword", "name"),
            STATEMENT_ENDS,
            inner=(
                Range(
                    rf"{LIMIT}{BLANK}({P.name}){BLANK}(\()",
                    ("keyword", "name", "punctuation"),
                    r"(\))",
                    ("punctuation",),
                    (VALUES, COMMENT),
                ),
                Match(rf"{LIMIT}{BLANK}({P.value})", groups=("keyword", VALUES)),
                COMPANY,
                Match(r"\.", "punctuation"),
                VALUES,
                COMMENT,
            ),
        ),
        _statement("on", Include("reference"), named=False),
        _statement("context", named=False),
        Range(f"({P.name})", ("option",), STATEMENT_ENDS, inner=(VALUES, COMMENT)),
        BLOCK,
    ),
    "comment": (Match(r"#[^\n]*", "comment"),),
    "block": (Range(r"(\{)", ("punctuation",), r"(\})", ("punctuation",), (Include("statements"),)),),
    "spec": (
        Match(rf"{_word('bind', 'connect')}{BLANK}({P.place})", groups=("keyword", Include("place"))),
        Range("(,)", ("punctuation",), f"({P.place})", (Include("place"),), (COMMENT,)),
        Match(_word("same"), groups=("keyword",)),
        Match(
            rf"(secured){BLANKS}(by){BLANKS}({P.name})(?:{BLANKS}(as){BLANKS}({P.name}))?",
            groups=("keyword", "keyword", "name", "keyword", "name"),
        ),
        Match(rf"(as){BLANKS}({P.name})", groups=("keyword", "type")),
        Match(P.name, "type"),
    ),
    "place": (Include("endpoint"), STRING, INSERTION, Include("reference")),
    "values": (
        Match(rf"(file)(?={BLANK}\")", groups=("keyword",)),
        Range(rf"({P.name}){BLANK}(\()", ("name", "punctuation"), r"(\))", ("punctuation",), (VALUES, COMMENT)),
        Range("(,)", ("punctuation",), r"(?=[^\s#])", inner=(COMMENT,)),
        Include("endpoint"),
        STRING,
        Match(rf"(-?[0-9][0-9_]*)({'|'.join(UNITS)})(?![A-Za-z0-9_]|\.[A-Za-z0-9_])", groups=("number", "unit")),
        Match(P.number, "number"),
        INSERTION,
        Match(r"\*", "operator"),
        Match(rf"{_word('true', 'false')}(?!{BLANK}[.\[])", groups=("constant",)),
        Include("reference"),
    ),
    "reference": (Match(P.name, "name"), Match(r"\.", "punctuation"), BRACKET),
    "endpoint": (Match(f"({P.endpoint})", groups=(Include("address"),)),),
    "address": (Match(r"\$\$\{", "escape"), INSERTION, Match(r"[^$]+|\$", "endpoint")),
    "string": (
        Range(
            '(")',
            ("string",),
            '(")|$',
            ("string",),
            (
                Match(r"\\x[0-9A-Fa-f]{2}|\\[\\\"nt]|\$\$\{", "escape"),
                Match(r"\\[^\n]", "string"),
                INSERTION,
                Match(r"[^\"\\$\n]+|\$", "string"),
            ),
        ),
    ),
    "insertion": (Match(r"(\$\{)([^}\n]*)(\})", groups=("inserted", Include("arithmetic"), "inserted")),),
    "bracket": (Match(r"(\[)([^\]\n]*)(\])", groups=("punctuation", Include("arithmetic"), "punctuation")),),
    "arithmetic": (
        Match(r"[0-9][0-9_]*", "number"),
        Match(r"[A-Za-z_][A-Za-z0-9_]*", "variable"),
        Match(r"[-+*/%]", "operator"),
        Match(r"[():]", "punctuation"),
    ),
}
"""The rules, by name; a text begins with `statements`."""


def keywords() -> frozenset[str]:
    """Every word that is coloured as a keyword."""
    words: set[str] = set()

    def note(regex: str, groups: Sequence[Class]) -> None:
        for group, is_ in zip(re.finditer(r"\(([a-z|]+)\)", regex), groups, strict=False):
            if is_ == "keyword":
                words.update(group[1].split("|"))

    def look(rules: Sequence[Rule]) -> None:
        for rule in rules:
            if isinstance(rule, Match):
                note(rule.regex, rule.groups)
            elif isinstance(rule, Range):
                note(rule.begin, rule.begins)
                look(rule.inner)

    for rules in RULES.values():
        look(rules)
    return frozenset(words)


def textmate() -> dict[str, object]:
    """The table as a TextMate grammar."""
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "ztopo",
        "scopeName": "source.ztopo",
        "fileTypes": ["ztopo"],
        "patterns": [{"include": "#statements"}],
        "repository": {name: {"patterns": [_textmate(rule) for rule in rules]} for name, rules in RULES.items()},
    }


def _textmate(rule: Rule) -> dict[str, object]:
    match rule:
        case Include(name):
            return {"include": f"#{name}"}
        case Match(regex, is_, groups):
            named = {"name": f"{SCOPES[is_]}.ztopo"} if is_ else {}
            return {**named, "match": regex, **_captures("captures", groups)}
        case Range(begin, begins, end, ends, inner, _):
            patterns = {"patterns": [_textmate(each) for each in inner]} if inner else {}
            return {
                "begin": begin,
                **_captures("beginCaptures", begins),
                "end": end,
                **_captures("endCaptures", ends),
                **patterns,
            }


def _captures(key: str, groups: Sequence[Class]) -> dict[str, object]:
    found: dict[str, object] = {}
    for number, is_ in enumerate(groups, 1):
        if isinstance(is_, Include):
            found[str(number)] = {"patterns": [{"include": f"#{is_.name}"}]}
        else:
            found[str(number)] = {"name": f"{SCOPES[is_]}.ztopo"}
    return {key: found} if found else {}
