"""A signal never tears, loses or doubles a message, and Ctrl-C ends a device in the main thread."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from tests.devcore.conftest import CORES
from tests.processes import PATIENCE, Lines
from topo.devcore import STATISTICS_SIZE, read_statistics

DEVICE = """
import os, signal, sys
import zmq
from topo.devcore import Proxy

context = zmq.Context()
front, back = context.socket(zmq.PULL), context.socket(zmq.PUSH)
front.rcvhwm = back.sndhwm = 5
front.bind(sys.argv[1])
back.bind(sys.argv[2])
proxy = Proxy(front, back)
came = []
signal.signal(signal.SIGUSR1, lambda number, frame: came.append(number))
signal.signal(signal.SIGUSR2, lambda number, frame: os.write(1, b"heard %d\\n" % len(came)))  # print may be under way
former = signal.getsignal(signal.SIGINT)
print("ready", flush=True)
interrupted = False
while True:
    try:
        if interrupted:  # said here, where the next one that comes is caught
            print("interrupted", held, flush=True)
            if sys.argv[3] == "end":
                break
        print("ended", proxy.run(), flush=True)
        break
    except KeyboardInterrupt:
        counts = proxy.statistics()
        held = counts.backend.held
        assert counts.frontend.received.messages == counts.backend.sent.messages + held, counts
        assert signal.getsignal(signal.SIGINT) is former
        assert signal.set_wakeup_fd(-1) == -1
        interrupted = True
context.destroy(0)
"""

CIRCLE = """
import mmap, sys
import zmq
from topo.devcore import STATISTICS_SIZE, Proxy

context = zmq.Context()
front, back, source = context.socket(zmq.PULL), context.socket(zmq.PUSH), context.socket(zmq.PUSH)
front.bind("inproc://circle")
back.connect("inproc://circle")
source.connect("inproc://circle")
for _ in range(50):
    source.send(b"round and round")
with open(sys.argv[1], "r+b") as file:
    memory = mmap.mmap(file.fileno(), STATISTICS_SIZE)
proxy = Proxy(front, back, memory=memory)
print("ready", flush=True)
try:
    proxy.run()
except KeyboardInterrupt:
    print("interrupted", flush=True)
context.destroy(0)
"""


@pytest.fixture(params=CORES)
def core(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Ends:
    """A device in the main thread of another process, and its two ends."""

    def __init__(self, folder: Path, core: str, after: str) -> None:
        endpoints = [f"ipc://{folder}/{name}" for name in "fb"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", DEVICE, *endpoints, after],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ZTOPO_CORE": core},
        )
        self.lines = Lines(self.process)
        self.lines.wait_for("ready")
        self.context = zmq.Context()
        self.source, self.sink = self.context.socket(zmq.PUSH), self.context.socket(zmq.PULL)
        for socket, endpoint in ((self.source, endpoints[0]), (self.sink, endpoints[1])):
            socket.linger = 0
            socket.rcvtimeo = socket.sndtimeo = int(PATIENCE * 1000)
            socket.sndhwm = socket.rcvhwm = 5
            socket.connect(endpoint)

    def __enter__(self) -> Ends:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.context.destroy(0)


@pytest.mark.parametrize("busy", [True, False])
def test_ctrl_c_ends_it_idle_or_busy(tmp_path: Path, core: str, busy: bool) -> None:
    with Ends(tmp_path, core, "end") as ends:
        ends.source.send(b"x")
        ends.sink.recv()
        if busy:  # it has more than it can pass on, and one message in hand
            for _ in range(8):
                ends.source.send_multipart([b"x", b"y"])
        ends.process.send_signal(signal.SIGINT)
        ends.lines.wait_for("interrupted")
        assert ends.process.wait(PATIENCE) == 0


def test_ctrl_c_ends_it_under_a_flood(tmp_path: Path, core: str) -> None:
    """Messages go round in a circle, so the loop never sleeps, and no call is ever interrupted."""
    path = tmp_path / "statistics"
    path.write_bytes(bytes(STATISTICS_SIZE))
    process = subprocess.Popen(
        [sys.executable, "-c", CIRCLE, str(path)], stdout=subprocess.PIPE, text=True, env={**os.environ, "ZTOPO_CORE": core}
    )
    try:
        lines = Lines(process)
        lines.wait_for("ready")
        with path.open("r+b") as file, mmap.mmap(file.fileno(), STATISTICS_SIZE) as memory:
            while read_statistics(memory).turns < 20:
                assert process.poll() is None
        process.send_signal(signal.SIGINT)
        lines.wait_for("interrupted")
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


def test_python_handlers_run_while_the_device_goes_on(tmp_path: Path, core: str) -> None:
    with Ends(tmp_path, core, "end") as ends:
        ends.process.send_signal(signal.SIGUSR2)
        ends.lines.wait_for("heard 0")
        ends.source.send(b"x")
        assert ends.sink.recv() == b"x"


def test_a_storm_of_signals_tears_nothing(tmp_path: Path, core: str) -> None:
    """Handled signals and Ctrl-C at any moment of a transfer; after each interruption run() is entered again."""
    with Ends(tmp_path, core, "again") as ends:
        sent = got = interruptions = 0
        messages = [[b"%d" % i, b"x" * 300, b"end"] for i in range(1500)]
        poller = zmq.Poller()
        while got < len(messages):
            poller.register(ends.sink, zmq.POLLIN)
            poller.register(ends.source, zmq.POLLOUT if sent < len(messages) else 0)
            for socket, _ in poller.poll(PATIENCE * 1000):
                if socket is ends.source:
                    ends.source.send_multipart(messages[sent])
                    sent += 1
                else:
                    assert ends.sink.recv_multipart() == messages[got]
                    got += 1
            if got and got % 3 == 0:
                ends.process.send_signal(signal.SIGUSR1)
            if got and got % 300 == 0:
                ends.process.send_signal(signal.SIGINT)
                ends.lines.wait_for("interrupted")
                interruptions += 1
        assert interruptions >= 5
        ends.process.send_signal(signal.SIGUSR2)
        assert int(ends.lines.wait_for(r"heard (\d+)")[1]) > 0
