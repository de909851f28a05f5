"""Making a socket as a plan wants it: the options first, then binds, later connects.

What fails is said with all that is known: which step, which of them, and the system's reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import zmq

from topo.devcore.closing import Closing
from topo.host import Holder
from topo.plan import BindPlan, ConnectPlan, OptionPlan, SocketPlan
from topo.run import claims
from topo.run.events import Addresses, Step
from topo.zeromq.transports import absolute, for_connecting, parse

__all__ = ["Bindings", "SocketError", "connect", "connect_to", "make", "open"]

Socket = zmq.Socket[bytes]
Context = zmq.Context[Any]  # of whatever sockets the application's own context makes

TAKEN = frozenset({zmq.EADDRINUSE})


class SocketError(Exception):
    """A socket could not be made, bound or connected."""

    def __init__(
        self, step: Step, socket: str, index: int, endpoint: str, error: OSError | zmq.ZMQError, holder: Holder | None = None
    ) -> None:
        super().__init__(step, socket, index, endpoint, error)
        self.step: Step = step
        self.socket = socket
        self.index = index
        self.endpoint = endpoint
        self.errno = error.errno or 0
        self.reason = str(zmq.strerror(self.errno) if isinstance(error, zmq.ZMQError) else error.strerror)
        self.holder = holder


@contextmanager
def _step(step: Step, socket: str, index: int = -1, endpoint: str = "") -> Iterator[None]:
    try:
        yield
    except (OSError, zmq.ZMQError) as error:
        holder = claims.holder(endpoint) if step == "bind" and error.errno in TAKEN else None
        raise SocketError(step, socket, index, endpoint, error, holder) from error


def make(context: Context, plan: SocketPlan, type: str | None = None) -> Socket:
    """Make a socket and set its options. `type` is what it is made as, where that is not what it is called."""
    with _step("socket", plan.id):
        socket: Socket = context.socket(getattr(zmq, type or plan.type))
    try:
        for index, option in enumerate(plan.options):
            with _step("option", plan.id, index):
                _set(socket, option)
    except BaseException:
        socket.close(0)
        raise
    return socket


def _set(socket: Socket, option: OptionPlan) -> None:
    socket.setsockopt(option.number, option.value)


class Bindings:
    """What a device has bound: its addresses are free again, and their files removed, once it is closed."""

    def __init__(self) -> None:
        self._ports: list[tuple[Socket, bytes]] = []
        self._names: list[tuple[Socket, str]] = []
        self._files: list[tuple[str, tuple[int, int], bool]] = []

    def bind(self, socket: Socket, plan: SocketPlan) -> tuple[str, ...]:
        """Bind everything that the plan wants, and return the real addresses."""
        return tuple(self._bind(socket, plan.id, index, bind) for index, bind in enumerate(plan.binds))

    def _bind(self, socket: Socket, id: str, index: int, bind: BindPlan) -> str:
        with _step("bind", id, index, bind.endpoint):
            with claims.claimed(bind.endpoint):
                socket.bind(_as_zmq_takes_it(bind.endpoint))
            endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
            assert isinstance(endpoint, bytes)
            address = _real(endpoint)
            file = claims.identity(address)
            if file is not None:
                self._files.append((address, file, bind.endpoint == "ipc://*"))
        if parse(address).ported:
            self._ports.append((socket, endpoint))
        if address.startswith("inproc://"):
            self._names.append((socket, address))
        return address

    def close(self, sockets: Sequence[Socket], context: Context | None = None) -> None:
        """Close sockets. With a `context`, which goes on after them, wait until libzmq has given up what they had bound."""
        closings = []
        if context is not None:
            for socket, name in self._names:
                with suppress(zmq.ZMQError):  # the context has ended, and the name with it
                    socket.unbind(name)
            closings = [Closing(context, socket, [e for owner, e in self._ports if owner is socket]) for socket in sockets]
        for socket in sockets:
            socket.close()
        for closing in closings:
            closing.wait()
        for address, file, wild in self._files:
            claims.remove(address, file, wild)


def _as_zmq_takes_it(endpoint: str) -> Any:
    """The endpoint as bytes if its path is not UTF-8, which pyzmq takes though it does not say so."""
    try:
        endpoint.encode()
    except UnicodeEncodeError:
        return os.fsencode(endpoint)
    return endpoint


def _real(last_endpoint: bytes) -> str:
    """The address that was bound: complete where libzmq gives a path from here, and plain where it maps IPv4 into IPv6."""
    text = os.fsdecode(last_endpoint.rstrip(b"\0"))
    head, mapped, rest = text.partition("[::ffff:")
    if mapped:
        text = head + rest.replace("]", "", 1)
    return absolute(text, Path.cwd())


def connect_to(connect: ConnectPlan, addresses: Addresses) -> str:
    """The address that a connect goes to, now that it is known what the others have bound."""
    if connect.origin is None or connect.origin.socket not in addresses:
        return connect.endpoint
    return for_connecting(addresses[connect.origin.socket][connect.origin.index])


def connect(socket: Socket, plan: SocketPlan, addresses: Addresses) -> None:
    """Connect everything that the plan wants."""
    for index, connect in enumerate(plan.connects):
        endpoint = connect_to(connect, addresses)
        with _step("connect", plan.id, index, endpoint):
            socket.connect(_as_zmq_takes_it(endpoint))


def open(context: Context, plan: SocketPlan, addresses: Addresses) -> Socket:
    """Make a socket, bind it and connect it: all at once, for an application's own."""
    socket = make(context, plan)
    try:
        Bindings().bind(socket, plan)
        connect(socket, plan, addresses)
    except BaseException:
        socket.close(0)
        raise
    return socket
