"""Texts of the whole grammar, in any layout: what may be written, with no thought of what it means.

The generator walks the compiled grammar, so each rule of `grammar/ztopo.lark` is written, a new one without a change here; a
new terminal needs examples in `EXAMPLES`. `laid_out` writes tokens as an odd hand would: comments and empty lines wherever a
line may end, `;`, lines that end with commas, tabs, no blanks where none is needed. It does so with the tokens of any text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from random import Random

import lark
from lark.grammar import NonTerminal, Rule, Symbol, Terminal
from lark.lexer import PatternStr

from topo.source import Source
from topo.syntax.grammar import text as grammar_text
from topo.syntax.parse import tokens
from topo.zeromq.kinds import KINDS
from topo.zeromq.options import OPTIONS
from topo.zeromq.sockets import SOCKETS

__all__ = ["Written", "grammar_rules", "laid_out", "relaid", "whole_text", "whole_tokens"]

Written = tuple[str, str]
"""A token: the name of its terminal, and its text."""

EXAMPLES: Mapping[str, Sequence[str]] = {
    "NAME": "a b broker feed x-1 y_2 Z index others env _ back-end-2".split(),
    "NUMBER": "0 1 -1 2 5555 10_000 250ms 5s 64KiB 1.5s 5min 1.2.3 0x1F".split(),
    "STRING": [
        '""', '"a"', '"a b"', '"in"', '"tcp://*:5555"', '"tcp://*:${port+1}"', '"ipc://a b"', '"ipc://a,b"', '"ipc://a{b}"', '"ipc://a;"',
        '"ipc://a;b#c"', '"ipc://"', r'"\""', r'"\x00\\${port}"', '"$${HOME}"', '"ipc://$${a b}"', '"ipc://$$${a}"', '"# no comment"', '"日本"',
        '"python x.py --a=1; true"', r'"ipc://\x41"', '"${ a + 1 }"', '"tab\there"', '"://"', '"ipc://${a}${ b - 1}"',
    ],
    "ENDPOINT": [
        "tcp://*:5555", "tcp://127.0.0.1:${port}", "tcp://*:${ port+index *2 }", "tcp://0.0.0.0:0;10.0.0.1:9701", "ipc://a#b", "ipc://@x", "x://",
        "inproc://a-${index}", "tcp://[::1]:5555", "udp://a(b)", 'ipc://a"b', "ipc://$a", "ipc://$${a b}", "ipc://${1 2}", "a+b.c-d://é", "ipc://a;;b",
    ],
    "INTERPOLATION": ["${port}", "${ port + 1 }", "${(a+1)*-2}", "${}", "${1 +}", "${a b}", "${index%2}", "${- - a}", "${" + "1+" * 99 + "1}"],
    "BRACKET": ["[3]", "[*]", "[ * ]", "[i: 3]", "[i:n+1]", "[others]", "[(index+1)%4]", "[ index - 1 ]", "[]", "[1 2]", "[a b]", "[-1]", "[\t0 ]"],
}  # fmt: skip
"""What stands for each terminal that is not one word."""

LIKELY: Mapping[tuple[str, str, int], Sequence[str]] = {
    ("device", "any_name", 1): list(KINDS),
    ("socket_spec", "NAME", 0): list(SOCKETS),
    ("socket_spec", "NAME", 1): list(SOCKETS),
    ("option", "NAME", 0): [*OPTIONS, "hwm", "prefix"],
    ("param", "any_name", 1): "int port text duration size bool endpoint list socket".split(),
    ("call", "any_name", 0): ["env"],
    ("version", "NUMBER", 0): ["1"],
}
"""What mostly stands in a rule for which of its symbols of one name: then some texts mean something, too."""

COMMENTS = [
    '# ztopo: allow ZT302 "a reason"',
    '# ztopo: allow ZT110 "another"',
    "#",
    "##",
    "# a",
    "## Doc.",
    "###",
    "#!{ } [ ; ",
    '# "',
    "# tcp://*:5555, ",
    "#\tüber\t",
    "## 日本",
    "# trailing  \t",
]
BLANKS = [" ", " ", " ", "  ", "\t", " \t ", "\f", "\r"]
WORDS = ("NAME", "NUMBER", "ENDPOINT")
LINE_ENDS = ["\n", "\n", "\n", "\r\n", "\n\n", "\n \n\t\n"]


@lru_cache(maxsize=1)
def grammar_rules() -> tuple[Mapping[str, Sequence[Rule]], Mapping[str, str]]:
    """The ways to write each symbol of the grammar, and the words that are terminals by themselves."""
    compiled = lark.Lark(grammar_text("ztopo.lark"), parser="lalr", lexer="basic", maybe_placeholders=True)
    ways: dict[str, list[Rule]] = {}
    for rule in compiled.rules:
        ways.setdefault(str(rule.origin.name), []).append(rule)
    fixed = {str(t.name): str(t.pattern.value) for t in compiled.terminals if isinstance(t.pattern, PatternStr)}
    return ways, {**fixed, "NEWLINE": "\n", "COMMA": ","}


@lru_cache(maxsize=1)
def _heights() -> Mapping[Rule, int]:
    """How deep each way to write something is at least: the ways that lead to an end."""
    ways, _ = grammar_rules()
    rules = [rule for each in ways.values() for rule in each]
    low: dict[str, int] = {}
    heights: dict[Rule, int] = {}
    while len(heights) < len(rules):
        for rule in rules:
            inner = [0 if isinstance(s, Terminal) else low.get(str(s.name), -1) for s in rule.expansion]
            if -1 not in inner:
                heights[rule] = 1 + max(inner, default=0)
                low.setdefault(str(rule.origin.name), heights[rule])
    return heights


class _Writer:
    """Writes one text, as tokens. `budget` is how many it may have before it comes to an end."""

    def __init__(self, random: Random, budget: int) -> None:
        self.random = random
        self.budget = budget
        self.ways, self.fixed = grammar_rules()
        self.blocks = 0
        self.used: set[Rule] = set()

    def write(self, symbol: Symbol, where: tuple[str, str, int]) -> Iterator[Written]:
        """The tokens of a symbol; `where` is the rule, the symbol, and how many of its name stand before it there."""
        if isinstance(symbol, Terminal):
            self.budget -= 1
            yield self._terminal(str(symbol.name), where)
            return
        if where in LIKELY and self.random.random() < 0.9:
            yield "NAME", self.random.choice(LIKELY[where])
            return
        self.blocks += symbol.name == "block"
        rule = self._way(str(symbol.name))
        self.used.add(rule)
        seen: dict[str, int] = {}
        for inner in rule.expansion:
            name = str(inner.name)
            yield from self.write(inner, (str(rule.origin.name), name, seen.get(name, 0)))
            seen[name] = seen.get(name, 0) + 1
        self.blocks -= symbol.name == "block"

    def _terminal(self, name: str, where: tuple[str, str, int]) -> Written:
        if name in self.fixed:
            return name, self.fixed[name]
        if where in LIKELY and self.random.random() < 0.9:
            return name, self.random.choice(LIKELY[where])
        return name, self.random.choice(EXAMPLES[name])

    def _way(self, name: str) -> Rule:
        rules = self.ways[name]
        if name == "any_name" and self.random.random() < 0.6:
            return rules[0]
        if self.budget <= 0 or self.blocks > 5:
            heights = _heights()
            least = min(heights[r] for r in rules)
            rules = [r for r in rules if heights[r] == least]
        longer = [r for r in rules if "_star_" in name and len(r.expansion) > 1 and r.expansion[0].name == name]
        return self.random.choice(longer) if longer and self.random.random() < 0.6 else self.random.choice(rules)


def whole_tokens(random: Random, budget: int = 80) -> tuple[list[Written], set[Rule]]:
    """The tokens of a text that the grammar allows, and the rules that it is written by."""
    writer = _Writer(random, budget)
    found = [("ZTOPO", "ztopo"), ("NUMBER", "1"), ("NEWLINE", "\n"), *writer.write(NonTerminal("start"), ("", "", 0))]
    return found, writer.used


def whole_text(random: Random) -> str:
    """A text that the grammar allows, in any layout."""
    return laid_out(random, whole_tokens(random, random.choice([5, 30, 80, 200]))[0])


def relaid(random: Random, text: str) -> str:
    """A right text in another layout: of its comments only those within a statement are left."""
    return laid_out(random, [(t.type, "," if t.type == "COMMA" else str(t)) for t in tokens(Source(text)) if t.type != "COMMENT"])


def laid_out(random: Random, all_tokens: Iterable[Written]) -> str:
    """Tokens as a text, with blanks, comments and line ends wherever some may be."""
    out: list[str] = []
    before = ""
    for kind, text in all_tokens:
        between = "".join(random.choice(BLANKS) for _ in range(random.choice([0, 1, 1, 1, 2])))
        if not between and _needs_blank(before, kind):
            between = " "
        if kind == "NEWLINE":
            out.append(between + _line_end(random) if before != "ENDPOINT" else f" {_line_end(random)}")
        elif kind == "SEMICOLON":
            out.append(f"{between}; ")
        elif kind == "COMMA":
            out.append(("" if before == "ENDPOINT" else between) + "," + "".join(_line_ends_there(random)))
        else:
            out.append(between + text)
        before = kind
    return "".join(out)


def _needs_blank(before: str, kind: str) -> bool:
    """Whether two tokens would be one, or others, without a blank between them."""
    if before == "ENDPOINT":
        return kind not in ("LBRACE", "RBRACE")
    word = before in WORDS or (before.isalpha() and before.lower() == grammar_rules()[1].get(before, ""))
    follows = kind in WORDS or (kind.isalpha() and kind.lower() == grammar_rules()[1].get(kind, ""))
    return word and follows


def _line_end(random: Random) -> str:
    comment = random.choice(COMMENTS) if random.random() < 0.3 else ""
    end = random.choice(LINE_ENDS)
    if random.random() < 0.15:
        end = "; " + end
    if random.random() < 0.15:
        end += "".join(
            f"{random.choice(['', '  ', chr(9)])}{random.choice(COMMENTS)}\n" for _ in range(random.choice([1, 1, 2, 3]))
        )
    return comment + (end if not comment.strip() or not end.startswith(";") else end[2:])


def _line_ends_there(random: Random) -> Iterator[str]:
    """What may stand behind a comma."""
    while random.random() < 0.2:
        yield random.choice(["", " ", "\t", "\r", "\f"]) + (random.choice(COMMENTS) if random.random() < 0.4 else "") + "\n"
