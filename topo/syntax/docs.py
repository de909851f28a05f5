"""Comments that begin with `##`: the doc of the declaration below them."""

from __future__ import annotations

__all__ = ["Docs"]


class Docs:
    """The doc comments of a text that are not taken yet, by their lines."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}

    def __bool__(self) -> bool:
        return bool(self._texts)

    def note(self, line: int, comment: str) -> None:
        """See a comment, of whatever sort."""
        if comment.startswith("##"):
            self._texts[line] = comment[2:].strip()

    def take(self, line: int) -> str:
        """The comment that ends on the line above, as a text of one or more lines."""
        lines: list[str] = []
        while (line := line - 1) in self._texts:
            lines.append(self._texts.pop(line))
        return "\n".join(reversed(lines))
