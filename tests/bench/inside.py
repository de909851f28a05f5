"""One run over inproc, in a process of its own: `python -m tests.bench.inside LIBRARY LIBZMQ CORE CASE MESSAGES`.

Device and load generators are threads that share a context; LIBRARY is `load.c` as a shared library, CASE the case as JSON. CPU is
that of the device's thread, for a direct link that of both ends. Prints the figures as JSON.
"""

from __future__ import annotations

import ctypes
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq

from tests.bench.device import capture_of, loop_of, run, sockets_of

ENDPOINTS = ("inproc://front", "inproc://back", "inproc://monitor")


class Result(ctypes.Structure):
    """What `load_run` fills in."""

    _fields_ = [(name, ctypes.c_double) for name in ("messages", "seconds", "cpu", "p50", "p99")]


class Load:
    """A load generator in a thread."""

    def __init__(self, library: Any, libzmq: str, context: zmq.Context[Any], words: tuple[str, str, str, int, int, int]) -> None:
        role, where, endpoint, count, size, window = words
        names = (libzmq.encode(), ctypes.c_void_p(context.underlying), role.encode(), where.encode(), endpoint.encode())
        library.load_open.restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(
            library.load_open(*names, ctypes.c_long(count), ctypes.c_size_t(size), ctypes.c_long(window))
        )
        self.library = library
        self.result = Result()
        self.thread = threading.Thread(target=library.load_run, args=(self.handle, ctypes.byref(self.result)), daemon=True)

    def start(self) -> None:
        """Let it begin."""
        self.thread.start()

    def wait(self) -> Result:
        """Wait until it is done."""
        self.thread.join()
        return self.result

    def close(self) -> None:
        """Close its socket."""
        self.thread.join()
        self.library.load_close(self.handle)


def main(path: str, libzmq: str, core: str, described: str, messages: str) -> None:
    """Run one case once."""
    case, count = json.loads(described), int(messages)
    context = zmq.Context()
    library = ctypes.CDLL(path)
    device = None
    if core != "direct":
        sockets = sockets_of(context, (*case["types"], capture_of(core)), ENDPOINTS)
        device = threading.Thread(target=_run, args=(loop_of(core, *sockets), sockets), daemon=True)

    def at_end(role: str, where: str, endpoint: str) -> Load:
        return Load(library, libzmq, context, (role, where, endpoint, count, case["size"], case["window"]))

    far = at_end(case["roles"][1], "connect" if device else "bind", ENDPOINTS[1])
    near = at_end(case["roles"][0], "connect", ENDPOINTS[0 if device else 1])
    listener = at_end("listen", "connect", ENDPOINTS[2]) if device and case["listened"] else None
    cpu = 0.0
    if device is not None:
        device.start()
        clock = time.pthread_getcpuclockid(device.ident or 0)
        cpu = -time.clock_gettime(clock)
    for load in (listener, far, near):
        if load is not None:
            load.start()
    done = near.wait() if case["window"] else far.wait()
    cpu = cpu + time.clock_gettime(clock) if device is not None else near.wait().cpu + far.wait().cpu
    share = listener.wait().messages / count if listener is not None else 0.0
    print(json.dumps({"rate": count / done.seconds, "cpu": cpu / count, "p50": done.p50, "p99": done.p99, "share": share}))
    for load in (listener, far, near):
        if load is not None:
            load.close()
    context.term()


def _run(loop: Callable[[], object], sockets: list[Any]) -> None:
    try:
        run(loop)
    finally:
        for socket in sockets:
            socket.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
