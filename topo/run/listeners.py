"""Addresses that a topology keeps while a device is started again: the supervisor holds the listening descriptor.

What connects while nobody is there waits in the kernel, and nobody else can take the port. libzmq accepts from a duplicate
(ZMQ_USE_FD), in the process that the device lives in. Only TCP can be kept so: where the host is a number or any, and no
option wants something of the listening socket that libzmq alone would set.
"""

from __future__ import annotations

from typing import NamedTuple

import zmq

from topo.devcore.listener import Listener, listen
from topo.plan import BindPlan, DevicePlan, Origin, SocketPlan
from topo.zeromq.transports import parse

__all__ = ["Kept"]

OF_THE_LISTENING = frozenset({"bindtodevice", "priority", "tos", "use_fd"})
"""Options that libzmq sets on a socket before it listens."""
ANY_PORT = ("*", "0", "!")


class Bind(NamedTuple):
    """What is kept: of a socket, by id, an endpoint as it is wanted, for IPv6 too or not."""

    socket: str
    endpoint: str
    ipv6: bool


class Kept:
    """The descriptors of one topology."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[Bind, Listener]] = {}

    def of(self, device: DevicePlan) -> dict[Origin, int]:
        """The descriptors of the binds of a device that are kept, or can be kept from now on. They stay ours."""
        self.trim(device)
        there = self._listeners.setdefault(device.name, {})
        handles = {}
        for socket in device.sockets:
            for index, bind in enumerate(socket.binds):
                kept = _kept_as(socket, bind)
                found = there.get(kept) or _listen(socket, bind.address or bind.endpoint)
                if found is not None:
                    there[kept] = found
                    handles[Origin(socket.id, index)] = found.handle
        return handles

    def trim(self, device: DevicePlan) -> None:
        """Close what is kept for a device that is to bind something else by now."""
        wanted = {_kept_as(socket, bind) for socket in device.sockets for bind in socket.binds}
        there = self._listeners.get(device.name, {})
        for gone in there.keys() - wanted:
            del there[gone]

    def give_up(self, device: str) -> None:
        """Close what is kept for a device."""
        self._listeners.pop(device, None)


def _kept_as(socket: SocketPlan, bind: BindPlan) -> Bind:
    return Bind(socket.id, bind.endpoint, any(o.name == "ipv6" and o.value for o in socket.options))


def _listen(socket: SocketPlan, endpoint: str) -> Listener | None:
    """Listen, as libzmq would; None where it has to do that itself, also to say why it cannot."""
    names = {option.name: option.value for option in socket.options}
    address = parse(endpoint)
    if address.transport != "tcp" or names.keys() & OF_THE_LISTENING:
        return None
    if address.port in ANY_PORT:
        ports = range(1)
    elif address.port.isdecimal():
        ports = range(int(address.port), int(address.port) + 1)
    else:
        return None
    try:
        found = listen(address.host, ports, 1, bool(names.get("ipv6")))
    except (OSError, zmq.ZMQError, zmq.ZMQBindError):  # taken, or no descriptors left: what is wrong the device will say
        return None
    return found[0] if found else None
