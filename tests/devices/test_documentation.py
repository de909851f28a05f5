"""What pyzmq's documentation shows, done as printed there (for Python 2: text wherever bytes are meant), and as today.

Each program runs in a process of its own, without a main guard; the tests only change the ports, and look on. Where a program
ends its context, LINGER is set before the sockets bind. libzmq 4.3.5 gives what listens for a socket a copy of its options, and a
peer that goes is let go by the copy's LINGER: one that goes while its socket is being closed keeps `zmq_ctx_term` waiting for ever,
if messages for it wait and LINGER was -1 at the time of the bind, whatever it has become since. It takes libzmq alone.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import zmq

from tests.devices.conftest import Socket
from tests.ports import kept_port
from tests.processes import PATIENCE, Lines

Make = Callable[..., Socket]
Ports = Callable[[int], list[int]]

# A process device: identities as text, an address with a star, and it runs in the background
IN_BACKGROUND = """
import sys
import zmq
from topo.devices import ProcessDevice

device = ProcessDevice(zmq.QUEUE, zmq.{ins}, zmq.{outs})
device.bind_in('tcp://*:{port}')
device.connect_out('tcp://127.0.0.1:{worker}')
device.setsockopt_in(zmq.IDENTITY, {mark}'{ins}')
device.setsockopt_out(zmq.IDENTITY, {mark}'{outs}')
device.start()
print("started", flush=True)
sys.stdin.readline()
"""

# A monitored queue in the main thread, with a server, a client and a monitor around it
AROUND = """
import sys
from contextlib import suppress
import zmq
{imports}

def peer(kind, address):
    socket = zmq.Context.instance().socket(kind)
    socket.linger = 0
    socket.connect(address)
    return socket

def serve(address):
    with suppress(zmq.ContextTerminated), peer(zmq.REP, address) as socket:
        while True:
            socket.send(b"answer to " + socket.recv())

def ask(address):
    with suppress(zmq.ContextTerminated), peer(zmq.REQ, address) as socket:
        for number in range(1000000):
            socket.send(b"question %d" % number)
            answer = socket.recv()
            if number == 0:
                print("client:", answer.decode(), flush=True)

def listen(address):
    with suppress(zmq.ContextTerminated), peer(zmq.SUB, address) as socket:
        socket.setsockopt_string(zmq.SUBSCRIBE, "")
        heard = set()
        while len(heard) < 2:
            prefix, *rest = socket.recv_multipart()
            if prefix not in heard:
                heard.add(prefix)
                print("monitor:", prefix.decode(), rest[-1].decode().rstrip("0123456789"), flush=True)

{start_peers}
"""

THREADS = """
peers = [
    Thread(target=work, args=(f"tcp://127.0.0.1:{{port}}",))
    for work, port in ((serve, {back}), (ask, {front}), (listen, {mon}))
]
for one in peers:
    one.start()

def end_peers():
    zmq.Context.instance().term()  # it waits until each has closed its socket
"""
PROCESSES = """
from multiprocessing import get_context
peers = [
    get_context("fork").Process(target=work, args=(f"tcp://127.0.0.1:{{port}}",))
    for work, port in ((serve, {back}), (ask, {front}), (listen, {mon}))
]
for one in peers:
    one.start()

def end_peers():
    for one in peers:
        one.terminate()
"""

FUNCTION = """
context = zmq.Context()
context.linger = 0
ins = context.socket(zmq.ROUTER)
outs = context.socket(zmq.DEALER)
mons = context.socket(zmq.PUB)
ins.bind("tcp://127.0.0.1:{front}")
outs.bind("tcp://127.0.0.1:{back}")
mons.bind("tcp://127.0.0.1:{mon}")
try:
    monitored_queue(ins, outs, mons, in_prefix={mark}'in', out_prefix={mark}'out')
except KeyboardInterrupt:
    print("interrupted", flush=True)
    for socket in (ins, outs, mons):
        socket.close()
    context.term()
    end_peers()
