"""Making a socket as a plan wants it: the options first, then binds, later connects.

What fails is said with all that is known: which step, which of them, and the system's reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import zmq

from topo.devcore.closing import Closing
from topo.devcore.listener import Listener
from topo.host import Holder
from topo.plan import ConnectPlan, OptionPlan, Origin, SocketPlan
from topo.run import claims
from topo.run.events import Addresses, Step
from topo.zeromq.transports import absolute, for_connecting, parse

__all__ = ["Bindings", "SocketError", "connect", "connect_one", "connect_to", "make", "open"]

Socket = zmq.Socket[bytes]
Context = zmq.Context[Any]  # of whatever sockets the application's own context makes

TAKEN = frozenset({zmq.EADDRINUSE})
NONE_KEPT: Mapping[Origin, Listener] = MappingProxyType({})


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
    """What a device has bound: its addresses are free again, and their files removed, once it is closed or unbound."""

    def __init__(self) -> None:
        self._bound: list[_Bound] = []

    def bind(self, socket: Socket, plan: SocketPlan, kept: Mapping[Origin, Listener] = NONE_KEPT) -> tuple[str, ...]:
        """Bind everything that the plan wants, and return the real addresses. Where an address is `kept`, it listens already."""
        return tuple(
            self.bind_to(socket, plan.id, index, bind.endpoint, kept.get(Origin(plan.id, index)), bind.address)
            for index, bind in enumerate(plan.binds)
        )

    def bind_to(self, socket: Socket, id: str, index: int, wanted: str, kept: Listener | None = None, before: str = "") -> str:
        """Bind one endpoint, at the address that it had `before` if there is one, and return the real address."""
        chosen = before or wanted
        with _step("bind", id, index, wanted):
            if kept is not None:
                kept.bind(socket, chosen)
            else:
                if before and wanted == "ipc://*":
                    Path(before.removeprefix("ipc://")).parent.mkdir(0o700, exist_ok=True)
                with claims.claimed(chosen):
                    socket.bind(_as_zmq_takes_it(chosen))
            endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
            assert isinstance(endpoint, bytes)
            address = _real(endpoint)
            self._bound = [b for b in self._bound if b.socket is not socket or b.address != address]  # it may be bound once more
            self._bound.append(_Bound(socket, wanted, address, endpoint, claims.identity(address)))
        return address

    def unbind(self, context: Context, socket: Socket, address: str) -> None:
        """Give up an address, or what was wanted so last, and wait until it is free. Raises ZMQError if it was not bound."""
        theirs = [b for b in reversed(self._bound) if b.socket is socket and address in (b.address, b.wanted)]
        bound = next(iter(theirs), None)
        closing = Closing(context, socket, [bound.endpoint] if bound and bound.is_port else [])
        socket.unbind(bound.endpoint if bound else _as_zmq_takes_it(address))
        closing.wait()
        if bound is not None:
            self._bound.remove(bound)
            bound.remove_file()

    def close(self, sockets: Sequence[Socket], context: Context | None = None) -> None:
        """Close sockets. With a `context`, which goes on after them, wait until libzmq has given up what they had bound."""
        theirs = [b for b in self._bound if b.socket in sockets]
        closings = []
        if context is not None:
            for bound in theirs:
                if bound.address.startswith("inproc://"):
                    with suppress(zmq.ZMQError):  # the context has ended, and the name with it
                        bound.socket.unbind(bound.address)
            closings = [Closing(context, socket, _listening(theirs, socket)) for socket in sockets]
        for socket in sockets:
            socket.close()
        for closing in closings:
            closing.wait()
        for bound in theirs:
            self._bound.remove(bound)
            bound.remove_file()


def _listening(bound: Iterable[_Bound], socket: Socket) -> list[bytes]:
    """What of a socket libzmq's own threads say the end of; nothing if none of it is a port, which somebody might wait for.

    All of it: nobody may go on reading only until the ports are free, for those threads would wait for ever to say the rest.
    """
    theirs = [b for b in bound if b.socket is socket and not b.address.startswith("inproc://")]
    return [b.endpoint for b in theirs] if any(b.is_port for b in theirs) else []


class _Bound(NamedTuple):
    """An endpoint as it was wanted, the real address, how libzmq knows it, and which file it is, if it is one."""

    socket: Socket
    wanted: str
    address: str
    endpoint: bytes
    file: tuple[int, int] | None

    @property
    def is_port(self) -> bool:
        return parse(self.address).ported

    def remove_file(self) -> None:
        if self.file is not None:
            claims.remove(self.address, self.file, self.wanted == "ipc://*")


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
            connect_one(socket, endpoint)


def connect_one(socket: Socket, address: str) -> None:
    """Connect a socket to one address. Raises ZMQError."""
    socket.connect(_as_zmq_takes_it(address))


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
