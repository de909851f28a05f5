"""The counters lie in memory that others may read at any rate, without touching the loop."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import zmq

from tests.devcore.conftest import CORES, PATIENCE, Bench
from topo.devcore import STATISTICS_SIZE, core_name, read_statistics, report

WRITER = """
import mmap, sys
import zmq
from topo.devcore import STATISTICS_SIZE, Proxy

context = zmq.Context()
front, back, control = context.socket(zmq.PULL), context.socket(zmq.PUSH), context.socket(zmq.REP)
for socket, endpoint in zip((front, back, control), sys.argv[2:]):
    socket.bind(endpoint)
with open(sys.argv[1], "r+b") as file:
    memory = mmap.mmap(file.fileno(), STATISTICS_SIZE)
proxy = Proxy(front, back, control=control, memory=memory)
print("ready", flush=True)
proxy.run()
"""


def test_a_snapshot_is_frozen_and_named(bench: Bench) -> None:
    counts = bench.device(zmq.PULL, zmq.PUSH).statistics()
    assert (counts.state, counts.turns, counts.frontend.received.messages, counts.capture.dropped) == ("stopped", 0, 0, 0)
    with pytest.raises(FrozenInstanceError):
        counts.turns = 1  # type: ignore[misc]


def test_counters_lie_in_the_memory_that_was_given(bench: Bench) -> None:
    memory = bytearray(STATISTICS_SIZE + 64)
    device = bench.device(zmq.PULL, zmq.PUSH, memory=memory).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)
    source.send_multipart([b"a", b"bc"])
    sink.recv_multipart()
    device.settle()
    device.stop()
    counts = read_statistics(memory)
    assert counts == device.statistics()
    assert (counts.backend.sent.messages, counts.backend.sent.parts, counts.backend.sent.bytes) == (1, 2, 3)
    assert bytes(memory[STATISTICS_SIZE:]) == bytes(64)


def test_memory_that_will_not_do_is_refused(bench: Bench) -> None:
    front, back = bench.bound(zmq.PULL), bench.bound(zmq.PUSH)
    with pytest.raises(ValueError, match=str(STATISTICS_SIZE)):
        bench.core(front, back, memory=bytearray(STATISTICS_SIZE - 1))
    with pytest.raises((BufferError, ValueError)):
        bench.core(front, back, memory=bytes(STATISTICS_SIZE))


def test_what_is_no_statistics_is_not_read() -> None:
    for memory in (b"", bytes(4), bytes(STATISTICS_SIZE), bytes(2 * STATISTICS_SIZE)):
        with pytest.raises(ValueError, match="statistics of a device"):
            read_statistics(memory)


def test_another_thread_sees_each_moment_as_one(bench: Bench) -> None:
    """What came in is what went out and what is held, at any moment at which somebody looks."""
    device = bench.device(zmq.PULL, zmq.PUSH).start()
    source, sink = bench.peer(zmq.PUSH, device.frontend), bench.peer(zmq.PULL, device.backend)

    seen = []
    for _ in range(1000):
        source.send(b"x")
        seen.append(device.statistics())
        sink.recv()
        seen.append(device.statistics())
    for counts in seen:
        assert counts.frontend.received.messages == counts.backend.sent.messages + counts.backend.held
    numbers = [counts.frontend.received.messages for counts in seen]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("core", CORES)
def test_another_process_reads_them_and_they_outlive_a_kill(tmp_path: Path, core: str) -> None:
    path = tmp_path / "statistics"
    path.write_bytes(bytes(STATISTICS_SIZE))
    endpoints = [f"ipc://{tmp_path}/{name}" for name in "fbc"]
    command = [sys.executable, "-c", WRITER, str(path), *endpoints]
    with (
        zmq.Context() as context,
        subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "ZTOPO_CORE": core}) as process,
        path.open("r+b") as file,
        mmap.mmap(file.fileno(), STATISTICS_SIZE) as memory,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            with context.socket(zmq.PUSH) as source, context.socket(zmq.PULL) as sink, context.socket(zmq.REQ) as commander:
                for socket, endpoint in zip((source, sink, commander), endpoints, strict=True):
                    socket.linger = 0
                    socket.rcvtimeo = PATIENCE
                    socket.connect(endpoint)
                for i in range(100):
                    source.send(b"%d" % i)
                    assert sink.recv() == b"%d" % i
                commander.send(b"PAUSE")
                assert commander.recv() == b""
                while (counts := read_statistics(memory)).state != "paused":  # it counts at the end of a turn
                    commander.send(b"STATISTICS")
                    commander.recv_multipart()
                assert (counts.backend.sent.messages, counts.frontend.received.bytes) == (100, 190)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert read_statistics(memory).backend.sent.messages == 100


def test_a_new_device_starts_from_zero(bench: Bench) -> None:
    memory = bytearray(STATISTICS_SIZE)
    front, back = bench.bound(zmq.PULL), bench.bound(zmq.PUSH)
    proxy = bench.core(front, back, memory=memory)
    proxy.terminate()
    proxy.run()
    assert read_statistics(memory).state == "stopped"
    bench.core(front, back, memory=memory)
    assert read_statistics(memory).turns == 0


def test_the_words_are_in_the_layout_once_and_aligned() -> None:
    assert len(set(report.WORDS)) == len(report.WORDS)
    assert 8 * len(report.WORDS) == STATISTICS_SIZE


def test_which_core_runs() -> None:
    ask = [sys.executable, "-c", "from topo.devcore import core_name, Proxy; print(core_name(), Proxy.__module__)"]
    for variable, answer in (
        ("", "cython topo.devcore._core"),
        ("cython", "cython topo.devcore._core"),
        ("python", "python topo.devcore.reference"),
    ):
        done = subprocess.run(ask, env={**os.environ, "ZTOPO_CORE": variable}, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == answer
    failed = subprocess.run(ask, env={**os.environ, "ZTOPO_CORE": "fast"}, capture_output=True, text=True)
    assert "ZTOPO_CORE is 'fast': it can be cython or python" in failed.stderr
    assert core_name() in CORES


def test_a_core_that_is_not_built_is_an_error_with_advice() -> None:
    script = "import sys; sys.modules['topo.devcore._core'] = None; import topo.devcore"
    failed = subprocess.run([sys.executable, "-c", script], env={**os.environ, "ZTOPO_CORE": ""}, capture_output=True, text=True)
    assert "ImportError: ztopo's core is not built: install ztopo, or set ZTOPO_CORE=python for the slow one" in failed.stderr
