"""The Python API for the tasks of an event loop: it goes on while something waits, and cancelling leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator

import pytest
import zmq

import topo
from tests.run.test_running import plan_of
from topo.run.again import NotAgain
from topo.run.events import Phased
from topo.run.moment import Moment
from topo.run.running import Running, start_awaited

RELAY = """ztopo 1
device relay: streamer {
    in  PULL bind tcp://127.0.0.1:*
    out PUSH bind tcp://127.0.0.1:*
}
"""
PATIENCE = 30


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert [t for t in threading.enumerate() if t not in before and t.name.startswith("ztopo")] == []


async def beats(while_waiting: Awaitable[object]) -> int:
    """How often the event loop went round while something waited."""
    count = 0
    waiting = asyncio.ensure_future(while_waiting)
    while not waiting.done():
        count += 1
        await asyncio.sleep(0)
    waiting.result()
    return count


def test_it_runs_within_an_async_block() -> None:
    async def use() -> None:
        async with topo.loads(RELAY).up_async() as running:
            assert running.status().phase == "running"
            assert running.statistics()["relay"].frontend.received.messages == 0
            assert not await running.aio.wait(0)
        assert running.ended
        assert running.status().phase == "ended"
        assert await running.aio.wait()

    asyncio.run(use())


def test_the_event_loop_goes_on_while_it_starts_and_stops() -> None:
    async def use() -> None:
        starting = asyncio.ensure_future(_started())
        assert await beats(starting) > 1
        assert await beats(starting.result().aio.stop()) > 1
        assert starting.result().ended

    async def _started() -> Running:
        return await topo.loads(RELAY).up_async()

    asyncio.run(use())


def test_the_event_loop_goes_on_while_a_device_starts_again() -> None:
    async def use() -> None:
        async with topo.loads(RELAY).up_async() as running:
            assert await beats(running.aio.restart("relay")) > 1
            assert running.status().devices[0].life == "ready"
            with pytest.raises(NotAgain, match="there is no device delay"):
                await running.aio.restart("delay")

    asyncio.run(use())


def test_an_invalid_one_raises_before_anything_starts() -> None:
    async def use() -> None:
        with pytest.raises(topo.TopologyError):
            await topo.loads(RELAY.replace("PUSH", "PULL")).up_async()

    asyncio.run(use())


def test_cancelled_while_it_starts_it_leaves_nothing() -> None:
    async def use() -> None:
        loop = asyncio.get_running_loop()
        plan = plan_of(RELAY.removeprefix("ztopo 1"))

        def hear(told: object) -> None:
            if isinstance(told, Phased) and told.phase == "connecting":
                loop.call_soon_threadsafe(starting.cancel)

        starting = asyncio.ensure_future(start_awaited(plan, context=zmq.Context.instance(), on_event=hear))
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(use())


def test_who_waits_for_the_end_may_be_cancelled() -> None:
    async def use() -> None:
        async with topo.loads(RELAY).up_async() as running:
            waiting = asyncio.ensure_future(running.aio.wait())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert not running.ended

    asyncio.run(use())


def test_a_moment_that_has_come_is_waited_for_by_nobody() -> None:
    async def use() -> None:
        moment = Moment()
        assert not await moment.come(0)
        waiting = asyncio.ensure_future(moment.come())
        await asyncio.sleep(0)
        threading.Thread(target=moment.set).start()
        assert await waiting
        assert await moment.come()

    asyncio.run(asyncio.wait_for(use(), PATIENCE))
