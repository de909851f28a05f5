"""Measure plans of changes: `python -m tests.bench plan --help`.

The topology of `scale`, and the same once more with one option or one endpoint other in ten of its devices and all lines moved by one.
Measured is `plan_change`, from the two plans and a snapshot of what runs, in CPU seconds. Shown is the median of the runs, with the
smallest and the largest. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.scale import ROW, _as_ztopo
from tests.worlds import world
from topo.change import plan_change
from topo.compile import compile, make_plan
from topo.plan import Plan
from topo.source import Source

SIZES = (1_000, 10_000)
CHANGES = 10


def _plan(text: str) -> Plan:
    compilation = compile(Source(text, "plan.ztopo"))
    assert compilation.valid
    return make_plan(compilation)


def _changed(text: str, count: int) -> str:
    """Ten devices otherwise: in turns an option that acts at once, and the endpoint that others connect to."""
    devices = text.split("device ")
    for number in range(CHANGES):
        place = 1 + number * (count // CHANGES) // ROW * ROW
        old, new = (("sndhwm 5000", "sndhwm 6000"), ("bind tcp://10.", "bind tcp://11."))[number % 2]
        assert old in devices[place]
        devices[place] = devices[place].replace(old, new)
    return "\n".join(["ztopo 1", "", *"device ".join(devices).split("\n")[1:]])


def run(arguments: Sequence[str] = ()) -> None:
    """Measure, and show."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench plan", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="how many devices, with commas between")
    chosen = parser.parse_args(arguments)
    table = Table(title="a plan for ten changes", title_justify="left")
    for heading in ("devices", "changed", "steps", "s of CPU"):
        table.add_column(heading, justify="right")
    for count in map(int, chosen.sizes.split(",")):
        text = "".join(_as_ztopo(count))
        running, wanted = _plan(text), _plan(_changed(text, count))
        there = world(running)
        times = []
        for _ in range(chosen.runs):
            begin = time.process_time()
            plan = plan_change(running, there, wanted)
            times.append(time.process_time() - begin)
        spread = f"{median(times):.3f} ({min(times):.3f}-{max(times):.3f})"
        table.add_row(f"{count:,}", str(len(plan.changes)), str(len(plan.steps)), spread)
    Console(width=110).print(table)
