"""Measure how long it takes until many thread devices are ready: `python -m tests.bench threads [--devices N] [--runs N]`.

A topology of devices with a monitor, supervised, in this process, beside as many ThreadMonitoredQueue of plain pyzmq; both bind three
ipc endpoints each. Each run is an interpreter of its own; the runs are interleaved. Time is from the plan, or the first object, until
every device can be connected to; memory is what the process has grown by, for each device. "checked" is with reading and checking the
text, too. Medians, with the smallest and the largest. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["run"]

RUNS = 5
DEVICES = 1000
WAYS = ("pyzmq", "ztopo", "ztopo, checked")


def run(options: Sequence[str]) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench threads", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--devices", type=int, default=DEVICES)
    given = parser.parse_args(options)
    results: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(given.runs):
        for way in WAYS:
            command = [sys.executable, "-m", "tests.bench.threads", way, str(given.devices)]
            output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]).stdout
            results[way].append(json.loads(output.splitlines()[-1]))
    print(f"{given.devices} thread devices, medians of {given.runs} runs (smallest - largest)")
    base = {what: statistics.median(r[what] for r in results["pyzmq"]) for what in ("seconds", "memory")}
    for way, runs in results.items():
        print(
            f"{way:16}"
            + "".join(f" {_cell(runs, what, base[what], unit):>34}" for what, unit in (("seconds", "s"), ("memory", "KiB")))
        )


def _cell(runs: list[dict[str, float]], what: str, base: float, unit: str) -> str:
    values = [run[what] for run in runs]
    middle = statistics.median(values)
    return f"{middle / base:.2f} x {middle:.2f} {unit} ({min(values):.2f} - {max(values):.2f})"


# One run


def _text(count: int, folder: str) -> str:
    devices = (
        f"device d{n}: queue {{ in ROUTER bind ipc://{folder}/{n}.in; out DEALER bind ipc://{folder}/{n}.out; "
        f"monitor PUB bind ipc://{folder}/{n}.mon }}\n"
        for n in range(count)
    )
    return "ztopo 1\ntopology many\n" + "".join(devices)


def _ztopo(count: int, folder: str, *, checked: bool) -> tuple[Callable[[], object], Callable[[object], None]]:
    import zmq

    from topo.compile import compile, make_plan
    from topo.run.limits import allow_many_files
    from topo.run.running import start
    from topo.source import Source

    allow_many_files()
    source = Source(_text(count, folder), "many.ztopo")
    plan = None if checked else make_plan(compile(source))
    context: zmq.Context[Any] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4 * count + 100)

    def begin() -> object:
        return start(plan or make_plan(compile(source)), context=context)

    def end(running: Any) -> None:
        running.stop()

    return begin, end


def _pyzmq(count: int, folder: str) -> tuple[Callable[[], object], Callable[[object], None]]:
    import zmq
    import zmq.devices

    from topo.run.limits import allow_many_files

    allow_many_files()
    context: zmq.Context[Any] = zmq.Context.instance()
    context.set(zmq.MAX_SOCKETS, 4 * count + 100)
    theirs: Any = zmq.devices.ThreadMonitoredQueue  # untyped there

    def begin() -> object:
        devices = []
        for n in range(count):
            device = theirs(zmq.ROUTER, zmq.DEALER, zmq.PUB)
            device.bind_in(f"ipc://{folder}/{n}.in")
            device.bind_out(f"ipc://{folder}/{n}.out")
            device.bind_mon(f"ipc://{folder}/{n}.mon")
            device.start()
            devices.append(device)
        for n in range(count):
            while not os.path.exists(f"{folder}/{n}.mon"):
                time.sleep(0.0005)
        return devices

    def end(_: object) -> None:
        sys.stdout.flush()
        os._exit(0)  # they have no stop

    return begin, end


def _memory() -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return float(found[1])


def _one_run(way: str, count: int) -> None:
    folder = tempfile.mkdtemp()
    begin, end = _pyzmq(count, folder) if way == "pyzmq" else _ztopo(count, folder, checked="checked" in way)
    before, at = _memory(), time.perf_counter()
    devices = begin()
    print(json.dumps({"seconds": time.perf_counter() - at, "memory": (_memory() - before) / count}), flush=True)
    end(devices)


if __name__ == "__main__":
    _one_run(sys.argv[1], int(sys.argv[2]))
