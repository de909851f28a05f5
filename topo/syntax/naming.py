"""What a syntax error is called: from what was found and what could have stood there, to a finding."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lark import Token

from topo.diagnostic import Diagnostic, Edit, Fix, Label, did_you_mean
from topo.source import Source, Span
from topo.syntax import mistakes

__all__ = ["WORDS", "unexpected", "unexpected_character", "unexpected_end"]

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
"""What every terminal is called that is no keyword; a keyword is what it is called."""
STATEMENTS = ("param", "device", "process", "app", "use", "host", "security", "options", "topology")
ITEMS = ("in", "out", "monitor", "control", "socket", "run", "restart", "on", "context", "with", "device", "app")


CLAUSES = ("bind", "connect")


def unexpected(source: Source, token: Token, accepted: set[str], before: Sequence[Token] = ()) -> Diagnostic:
    """A token that cannot stand where it does, while those of `accepted` could.

    `before` are tokens of the statement in front of it that may be the real mistake: a keyword with a slip is a name.
    """
    for name in before:
        near = _near(str(name), (*CLAUSES, *ITEMS)) if name.type == "NAME" else ()
        if near:
            place = Span(source, name.start_pos or 0, name.end_pos or 0)
            return mistakes.syntax_error(place, f"`{name}` means nothing here", near)
    span = Span(source, token.start_pos or 0, token.end_pos or 0)
    if token.type == "NEWLINE":
        span = Span(source, span.start, span.start)
    message = f"expected {_expected(accepted)}, found {_found(token)}"
    if {"THREAD", "INSIDE", "STRING"} <= accepted and "NAME" not in accepted:
        return mistakes.syntax_error(span, message, ("a command stands in quotes",), fix=_quoted(source, span))
    return mistakes.syntax_error(span, message, _hints(token, accepted, source))


def _quoted(source: Source, span: Span) -> Fix | None:
    """Quotes around the rest of the statement, if that can be one text."""
    command = re.split(r"[;}\n]", source.text[span.start :], maxsplit=1)[0].rstrip()
    if not command or set(command) & set('"\\${'):
        return None
    return Fix("put it in quotes", (Edit(Span(source, span.start, span.start + len(command)), f'"{command}"'),))


def _near(word: str, known: Sequence[str]) -> tuple[str, ...]:
    """What a word may be meant for: what it is short for, or what is written nearly so."""
    longer = [k for k in known if len(word) > 2 and k.startswith(word)]
    return did_you_mean(word, known) if len(longer) != 1 else (f"did you mean `{longer[0]}`?",)


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
    if {"by", "thread", "max"} <= keywords and "NUMBER" in accepted:
        return "a value"
    if {"by", "thread", "max"} <= keywords and "ENDPOINT" in accepted:
        return "an endpoint or a name"
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
    before = source.text[source.text.rfind("\n", 0, token.start_pos or 0) + 1 : token.start_pos or 0]
    if (hint := _habit(token, accepted, before)) is not None:
        return (hint,)
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


def _habit(token: Token, accepted: set[str], before: str) -> str | None:
    """What is written so elsewhere, and how it is written here; `before` is the line in front of it."""
    value, place = "NUMBER" in accepted, "ENDPOINT" in accepted
    if token.type in ("EQUALS", "COLON") and (value or "BIND" in accepted):
        return f"no `{token}` stands here: " + ("`linger 0`" if value else "`in ROUTER bind tcp://127.0.0.1:5555`")
    if token.type == "DOT" and "BIND" in accepted and before.endswith("zmq"):
        return "socket types have no `zmq.` in front: `ROUTER`"
    if token.type == "NUMBER" and place and not value:
        return "an endpoint has a transport: tcp://127.0.0.1:5555"
    if token.type == "LBRACE" and place:
        return "a param is inserted as ${name}"
    if {"COMMA", "LPAR", "NEWLINE"} <= accepted and re.search(r",\s*[A-Za-z_]\w*\s*$", before):
        return "options are separated by `;`, the values of one by `,`"
    return None


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
    if source.text.startswith("//", at):
        return mistakes.syntax_error(Span(source, at, at + 2), "`//` means nothing here", ("comments begin with `#`",))
    if character == "`":
        end = at + len(source.text[at:]) - len(source.text[at:].lstrip("`"))
        return mistakes.syntax_error(Span(source, at, end), "a backtick means nothing here")
    shown = f"`{character}`" if character.isprintable() else f"the character U+{ord(character):04X}"
    hints = {
        "'": "texts stand in double quotes",
        "/": "comments begin with `#`; an endpoint looks like tcp://127.0.0.1:5555",
        "$": "a param is inserted as ${name}",
        **dict.fromkeys("“”„‘’«»", 'texts stand in straight double quotes: `"`'),
    }
    notes = (hints[character],) if character in hints else ()
    return mistakes.syntax_error(span, f"{shown} means nothing here", notes)
