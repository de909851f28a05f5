"""What a text says, whatever it looks like: for the laws of the formatter.

Nothing of the formatter's own proof is used here, so that what one of them overlooks the other sees.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from topo.compile import compile
from topo.render import Style, model_json
from topo.source import Source, Span
from topo.syntax import tree
from topo.syntax.expression import ExpressionError
from topo.syntax.expression import parse as parse_expression
from topo.syntax.format import format
from topo.syntax.parse import parse, tokens
from topo.zeromq.kinds import KINDS
from topo.zeromq.libzmq import Libzmq

__all__ = ["USUAL", "assert_formatted", "comments", "formatted", "model", "without_places"]

USUAL = {kind.name: {"in": kind.in_type, "out": kind.out_type, "monitor": kind.monitor_type} for kind in KINDS.values()}
TYPES = {f"{kind}.{side}": type for kind, sides in USUAL.items() for side, type in sides.items() if type}


def formatted(text: str) -> str:
    """A right text in the one style."""
    result, said = format(Source(text), USUAL)
    assert said == []
    return result


def assert_formatted(text: str) -> str:
    """Format a right text, and see that the formatter does what it promises."""
    once = formatted(text)
    assert formatted(once) == once, "formatted again it is another"
    assert comments(once) == comments(text), "a comment is lost, or where another thing is"
    assert said_by(once) == said_by(text), "it says something else"
    assert model(once) == model(text), "it means something else"
    for line in once.split("\n"):
        assert line == line.rstrip(" \t"), "blanks at the end of a line"
    return once


def comments(text: str) -> list[tuple[str, int]]:
    """All comments in their order, each with the number of marks in front of it that no formatter adds or leaves out."""
    return list(_comments(text))


def _comments(text: str) -> Iterator[tuple[str, int]]:
    marks = 0
    for token in tokens(Source(text)):
        if token.type == "COMMENT":
            yield token.rstrip(), marks
        elif token.type == "COMMA":
            marks += 1
            yield from ((comment.rstrip(), marks) for comment in re.findall(r"#[^\n]*", str(token)))
        else:
            marks += token.type not in ("NAME", "NEWLINE", "SEMICOLON")


def said_by(text: str) -> Any:
    """The tree of a text, without places; the types that go without saying are said, and of quotes only the content counts."""
    file, said = parse(Source(text))
    assert said == []
    return _plain(file.statements, "")


def _plain(node: Any, kind: str) -> Any:
    match node:
        case Span():
            return "place"
        case tree.Device():
            kind = node.kind.text
        case tree.Side(side=tree.Name(text=side), spec=spec) if not any(isinstance(c, tree.Same) for c in spec.clauses):
            named = spec.type.text if spec.type else TYPES.get(f"{kind}.{side}")
            return ["side", side, named, *(_plain(part, kind) for part in (spec.program, spec.clauses, node.block))]
        case tree.Bind(places=places) | tree.Connect(places=places):
            return [type(node).__name__, [_place(p) for p in places]]
        case tree.Param(type=tree.Name(text="endpoint"), default=tree.Text() | tree.EndpointText() as default):
            return ["param", node.name.text, _place(default), node.doc]
        case tree.EndpointText(text=text):
            return ["endpoint", _insertions(text)]
        case tree.Bracket(text=text) | tree.Interpolation(text=text):
            return [type(node).__name__, _expression(text)]
        case tuple():
            return [_plain(inner, kind) for inner in node]
        case _:
            pass
    if isinstance(node, msgspec.Struct):
        return [type(node).__name__, *(_plain(getattr(node, name), kind) for name in node.__struct_fields__)]
    return node


def _place(place: tree.Place) -> Any:
    match place:
        case tree.EndpointText(text=text) | tree.Text(raw=text) if "\\" not in text:
            return ["text", _insertions(text)]
    return _plain(place, "")


def _insertions(text: str) -> list[Any]:
    """A text, with what is inserted into it read."""
    pieces = re.split(r"(\$\$\{|\$\{[^}\n]*\})", text)
    return [_expression(p[2:-1]) if p.startswith("${") else p for p in pieces]


def _expression(text: str) -> Any:
    try:
        return parse_expression(text)
    except ExpressionError:
        return text


def model(text: str) -> Any:
    """What a text means: the codes of its findings, and its model without places."""
    compilation = compile(Source(text), libzmq=Libzmq())
    codes = [d.code for d in compilation.diagnostics]
    if "ZT109" in codes and len(compilation.graph.model.components) > 1000:
        return codes
    return codes, without_places(json.loads(model_json.render(compilation.graph, Style())))


def without_places(value: Any) -> Any:
    """A document of `show --format json` without everything that says where."""
    if isinstance(value, list):
        return [without_places(v) for v in value]
    if isinstance(value, dict):
        return {k: without_places(v) for k, v in value.items() if k != "place" and not k.endswith("_place")}
    return value
