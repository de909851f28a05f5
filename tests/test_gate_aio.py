"""What a socket of `topo.aio.socket` does while it is paused. Its supervisor is played by the test."""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import Awaitable, Callable

import pytest
import zmq
import zmq.asyncio

import topo
from tests.processes import PATIENCE
from topo import aio, joined
from topo.run.tally import SIZE, Tally


class Pair:
    """A socket that counts, and another at its other end."""

    def __init__(self, context: zmq.asyncio.Context, kind: int = zmq.PUSH, other: int = zmq.PULL) -> None:
        self.number = 0
        self.tally = Tally(mmap.mmap(-1, SIZE))
        self.gate = joined.Gate(self.tally)
        counting = context.socket(kind, socket_class=joined.Socket)
        counting._gate, counting._tally = self.gate, self.tally
        counting.sndhwm = 1
        if kind == zmq.ROUTER:
            counting.router_mandatory = 1
        self.socket = aio.Socket._over(counting)
        self.other = context.socket(other)
        self.other.rcvhwm = 1
        if other == zmq.DEALER:
            self.other.routing_id = b"it"
        self.other.bind("inproc://there")
        self.socket.connect("inproc://there")

    async def want(self, do: str) -> None:
        """Let the supervisor want this, and wait until it is so."""
        self.number += 1
        wish = {"do": do, "number": self.number}
        await asyncio.to_thread(self.gate.heed, wish)
        assert self.tally.heeded == self.number


def run(test: Callable[[Pair], Awaitable[None]], *kinds: int) -> None:
    """Run a test with a pair, within bounds."""

    async def main() -> None:
        with zmq.asyncio.Context() as context:
            pair = Pair(context, *kinds)
            try:
                await asyncio.wait_for(test(pair), PATIENCE)
            finally:
                pair.socket.close(0)
                pair.other.close(0)

    asyncio.run(main())


async def turns(count: int = 20) -> None:
    """Let everybody else have so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_messages_are_counted_whole() -> None:
    async def test(pair: Pair) -> None:
        await pair.socket.send_multipart([b"1", b"2"])
        assert await pair.other.recv_multipart() == [b"1", b"2"]
        await pair.socket.send(b"3", zmq.SNDMORE)
        assert pair.socket.counts == (1, 0)
        await pair.socket.send(b"4")
        assert pair.socket.counts == (2, 0)
        await pair.socket.send_json({"five": 5})
        assert await pair.other.recv_multipart() == [b"3", b"4"]
        assert await pair.other.recv_json() == {"five": 5}
        assert pair.tally.sent == 3

    run(test)


def test_what_comes_is_counted_while_it_is_paused() -> None:
    async def test(pair: Pair) -> None:
        await pair.want("pause")
        receiving = asyncio.ensure_future(pair.socket.recv_multipart())
        await turns()
        await pair.other.send_multipart([b"1", b"2"])
        assert await receiving == [b"1", b"2"]
        assert pair.socket.counts == (0, 1)

    run(test, zmq.DEALER, zmq.DEALER)


def test_sends_wait_while_it_is_paused_and_go_on_in_order() -> None:
    async def test(pair: Pair) -> None:
        await pair.want("pause")
        sends = [asyncio.ensure_future(pair.socket.send(b"%d" % n)) for n in range(5)]
        await turns()
        assert pair.tally.waiting
        assert not any(send.done() for send in sends)
        assert pair.socket.counts == (0, 0)
        await pair.want("resume")
        assert [await pair.other.recv() for _ in sends] == [b"%d" % n for n in range(5)]
        await asyncio.gather(*sends)
        assert not pair.tally.waiting
        assert pair.socket.counts == (5, 0)

    run(test)


def test_a_pause_comes_between_two_messages() -> None:
    async def test(pair: Pair) -> None:
        await pair.socket.send(b"1", zmq.SNDMORE)
        paused = asyncio.ensure_future(pair.want("pause"))
        await turns()
        assert pair.tally.heeded == 0
        await pair.socket.send(b"2")
        await paused
        assert await pair.other.recv_multipart() == [b"1", b"2"]

    run(test)


def test_a_send_that_must_not_wait_does_not() -> None:
    async def test(pair: Pair) -> None:
        await pair.want("pause")
        with pytest.raises(zmq.Again):
            await pair.socket.send(b"x", zmq.NOBLOCK)
        pair.socket.sndtimeo = 1
        with pytest.raises(zmq.Again):
            await pair.socket.send(b"x")
        assert not pair.tally.waiting
        await pair.want("resume")
        await pair.socket.send(b"y")
        assert await pair.other.recv() == b"y"

    run(test)


def test_a_send_that_waits_for_room_goes_on_when_there_is_some() -> None:
    async def test(pair: Pair) -> None:
        sends = [asyncio.ensure_future(pair.socket.send(b"%d" % n)) for n in range(10)]
        await turns()
        assert not sends[-1].done()
        assert not pair.tally.waiting
        assert [await pair.other.recv() for _ in sends] == [b"%d" % n for n in range(10)]
        await asyncio.gather(*sends)

    run(test)


def test_a_router_waits_for_the_one_who_has_no_room_and_drops_what_nobody_is_there_for() -> None:
    async def test(pair: Pair) -> None:
        pair.socket._counting._forgives = True
        sends = [asyncio.ensure_future(pair.socket.send_multipart([b"it", b"%d" % n])) for n in range(10)]
        await turns()
        assert not sends[-1].done()
        await pair.socket.send_multipart([b"nobody", b"x"], zmq.NOBLOCK)
        assert [await pair.other.recv() for _ in sends] == [b"%d" % n for n in range(10)]
        await asyncio.gather(*sends)
        assert pair.socket.counts == (10, 0)

    run(test, zmq.ROUTER, zmq.DEALER)


@pytest.mark.parametrize("full", [False, True])
def test_a_send_that_waits_when_it_is_over_is_told_so(full: bool) -> None:
    async def test(pair: Pair) -> None:
        if full:
            while await pair.socket.poll(0, zmq.POLLOUT):
                await pair.socket.send(b"x")
        else:
            await pair.want("pause")
        waiting = asyncio.ensure_future(pair.socket.send(b"y"))
        await turns()
        await pair.want("stop")
        with pytest.raises(zmq.ContextTerminated):
            await waiting
        with pytest.raises(zmq.ContextTerminated):
            await pair.socket.send(b"z")

    run(test)


def test_a_send_that_is_cancelled_is_not_sent_and_lets_others_go_on() -> None:
    async def test(pair: Pair) -> None:
        await pair.want("pause")
        first, second = (asyncio.ensure_future(pair.socket.send(text)) for text in (b"1", b"2"))
        await turns()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await pair.want("resume")
        await second
        assert await pair.other.recv() == b"2"
        assert pair.socket.counts == (1, 0)

    run(test)


def test_it_is_in_the_package_and_the_other_says_so() -> None:
    assert topo.aio.socket is aio.socket
    with zmq.asyncio.Context() as context, pytest.raises(TypeError, match=r"topo\.aio\.socket makes those of a zmq\.asyncio"):
        topo.socket("x", context)  # type: ignore[arg-type]  # it says so
    with pytest.raises(joined.NotJoined):
        aio.socket(environment={})
