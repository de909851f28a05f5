"""Measure how long a topology takes to stop: `python -m tests.bench stop [--devices N] [--runs N]`.

From the wish until nothing of it is left, with nothing under way: devices side by side and in a chain, as threads of a process of
their own and as processes; drained, and without time for that (`stop(timeout=0)`), which is what it cost before. Besides, what as many
devices that have nothing to do take of a core, with their supervisor, over some seconds. Medians, with the smallest and the largest.
Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["run"]

RUNS = 5
DEVICES = 100
SECONDS = 10.0
TICKS = os.sysconf("SC_CLK_TCK")


def run(options: Sequence[str]) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench stop", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    given = parser.parse_args(options)
    print(f"{given.devices} devices with nothing under way stop, medians of {given.runs} runs (smallest - largest)")
    for placement in ("thread", "process"):
        for shape in ("side by side", "chain"):
            cells = []
            for timeout in (None, 0.0):
                times = [_stop(given.devices, placement, shape, timeout) for _ in range(given.runs)]
                cells.append(f"{statistics.median(times):.3f} s ({min(times):.2f} - {max(times):.2f})")
            print(f"{placement:8} {shape:13} drained {cells[0]:>24}   without {cells[1]:>24}", flush=True)
    for placement in ("thread", "process"):
        share = _idle(given.devices, placement, given.seconds)
        print(f"{placement:8} idle for {given.seconds:g} s: {share:.2f} % of a core", flush=True)


def _start(count: int, placement: str, shape: str, folder: str) -> Any:
    from topo.compile import compile, make_plan
    from topo.run.limits import allow_many_files
    from topo.run.running import start
    from topo.source import Source

    allow_many_files()
    chained = shape == "chain"
    devices = (
        f"device d{n}: streamer {{ run {placement}; "
        + (f"in PULL connect d{n - 1}.out; " if chained and n else f"in PULL bind ipc://{folder}/{n}.in; ")
        + f"out PUSH bind ipc://{folder}/{n}.out }}\n"
        for n in range(count)
    )
    plan = make_plan(compile(Source("ztopo 1\ntopology many\n" + "".join(devices), "many.ztopo")))
    return start(plan, in_process=False)


def _stop(count: int, placement: str, shape: str, timeout: float | None) -> float:
    with tempfile.TemporaryDirectory() as folder:
        running = _start(count, placement, shape, folder)
        at = time.perf_counter()
        running.stop(timeout)
        return time.perf_counter() - at


def _idle(count: int, placement: str, seconds: float) -> float:
    """What all processes of a topology take, in per cent of a core."""
    with tempfile.TemporaryDirectory() as folder, _start(count, placement, "side by side", folder) as running:
        pids = {os.getpid(), *(d.pid for d in running.status().devices if d.pid)}
        time.sleep(0.5)
        before = sum(map(_ticks, pids))
        time.sleep(seconds)
        return 100 * (sum(map(_ticks, pids)) - before) / TICKS / seconds


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
