"""Ports of the loopback address that nobody else gets while a test uses them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["kept_port"]


@contextmanager
def kept_port() -> Iterator[int]:
    """A port for somebody to bind within the block, as often as they like.

    It is held all the time, bound without listening: whoever asks for this port can bind it too, as libzmq does, with
    SO_REUSEADDR; whoever asks for any port is given another one.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
