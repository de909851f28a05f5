"""One device in a process of its own: `python -m tests.bench.device CORE FRONTEND BACKEND CAPTURE ENDPOINT...`.

CORE is ztopo, plain (ztopo without prefixes, as libzmq's proxy), python (the reference), pyzmq (its monitored_queue) or libzmq
(its proxy, with capture); the socket types follow, "-" for no capture, and the endpoints to bind. Prints "ready", and ends when
its standard input does.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import zmq
from zmq.devices import monitored_queue


def main(core: str, *words: str) -> None:
    """Run the device until standard input ends."""
    types, endpoints = words[:3], words[3:]
    context = zmq.Context()
    sockets: list[Any] = [context.socket(getattr(zmq, name)) if name != "-" else None for name in types]
    for socket, endpoint in zip([s for s in sockets if s is not None], endpoints, strict=True):
        socket.linger = 0
        if socket is sockets[2] or socket.type == zmq.XPUB:
            socket.sndhwm = 0  # all must arrive, to be counted
        socket.bind(endpoint)
    threading.Thread(target=_end_with_input, daemon=True).start()
    print("ready", flush=True)
    frontend, backend, capture = sockets
    if core == "pyzmq":
        monitored_queue(frontend, backend, capture, b"in", b"out")
    elif core == "libzmq":
        zmq.proxy(frontend, backend, capture)
    else:
        os.environ["ZTOPO_CORE"] = "python" if core == "python" else "cython"
        from topo.devcore import Proxy

        Proxy(frontend, backend, capture, prefixes=None if core == "plain" else (b"in", b"out")).run()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
