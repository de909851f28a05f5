"""Measure what watching costs: `python -m tests.bench watching [--runs N] [--scale X] [--json FILE]`.

A stream through a device with a process of its own, over ipc, 16 bytes, as fast as it goes: while nobody watches; with the metrics
scraped and `ztopo top` looking every second; with a `ztopo tap` that reads all it can; and with one that was stopped and reads
nothing. The ways take turns; shown are medians with the smallest and the largest value. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.bench import write_json
from tests.bench.core import Load, compiled, cpu_of, libzmq
from tests.processes import Lines
from topo.run.client import Topology, find

__all__ = ["run"]

TEXT = "ztopo 1\ntopology watched\n\ndevice jobs: streamer { run process; in PULL bind ipc://in; out PUSH bind ipc://out }\n"
ZTOPO = (sys.executable, "-m", "topo")
MESSAGES = 2_000_000
SIZE = 16


class Figures(NamedTuple):
    """One run: messages per second, and seconds of the device's CPU per message."""

    rate: float
    cpu: float


class Place:
    """A folder in which the topology runs."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "XDG_STATE_HOME": str(folder)}
        self._stack = stack
        (folder / "t.ztopo").write_text(TEXT)
        up = self.start("up", "t.ztopo", "--metrics", "127.0.0.1:0")
        self.url = up.wait_for(r"metrics at (\S+)")[1]
        up.wait_for("watched is ready")

    def start(self, *arguments: str) -> Lines:
        """A command that goes on until the end; what it says."""
        process = subprocess.Popen(
            [*ZTOPO, *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        lines = Lines(process)
        self._stack.callback(_end, process, lines)
        self.process = process
        return lines

    @property
    def topology(self) -> Topology:
        return find("watched", self.environment)


def _end(process: subprocess.Popen[str], lines: Lines) -> None:
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    process.wait()
    lines.close()


@contextmanager
def nobody(place: Place) -> Iterator[None]:
    """Without a watcher."""
    yield


@contextmanager
def looked_at(place: Place) -> Iterator[None]:
    """By `top` and by Prometheus, each second."""
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            urllib.request.urlopen(place.url).read()
            subprocess.run([*ZTOPO, "top", "--once"], env=place.environment, stdout=subprocess.DEVNULL, check=True)

    thread = threading.Thread(target=look)
    thread.start()
    yield
    over.set()
    thread.join()


@contextmanager
def tapped(place: Place) -> Iterator[None]:
    """By a tap that reads what it can, and shows nothing."""
    place.start("tap", "--grep", "^no such$").wait_for("listening to jobs")
    yield


@contextmanager
def stopped(place: Place) -> Iterator[None]:
    """By a tap that reads nothing."""
    place.start("tap", "--grep", "^no such$").wait_for("listening to jobs")
    place.process.send_signal(signal.SIGSTOP)
    yield


WAYS: dict[str, Callable[[Place], AbstractContextManager[None]]] = {
    "nobody watches": nobody,
    "top and metrics, each second": looked_at,
    "a tap that reads": tapped,
    "a tap that is stopped": stopped,
}


def measure(way: str, messages: int, load: Path) -> Figures:
    """Run one way once."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Place(Path(folder), stack)
        (device,) = place.topology.snapshot().devices
        assert device.pid is not None

        def at_end(role: str, name: str) -> Load:
            return Load(
                stack, [str(load), str(libzmq()), role, "connect", f"ipc://{folder}/{name}", str(messages), str(SIZE), "0"]
            )

        far, near = at_end("pull", "out"), at_end("push", "in")
        with WAYS[way](place):
            time.sleep(0.3)  # until all is connected: no one tells
            far.start()
            time.sleep(0.1)
            begin = cpu_of(device.pid)
            near.start()
            _, seconds, *_ = far.result()
            return Figures(messages / seconds, (cpu_of(device.pid) - begin) / messages)


def show(console: Console, runs: dict[str, list[Figures]]) -> None:
    """A line for each way."""
    table = Table("stream ipc 16 B", "messages/s", "device's CPU", "of nobody's", title="What watching costs")
    base = statistics.median(f.rate for f in runs["nobody watches"])
    for way, done in runs.items():
        rates, cpus = sorted(f.rate / 1e6 for f in done), sorted(f.cpu * 1e9 for f in done)
        rate, cpu = statistics.median(rates), statistics.median(cpus)
        table.add_row(
            way,
            f"{rate:.2f} M ({rates[0]:.2f} to {rates[-1]:.2f})",
            f"{cpu:.0f} ns ({cpus[0]:.0f} to {cpus[-1]:.0f})",
            f"{rate * 1e6 / base:.2f}",
        )
    console.print(table)


def run(arguments: Sequence[str] = ()) -> None:
    """Measure, and show it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench watching", description=re.sub(r"`|\n\n.*", "", __doc__ or "", flags=re.S)
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="times as many messages")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    runs: dict[str, list[Figures]] = {way: [] for way in WAYS}
    with compiled() as load:
        for _ in range(chosen.runs):
            for way, done in runs.items():
                done.append(measure(way, int(MESSAGES * chosen.scale), load))
    show(Console(width=100), runs)
    if chosen.json:
        write_json(chosen.json, {"watching": {way: [f._asdict() for f in done] for way, done in runs.items()}})
