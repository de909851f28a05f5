"""One device in a process of its own: `python -m tests.bench.device CORE FRONTEND BACKEND CAPTURE ENDPOINT...`.

CORE is ztopo, plain (ztopo without prefixes, as libzmq's proxy), python (the reference), pyzmq (its monitored_queue) or libzmq
(its proxy, with capture); the socket types follow, "-" for no capture, and the endpoints to bind. Prints "ready", and ends when
its standard input does.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import zmq
from zmq.devices import monitored_queue

__all__ = ["capture_of", "loop_of", "run", "sockets_of"]

OWN = ("ztopo", "plain", "python")
"""The cores that are ztopo's."""


def capture_of(core: str) -> str:
    """The type of the monitor's socket: what a device makes that is told to use a PUB."""
    return "XPUB" if core in OWN else "PUB"


def sockets_of(context: zmq.Context[Any], types: Sequence[str], endpoints: Sequence[str]) -> list[Any]:
    """The three sockets of a device, bound; None for a capture "-". Monitor and publisher lose nothing, so that all can be counted."""
    sockets: list[Any] = [context.socket(getattr(zmq, name)) if name != "-" else None for name in types]
    for socket, endpoint in zip([s for s in sockets if s is not None], endpoints, strict=True):
        socket.linger = 0
        if socket is sockets[2] or socket.type == zmq.XPUB:
            socket.sndhwm = 0
        socket.bind(endpoint)
    return sockets


def loop_of(core: str, frontend: Any, backend: Any, capture: Any, control: Any = None) -> Callable[[], object]:
    """What runs the device until its context ends. All that it needs is loaded, so that only the device is measured."""
    if core in OWN:
        os.environ["ZTOPO_CORE"] = "python" if core == "python" else "cython"
        from topo.devcore import Proxy

        return Proxy(frontend, backend, capture, prefixes=None if core == "plain" else (b"in", b"out"), control=control).run
    if core == "pyzmq":
        return partial(monitored_queue, frontend, backend, capture, b"in", b"out")
    if control is not None:
        return partial(zmq.proxy_steerable, frontend, backend, capture, control)
    return partial(zmq.proxy, frontend, backend, capture)


def run(loop: Callable[[], object]) -> None:
    """Run a device until its context ends."""
    with suppress(zmq.ContextTerminated):
        loop()


def main(core: str, *words: str) -> None:
    """Run the device until standard input ends."""
    loop = loop_of(core, *sockets_of(zmq.Context(), words[:3], words[3:]))
    threading.Thread(target=_end_with_input, daemon=True).start()
    print("ready", flush=True)
    run(loop)


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
