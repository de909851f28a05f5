"""From a JSON text to values that know where they stand.

The standard library's parser forgets the places, and no other that is at hand keeps them; so the walk over the brackets is our
own, and each text and number is read by what the standard library reads it with. It takes JSON as RFC 8259 has it, and nothing
else: no NaN, no comments, no key twice. A text may hold a byte that is not UTF-8 as Python writes it, `\\udcff`.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import NoReturn

import msgspec

from topo.diagnostic import Diagnostic
from topo.source import Source, Span
from topo.syntax import mistakes

__all__ = ["MOST_DEPTH", "MOST_MISTAKES", "Json", "Member", "read_json"]

MOST_DEPTH = 32
"""How deep lists and objects may stand in each other; a topology has use for nine."""
MOST_MISTAKES = 100
"""So many mistakes are said, and then no more is read."""
LONGEST_NUMBER = 30
"""Of a longer number nothing is asked but that it is too large."""
DECODER = JSONDecoder(parse_constant=int)  # which refuses NaN and the like, as JSON does
BLANK = re.compile(r"[ \t\r\n]*")
NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
WORD = re.compile(r"\w+|.", re.DOTALL)
WORDS = {"true": True, "false": False, "null": None}
LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class Json(msgspec.Struct, frozen=True, gc=False):
    """A value and its place; that of a text is what stands between the quotes."""

    value: str | int | float | bool | list[Json] | dict[str, Member] | None
    span: Span


class Member(msgspec.Struct, frozen=True, gc=False):
    """A key of an object, by its place, and what it holds."""

    key: Span
    json: Json


def read_json(source: Source, unread: frozenset[str] = frozenset()) -> tuple[Json | None, list[Diagnostic]]:
    """The value that a text is, or None if it is not JSON, and what is wrong with it.

    Of what stands under an `unread` key only the kind of value is known: nobody asks for its places, and it is read much faster.
    """
    reader = _Reader(source, unread)
    try:
        return reader.document(), reader.said
    except _NotJson:
        return None, reader.said


class _NotJson(Exception):
    """The text is not JSON, which has been said."""


class _Reader:
    def __init__(self, source: Source, unread: frozenset[str]) -> None:
        self.said: list[Diagnostic] = []
        self._source = source
        self._text = source.text
        self._unread = unread

    def document(self) -> Json:
        found, end = self._value(self._blank(0), 1)
        end = self._blank(end)
        if end < len(self._text):
            self._expected("the end of the text", end)
        return found

    def _blank(self, at: int) -> int:
        match = BLANK.match(self._text, at)
        return match.end() if match else at

    def _value(self, at: int, depth: int) -> tuple[Json, int]:
        """The value that begins at a place, and where it ends."""
        match self._text[at : at + 1]:
            case '"':
                value, span = self._string(at)
                return Json(value, span), span.end + 1
            case "{" | "[" if depth > MOST_DEPTH:
                self._fail(Span(self._source, at, at + 1), f"lists and objects stand in each other more than {MOST_DEPTH} deep")
            case "{":
                return self._object(at, depth)
            case "[":
                return self._list(at, depth)
        number = NUMBER.match(self._text, at)
        if number is not None:
            return Json(_number(number), Span(self._source, at, number.end())), number.end()
        word = WORD.match(self._text, at)
        if word is None or word.group() not in WORDS:
            self._expected("a value", at)
        return Json(WORDS[word.group()], Span(self._source, at, word.end())), word.end()

    def _passed_over(self, at: int, depth: int) -> tuple[Json, int]:
        """The same as `_value`, with nothing in a list or an object."""
        try:
            value, end = DECODER.raw_decode(self._text, at)
        except (ValueError, RecursionError):
            return self._value(at, depth)  # which says what is wrong
        return Json({} if isinstance(value, dict) else [] if isinstance(value, list) else value, Span(self._source, at, end)), end

    def _list(self, at: int, depth: int) -> tuple[Json, int]:
        found: list[Json] = []
        end = self._blank(at + 1)
        while not self._ends("]", end, bool(found)):
            value, end = self._value(self._next(end, bool(found)), depth + 1)
            found.append(value)
            end = self._blank(end)
        return Json(found, Span(self._source, at, end + 1)), end + 1

    def _object(self, at: int, depth: int) -> tuple[Json, int]:
        found: dict[str, Member] = {}
        end = self._blank(at + 1)
        while not self._ends("}", end, bool(found)):
            end = self._next(end, bool(found))
            if self._text[end : end + 1] != '"':
                self._expected("a key in quotes", end)
            key, span = self._string(end)
            end = self._blank(span.end + 1)
            if self._text[end : end + 1] != ":":
                self._expected("`:`", end)
            start = self._blank(end + 1)
            value, end = self._passed_over(start, depth + 1) if key in self._unread else self._value(start, depth + 1)
            if key in found:
                self._note(mistakes.key_twice(span, key, found[key].key))
            found.setdefault(key, Member(span, value))
            end = self._blank(end)
        return Json(found, Span(self._source, at, end + 1)), end + 1

    def _ends(self, bracket: str, at: int, several: bool) -> bool:
        """Whether a bracket closes here; if it does not, and there was something before, a comma must stand here."""
        here = self._text[at : at + 1]
        if here != bracket and several and here != ",":
            self._expected(f"`,` or `{bracket}`", at)
        return here == bracket

    def _next(self, at: int, several: bool) -> int:
        """Where the next of several begins, behind the comma."""
        if not several:
            return at
        after = self._blank(at + 1)
        if self._text[after : after + 1] in ("]", "}"):
            self._fail(Span(self._source, at, at + 1), "no comma stands behind the last of several")
        return after

    def _string(self, at: int) -> tuple[str, Span]:
        try:
            value, end = DECODER.raw_decode(self._text, at)
        except JSONDecodeError as error:
            self._fail(self._wrong_text(at, error.pos), _why(error))
        span = Span(self._source, at + 1, end - 1)
        if LONE.search(value):
            self._note(mistakes.not_json(span, "half of a pair of surrogates is no character"))
            value = LONE.sub("\ufffd", value)
        return value, span

    def _note(self, diagnostic: Diagnostic) -> None:
        """Say something after which reading goes on, unless there was too much of that."""
        self.said.append(diagnostic)
        if len(self.said) == MOST_MISTAKES:
            raise _NotJson

    def _wrong_text(self, start: int, at: int) -> Span:
        """The place in a text that cannot be read; for one that does not end, its start."""
        return Span(self._source, at, min(at + 1, len(self._text))) if at > start else Span(self._source, start, start + 1)

    def _expected(self, what: str, at: int) -> NoReturn:
        word = WORD.match(self._text, at)
        if word is None:
            self._fail(Span(self._source, at, at), f"expected {what}, and the text ends")
        found = word.group()
        notes = NOTES.get(found, ())
        shown = found if len(found) <= 40 else f"{found[:37]}..."
        self._fail(Span(self._source, at, at + len(shown)), f"expected {what}, found `{shown}`", notes)

    def _fail(self, span: Span, message: str, notes: tuple[str, ...] = ()) -> NoReturn:
        self.said.append(mistakes.not_json(span, message, notes))
        raise _NotJson


NOTES = {
    "'": ("a text stands in double quotes",),
    "/": ("JSON has no comments",),
    "#": ("JSON has no comments",),
    "True": ("it is written `true`",),
    "False": ("it is written `false`",),
    "None": ("it is written `null`",),
}
"""What a person who wrote this meant."""


def _number(match: re.Match[str]) -> int | float:
    whole, rest = match.groups()
    if not rest:
        return int(whole[:LONGEST_NUMBER])  # what is cut off is too large for everything all the same
    value = float(match.group()) if len(match.group()) <= 400 else float("inf")
    return int(value) if value.is_integer() else value


def _why(error: JSONDecodeError) -> str:
    """What the standard library found wrong with a text, in our words."""
    if error.msg.startswith("Unterminated"):
        return "the text does not end"
    if error.msg.startswith("Invalid control"):
        return "a line end or another control character stands in a text as an escape, `\\n`"
    return "this escape means nothing in JSON"
