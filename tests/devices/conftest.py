"""Sockets that give up in time, and devices that are stopped whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import zmq

from tests.processes import PATIENCE
from topo import devices

D = TypeVar("D", bound=devices.Device)
Socket = zmq.Socket[bytes]
LOCAL = "tcp://127.0.0.1:*"


@pytest.fixture
def context() -> Iterator[zmq.Context[Socket]]:
    context: zmq.Context[Socket] = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def socket(context: zmq.Context[Socket]) -> Iterator[Callable[..., Socket]]:
    """Make a socket, connected to these addresses."""
    made: list[Socket] = []

    def make(type: int, *addresses: str, **options: Any) -> Socket:
        socket = context.socket(type)
        made.append(socket)
        socket.linger = 0  # before it binds: see test_documentation
        socket.rcvtimeo = socket.sndtimeo = int(PATIENCE * 1000)
        for name, value in options.items():
            setattr(socket, name, value)
        for address in addresses:
            socket.connect(address)
        return socket

    yield make
    for socket in made:
        socket.close()


@pytest.fixture
def started() -> Iterator[Callable[[D], D]]:
    """Start a device, and stop it in the end."""
    running: list[devices.Device] = []

    def start(device: D) -> D:
        device.start()
        running.append(device)
        return device

    yield start
    for device in running:
        device.stop()