"""
DEVICE = """
queue = MonitoredQueue(zmq.ROUTER, zmq.DEALER, zmq.PUB, {mark}'in', {mark}'out')
queue.bind_in("tcp://127.0.0.1:{front}")
queue.bind_out("tcp://127.0.0.1:{back}")
queue.bind_mon("tcp://127.0.0.1:{mon}")
queue.setsockopt_in(zmq.HWM, 10)
queue.setsockopt_out(zmq.HWM, 10)
try:
    queue.start()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    end_peers()
"""
BACKGROUND = """
queue = ProcessMonitoredQueue(zmq.ROUTER, zmq.DEALER, zmq.PUB, {mark}'in', {mark}'out')
queue.bind_in("tcp://127.0.0.1:{front}")
queue.bind_out("tcp://127.0.0.1:{back}")
queue.bind_mon("tcp://127.0.0.1:{mon}")
queue.start()
try:
    queue.join()
except KeyboardInterrupt:
    queue.stop()
    print("interrupted", flush=True)
    end_peers()
"""


@contextmanager
def running(program: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Lines]]:
    script = tmp_path / "program.py"
    script.write_text(program)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    )
    lines = Lines(process)
    try:
        yield process, lines
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the peers that it has forked, too
        process.wait()
        lines.close()
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def free_ports() -> Iterator[Ports]:
    """Ports for a program to bind, which nobody else gets.

    Peers connect before there is a device. If one met a socket of another type there, libzmq would not try again.
    """
    with ExitStack() as stack:
        yield lambda count: [stack.enter_context(kept_port()) for _ in range(count)]


@pytest.mark.parametrize("mark", ["", "b"])
@pytest.mark.parametrize(("ins", "outs"), [("ROUTER", "DEALER"), ("REP", "REQ")])
def test_a_device_in_the_background(mark: str, ins: str, outs: str, socket: Make, free_ports: Ports, tmp_path: Path) -> None:
    worker = socket(zmq.ROUTER)
    (port,) = free_ports(1)
    program = IN_BACKGROUND.format(mark=mark, ins=ins, outs=outs, port=port, worker=worker.bind_to_random_port("tcp://127.0.0.1"))
    with running(program, tmp_path) as (process, lines):
        lines.wait_for("started")
        client = socket(zmq.REQ, f"tcp://127.0.0.1:{port}")
        client.send(b"question")
        identity, *envelope, question = worker.recv_multipart()
        assert (identity, question) == (outs.encode(), b"question")
        worker.send_multipart([identity, *envelope, b"answer"])
        assert client.recv() == b"answer"
        process.communicate("end\n", PATIENCE)
        assert process.returncode == 0


@pytest.mark.parametrize("mark", ["", "b"])
@pytest.mark.parametrize("peers", [THREADS, PROCESSES], ids=["threads", "processes"])
@pytest.mark.parametrize(
    ("queue", "imports"),
    [(FUNCTION, "monitored_queue"), (DEVICE, "MonitoredQueue"), (BACKGROUND, "ProcessMonitoredQueue")],
    ids=["function", "device", "process"],
)
def test_a_monitored_queue_in_the_main_thread(
    mark: str, peers: str, queue: str, imports: str, free_ports: Ports, tmp_path: Path
) -> None:
    front, back, mon = free_ports(3)
    ports = {"front": front, "back": back, "mon": mon}
    program = AROUND.format(
        imports=f"from threading import Thread\nfrom topo.devices import {imports}", start_peers=peers.format(**ports)
    )
    with running(program + queue.format(mark=mark, **ports), tmp_path) as (process, lines):
        lines.wait_for_all(
            [re.compile(text) for text in ("client: answer to question 0", "monitor: in question", "monitor: out answer")]
        )
        process.send_signal(signal.SIGINT)
        lines.wait_for("interrupted")
        assert process.wait(PATIENCE) == 0
