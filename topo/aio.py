"""`topo.aio.socket`: the twin of `topo.socket` for the tasks of an event loop, as `zmq.asyncio` is that of `zmq`.

It is a socket of `zmq.asyncio` over one that counts, through which all goes that it sends and receives. A send that finds room at once is
done at once; one that does not waits in a task of its own, behind those before it, until it may and can.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from weakref import WeakMethod

import zmq
import zmq.asyncio

from topo import joined

__all__ = ["Socket", "socket"]


def socket(
    name: str | None = None, context: zmq.asyncio.Context | None = None, environment: Mapping[str, str] = os.environ
) -> Socket:
    """Make a socket that this program's app declares, as `topo.socket` does: what that waits for, this awaits.

    While it is paused, an `await` of a send waits, and other tasks go on. When the topology stops, a send that waits raises
    `zmq.ContextTerminated`. Raises `topo.joined.NotJoined` if it is not `ztopo up` that runs this program.
    """
    return Socket._over(joined.join(name, context or zmq.asyncio.Context.instance(), environment))


class Socket(zmq.asyncio.Socket):
    """A socket of `zmq.asyncio` that counts whole messages, and whose sends wait while it is paused."""

    _counting: joined.Socket
    _turn: asyncio.Lock
    _changed: asyncio.Event
    _loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def _over(cls, counting: joined.Socket) -> Socket:
        made = cls.from_socket(counting)
        made._counting, made._turn, made._changed = counting, asyncio.Lock(), asyncio.Event()
        heard = WeakMethod(made._heard)  # who has forgotten the socket has closed it
        counting.gate.listen(lambda: _call(heard()))
        return made

    @property
    def counts(self) -> tuple[int, int]:
        """How many whole messages it has sent and received."""
        return self._counting.counts

    def send(self, data: Any, flags: int = 0, *arguments: Any, **more: Any) -> Awaitable[Any]:  # type: ignore[override]  # as pyzmq
        """Send a part, as pyzmq does. The first of a message waits while the socket is paused."""
        return self._sent(lambda now: self._counting.send(data, now, *arguments, **more), flags)

    def send_multipart(self, msg_parts: Any, flags: int = 0, *arguments: Any, **more: Any) -> Awaitable[Any]:  # type: ignore[override]  # as pyzmq
        """Send a whole message, as pyzmq does. It waits while the socket is paused."""
        return self._sent(lambda now: self._counting.send_multipart(msg_parts, now, *arguments, **more), flags)

    def close(self, linger: int | None = None) -> None:
        """Close it, and let the supervisor know that."""
        super().close(linger)
        assert self._counting.closed, "it is the same socket, and knows that only once it has looked"
        self._counting.hang_up()

    def _sent(self, send: Callable[[int], Any], flags: int) -> Awaitable[Any]:
        """Send at once if that can be and nobody is before us, else later."""
        self._loop = asyncio.get_running_loop()
        at_once = bool(flags & zmq.NOBLOCK)
        now = partial(self._send_now, partial(send, flags | zmq.NOBLOCK))
        if self._turn.locked() and not at_once:
            return asyncio.ensure_future(self._later(now))
        future: asyncio.Future[Any] = self._loop.create_future()
        try:
            future.set_result(now())
        except zmq.ZMQError as error:
            if isinstance(error, zmq.Again) and not at_once:
                return asyncio.ensure_future(self._later(now))
            future.set_exception(error)
        return future

    def _send_now(self, send: Callable[[], Any]) -> Any:
        try:
            return send()
        finally:
            if not self.closed:
                self.get(zmq.EVENTS)  # it may have used up the sign that something has come: pyzmq looks after that here

    async def _later(self, now: Callable[[], Any]) -> Any:
        limit = int(self._counting.getsockopt(zmq.SNDTIMEO))
        end = None if limit < 0 else time.monotonic() + limit / 1000
        async with self._turn:
            while True:
                self._changed.clear()
                try:
                    return now()
                except zmq.Again:
                    left = joined.STEP if end is None else end - time.monotonic()
                    if left <= 0:
                        raise
                await self._wait(end is None, left)

    async def _wait(self, for_ever: bool, left: float) -> None:
        """Wait until it may be that it can be sent, or that it can be no more."""
        gate = self._counting.gate
        if gate.wait():
            try:
                await asyncio.wait_for(self._changed.wait(), None if for_ever else left)
            except TimeoutError:
                return
            finally:
                gate.wait(False)
        elif self._counting.type == zmq.ROUTER:  # it says that there is room, for somebody else maybe
            await asyncio.sleep(min(left, joined.CROWDED))
        else:
            await self.poll(int(min(left, joined.STEP) * 1000) + 1, zmq.POLLOUT)  # type: ignore[call-arg]  # pyzmq has forgotten them in its stubs

    def _heard(self) -> None:
        """Something else is wanted. Called in the thread that listens to the supervisor."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._changed.set)


def _call(method: Callable[[], None] | None) -> None:
    if method is not None:
        method()
