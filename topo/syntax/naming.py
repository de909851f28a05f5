"""What a syntax error is called. That is learned from examples.

The wrong examples of each finding in `topo/syntax/slips.py` are read, and wherever the parser gets stuck, its state and the type of
the token are noted with that finding. When it gets stuck in a text of somebody else, those findings are asked that were noted for the same
state and type or, unless it is a word or the end of a line, for the same type anywhere. The first that knows what to say, says it.
For what no example has there is ZT001: what was found, and what would have fitted.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from topo.diagnostic import Diagnostic, Finding
from topo.syntax import slips
from topo.syntax.mistakes import syntax_error
from topo.syntax.strange import NOTHING
from topo.syntax.trouble import SIGNS, Trouble

__all__ = ["Learned", "Slip", "examples", "name", "slips_by_code"]

Slip = Callable[[Trouble], "Diagnostic | None"]
Key = tuple[object, ...]
Learned = dict[Key, set[str]]
"""What is learned: the codes of what may be meant, by what the parser is stuck at."""

WORDS = {
    "SEMICOLON": "`;`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "EQUALS": "`=`",
    "DOT": "`.`",
    "STAR": "`*`",
    "BRACKET": "`[...]`",
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a text in quotes",
    "ENDPOINT": "an endpoint",
    "INTERPOLATION": "`${...}`",
    "NEWLINE": "the end of the line",
    "$END": "the end of the file",
}

FENCED = re.compile(r"^```ztopo (?P<code>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def slips_by_code() -> dict[str, Slip]:
    """What there is to be learned, in the order in which it is asked."""
    return {f.finding.code: f for f in vars(slips).values() if hasattr(f, "finding")}


def examples(finding: Finding) -> Iterator[str]:
    """The wrong examples of a finding, each as a text by itself and as the rest of one."""
    explanation = textwrap.dedent(finding.explanation.partition("\n")[2])
    for match in FENCED.finditer(explanation):
        yield from (match["text"], f"ztopo 1\n{match['text']}")


def learn(stuck: Callable[[str], Iterable[Trouble]]) -> Learned:
    """Read all examples; `stuck` reads one, and returns where the parser gets stuck."""
    learned: Learned = {}
    for code, slip in slips_by_code().items():
        for text in examples(slip.finding):  # type: ignore[attr-defined]  # a mark of `finding`
            for trouble in stuck(text):
                for key in _keys(trouble):
                    learned.setdefault(key, set()).add(code)
    return learned


def _keys(trouble: Trouble) -> list[Key]:
    """What a mistake is known by, the most telling first."""
    kind = "NAME" if trouble.is_word else "NEWLINE" if trouble.token.type in ("SEMICOLON", "$END") else trouble.token.type
    state = trouble.state if trouble.before else ("at the beginning", bool(trouble.opened))
    before = trouble.before[-2:-1]
    if before and before[0].type == "COMMA" and "\n" in before[0] and trouble.token.type not in NOTHING:
        return [("behind the first word of a line that goes on",), (state, kind)]
    return [(state, kind), *([] if trouble.is_word or trouble.token.type == "NEWLINE" else [(trouble.token.type,)])]


def name(trouble: Trouble, learned: Learned) -> Diagnostic:
    """What there is to say about a token that does not fit."""
    for key in _keys(trouble):
        meant = learned.get(key, set())
        for code, slip in slips_by_code().items():
            if code in meant and (said := slip(trouble)) is not None:
                return said
    if trouble.token.type == "$END":
        return syntax_error(
            trouble.place(trouble.last) if trouble.last else trouble.span, "the text ends in the middle of a statement"
        )
    return syntax_error(trouble.span, f"expected {expected(trouble.accepted)}, found {_found(trouble)}")


def _found(trouble: Trouble) -> str:
    if trouble.token.type == "NEWLINE":
        return "the end of the line"
    shown = str(trouble.token)
    return f"`{shown if len(shown) <= 40 else shown[:37] + '...'}`"


def expected(accepted: frozenset[str]) -> str:
    """What would have fitted, in words."""
    keywords = {t.lower() for t in accepted if t not in SIGNS}
    if {"by", "thread", "max"} <= keywords:  # wherever a name may stand, so may every keyword
        return "a value" if "NUMBER" in accepted else "an endpoint or a name" if "ENDPOINT" in accepted else "a name"
    if keywords >= set(slips.ITEMS):
        return "a statement or `}`" if "RBRACE" in accepted else "a statement"
    if keywords >= set(slips.STATEMENTS) and "NAME" not in accepted:
        return "a declaration"
    if {"bind", "connect"} <= keywords:
        return "`bind`, `connect` or the end of the line" if "NEWLINE" in accepted else "`bind` or `connect`"
    words = [WORDS[t] for t in WORDS if t in accepted and not (t in ("SEMICOLON", "$END") and "NEWLINE" in accepted)]
    alternatives = [*(f"`{k}`" for k in sorted(keywords)), *words]
    if len(alternatives) > 6:
        alternatives = [*alternatives[:5], "something else that may follow here"]
    return alternatives[0] if len(alternatives) == 1 else ", ".join(alternatives[:-1]) + " or " + alternatives[-1]
