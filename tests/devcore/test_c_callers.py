"""The function pointers for C and Cython, called as a C program would call them."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.devcore.conftest import CORES, PATIENCE, Bench, Socket
from topo.devcore import _core

ROOT = Path(__file__).parents[2]

CALLER = """
from topo.devcore._core cimport proxy_steerable

def call(size_t frontend, size_t backend):
    cdef int rc
    with nogil:
        rc = proxy_steerable(<void *>frontend, <void *>backend, NULL, NULL)
    return rc
"""

PROXY_STEERABLE = b"int (void *, void *, void *, void *)"
MONITORED_QUEUE = b"int (void *, void *, void *, void const *, size_t, void const *, size_t)"


def pointer(name: str, signature: bytes, *arguments: Any) -> Callable[..., int]:
    """What the capsule of that name and signature points to."""
    get: Any = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsules: dict[str, Any] = vars(_core)["__pyx_capi__"]
    function: Any = ctypes.CFUNCTYPE(ctypes.c_int, *arguments, use_errno=True)
    called: Callable[..., int] = function(get(capsules[name], signature))
    return called


proxy_steerable = pointer("proxy_steerable", PROXY_STEERABLE, *[ctypes.c_void_p] * 4)
monitored_queue = pointer("monitored_queue", MONITORED_QUEUE, *[ctypes.c_void_p] * 3, *[ctypes.c_char_p, ctypes.c_size_t] * 2)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench(CORES["cython"])
    try:
        yield bench
    finally:
        bench.close()


class Call(threading.Thread):
    """A call that lasts, in a thread. Ends with the context."""

    def __init__(self, function: Callable[..., int], *arguments: Any) -> None:
        super().__init__()
        self.result: list[int] = []
        self.call: Callable[[], list[int]] = lambda: [
            function(*(a.underlying if isinstance(a, zmq.Socket) else a for a in arguments)),
            ctypes.get_errno(),
        ]
        self.start()

    def run(self) -> None:
        self.result = self.call()

    def wait(self) -> list[int]:
        """What it returned, and errno."""
        self.join(PATIENCE / 1000)
        assert self.result, "still running"
        return self.result


def ends(bench: Bench) -> tuple[Socket, Socket, Socket, Socket]:
    front, back = bench.bound(zmq.DEALER), bench.bound(zmq.DEALER)
    return front, back, bench.peer(zmq.DEALER, front), bench.peer(zmq.DEALER, back)


def test_proxy_steerable_takes_commands_and_ends_with_0(bench: Bench) -> None:
    front, back, near, far = ends(bench)
    control = bench.bound(zmq.REP)
    commander = bench.peer(zmq.REQ, control)
    capture = bench.bound(zmq.PUB)
    monitor = bench.peer(zmq.SUB, capture)
    call = Call(proxy_steerable, front, back, capture, control)

    def command(word: bytes) -> list[bytes]:
        commander.send(word)
        return commander.recv_multipart()

    command(b"STATISTICS")
    command(b"STATISTICS")
    near.send_multipart([b"a", b"bc"])
    assert far.recv_multipart() == [b"a", b"bc"]
    assert monitor.recv_multipart() == [b"a", b"bc"]
    assert command(b"PAUSE") == [b""]
    near.send(b"d")
    command(b"STATISTICS")
    assert [int.from_bytes(word, "little") for word in command(b"STATISTICS")] == [2, 3, 0, 0, 0, 0, 2, 3]
    assert not far.poll(0)
    assert command(b"RESUME") == [b""]
    assert far.recv() == b"d"
    assert command(b"nonsense") == [b""]
    assert command(b"TERMINATE") == [b""]
    assert call.wait()[0] == 0


def test_without_control_and_capture_it_is_a_proxy_until_the_context_ends(bench: Bench) -> None:
    front, back, near, far = ends(bench)
    call = Call(proxy_steerable, front, back, None, None)
    far.send(b"up")
    assert near.recv() == b"up"
    term = threading.Thread(target=bench.context.term)
    term.start()
    assert call.wait() == [-1, zmq.ETERM]
    for socket in bench.sockets:
        socket.close(0)
    term.join()


def test_what_will_not_do_is_refused(bench: Bench) -> None:
    front, back, *_ = ends(bench)
    assert Call(proxy_steerable, None, back, None, None).wait() == [-1, zmq.EFAULT]
    assert Call(proxy_steerable, front, None, None, None).wait() == [-1, zmq.EFAULT]
    assert Call(proxy_steerable, front, back, bench.bound(zmq.SUB), None).wait() == [-1, 22]


def test_monitored_queue_puts_prefixes_before_copies(bench: Bench) -> None:
    front, back, near, far = ends(bench)
    capture = bench.bound(zmq.PUSH)
    monitor = bench.peer(zmq.PULL, capture)
    call = Call(monitored_queue, front, back, capture, b"in\0", 3, b"", 0)
    near.send(b"question")
    assert far.recv() == b"question"
    far.send(b"answer")
    assert near.recv() == b"answer"
    assert [monitor.recv_multipart() for _ in range(2)] == [[b"in\0", b"question"], [b"", b"answer"]]
    assert call.is_alive()
    end(bench, call)


def test_monitored_queue_swaps_between_two_routers(bench: Bench) -> None:
    front, back = bench.bound(zmq.ROUTER), bench.bound(zmq.ROUTER)
    client, worker = bench.peer(zmq.DEALER, front, routing_id=b"c"), bench.peer(zmq.DEALER, back, routing_id=b"w")
    for socket in (front, back):
        assert socket.get(zmq.EVENTS)  # they know their peers
    call = Call(monitored_queue, front, back, None, b"", 0, b"", 0)
    client.send_multipart([b"w", b"job"])
    assert worker.recv_multipart() == [b"c", b"job"]
    end(bench, call)


def end(bench: Bench, call: Call) -> None:
    term = threading.Thread(target=bench.context.term)
    term.start()
    assert call.wait() == [-1, zmq.ETERM]
    for socket in bench.sockets:
        socket.close(0)
    term.join()


def test_cython_code_can_cimport_it(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "caller.pyx").write_text(CALLER)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    include = sysconfig.get_path("include")
    cython = [sys.executable, "-m", "cython", "-3", "-I", str(ROOT), "caller.pyx"]
    compiler = ["cc", "-shared", "-fPIC", "-O0", f"-I{include}", "caller.c", "-o", f"caller{suffix}"]
    for command in (cython, compiler):
        subprocess.run(command, cwd=tmp_path, check=True)
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import caller; print(caller.call(0, 0))"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True).stdout == b"-1\n"
