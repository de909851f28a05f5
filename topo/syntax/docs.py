"""Comments that begin with `##`: the doc of the declaration below them.

Both stand on lines of their own: a comment behind something documents nothing, and so does one above a line that something else begins.
"""

from __future__ import annotations

__all__ = ["Docs"]


class Docs:
    """The doc comments of a text that are not taken yet, by their lines."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._docs: dict[int, str] = {}

    def __bool__(self) -> bool:
        return bool(self._docs)

    def note(self, start: int, line: int, comment: str) -> None:
        """See a comment, of whatever sort, and where it begins."""
        if comment.startswith("##") and self._begins_line(start):
            self._docs[line] = comment[2:].strip()

    def take(self, start: int, line: int) -> str:
        """The comment that ends on the line above what begins there, as a text of one or more lines."""
        if line - 1 not in self._docs or not self._begins_line(start):
            return ""
        lines: list[str] = []
        while (line := line - 1) in self._docs:
            lines.append(self._docs.pop(line))
        return "\n".join(reversed(lines))

    def _begins_line(self, start: int) -> bool:
        """Whether nothing stands in front of a place on its line; empty statements are nothing."""
        return not self._text[self._text.rfind("\n", 0, start) + 1 : start].strip(" \t\r\f;")
