"""When a port that a socket has bound is free: libzmq closes in a thread of its own, some time after `close` has returned.

Until then it goes on to accept connections, and drops them. A monitor tells when it has stopped. To unbind before would not do:
that closes connections over which messages are still going out.

A socket that lives on must lose its monitor before the one who reads it goes: libzmq's own threads wait for ever for somebody
to take what they say there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import zmq

__all__ = ["Closing", "wait_for_io_threads"]

PATIENCE = 5000
"""How many milliseconds libzmq may take to give up a port."""


class Closing:
    """A socket that is about to be closed, or to unbind, whose context goes on; and the addresses that it gives up.

    Of one that is closed these must be all that it listens at: what libzmq's own threads say when nobody reads any more, they wait
    for ever to say, and no message goes through the context again.
    """

    def __init__(self, context: zmq.Context[Any], socket: zmq.Socket[Any], endpoints: Iterable[bytes]) -> None:
        """`endpoints` are as LAST_ENDPOINT has named them."""
        self._socket = socket
        self._left = Counter(endpoint.rstrip(b"\0") for endpoint in endpoints)
        self._monitor: zmq.Socket[Any] | None = None
        if self._left:
            with suppress(zmq.ZMQError):  # the context has ended, or has no socket to spare: then there is no waiting
                name = f"inproc://ztopo-closing-{id(self)}"
                socket.monitor(name, zmq.EVENT_CLOSED)
                self._monitor = context.socket(zmq.PAIR)
                self._monitor.connect(name)

    def wait(self) -> None:
        """Wait until the ports are free, but not for ever."""
        if self._monitor is None:
            return
        with self._monitor, suppress(zmq.ContextTerminated):
            while self._left.total() > 0 and self._monitor.poll(PATIENCE):
                _, endpoint = self._monitor.recv_multipart()
                if endpoint in self._left:  # attempts to connect end in the same way
                    self._left[endpoint] -= 1
            if not self._socket.closed:
                self._socket.disable_monitor()


def wait_for_io_threads(context: zmq.Context[Any]) -> None:
    """Wait until each of libzmq's own threads has finished what it is about: it has ended a listener, asked for after that."""
    for number in range(context.get(zmq.IO_THREADS)):
        with context.socket(zmq.PUSH) as passing:
            passing.setsockopt(zmq.AFFINITY, 1 << number)
            passing.bind("tcp://127.0.0.1:*")
            endpoint = passing.getsockopt(zmq.LAST_ENDPOINT)
            assert isinstance(endpoint, bytes)
            closing = Closing(context, passing, [endpoint])
            passing.unbind(endpoint)
            closing.wait()
