"""What the tests of facts share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from tests.facts.sockets import PATIENCE, Open, Socket


@pytest.fixture
def make() -> Iterator[Open]:
    """Opens sockets of a type by name, with options, and closes them all in the end."""
    context: zmq.Context[Socket] = zmq.Context()
    sockets: list[Socket] = []

    def open_one(kind: str, **options: int | bytes) -> Socket:
        socket = context.socket(getattr(zmq, kind))
        sockets.append(socket)
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = PATIENCE
        for name, value in options.items():
            socket.set(getattr(zmq, name.upper()), value)
        return socket

    yield open_one
    context.destroy(linger=0)  # what watches a socket is one of its sockets too
