"""What a core tells: its statistics, how they lie in memory, and its errors.

The counters are aligned 64-bit words in the order of the machine, written by the loop alone. They may lie in a mapped file:
other processes read it at any rate without touching the loop, and it outlives a process that was killed. The first words never
move: `MAGIC`, the `VERSION` of the layout, and the number of words. The fourth, the generation, is odd while the loop writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import zmq

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = [
    "MAGIC",
    "STATES",
    "STATISTICS_SIZE",
    "VERSION",
    "WORDS",
    "CaptureCounts",
    "ProxyError",
    "SideCounts",
    "Statistics",
    "Traffic",
    "read_statistics",
]

MAGIC = int.from_bytes(b"ztopo\0\0\0", "little")
VERSION = 1
STATES = ("stopped", "running", "paused", "draining")
WORDS = (
    *("magic", "version", "words", "generation", "state", "turns", "last_message", "waiting"),
    *("frontend.received.messages", "frontend.received.parts", "frontend.received.bytes"),
    *("frontend.sent.messages", "frontend.sent.parts", "frontend.sent.bytes"),
    *("frontend.unroutable", "frontend.full", "frontend.lost", "frontend.held"),
    *("backend.received.messages", "backend.received.parts", "backend.received.bytes"),
    *("backend.sent.messages", "backend.sent.parts", "backend.sent.bytes"),
    *("backend.unroutable", "backend.full", "backend.lost", "backend.held"),
    *("capture.passed", "capture.waiting", "capture.dropped"),
)
"""The words in their order."""

STATISTICS_SIZE = 8 * len(WORDS)
"""How many bytes the counters take."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went through a socket in one direction: whole messages, their parts, the bytes of the parts."""

    messages: int = 0
    parts: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class SideCounts:
    """One side of a device.

    Every message that the other side received is here as sent, unroutable, full, lost or held. What a ROUTER without
    ROUTER_MANDATORY, a PUB or an XPUB drops, libzmq tells nobody: it counts as sent.
    """

    received: Traffic
    sent: Traffic
    unroutable: int = 0
    """Dropped whole: this ROUTER knows no such peer."""
    full: int = 0
    """Dropped whole: the peer that this ROUTER was to send it to takes no more."""
    lost: int = 0
    """Dropped whole: the peer vanished between two parts."""
    held: int = 0
    """In hand: read from the other side, and this side does not take it yet."""


@dataclass(frozen=True, slots=True)
class CaptureCounts:
    """Copies for the monitor: handed to its socket, waiting until it takes them, dropped whole."""

    passed: int = 0
    waiting: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a device has done so far, at one moment between two bursts."""

    state: str
    """One of `STATES`."""
    turns: int
    """How often the loop went round. It stays as it is while there is nothing to do."""
    last_message: int
    """When the last message was passed on, in nanoseconds since the epoch; 0 if there was none."""
    waiting: tuple[str, ...]
    """The sides that do not take what is there for them: "frontend", "backend"."""
    frontend: SideCounts
    backend: SideCounts
    capture: CaptureCounts


class ProxyError(zmq.ZMQError):
    """A socket refused for good. `errno` is libzmq's, `side` says which socket: frontend, backend, capture or control."""

    def __init__(self, errno: int, side: str) -> None:
        super().__init__(errno)
        self.side = side

    def __str__(self) -> str:
        return f"{self.side}: {self.strerror}"

    def __reduce__(self) -> tuple[type[ProxyError], tuple[int, str]]:
        return ProxyError, (self.errno or 0, self.side)


def read_statistics(memory: ReadableBuffer) -> Statistics:
    """What the loop that writes to this memory, maybe in another process, has done so far.

    Raises ValueError if the memory holds no counters of this layout.
    """
    with memoryview(memory) as view, view.cast("B") as data:
        if len(data) < STATISTICS_SIZE:
            raise ValueError(f"the statistics of a device take {STATISTICS_SIZE} bytes, these are {len(data)}")
        with data[:STATISTICS_SIZE] as exact, exact.cast("Q") as words:
            if (words[0], words[1], words[2]) != (MAGIC, VERSION, len(WORDS)):
                raise ValueError(f"these are no statistics of a device in layout {VERSION}")
            return from_words(_at_one_moment(words))


def _at_one_moment(words: memoryview[int]) -> list[int]:
    for _ in range(1000):  # a writer that was killed in the middle leaves the generation odd for ever
        before = words[3]
        values = words.tolist()
        if before % 2 == 0 and words[3] == before:
            break
    return values


def from_words(values: list[int]) -> Statistics:
    """The words, with names."""
    state, turns, last_message, waiting = values[4:8]
    return Statistics(
        state=STATES[state],
        turns=turns,
        last_message=last_message,
        waiting=tuple(name for bit, name in enumerate(("frontend", "backend")) if waiting & 1 << bit),
        frontend=_side(values[8:18]),
        backend=_side(values[18:28]),
        capture=CaptureCounts(*values[28:31]),
    )


def _side(values: list[int]) -> SideCounts:
    return SideCounts(Traffic(*values[:3]), Traffic(*values[3:6]), *values[6:])
