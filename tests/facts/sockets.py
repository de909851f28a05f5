"""Real sockets for the tests of facts, and what is asked of them."""

from __future__ import annotations

import socket as tcp
import subprocess
import sys
from collections.abc import Callable

import zmq
from zmq.utils.monitor import recv_monitor_message

__all__ = ["GREETING", "PATIENCE", "Open", "Socket", "event", "in_a_child", "linked", "refusal", "silent_peer"]

Socket = zmq.Socket[bytes]
Open = Callable[..., Socket]

PATIENCE = 30_000
"""Milliseconds within which what is to come has come, on however busy a machine."""


def linked(binding: Socket, connecting: Socket, endpoint: str = "tcp://127.0.0.1:*") -> None:
    """Let one socket bind and the other connect to it."""
    binding.bind(endpoint)
    connecting.connect(binding.last_endpoint)


def event(monitor: Socket, *wanted: str) -> str:
    """Wait for the first of some events of a socket whose monitor this is."""
    while monitor.poll(PATIENCE):
        name = zmq.Event(recv_monitor_message(monitor)["event"]).name
        if name in wanted:
            return name
    raise AssertionError(f"none of {wanted} came within {PATIENCE} ms")


def refusal(action: Callable[[], object]) -> int:
    """The errno with which libzmq refuses, or 0."""
    try:
        action()
    except zmq.ZMQError as error:
        return error.errno or -1
    return 0


def in_a_child(script: str) -> int:
    """The exit status of a process that has a context `c` and runs this; -SIGABRT if libzmq ends it."""
    head = "import resource, zmq\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nc = zmq.Context()\n"
    return subprocess.run([sys.executable, "-c", head + script], capture_output=True, timeout=60, check=False).returncode


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(48)
"""How a peer without a security mechanism begins (ZMTP 3.1)."""


def silent_peer(bound: Socket, kind: str) -> tcp.socket:
    """A peer that says hello to a socket that is bound, as a socket of this type would, and nothing ever after."""
    host, port = bound.last_endpoint.decode().removeprefix("tcp://").split(":")
    peer = tcp.create_connection((host, int(port)), timeout=PATIENCE / 1000)
    name, value = b"\x0bSocket-Type", kind.encode()
    ready = b"\x05READY" + name + len(value).to_bytes(4, "big") + value
    peer.sendall(GREETING + b"\x04" + bytes([len(ready)]) + ready)
    return peer
