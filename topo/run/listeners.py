"""Addresses that a topology keeps while a device is started again: the supervisor holds the listening descriptor.

What connects while nobody is there waits in the kernel, and nobody else can take the port. libzmq accepts from a duplicate
(ZMQ_USE_FD), in the process that the device lives in. Only TCP can be kept so: where the host is a number or any, and no
option wants something of the listening socket that libzmq alone would set.
"""

from __future__ import annotations

import zmq

from topo.devcore.listener import Listener, listen
from topo.plan import DevicePlan, Origin, SocketPlan
from topo.zeromq.transports import parse

__all__ = ["Kept"]

OF_THE_LISTENING = frozenset({"bindtodevice", "priority", "tos", "use_fd"})
"""Options that libzmq sets on a socket before it listens."""
ANY_PORT = ("*", "0", "!")


class Kept:
    """The descriptors of one topology."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[Origin, Listener]] = {}

    def of(self, device: DevicePlan) -> dict[Origin, int]:
        """The descriptors of the binds of a device that are kept, or can be kept from now on. They stay ours."""
        there = self._listeners.setdefault(device.name, {})
        wanted = {Origin(s.id, index): (s, bind.endpoint) for s in device.sockets for index, bind in enumerate(s.binds)}
        for gone in there.keys() - wanted.keys():
            del there[gone]
        for origin, (socket, endpoint) in wanted.items():
            if origin not in there:
                found = _listen(socket, endpoint)
                if found is not None:
                    there[origin] = found
        return {origin: listener.handle for origin, listener in there.items()}

    def give_up(self, device: str) -> None:
        """Close what is kept for a device."""
        self._listeners.pop(device, None)


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
