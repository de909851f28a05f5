"""How new inputs are made of old ones: by pieces that mean something, not only by bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

__all__ = ["mutated"]

TOKEN = re.compile(rb"[A-Za-z_][\w-]*|\d+|\s+|[^\w\s]")
MOST = 4


def mutated(data: bytes, random: Random, words: Sequence[str], make: Callable[[Random], bytes], other: bytes = b"") -> bytes:
    """Another input, made of one or two others."""
    if random.random() < 0.02:
        return make(random)
    pieces = TOKEN.findall(data)
    for _ in range(random.randint(1, MOST)):
        change = random.choice(CHANGES)
        pieces = change(pieces, random, words, other or make(random))
    return b"".join(pieces)


Change = Callable[[list[bytes], Random, Sequence[str], bytes], list[bytes]]


def _at(pieces: list[bytes], random: Random) -> int:
    return random.randint(0, len(pieces))


def _insert(pieces: list[bytes], random: Random, words: Sequence[str], other: bytes) -> list[bytes]:
    at = _at(pieces, random)
    blank = random.choice([b"", b" "])
    return [*pieces[:at], blank, random.choice(words).encode(), blank, *pieces[at:]]


def _replace(pieces: list[bytes], random: Random, words: Sequence[str], other: bytes) -> list[bytes]:
    at = _at(pieces, random)
    return [*pieces[:at], random.choice(words).encode(), *pieces[at + 1 :]]


def _leave_out(pieces: list[bytes], random: Random, words: Sequence[str], other: bytes) -> list[bytes]:
    at = _at(pieces, random)
    return pieces[:at] + pieces[at + random.choice([1, 1, 2, 5, 20]) :]


def _repeat(pieces: list[bytes], random: Random, words: Sequence[str], other: bytes) -> list[bytes]:
    at = _at(pieces, random)
    some = pieces[at : at + random.choice([1, 2, 5, 20])]
    return pieces[:at] + some * random.choice([2, 2, 2, 3, 20]) + pieces[at + len(some) :]


def _move(pieces: list[bytes], random: Random, words: Sequence[str], other: bytes) -> list[bytes]:
    at, to = _at(pieces, random), _at(pieces, random)
    some = pieces[at : at + random.choice([1, 2, 5, 20])]
    rest = pieces[:at] + pieces[at + len(some) :]
    return [*rest[:to], *some, *rest[to:]]


def _line(pieces: list[bytes], random: Random, words: Sequence[str], other: bytes) -> list[bytes]:
    """Put a line of the other input in."""
    lines = other.splitlines(keepends=True)
    at = _at(pieces, random)
    return [*pieces[:at], random.choice(lines), *pieces[at:]] if lines else pieces


def _splice(pieces: list[bytes], random: Random, words: Sequence[str], other: bytes) -> list[bytes]:
    """The beginning of this, and the end of the other."""
    rest = TOKEN.findall(other)
    return pieces[: _at(pieces, random)] + rest[_at(rest, random) :]


def _name(pieces: list[bytes], random: Random, words: Sequence[str], other: bytes) -> list[bytes]:
    """Call something as another thing is called."""
    named = [n for n, piece in enumerate(pieces) if piece[:1].isalpha()]
    if not named:
        return pieces
    at, like = random.choice(named), random.choice(named)
    return [*pieces[:at], pieces[like], *pieces[at + 1 :]]


CHANGES: Sequence[Change] = (_insert, _replace, _leave_out, _repeat, _move, _line, _splice, _name, _name, _insert)
