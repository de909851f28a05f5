"""What each character of a text is, as the parser sees it: for the tests of what editors colour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from lark import Lark, Token, Tree

from topo.syntax.grammar import text as grammar_text

__all__ = ["classes"]

DECLARING = {"topology", "param", "device", "process", "app", "use", "host", "security", "option_set", "socket"}
SECOND_IS_KIND = {"param", "device", "security"}
PUNCTUATION = {"COLON", "LBRACE", "RBRACE", "LPAR", "RPAR", "SEMICOLON", "DOT"}
UNIT = re.compile(r"(-?[0-9][0-9_]*)(ms|s|m|h|B|KiB|MiB|GiB)", re.ASCII)
STRING_PIECES = re.compile(r"\$\$\{|(\$\{[^}\n]*\})|(\\(?:x[0-9A-Fa-f]{2}|[\\\"nt]))|\\.|[^\\$]+|\$", re.DOTALL)
ARITHMETIC = re.compile(r"([0-9][0-9_]*)|([A-Za-z_][A-Za-z0-9_]*)|([-+*/%])|([():])|.", re.DOTALL)

Found = Iterator[tuple[int, int, str]]
"""Where something begins and ends, and what it is."""


@lru_cache(maxsize=1)
def _parser() -> tuple[Lark, list[Token]]:
    comments: list[Token] = []

    def note(token: Token) -> Token:
        comments.append(token)
        return token

    parser = Lark(
        grammar_text("ztopo.lark").replace("_sep", "sep"),
        parser="lalr",
        lexer="basic",
        maybe_placeholders=False,
        keep_all_tokens=True,
        lexer_callbacks={"COMMENT": note},
    )
    return parser, comments


def classes(text: str) -> list[str]:
    """For each character of a right text what it is; blanks, and what is wrong in arithmetic, are nothing."""
    parser, comments = _parser()
    comments.clear()
    found = ["" for _ in text]
    tree = parser.parse(text)
    for start, end, is_ in (*_tree(tree, "", 0), *(c for comment in comments for c in _comment(comment, text))):
        found[start:end] = [is_] * (end - start)
    return [
        "" if character.isspace() and found[at] not in ("comment", "doc", "string") else found[at]
        for at, character in enumerate(text)
    ]


def _comment(token: Token, text: str) -> Found:
    before = text[text.rfind("\n", 0, token.start_pos or 0) + 1 : token.start_pos]
    doc = token.startswith("##") and not before.strip(" \t\r\f;")
    yield token.start_pos or 0, token.end_pos or 0, "doc" if doc else "comment"


def _tree(tree: Tree[Token], parent: str, number: int) -> Found:
    """The classes of a tree that is the child `number` of its kind of a rule `parent`."""
    rule = str(tree.data)
    seen: dict[str, int] = {}
    for child in tree.children:
        kind = str(child.data) if isinstance(child, Tree) else child.type
        at = seen.get(kind, 0)
        seen[kind] = at + 1
        if isinstance(child, Tree):
            yield from _tree(child, rule, at)
        elif rule == "any_name":
            yield child.start_pos or 0, child.end_pos or 0, _named(parent, number, child)
        else:
            yield from _token(child, rule)
    if rule == "reference":
        yield from _constant(tree)


def _named(parent: str, number: int, token: Token) -> str:
    if parent in SECOND_IS_KIND and number == 1:
        return "kind"
    return "declared" if parent in DECLARING else "name"


def _constant(tree: Tree[Token]) -> Found:
    """`true` and `false`, where they are all of a reference."""
    tokens = list(tree.scan_values(lambda t: isinstance(t, Token)))
    if len(tokens) == 1 and tokens[0] in ("true", "false"):
        yield tokens[0].start_pos or 0, tokens[0].end_pos or 0, "constant"


def _token(token: Token, rule: str) -> Found:
    start, end = token.start_pos or 0, token.end_pos or 0
    match token.type:
        case "NAME":
            yield start, end, "type" if rule == "socket_spec" else "option"
        case "NUMBER":
            unit = UNIT.fullmatch(token) if rule != "version" else None
            yield start, start + unit.end(1) if unit else end, "number"
            if unit:
                yield start + unit.end(1), end, "unit"
        case "STRING":
            yield start, end, "string"
            yield from _pieces(token[1:-1], start + 1, "string")
        case "ENDPOINT":
            yield from _pieces(token, start, "endpoint")
        case "INTERPOLATION":
            yield from _pieces(token, start, "")
        case "BRACKET":
            yield start, end, "punctuation"
            yield from _arithmetic(token[1:-1], start + 1)
        case "COMMA":
            yield start, start + 1, "punctuation"
            for comment in re.finditer(r"#[^\n]*", token):
                yield start + comment.start(), start + comment.end(), "comment"
        case "EQUALS" | "STAR":
            yield start, end, "operator"
        case "NEWLINE":
            pass
        case kind if kind in PUNCTUATION:
            yield start, end, "punctuation"
        case _:
            yield start, end, "keyword"


def _pieces(text: str, at: int, is_: str) -> Found:
    """A text with what is inserted into it."""
    for piece in STRING_PIECES.finditer(text):
        start, end = at + piece.start(), at + piece.end()
        if piece[1]:
            yield start, start + 2, "inserted"
            yield from _arithmetic(piece[1][2:-1], start + 2)
            yield end - 1, end, "inserted"
        elif piece[0] == "$${" or (piece[2] and is_ == "string"):
            yield start, end, "escape"
        else:
            yield start, end, is_


def _arithmetic(text: str, at: int) -> Found:
    for piece in ARITHMETIC.finditer(text):
        is_ = ("number", "variable", "operator", "punctuation", "")[(piece.lastindex or 5) - 1]
        yield at + piece.start(), at + piece.end(), is_
