"""What we have to say about a text, as data.

Phases return diagnostics beside what they made; nobody prints here. Rendering is in `topo/render/`. A function that makes
one kind of diagnostic carries its code, title and explanation: see `finding`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache
from heapq import nlargest
from itertools import islice
from typing import Literal, ParamSpec, TypeVar

import msgspec

from topo.source import Span
from topo.text import clean

__all__ = [
    "Diagnostic",
    "Edit",
    "Finding",
    "Fix",
    "Label",
    "Severity",
    "counted",
    "did_you_mean",
    "finding",
    "has_errors",
    "in_order",
    "nearest",
]

MANY = 50
"""So many names are all compared with one that is not known."""
LONGEST_NAME = 200
"""What is longer is no name with a slip in it."""
MOST_ALIKE = 200
"""So many of more names are looked at, those of nearly the same length."""

Severity = Literal["error", "warning", "info"]

P = ParamSpec("P")
T = TypeVar("T")


class Label(msgspec.Struct, frozen=True):
    """A place, and a few words to write under it."""

    span: Span
    text: str = ""


class Edit(msgspec.Struct, frozen=True):
    """Put `text` where `span` is. An empty span inserts."""

    span: Span
    text: str


class Fix(msgspec.Struct, frozen=True):
    """A change to the text that mends a finding. A safe one never changes what a right file means."""

    title: str
    edits: tuple[Edit, ...] = ()
    safe: bool = False


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: what is, where, why, and what to do.

    The first label is the primary one, as narrow as the mistake; the others show the places that it clashes with. A
    diagnostic without labels is about something that has no place, as a file that cannot be read.
    """

    code: str
    message: str
    severity: Severity = "error"
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    fix: Fix | None = None

    def __str__(self) -> str:
        """In one line, as compilers write it: `file:line:column: error[ZT201]: message`."""
        said = f"{self.severity}[{self.code}]: {self.message}"
        if self.span is not None:
            said = f"{self.span.source.name}:{self.span.position.line}:{self.span.position.column}: {said}"
        return clean(said)

    @property
    def span(self) -> Span | None:
        """The primary place."""
        return self.labels[0].span if self.labels else None


class Finding(msgspec.Struct, frozen=True):
    """A kind of diagnostic: what `ztopo explain` knows of it."""

    code: str
    title: str
    explanation: str
    levels: tuple[Severity, ...] = ("error",)
    """How grave it can be: an error cannot work, a warning usually bites, an info is worth knowing."""
    allowable: bool = False
    """Whether a comment `# ztopo: allow` can silence it."""


def finding(code: str, title: str, *levels: Severity) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Say that the decorated function makes the diagnostics of `code`; its docstring is the explanation of that code.

    `levels` are the severities that these can have, error if none is named.

    The docstring is Markdown. A fenced block tagged `ztopo CODE` must give exactly that code, one tagged `ztopo` must
    give none: the tests run them.
    """

    def mark(make: Callable[P, T]) -> Callable[P, T]:
        known = Finding(code, title, make.__doc__ or "", levels or ("error",))
        make.finding = known  # type: ignore[attr-defined]  # a mark, read by check.py
        return make

    return mark


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """The nearest right names: one, two, or none."""
    return _nearest(name, tuple(known)) if len(name) <= LONGEST_NAME else ()


def did_you_mean(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """A note with the nearest right names, or nothing."""
    near = nearest(name, known)
    return ("did you mean " + " or ".join(f"`{n}`" for n in near) + "?",) if near else ()


@lru_cache(maxsize=1024)  # many replicas, or many apps, make the same mistake
def _nearest(name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    if len(known) > MANY:  # of so many only those that begin and end alike are worth the time
        alike = islice(_alike(name, known), MOST_ALIKE)
        known = tuple(nlargest(MANY, alike, key=lambda k: _shared(k, name) + _shared(k[::-1], name[::-1])))
    near = get_close_matches(name, known, n=2, cutoff=0.6)
    if not near:
        lower = {k.lower(): k for k in known}
        near = [lower[name.lower()]] if name.lower() in lower else []
    return tuple(near)


def _shared(one: str, other: str) -> int:
    """How many characters two names begin with that are the same."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _alike(name: str, known: tuple[str, ...]) -> Iterator[str]:
    """Those that begin with the same letter and are about as long, of the same length first."""
    shelves = _shelves(known)
    for more in (0, 1, -1, 2, -2):
        yield from shelves.get((name[:1].lower(), len(name) + more), ())


@lru_cache(maxsize=4)
def _shelves(known: tuple[str, ...]) -> dict[tuple[str, int], list[str]]:
    """Names by their first letter and their length."""
    shelves: dict[tuple[str, int], list[str]] = {}
    for name in known:
        shelves.setdefault((name[:1].lower(), len(name)), []).append(name)
    return shelves


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them is an error."""
    return any(d.severity == "error" for d in diagnostics)


def counted(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those that count against a text: all but what is worth knowing."""
    return [d for d in diagnostics if d.severity != "info"]


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """As a reader wants them: by file and place, those without a place first."""

    def key(d: Diagnostic) -> tuple[str, int, str]:
        return (d.span.source.name, d.span.start, d.code) if d.span else ("", -1, d.code)

    return sorted(diagnostics, key=key)
