"""`topo.socket`: a socket of an app that ztopo runs, as the file declares it, whose messages are counted.

Where it binds and connects, and with which options, is asked at the control socket of the topology, whose folder is in the
environment; that connection stays open, and a thread here listens to it. What the socket has sent and received is counted in memory that
the supervisor maps as well, so nobody asks for it, and it is still there when the app was killed. Paused, a send waits and a receive
goes on. That it is paused is said in the same memory, once no message is half sent.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from socket import AF_UNIX
from socket import socket as unix_socket
from typing import Any, BinaryIO

import zmq

from topo.devcore.closing import wait_for_io_threads
from topo.run.apps import OWN
from topo.run.folder import control_path
from topo.run.tally import Tally, open_file

__all__ = ["CROWDED", "STEP", "Gate", "NotJoined", "Socket", "join", "socket"]

PATIENCE = 30.0
"""Seconds that the supervisor may take to answer."""
STEP = 0.05
"""Seconds after which one who waits for room looks whether it is paused."""
CROWDED = 0.002
"""The same where libzmq does not tell when there is room."""


class NotJoined(RuntimeError):
    """There is no topology that runs this program, or it declares no such socket."""


def socket(
    name: str | None = None, context: zmq.Context[Any] | None = None, environment: Mapping[str, str] = os.environ
) -> Socket:
    """Make a socket that this program's app declares: of its type, with its options, bound and connected.

    `name` is that of the socket, or of the app if it has only one; it may be left out then. The socket is one of pyzmq, for the
    thread that uses it. Over links between two of these, or between one and a device, ztopo can pause, empty and count: what it
    drains, restarts and rewires there loses nothing. When the topology stops, a send that waits raises `zmq.ContextTerminated`.
    Its twin for the tasks of an event loop is `topo.aio.socket`.

    Raises NotJoined if it is not `ztopo up` that runs this program.
    """
    awaited = sys.modules.get("zmq.asyncio")  # who has a context of that has imported it
    if awaited is not None and isinstance(context, awaited.Context):
        raise TypeError("topo.socket makes sockets that block: topo.aio.socket makes those of a zmq.asyncio.Context")
    return join(name, context or zmq.Context.instance(), environment)


def join(name: str | None, context: zmq.Context[Any], environment: Mapping[str, str]) -> Socket:
    """Make a socket that this program's app declares, in any context. Raises NotJoined."""
    app, _, folder = environment.get(OWN, "").partition("@")
    if not app:
        raise NotJoined("this program was not started by ztopo: topo.socket works in an app that a topology declares with `run`")
    if not folder:
        raise NotJoined(f"the topology that runs {app} cannot be asked: it is not run by `ztopo up`")
    line = Line(folder, app, name or "")
    try:
        made: Socket = context.socket(getattr(zmq, line.declared["type"]), socket_class=Socket)
        made._join(line)
        return made
    except BaseException:
        line.close()
        raise


class Line:
    """The connection to the supervisor: what the socket is declared as, and what is wanted of it later."""

    def __init__(self, folder: str, app: str, name: str) -> None:
        self._connection = unix_socket(AF_UNIX)
        try:
            self._connection.settimeout(PATIENCE)
            with control_path(Path(folder)) as path:
                self._connection.connect(path)
            self._lines: BinaryIO = self._connection.makefile("rb")
            request = {"verb": "join", "app": app, "socket": name}
            self._connection.sendall(json.dumps(request).encode() + b"\n")
            self.declared = self._next()
        except (OSError, ValueError) as error:
            self.close()
            raise NotJoined(f"the topology that runs {app} does not answer: {error}") from error
        if "error" in self.declared:
            self.close()
            raise NotJoined(self.declared["error"]["message"])
        self._connection.settimeout(None)

    def _next(self) -> dict[str, Any]:
        answer = json.loads(self._lines.readline())
        assert isinstance(answer, dict)
        return answer

    def follow(self, gate: Gate, context: zmq.Context[Any]) -> None:
        """Do what is wanted, until the supervisor has gone. Then nothing is held back any more."""
        with suppress(OSError, ValueError):
            while "end" not in (wish := self._next()):
                if wish.get("do") == "resume":
                    with suppress(zmq.ZMQError):  # it ends, or has no socket to spare
                        wait_for_io_threads(context)  # else it may send to one who has left while it was paused
                gate.heed(wish)
        gate.heed({"do": "resume"})

    def close(self) -> None:
        """Leave."""
        with suppress(OSError):
            self._connection.shutdown(2)
        self._connection.close()


