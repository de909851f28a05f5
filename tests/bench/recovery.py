"""Measure how soon messages flow again after kill -9 of a process device: `python -m tests.bench recovery [--runs N] [--json FILE]`.

A device runs between two plain pyzmq peers that know nothing of it and go on sending. Its process is killed; the time ends when the
first message has come through that was sent after the process was dead. `ztopo up` starts its device again; beside it a script does
the same with pyzmq's ProcessMonitoredQueue, which it starts again as soon as it has ended. The two take turns. libzmq connects again
100 to 200 ms after a connection has broken; what is left without that is seen with peers that do so after a millisecond. Nothing is
asserted.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import zmq
from rich.console import Console
from rich.table import Table

from tests.bench import write_json
from tests.processes import Lines

__all__ = ["run"]

RUNS = 15
TOPOLOGY = """ztopo 1
device broker: {kind} {{
    run process
    restart on-failure max 10_000 in 1m backoff 0ms
    in  bind {way_in}
    out bind {way_out}
}}
"""
TYPES = {"streamer": (zmq.PULL, zmq.PUSH), "queue": (zmq.ROUTER, zmq.DEALER)}
PEERS = {"PUSH": "streamer", "DEALER": "queue"}
"""The device that each peer sends to."""
RECONNECT = {"": 100, ", reconnect_ivl 1ms": 1}
"""After how many milliseconds the peers connect again; libzmq itself adds up to as much."""

NextPid = Callable[[], int]
"""Waits for the next start of the device, and tells its process."""
Peers = tuple[zmq.Socket[bytes], zmq.Socket[bytes]]
"""The one that sends and the one that receives."""


def run(options: Sequence[str]) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench recovery", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(options)
    results: dict[str, list[float]] = {}
    for (peer, kind), (how, reconnect) in product(PEERS.items(), RECONNECT.items()):
        with ExitStack() as stack:
            subjects = {n: stack.enter_context(_Subject.between(peer, kind, reconnect, s)) for n, s in WAYS.items()}
            for _ in range(given.runs):
                for name, subject in subjects.items():
                    results.setdefault(f"{peer}{how}: {name}", []).append(subject.kill())
    _show(results, given.runs)
    if given.json:
        write_json(given.json, "recovery", {"seconds": results})


def _show(results: dict[str, list[float]], runs: int) -> None:
    table = Table(title=f"ms until traffic again after kill -9, medians of {runs}", box=None)
    for column in ("peer, and who starts the device again", "median", "smallest", "largest"):
        table.add_column(column, justify="left" if column.startswith("peer") else "right")
    for name, seconds in results.items():
        table.add_row(name, *(f"{1000 * value:.0f}" for value in (median(seconds), min(seconds), max(seconds))))
    Console(width=100).print(table)


class _Subject:
    """A device that is killed again and again, and its peers."""

    def __init__(self, peers: Peers, next_pid: NextPid) -> None:
        self._source, self._sink = peers
        self._next_pid = next_pid
        self._pid = next_pid()

    @classmethod
    @contextmanager
    def between(cls, peer: str, kind: str, reconnect: int, start: Callable[..., Any]) -> Iterator[_Subject]:
        way_in, way_out = (f"tcp://127.0.0.1:{port}" for port in _free_ports())
        with start(kind, way_in, way_out) as next_pid, zmq.Context() as context:
            context.setsockopt(zmq.RECONNECT_IVL, reconnect)  # for all sockets that it makes
            with PEERS_OF[peer](context, way_in, way_out) as peers:
                yield cls(peers, next_pid)

    def kill(self) -> float:
        """How many seconds pass from the kill until what was sent later arrives."""
        self._until_through(time.perf_counter())
        begin = time.perf_counter()
        handle = os.pidfd_open(self._pid)
        try:
            os.kill(self._pid, signal.SIGKILL)
            select.select([handle], [], [])
        finally:
            os.close(handle)
        self._until_through(time.perf_counter())
        end = time.perf_counter()
        self._pid = self._next_pid()
        return end - begin

    def _until_through(self, since: float) -> None:
        """Send, once in a millisecond, until something that was sent since then comes through."""
        while True:
            with suppress(zmq.Again):  # full, or nobody there: it is tried again
                self._source.send_multipart([b"", str(time.perf_counter()).encode()], zmq.NOBLOCK)
            while self._sink.poll(1):
                if float(self._sink.recv_multipart()[-1]) > since:
                    return


def _free_ports() -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


# Peers


@contextmanager
def _push_and_pull(context: zmq.Context[Any], way_in: str, way_out: str) -> Iterator[Peers]:
    with context.socket(zmq.PUSH) as source, context.socket(zmq.PULL) as sink:
        source.linger = 0
        source.connect(way_in)
        sink.connect(way_out)
        yield source, sink


@contextmanager
def _dealer_and_rep(context: zmq.Context[Any], way_in: str, way_out: str) -> Iterator[Peers]:
    """The one that asks gets the answers; a worker in a thread gives them."""
    with context.socket(zmq.DEALER) as client:
        client.linger = 0
        client.connect(way_in)
        ended = threading.Event()
        worker = threading.Thread(target=_answer, args=(context, way_out, ended))
        worker.start()
        try:
            yield client, client
        finally:
            ended.set()
            worker.join()


def _answer(context: zmq.Context[Any], way_out: str, ended: threading.Event) -> None:
    with context.socket(zmq.REP) as worker:
        worker.linger = 0
        worker.connect(way_out)
        while not ended.is_set():
            if worker.poll(100):
                worker.send_multipart(worker.recv_multipart())


PEERS_OF = {"PUSH": _push_and_pull, "DEALER": _dealer_and_rep}

# Those who start it again


@contextmanager
def _ztopo(kind: str, way_in: str, way_out: str) -> Iterator[NextPid]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "runtime").mkdir(mode=0o700)
        Path(folder, "x.ztopo").write_text(TOPOLOGY.format(kind=kind, way_in=way_in, way_out=way_out))
        command = [sys.executable, "-P", "-m", "topo", "up", "x.ztopo"]
        environment = {**os.environ, "XDG_RUNTIME_DIR": f"{folder}/runtime"}
        with _started(command, cwd=folder, env=environment) as lines:
            yield lambda: int(lines.wait_for(r"^broker +ready +process (\d+)")[1])


@contextmanager
def _script(kind: str, way_in: str, way_out: str) -> Iterator[NextPid]:
    command = [sys.executable, "-m", "tests.bench.recovery", kind, way_in, way_out]
    with _started(command, cwd=Path(__file__).parents[2]) as lines:
        yield lambda: int(lines.wait_for(r"^(\d+)$")[1])


@contextmanager
def _started(command: Sequence[str], **settings: Any) -> Iterator[Lines]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings)
    lines = Lines(process)
    try:
        yield lines
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        lines.close()


WAYS = {"ztopo": _ztopo, "a script with pyzmq": _script}


def _start_again_and_again(kind: str, way_in: str, way_out: str) -> None:
    import zmq.devices

    make: Any = zmq.devices.ProcessMonitoredQueue  # untyped there
    while True:
        device = make(*TYPES[kind], zmq.PUB)
        device.bind_in(way_in)
        device.bind_out(way_out)
        device.bind_mon("inproc://monitor")
        device.start()
        print(device.launcher.pid, flush=True)
        device.join()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # the device ends with the script
        _start_again_and_again(*sys.argv[1:])
