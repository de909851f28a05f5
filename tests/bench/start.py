"""Measure how long it takes to start process devices: `python -m tests.bench start [--devices N] [--runs N]`.

ztopo's starter beside multiprocessing's forkserver (with zmq.devices loaded before), its fork and its spawn. Each run is an
interpreter of its own; the runs are interleaved. "cold" begins before the first device, and so contains the start of the starter
or forkserver; "warm" begins after it. Both end when the last device can be connected to. Memory is the proportional set size of
a device's process. Medians, with the smallest and the largest; ratios compare with ztopo. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["run"]

RUNS = 7
DEVICES = 50
WAYS = ("ztopo", "ztopo, not waited for one by one", "forkserver", "fork", "spawn")


def run(options: Sequence[str]) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench start", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--devices", type=int, default=DEVICES)
    given = parser.parse_args(options)
    results: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(given.runs):
        for way in WAYS:
            results[way].append(_measure(way, given.devices))
    _show(results, given)


def _measure(way: str, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.start", way, str(count)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]).stdout
    result: dict[str, float] = json.loads(output)
    return result


def _show(results: dict[str, list[dict[str, float]]], given: argparse.Namespace) -> None:
    print(f"{given.devices} process devices, medians of {given.runs} runs (smallest - largest)")
    print(f"{'':34} {'cold':>25} {'warm':>25} {'each':>10}")
    base = {what: _middle(results["ztopo"], what) for what in ("cold", "warm", "memory")}
    for way, runs in results.items():
        times = "".join(f" {_cell(runs, what, base[what]):>25}" for what in ("cold", "warm"))
        print(f"{way:34}{times} {_middle(runs, 'memory'):6.1f} MiB")


def _middle(runs: list[dict[str, float]], what: str) -> float:
    return statistics.median(run[what] for run in runs)


def _cell(runs: list[dict[str, float]], what: str, base: float) -> str:
    values = [run[what] for run in runs]
    middle = statistics.median(values)
    return f"{middle / base:.2f} {middle:.3f} s ({min(values):.2f} - {max(values):.2f})"


# One run


def _devices(way: str) -> Callable[[], Any]:
    if way.startswith("ztopo"):
        from topo.devices import ProcessMonitoredQueue as Ours

        return lambda: Ours(7, 8)  # PULL and PUSH
    import multiprocessing

    import zmq.devices

    theirs: Any = zmq.devices.ProcessMonitoredQueue  # untyped there
    multiprocessing.set_start_method(way)
    if way == "forkserver":
        multiprocessing.set_forkserver_preload(["zmq.devices"])
    return lambda: theirs(7, 8)


def _start(make: Callable[[], Any], folder: str, name: str, *wait: bool) -> Any:
    device = make()
    device.bind_in(f"ipc://{folder}/{name}.in")
    device.bind_out(f"ipc://{folder}/{name}.out")
    device.start(*wait)
    return device


def _wait_bound(folder: str, name: str) -> None:
    while True:
        with socket.socket(socket.AF_UNIX) as trial:
            try:
                trial.connect(f"{folder}/{name}.out")
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.0005)
            else:
                return


def _memory_of(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell the proportional set size")


def _one_run(way: str, count: int) -> None:
    make = _devices(way)
    wait = (False,) if "not waited" in way else ()
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        devices = [_start(make, folder, "first", *wait)]
        _wait_bound(folder, "first")
        between = time.perf_counter()
        devices += [_start(make, folder, str(number), *wait) for number in range(count)]
        for number in range(count):
            _wait_bound(folder, str(number))
        end = time.perf_counter()
        memory = statistics.mean(_memory_of(device.launcher.pid) for device in devices[1:])
        for device in devices:
            device.launcher.terminate()
        for device in devices:
            device.launcher.join()
    print(json.dumps({"cold": end - begin, "warm": end - between, "memory": memory}))


if __name__ == "__main__":
    _one_run(sys.argv[1], int(sys.argv[2]))