class Gate:
    """What a message passes on its way out: one at a time, and none while it is shut."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._changed = threading.Condition()
        self._shut = False
        self._over = False
        self._inside = False
        self._heard: Callable[[], None] | None = None

    def listen(self, heard: Callable[[], None]) -> None:
        """From now on call this, in the thread that listens to the supervisor, whenever something else is wanted."""
        self._heard = heard

    def wait(self, waits: bool = True) -> bool:
        """Say that a message waits before it, or no longer does. Returns whether it is shut; else nobody waits there."""
        with self._changed:
            self._tally.waiting = waits and self._shut
            return self._shut

    def heed(self, wish: Mapping[str, object]) -> None:
        """Do what the supervisor wants. Called in the thread that listens to it."""
        with self._changed:
            self._shut = wish.get("do") == "pause"
            self._over = wish.get("do") == "stop"
            self._changed.notify_all()
            self._changed.wait_for(lambda: not (self._shut and self._inside))
            self._tally.heeded = int(str(wish.get("number", 0)))
        if self._heard is not None:
            self._heard()

    def enter(self, until: float | None) -> None:
        """Begin a message. Raises zmq.Again if it is shut until then, and zmq.ContextTerminated if it is over."""
        with self._changed:
            left = None if until is None else max(0.0, until - time.monotonic())
            self._tally.waiting = self._shut
            opened = self._changed.wait_for(lambda: not self._shut, left)
            self._tally.waiting = False
            if not opened:
                raise zmq.Again
            if self._over:
                raise zmq.ContextTerminated
            self._inside = True

    def leave(self, *, sent: bool) -> None:
        """A message is sent, or was not."""
        with self._changed:
            self._inside = False
            self._tally.sent += sent
            if self._shut:
                self._changed.notify_all()


class Socket(zmq.Socket[bytes]):
    """A socket of pyzmq that counts whole messages, and waits before it sends one while it is paused."""

    _gate: Gate | None = None
    _tally: Tally | None = None
    _line: Line | None = None
    _half_sent = False
    _forgives = False
    """Whether it is to drop what it cannot route, without a word."""
    _dropping = False
    """Whether it is about to drop a message, of which there is more to come."""

    def _join(self, line: Line) -> None:
        declared = line.declared
        options = {int(number): value for number, value in declared["options"]}
        for number, value in options.items():
            self.setsockopt(number, bytes.fromhex(value) if isinstance(value, str) else value)
        if self.type == zmq.ROUTER and zmq.ROUTER_MANDATORY not in options:
            self.router_mandatory = 1  # else nobody would know what it has dropped
            self._forgives = True
        self._tally = open_file(declared["memory"])
        self._gate = Gate(self._tally)
        self._line = line
        threading.Thread(target=line.follow, args=(self._gate, self.context), name=f"ztopo {declared['id']}", daemon=True).start()
        for endpoint in declared["binds"]:
            self.bind(endpoint)
        for endpoint in declared["connects"]:
            self.connect(endpoint)

    @property
    def gate(self) -> Gate:
        """What its messages pass on their way out."""
        assert self._gate is not None
        return self._gate

    @property
    def counts(self) -> tuple[int, int]:
        """How many whole messages it has sent and received."""
        return (self._tally.sent, self._tally.received) if self._tally is not None else (0, 0)

    def send(self, data: Any, flags: int = 0, *arguments: Any, **more: Any) -> Any:
        """Send a part, as pyzmq does. The first of a message waits while the socket is paused."""
        gate = self._gate
        if gate is None:
            return super().send(data, flags, *arguments, **more)
        if self._dropping:
            self._dropping = bool(flags & zmq.SNDMORE)
            return None
        until = self._until(flags)
        while True:
            if not self._half_sent:
                gate.enter(until)
            try:
                sent = super().send(data, flags if self._half_sent else flags | zmq.NOBLOCK, *arguments, **more)
            except zmq.Again:
                if not self._half_sent:
                    gate.leave(sent=False)
                self._wait_for_room(until)
                continue
            except BaseException as error:
                self._half_sent = False
                gate.leave(sent=False)
                if self._forgives and isinstance(error, zmq.ZMQError) and error.errno == zmq.EHOSTUNREACH:
                    self._dropping = bool(flags & zmq.SNDMORE)
                    return None
                raise
            self._half_sent = bool(flags & zmq.SNDMORE)
            if not self._half_sent:
                gate.leave(sent=True)
            return sent

    def recv(self, flags: int = 0, *arguments: Any, **more: Any) -> Any:
        """Receive a part, as pyzmq does."""
        received = super().recv(flags, *arguments, **more)
        if self._tally is not None and not self.getsockopt(zmq.RCVMORE):
            self._tally.received += 1
        return received

    def recv_into(self, buffer: Any, /, *, nbytes: int = 0, flags: int = 0) -> int:
        """Receive a part into memory, as pyzmq does."""
        received = super().recv_into(buffer, nbytes=nbytes, flags=flags)
        if self._tally is not None and not self.getsockopt(zmq.RCVMORE):
            self._tally.received += 1
        return received

    def close(self, linger: int | None = None) -> None:
        """Close it, and let the supervisor know that."""
        super().close(linger)
        self.hang_up()

    def hang_up(self) -> None:
        """Let the supervisor know that it is closed."""
        if self._line is not None:
            self._line.close()

    def _until(self, flags: int) -> float | None:
        """Until when a send may wait."""
        limit = 0 if flags & zmq.NOBLOCK else int(self.getsockopt(zmq.SNDTIMEO))
        return None if limit < 0 else time.monotonic() + limit / 1000

    def _wait_for_room(self, until: float | None) -> None:
        left = STEP if until is None else until - time.monotonic()
        if left <= 0:
            raise zmq.Again
        if self.type == zmq.ROUTER:  # it says that there is room, for somebody else maybe
            time.sleep(min(left, CROWDED))
        else:
            self.poll(int(min(left, STEP) * 1000) + 1, zmq.POLLOUT)
