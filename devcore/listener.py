"""A TCP port that is kept from the moment it is found: a listening socket of ours, from which libzmq accepts (ZMQ_USE_FD)."""

from __future__ import annotations

import ipaddress
import os
import random
import socket
import weakref
from typing import Any

import zmq

__all__ = ["Listener", "listen"]

BACKLOG = 100
"""As many connections may wait to be accepted; libzmq's own default."""


class Listener:
    """A listening TCP socket that keeps a port for a device, whose libzmq accepts from it. It is closed with this object."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        weakref.finalize(self, os.close, handle)

    def bind(self, target: zmq.Socket[Any], address: str) -> None:
        """Let a socket accept what comes to this port."""
        backlog: Any = target.backlog
        with socket.socket(fileno=os.dup(self.handle)) as listening:
            listening.listen(backlog)
        handle = os.dup(self.handle)  # libzmq's own, which it closes
        try:
            target.setsockopt(zmq.USE_FD, handle)
            target.bind(address)
        except BaseException:
            os.close(handle)
            raise
        finally:
            target.setsockopt(zmq.USE_FD, -1)  # for that bind only


def listen(host: str, ports: range, tries: int, ipv6: bool) -> tuple[Listener, int] | None:
    """Listen to a free one of these ports, or to any; None where the host is not what this function understands."""
    host = host.strip("[]")
    if host == "*":
        host = "::" if ipv6 else "0.0.0.0"
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return None
    for port in random.sample(ports, min(len(ports), tries)):
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setblocking(False)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listening.bind((host, port))
            listening.listen(BACKLOG)
            number: int = listening.getsockname()[1]
            return Listener(listening.detach()), number
        except OSError as error:
            listening.close()
            if error.errno != zmq.EADDRINUSE:
                raise zmq.ZMQError(error.errno, f"{error.strerror} (addr='tcp://{host}:{port}')") from error
    raise zmq.ZMQBindError("Could not bind socket to random port.")
