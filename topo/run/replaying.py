"""Sending again what was recorded, at the times at which it came.

Each message has a moment when it is due, counted from the beginning of the whole, so that being late with one puts off no other:
nothing drifts. A socket that takes no more is waited for, and then what is due goes out at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import zmq

from topo.recording import Record
from topo.zeromq.sockets import SOCKETS

__all__ = ["Due", "Replay", "due", "feeder"]

STEP = 0.25
"""Seconds after which it is looked again whether somebody wants an end."""
FINEST = 0.002
"""Seconds: for less than that zmq_poll, which counts milliseconds, is not precise enough."""
LINGER = 5000
"""How many milliseconds what was sent may take to leave, at the end."""
SENT_AS = {"PUB": zmq.XPUB}
"""An XPUB tells when somebody has subscribed; what a PUB sends before that is lost."""

Socket = zmq.Socket[bytes]


def feeder(type: str) -> str | None:
    """The type of socket that can send whatever it likes to one of this type; None if there is none."""
    for other in SOCKETS.values():
        if other.name in SOCKETS[type].peers and other.sends and not other.turns and not other.routed and not other.draft:
            return other.name if SOCKETS[type].receives else None
    return None


class Due(NamedTuple):
    """A record, and when it is due, in seconds from the beginning."""

    at: float
    record: Record


def due(records: Iterable[Record], speed: float | None, *, loop: bool = False) -> Iterator[Due]:
    """When each record is due at a speed, 1.0 being as it was, and None at once. With `loop` it begins again at the end, for ever.

    The first is due at once, and so is the first of each further round once the last one was.
    """
    start = 0.0
    while True:
        at = start
        first: int | None = None
        for record in records:
            first = record.offset if first is None else first
            at = max(at, start + ((record.offset - first) / 1e9 / speed if speed else 0.0))
            yield Due(at, record)
        if first is None or not loop:
            return
        start = at


class Replay:
    """A socket that sends again what was recorded. It is made, used and closed in one thread."""

    def __init__(
        self, type: str, endpoint: str, clock: Callable[[], float] = time.monotonic, on_waiting: Callable[[], None] = lambda: None
    ) -> None:
        """Raises ZMQError if there is no such address. `on_waiting` is called once if for a while nobody takes anything."""
        self._clock = clock
        self._on_waiting = on_waiting
        self._said = False
        self._context: zmq.Context[Socket] = zmq.Context()
        self._socket = self._context.socket(SENT_AS.get(type, getattr(zmq, type)))
        self._socket.immediate = 1  # else what is sent before anybody is there waits in the socket, and seems to have been sent
        self._waits_for_subscription = type in SENT_AS
        self._hears = SOCKETS[type].receives or type in SENT_AS
        self.sent = 0
        self.answers = 0
        """How many messages came back, and were thrown away."""
        self.latest = 0.0
        """By how many seconds a message was late at most."""
        try:
            self._socket.connect(endpoint)
        except BaseException:
            self.close(0)
            raise

    def close(self, linger: int = LINGER) -> None:
        """Wait until all has left, so many milliseconds at most."""
        self._socket.close(linger)
        self._context.term()

    def wait_until_taken(self, wanted: Callable[[], bool]) -> bool:
        """Wait until somebody takes messages, or nobody wants that any more; say whether somebody does."""
        while wanted():
            if self._poll(STEP) & (zmq.POLLIN if self._waits_for_subscription else zmq.POLLOUT):
                return True
            self._waits()
        return False

    def _waits(self) -> None:
        if not self._said:
            self._said = True
            self._on_waiting()

    def send(self, what: Iterable[Due], ids: Callable[[Record], int], wanted: Callable[[], bool]) -> None:
        """Send each when it is due, without as many parts at its beginning as are `ids`; until nobody wants that any more."""
        start = self._clock()
        for each in what:
            if not (self._wait_until(start + each.at, wanted) and self._wait_for_room(wanted)):
                return
            self.latest = max(self.latest, self._clock() - start - each.at)
            self._socket.send_multipart(each.record.parts[ids(each.record) :])
            self.sent += 1

    def _wait_until(self, moment: float, wanted: Callable[[], bool]) -> bool:
        while (left := moment - self._clock()) > 0:
            if not wanted():
                return False
            if left > FINEST:
                self._poll(min(left - FINEST / 2, STEP), sending=False)
            else:
                time.sleep(left)
        return wanted()

    def _wait_for_room(self, wanted: Callable[[], bool]) -> bool:
        while not self._poll(0) & zmq.POLLOUT:
            if not wanted():
                return False
            if not self._poll(STEP) & zmq.POLLOUT:
                self._waits()
        return True

    def _poll(self, seconds: float, *, sending: bool = True) -> int:
        """Wait for room, and throw away what comes back; say what there is."""
        events = (zmq.POLLOUT if sending else 0) | (zmq.POLLIN if self._hears else 0)
        if not events:
            time.sleep(seconds)
            return 0
        ready = int(self._socket.poll(int(seconds * 1000), events))
        if ready & zmq.POLLIN:
            self._socket.recv_multipart()
            self.answers += not self._waits_for_subscription
        return ready
