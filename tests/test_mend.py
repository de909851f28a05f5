"""Safe fixes, applied: those that touch each other one after the other, again until none is left, and no others."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from topo.compile import Compilation, compile
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.mend import MOST_ROUNDS, mend
from topo.source import Source, Span

Ask = Callable[[Source], list[Diagnostic]]


def saying(ask: Ask) -> Callable[[Source], Compilation]:
    """A compilation that finds what it is told to find."""
    nothing = compile(Source("ztopo 1\n"))
    return lambda source: replace(nothing, source=source, diagnostics=tuple(ask(source)))


def found(source: Source, *edits: tuple[int, int, str], safe: bool = True) -> Diagnostic:
    fix = Fix("mend it", tuple(Edit(Span(source, start, end), text) for start, end, text in edits), safe=safe)
    return Diagnostic(code="ZT001", message="x", labels=(Label(Span(source, edits[0][0], edits[0][1])),), fix=fix)


def mended(text: str, ask: Ask) -> tuple[str, int]:
    again = saying(ask)
    compilation, fixed = mend(again(Source(text, "x.ztopo")), again)
    return compilation.source.text, len(fixed)


def test_several_in_one_text() -> None:
    def ask(source: Source) -> list[Diagnostic]:
        places = [n for n, c in enumerate(source.text) if c == "a"]
        return [found(source, (n, n + 1, "bbb"), (n + 1, n + 1, "")) for n in places]

    assert mended("axaxa", ask) == ("bbbxbbbxbbb", 3)


def test_of_two_that_touch_the_second_is_seen_to_later() -> None:
    asked = []

    def ask(source: Source) -> list[Diagnostic]:
        asked.append(source.text)
        wanted = [("ab", "x"), ("bc", "y"), ("c", "z")]
        return [found(source, (at, at + len(old), new)) for old, new in wanted if (at := source.text.find(old)) >= 0]

    assert mended("abc", ask) == ("xz", 2)
    assert asked == ["abc", "xc", "xz"]


def test_what_a_fix_brings_to_light_is_mended_too_but_not_for_ever() -> None:
    def shorter(source: Source) -> list[Diagnostic]:
        return [found(source, (0, 1, ""))] if source.text else []

    def longer(source: Source) -> list[Diagnostic]:
        return [found(source, (0, 0, "a"))]

    assert mended("abc", shorter) == ("", 3)
    assert mended("", longer) == ("a" * MOST_ROUNDS, MOST_ROUNDS)


def test_neither_unsafe_ones_nor_those_of_another_text() -> None:
    other = Source("abc", "other.ztopo")

    def ask(source: Source) -> list[Diagnostic]:
        return [found(source, (0, 1, "x"), safe=False), found(other, (0, 1, "x"))]

    assert mended("abc", ask) == ("abc", 0)


def test_a_line_that_is_put_in_ends_as_the_others_do() -> None:
    def ask(source: Source) -> list[Diagnostic]:
        return [] if source.text.startswith("new") else [found(source, (0, 0, "new\n"))]

    assert mended("a\r\nb\r\n", ask)[0] == "new\r\na\r\nb\r\n"
    assert mended("a\nb\n", ask)[0] == "new\na\nb\n"
