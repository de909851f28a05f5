"""Measure how long the command takes from cold: `python -m tests.bench command [--runs N]`.

Each run is a process of its own; the runs of all commands are interleaved, so that a machine that is busy for a while is busy for
all of them. Shown are wall-clock medians in milliseconds, with the smallest and the largest. The aims are 100 for `--help` and 250
for `check`, with an interpreter that starts in 10.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

SMALL = """\
ztopo 1
topology request_broker
param port: port = 5555
device broker: queue {
    run     process
    in      ROUTER bind tcp://*:${port}
    out     DEALER bind tcp://*:${port + 1}
    monitor PUB    bind ipc://broker.monitor { prefix "in", "out" }
}
app client[*]: REQ connect broker.in
app worker[4]: REP connect broker.out { run "python worker.py"; linger 0 }
app watcher: SUB connect broker.monitor { subscribe "" }
"""
ZTOPO = str(Path(sys.executable).parent / "ztopo")

COMMANDS: dict[str, list[str]] = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import click": [sys.executable, "-c", "import click"],
    "import zmq, lark, click, networkx": [sys.executable, "-c", "import zmq, lark, click, networkx"],
    "ztopo --help": [ZTOPO, "--help"],
    "ztopo --version": [ZTOPO, "--version"],
    "ztopo check": [ZTOPO, "check", "small.ztopo"],
    "ztopo explain ZT201": [ZTOPO, "explain", "ZT201"],
    "ztopo graph": [ZTOPO, "graph", "small.ztopo"],
    "ztopo show --format json": [ZTOPO, "show", "--format", "json", "small.ztopo"],
}


def run(arguments: Sequence[str] = ()) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench command", description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args(arguments).runs
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "small.ztopo").write_text(SMALL)
        for number in range(runs + 1):
            for name, command in COMMANDS.items():
                took = _time(command, folder)
                if number:  # the first run only warms the file cache
                    times[name].append(took)
    table = Table("command", *(f"{what} ms" for what in ("median", "least", "most")))
    for name, took_each in times.items():
        table.add_row(name, *(f"{1000 * value:.0f}" for value in (median(took_each), min(took_each), max(took_each))))
    Console().print(table)


def _time(command: Sequence[str], folder: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start
