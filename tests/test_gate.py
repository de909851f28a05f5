"""What a socket of `topo.socket` does while it is paused. Its supervisor is played by the test."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from tests.processes import PATIENCE
from topo.joined import Gate, Socket
from topo.run.tally import SIZE, Tally


class Pair:
    """A PUSH that counts, and a PULL at its other end."""

    def __init__(self, context: zmq.Context[Any], kind: int = zmq.PUSH, other: int = zmq.PULL) -> None:
        self.number = 0
        self.tally = Tally(mmap.mmap(-1, SIZE))
        self.gate = Gate(self.tally)
        self.socket: Socket = context.socket(kind, socket_class=Socket)
        self.socket._gate, self.socket._tally = self.gate, self.tally
        self.socket.sndhwm = 1
        self.other = context.socket(other)
        self.other.rcvhwm = 1
        self.socket.rcvtimeo = self.other.rcvtimeo = int(PATIENCE * 1000)
        self.other.bind("inproc://there")
        self.socket.connect("inproc://there")

    @property
    def heeds(self) -> bool:
        """Whether the last wish is done."""
        return self.tally.heeded == self.number

    def want(self, do: str) -> threading.Thread:
        """Let the supervisor want this; the thread ends when it is so."""
        self.number += 1
        thread = threading.Thread(target=self.gate.heed, args=({"do": do, "number": self.number},))
        thread.start()
        return thread


Make = Callable[..., Pair]


@pytest.fixture
def make() -> Iterator[Make]:
    """Pairs of sockets, closed at the end."""
    made: list[Pair] = []
    with zmq.Context() as context:

        def pair(*kinds: int) -> Pair:
            made.append(Pair(context, *kinds))
            return made[-1]

        yield pair
        for each in made:
            each.socket.close(0)
            each.other.close(0)


@pytest.fixture
def pair(make: Make) -> Pair:
    return make()


def fill(pair: Pair, flags: int = zmq.NOBLOCK) -> int:
    """Send until there is no room."""
    for sent in range(1000):
        try:
            pair.socket.send(b"", flags)
        except zmq.Again:
            return sent
    raise AssertionError("there is room for anything")


def test_whole_messages_are_counted(make: Make) -> None:
    pair = make(zmq.DEALER, zmq.DEALER)
    pair.socket.send_multipart([b"a", b"b", b"c"])
    pair.socket.send_string("d", copy=False)
    assert pair.socket.counts == (2, 0)
    pair.other.send_multipart([b"x", b"y"])
    assert pair.socket.recv_multipart(copy=False)[1].bytes == b"y"
    assert pair.socket.counts == (2, 1)


def test_a_message_that_could_not_be_sent_does_not_count(pair: Pair) -> None:
    sent = fill(pair)
    assert pair.socket.counts == (sent, 0)
    assert sent > 0


def test_it_waits_for_room_no_longer_than_it_may(pair: Pair) -> None:
    pair.socket.sndtimeo = 20
    assert fill(pair, flags=0) == pair.socket.counts[0]


def test_while_it_is_paused_nothing_is_sent(pair: Pair) -> None:
    pair.want("pause").join(PATIENCE)
    assert pair.heeds
    with pytest.raises(zmq.Again):
        pair.socket.send(b"", zmq.NOBLOCK)
    sending = threading.Thread(target=pair.socket.send, args=(b"later",))
    sending.start()
    pair.want("resume").join(PATIENCE)
    assert pair.other.recv() == b"later"
    sending.join(PATIENCE)
    assert pair.tally.sent == 1


def test_it_is_paused_only_once_no_message_is_half_sent(pair: Pair) -> None:
    pair.socket.send(b"one", zmq.SNDMORE)
    pausing = pair.want("pause")
    pair.socket.send(b"more", zmq.SNDMORE)
    assert not pair.heeds
    assert pausing.is_alive()
    pair.socket.send(b"last")
    pausing.join(PATIENCE)
    assert pair.heeds
    assert pair.tally.sent == 1
    assert pair.other.recv_multipart() == [b"one", b"more", b"last"]


def test_one_who_waits_for_room_can_be_paused(pair: Pair) -> None:
    fill(pair)
    sending = threading.Thread(target=pair.socket.send, args=(b"last",))
    sending.start()
    pair.want("pause").join(PATIENCE)
    assert pair.heeds
    there = pair.tally.sent
    for _ in range(there):
        pair.other.recv()
    pair.want("resume").join(PATIENCE)
    assert pair.other.recv() == b"last"
    sending.join(PATIENCE)
    assert pair.tally.sent == there + 1


def test_once_it_is_over_a_send_is_told(pair: Pair) -> None:
    pair.want("pause").join(PATIENCE)
    pair.want("stop").join(PATIENCE)
    with pytest.raises(zmq.ContextTerminated):
        pair.socket.send(b"")


def test_a_router_drops_what_it_cannot_route_as_ever_and_does_not_count_it(make: Make) -> None:
    pair = make(zmq.ROUTER, zmq.DEALER)
    pair.socket.router_mandatory, pair.socket._forgives = 1, True
    pair.socket.send_multipart([b"nobody", b"a", b"b"])
    assert pair.socket.counts == (0, 0)
    pair.other.send(b"hello")
    who, _ = pair.socket.recv_multipart()
    pair.socket.send_multipart([who, b"answer"])
    assert pair.other.recv() == b"answer"
    assert pair.socket.counts == (1, 1)
