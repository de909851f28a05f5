"""What a syntax error is called: from what was found and what could have stood there, to a finding."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token

from topo.diagnostic import Diagnostic, Label, did_you_mean
from topo.source import Source, Span
from topo.syntax import mistakes

__all__ = ["unexpected", "unexpected_character", "unexpected_end"]

WORDS = {
    "NEWLINE": "the end of the line",
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
    "$END": "the end of the file",
}
STATEMENTS = ("param", "device", "process", "app", "use", "host", "security", "options", "topology")
ITEMS = ("in", "out", "monitor", "control", "socket", "run", "restart", "on", "context", "with", "device", "app")


CLAUSES = ("bind", "connect")


def unexpected(source: Source, token: Token, accepted: set[str], before: Sequence[Token] = ()) -> Diagnostic:
    """A token that cannot stand where it does, while those of `accepted` could.

    `before` are tokens of the statement in front of it that may be the real mistake: a keyword with a slip is a name.
    """
    for name in before:
        near = did_you_mean(str(name), (*CLAUSES, *ITEMS)) if name.type == "NAME" else ()
        if near:
            place = Span(source, name.start_pos or 0, name.end_pos or 0)
            return mistakes.syntax_error(place, f"`{name}` means nothing here", near)
    span = Span(source, token.start_pos or 0, token.end_pos or 0)
    if token.type == "NEWLINE":
        span = Span(source, span.start, span.start)
    return mistakes.syntax_error(span, f"expected {_expected(accepted)}, found {_found(token)}", _hints(token, accepted, source))


def unexpected_end(source: Source, opened: Token | None) -> Diagnostic:
    """A text that ends too early; `opened` is the innermost brace that is not closed."""
    end = len(source.text.rstrip())
    span = Span(source, max(end - 1, 0), end)
    if opened is None:
        return mistakes.syntax_error(span, "the text ends in the middle of a statement")
    place = Span(source, opened.start_pos or 0, opened.end_pos or 0)
    return mistakes.syntax_error(span, "the text ends before a block does", related=(Label(place, "this `{` is never closed"),))


def _found(token: Token) -> str:
    if token.type == "NEWLINE":
        return "the end of the line"
    shown = str(token) if len(token) <= 40 else f"{token[:37]}..."
    return f"`{shown}`"


def _expected(accepted: set[str]) -> str:
    keywords = {t.lower() for t in accepted if t not in WORDS}
    if {"by", "thread", "max"} <= keywords:
        return "a name"  # wherever a name may stand, so may every keyword
    if keywords >= set(ITEMS):
        return "a statement" if "RBRACE" not in accepted else "a statement or `}`"
    if keywords >= set(STATEMENTS) and "NAME" not in accepted:
        return "a declaration"
    if {"bind", "connect"} <= keywords:
        return "`bind`, `connect` or the end of the line" if "NEWLINE" in accepted else "`bind` or `connect`"
    words = [WORDS[t] for t in WORDS if t in accepted]
    if "NEWLINE" in accepted and "SEMICOLON" in accepted:
        words.remove(WORDS["SEMICOLON"])
    alternatives = [f"`{k}`" for k in sorted(keywords)] + words
    if len(alternatives) > 6:
        alternatives = [*alternatives[:5], "something else that may follow here"]
    return alternatives[0] if len(alternatives) == 1 else ", ".join(alternatives[:-1]) + " or " + alternatives[-1]


def _hints(token: Token, accepted: set[str], source: Source) -> tuple[str, ...]:
    if token.type == "NEWLINE" and "LBRACE" in accepted and "NEWLINE" not in accepted:
        return ("a `{` stands on the line that it belongs to",)
    if token.type == "LBRACE" and (token.column or 1) > 0 and not source.line(token.line or 1)[: (token.column or 1) - 1].strip():
        return ("a `{` stands on the line that it belongs to",)
    if token.type == "NAME" and {"DEVICE", "APP"} <= accepted:
        words = ITEMS if "SOCKET" in accepted else STATEMENTS
        return did_you_mean(str(token), words) or ("known are " + ", ".join(words),)
    if token.type == "COLON" and "NEWLINE" not in accepted:
        return ()
    if "COLON" in accepted and token.type == "NAME":
        return (f"a `:` stands between the name and what it is: `: {token}`",)
    return ()


def unexpected_character(source: Source, at: int) -> Diagnostic:
    """A character that no token begins with."""
    character = source.text[at]
    span = Span(source, at, at + 1)
    if character == '"':
        line_end = source.text.find("\n", at)
        return mistakes.syntax_error(
            Span(source, at, line_end if line_end >= 0 else len(source.text)), "a text that does not end on its line"
        )
    if character == "[":
        return mistakes.syntax_error(span, "a `[` that is not closed on its line")
    if source.text.startswith("${", at):
        return mistakes.syntax_error(Span(source, at, at + 2), "a `${` that is not closed on its line")
    shown = f"`{character}`" if character.isprintable() else f"the character U+{ord(character):04X}"
    hints = {"'": "texts stand in double quotes", "/": "comments begin with `#`; an endpoint looks like tcp://127.0.0.1:5555"}
    notes = (hints[character],) if character in hints else ()
    return mistakes.syntax_error(span, f"{shown} means nothing here", notes)
