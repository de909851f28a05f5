"""Where in a Python program a call of one of our methods stands, and each of its arguments.

The interpreter knows from where to where the call stands that a frame is about; the arguments are found in it as `ast` reads it.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import takewhile
from types import CodeType, FrameType

import msgspec

from topo.source import Source, Span

__all__ = ["Call", "Calls", "line_at"]

Positions = tuple[int | None, int | None, int | None, int | None]


class Call(msgspec.Struct, frozen=True):
    """A call: the name of what is called, and its arguments by the names of their parameters."""

    function: Span
    arguments: dict[str, tuple[Span, ...]]

    def place(self, word: str, argument: str) -> Span:
        """Where the argument says `word`; all of it, if it is a variable; the function, if it is not given."""
        spans = self.arguments.get(argument, (self.function,))
        return next((found for span in spans if (found := _word(span, word)) is not None), spans[0])


def line_at(source: Source, number: int, word: str) -> Span:
    """The first place in a line where `word` stands, or all of the line: what is known where there are no calls to be found."""
    line = source.line(number)
    start = source.starts[number - 1]
    span = Span(source, start + len(line) - len(line.lstrip()), start + len(line.rstrip()))
    return _word(span, word) or span


class Calls:
    """The calls of a program, each read once. Code is known by its id: to compare it takes as long as it is."""

    def __init__(self) -> None:
        self._codes: dict[int, tuple[CodeType, list[Positions]]] = {}
        """Each with itself, so that no other gets its id."""
        self._calls: dict[tuple[int, int, int], Call | None] = {}

    def at(self, frame: FrameType, called: CodeType, source: Source) -> Call | None:
        """The call of `called`, a method, that a frame is about, if the program's text tells."""
        key = (id(frame.f_code), frame.f_lasti, id(called))
        if key not in self._calls:
            if key[0] not in self._codes:
                self._codes[key[0]] = (frame.f_code, list(frame.f_code.co_positions()))
            self._calls[key] = _read(self._codes[key[0]][1][frame.f_lasti // 2], called, source)
        return self._calls[key]


def _read(positions: Positions, called: CodeType, source: Source) -> Call | None:
    first, last, left, right = positions
    if first is None or last is None or left is None or right is None or last > len(source.starts):
        return None
    start, end = _offset(source, first, left), _offset(source, last, right)
    text = Source(f"({source.text[start:end]})")
    try:
        call = ast.parse(text.text, mode="eval").body
    except (SyntaxError, ValueError):  # the file is not what it was, or the call is one without parentheses
        return None
    if not isinstance(call, ast.Call):
        return None

    def span(node: ast.expr | ast.keyword) -> Span:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        before = start - 1
        return Span(
            source,
            before + _offset(text, node.lineno, node.col_offset),
            before + _offset(text, node.end_lineno, node.end_col_offset),
        )

    function = span(call.func)
    if isinstance(call.func, ast.Attribute):
        function = Span(source, function.end - len(call.func.attr), function.end)
    arguments: dict[str, tuple[Span, ...]] = {}
    positional = takewhile(lambda node: not isinstance(node, ast.Starred), call.args)
    for name, node in zip(_parameters(called), positional, strict=False):
        arguments[name] = (*arguments.get(name, ()), span(node))
    arguments.update({k.arg: (span(k),) for k in call.keywords if k.arg is not None})
    return Call(function, arguments)


def _parameters(method: CodeType) -> Iterator[str]:
    """The names that positional arguments go to; that of `*more` again and again."""
    names = method.co_varnames
    yield from names[1 : method.co_argcount]
    while method.co_flags & inspect.CO_VARARGS:
        yield names[method.co_argcount + method.co_kwonlyargcount]


def _offset(source: Source, line: int, column: int) -> int:
    """Python counts columns in bytes."""
    return source.starts[line - 1] + len(source.line(line).encode()[:column].decode(errors="replace"))


def _word(span: Span, word: str) -> Span | None:
    found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", span.text) if word else None
    return Span(span.source, span.start + found.start(), span.start + found.end()) if found else None
