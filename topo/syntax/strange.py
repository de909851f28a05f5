"""The tokens of a wrong text: where none of the language begins, one of another type stands for what is there.

These types are in no rule, so the parser stumbles over them where they stand, and knows what it was reading. What each is
taken for while reading goes on is in the table, too.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters
from lark.lexer import LexerThread

from topo.syntax.trouble import SIGNS

__all__ = ["NOTHING", "instead", "is_strange", "made_up", "tokens"]

OPEN_TEXT = r'"(?:[^"\\\n]|\\[^\n])*\\?'
OPEN_BRACKET = r"\[(?:[ \t]*\w+[ \t]*:[ \t]*\d+|(?:[\w()%*/+-]|[ \t](?=[%*/+-])|(?<=[%*/+-])[ \t])*)"
QUOTED = r"""'[^'\n]*'|“[^”“"\n]*[”“"]|„[^“”"\n]*[“”"]|‘[^’\n]*’|«[^»\n]*»|['“”„‘’«»]"""
COMMENT = r"//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/|/\*[^\n]*|<!--[^\n]*|--(?=\s)[^\n]*"

STRANGE: dict[str, re.Pattern[str]] = {
    "TEXT_NOT_ENDED": re.compile(OPEN_TEXT),
    "BRACKET_NOT_ENDED": re.compile(OPEN_BRACKET),
    "INTERPOLATION_NOT_ENDED": re.compile(r"\$\{[^\s,;{}]*"),
    "DOLLAR": re.compile(r"\$\w*"),
    "OTHER_QUOTES": re.compile(QUOTED),
    "OTHER_COMMENT": re.compile(COMMENT),
    "ARROW": re.compile(r"[-~]*>|<[-=~]*>?"),
    "LETTERS": re.compile(r"[^\W\d_][\w-]*"),
    "BLANKS": re.compile(r"[^\S\n]+|[\u200b-\u200f\u2060\ufeff]+"),
    "SYMBOLS": re.compile(r"`{3}[^\n]*|([^\w\s])\1*|."),
}
"""What can stand where no token begins; the first that fits is meant."""

NOTHING = ("OTHER_COMMENT", "BLANKS")
"""Those that are passed over, whatever stands behind them."""

BRACE_BELOW = "BRACE_BELOW"
"""A `{` on a line of its own, with the ends of lines in front of it."""

STAND_INS = {
    "TEXT_NOT_ENDED": "STRING",
    "BRACKET_NOT_ENDED": "BRACKET",
    "INTERPOLATION_NOT_ENDED": "INTERPOLATION",
    "DOLLAR": "INTERPOLATION",
    "OTHER_QUOTES": "STRING",
    "LETTERS": "NAME",
    BRACE_BELOW: "LBRACE",
}
"""What is read instead; if that does not fit, or for the others, nothing."""

WRITTEN = {"NUMBER": "0", "STRING": '""', "BRACKET": "[0]", "INTERPOLATION": "${0}", "ENDPOINT": "inproc://"}
PLAIN = {"{": "LBRACE", "}": "RBRACE", "(": "LPAR", ")": "RPAR", ":": "COLON", ",": "COMMA", "=": "EQUALS", ".": "DOT", "*": "STAR", ";": "SEMICOLON"}  # fmt: skip


def tokens(text: str, parser: Lark) -> list[Token]:
    """All tokens of a text, strange ones among them."""
    lexer: Any = parser.parser.lexer  # its own, for `Lark.lex` makes a new one each time
    state: Any = LexerThread.from_text(lexer, text).state
    found: list[Token] = []
    while True:
        try:
            found.append(lexer.next_token(state, None))
        except UnexpectedCharacters as error:
            token = _strange(text, error.pos_in_stream or 0)
            state.line_ctr.feed(token, True)
            found.append(token)
        except EOFError:
            return _braces_below(found)


def _strange(text: str, at: int) -> Token:
    for kind, pattern in STRANGE.items():
        match = pattern.match(text, at)
        if match is not None:
            end = _end_of_text(text, at, match.end()) if kind == "TEXT_NOT_ENDED" else match.end()
            return Token(kind, text[at:end], at, end_pos=end)
    raise AssertionError("the last pattern fits anything but the end of a line, which is a token")


def _end_of_text(text: str, at: int, end: int) -> int:
    """Where a text that does not end is taken to end: before the brace that is more likely meant to close the block it stands in."""
    before = text[text.rfind("\n", 0, at) + 1 : at]
    brace = text.rfind("}", at, end)
    if brace >= 0 and before.count("{") > before.count("}"):
        return at + len(text[at:brace].rstrip())
    return at + len(text[at:end].rstrip())


def _braces_below(tokens: list[Token]) -> list[Token]:
    found: list[Token] = []
    for token in tokens:
        if token.type == "LBRACE" and found and found[-1].type == "NEWLINE":
            while found and found[-1].type == "NEWLINE":
                found.pop()
            token = Token.new_borrow_pos(BRACE_BELOW, token, token)
        found.append(token)
    return found


def is_strange(token: Token) -> bool:
    """Whether a token is none of the language's."""
    return token.type in STRANGE or token.type == BRACE_BELOW


def instead(token: Token) -> list[Token]:
    """What is read for a strange token, if it fits."""
    plain = PLAIN.get(unicodedata.normalize("NFKC", token)) if token.type == "SYMBOLS" else None
    kind = plain or STAND_INS.get(token.type)
    return [made_up(kind, token)] if kind else []


def made_up(kind: str, at: Token, *, in_front: bool = False) -> Token:
    """A token that is not in the text, for one that is, or in front of it."""
    start, end = at.start_pos or 0, (at.end_pos or 0) if not in_front else at.start_pos or 0
    text = WRITTEN.get(kind) or (kind.lower() if kind not in SIGNS else "_")
    return Token(kind, text, start, at.line, at.column, at.line, at.column, end)
