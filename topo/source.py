"""Text and places in it.

A `Source` is one text with a name to show. A `Span` is a range of it, kept as two offsets; lines and columns are worked
out only when somebody wants to read them, because a file of 50,000 lines has a million spans and shows ten.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import msgspec

__all__ = ["Places", "Position", "Source", "Span"]

JSON = re.compile(r"\s*[{\[]")


class Position(NamedTuple):
    """A place in a text as people count: the first line and the first column are 1. Columns are code points."""

    line: int
    column: int


class Source:
    """One text: where it came from and what it says.

    `name` is what messages show; `path` is the absolute path of the file, or None for a text that has none (standard
    input, a string). Relative paths inside the text are relative to `folder`. A `program` says things by running: one
    place in it may say many.
    """

    __slots__ = ("_line", "_starts", "name", "path", "program", "text")

    def __init__(self, text: str, name: str = "<text>", path: Path | None = None, *, program: bool = False) -> None:
        self.program = program
        self.text = text
        self.name = name
        self.path = path
        self._starts: list[int] | None = None
        self._line = (0, "")  # the last one that was asked for: a long line may have thousands of findings

    def __repr__(self) -> str:
        return f"Source({self.name!r}, {len(self.text)} characters)"

    @property
    def is_json(self) -> bool:
        """Whether it is to be read as JSON: it is named so, or begins with a bracket, which no text of ztopo does."""
        return not self.program and (self.name.endswith(".json") or JSON.match(self.text) is not None)

    @property
    def folder(self) -> Path:
        """The folder that relative paths in this text start from."""
        return self.path.parent if self.path is not None else Path.cwd()

    @property
    def starts(self) -> list[int]:
        """The offset at which each line starts."""
        if self._starts is None:
            starts = [0]
            find = self.text.find
            at = find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
            self._starts = starts
        return self._starts

    def position(self, offset: int) -> Position:
        """The line and column of an offset."""
        line = bisect_right(self.starts, offset)
        return Position(line, offset - self.starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a line (the first is 1), without its end."""
        at_hand, line = self._line
        if at_hand == number:
            return line
        starts = self.starts
        start = starts[number - 1]
        end = starts[number] if number < len(starts) else len(self.text)
        line = self.text[start:end].rstrip("\r\n")
        self._line = (number, line)
        return line


class Span(msgspec.Struct, frozen=True, gc=False):
    """A range of a source: offsets of its first character and of the one after its last."""

    source: Source
    start: int
    end: int

    def __repr__(self) -> str:
        return f"Span({self.where!r}, {self.text!r})"

    @property
    def text(self) -> str:
        """What stands there."""
        return self.source.text[self.start : self.end]

    @property
    def position(self) -> Position:
        """Line and column of the start."""
        return self.source.position(self.start)

    @property
    def end_position(self) -> Position:
        """Line and column just after the end."""
        return self.source.position(self.end)

    @property
    def where(self) -> str:
        """`file:line`, as every message about something running shows it."""
        return f"{self.source.name}:{self.position.line}"

    def to(self, other: Span) -> Span:
        """The range from here to the end of `other`."""
        return Span(self.source, self.start, other.end)

    def narrow(self, text: str) -> Span:
        """The last place within this range where `text` stands; all of it if it stands nowhere, as behind a `${...}`."""
        at = self.text.rfind(text) if text else -1
        return Span(self.source, self.start + at, self.start + at + len(text)) if at >= 0 else self


class Places:
    """Ranges of texts. `span in places` says whether a span begins in one of them, and takes no longer if there are many."""

    def __init__(self, spans: Iterable[Span]) -> None:
        found: dict[Source, list[tuple[int, int]]] = {}
        for span in spans:
            found.setdefault(span.source, []).append((span.start, span.end))
        self._starts = {source: sorted(start for start, _ in ranges) for source, ranges in found.items()}
        self._ends = {source: list(accumulate((end for _, end in sorted(ranges)), max)) for source, ranges in found.items()}
        """The farthest end of a range and of those that begin before it."""

    def __contains__(self, span: Span) -> bool:
        starts = self._starts.get(span.source)
        number = bisect_right(starts, span.start) - 1 if starts else -1
        return number >= 0 and span.start < self._ends[span.source][number]
