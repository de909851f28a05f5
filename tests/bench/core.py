"""Measure the core beside pyzmq's monitored_queue, libzmq's proxy and a direct link: `python -m tests.bench core --help`.

Everything runs in processes of its own: the device, and at each end a compiled load generator (`load.c`). The runs of all cores
are interleaved; shown are medians with the smallest and the largest value. Ratios compare with ztopo. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import zmq
from rich.console import Console
from rich.table import Table
from zmq.backend.cython import _zmq

from tests.bench import write_json
from tests.bench.device import capture_of

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """What is measured: the sockets of the device and the roles at its two ends."""

    name: str
    types: tuple[str, str]
    roles: tuple[str, str]
    transport: str
    size: int
    window: int = 0
    listened: bool = False


@dataclass(frozen=True)
class Figures:
    """One run. Seconds; `share` of the monitor's copies that its subscriber received."""

    rate: float
    cpu: float
    p50: float = 0.0
    p99: float = 0.0
    share: float = 0.0


TRANSPORTS = ("ipc", "tcp", "inproc")
SIZES = {16: "16 B", 256: "256 B", 1024: "1 KiB", 65536: "64 KiB", 1048576: "1 MiB"}
PATTERNS = {
    "stream": (("PULL", "PUSH"), ("push", "pull"), 0),
    "publish": (("XSUB", "XPUB"), ("pub", "sub"), 0),
    "requests window 1": (("ROUTER", "DEALER"), ("ask", "answer"), 1),
    "requests window 500": (("ROUTER", "DEALER"), ("ask", "answer"), 500),
}
CASES = [
    Case(f"{pattern} {transport} {shown}" + ", listened to" * listened, types, roles, transport, size, window, listened)
    for pattern, (types, roles, window) in PATTERNS.items()
    for transport in TRANSPORTS
    for size, shown in SIZES.items()
    for listened in (False, True)
]
CORES = ("ztopo", "plain", "pyzmq", "libzmq", "direct")
MOST_BYTES = 1_000_000_000
"""So many bytes go through in a run at most: what is listened to may all wait in memory."""


class Load:
    """A load generator."""

    def __init__(self, stack: ExitStack, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.callback(self._end)
        assert self._line() == ["ready"], command

    def start(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self) -> list[float]:
        """Wait until it is done: messages, seconds, seconds of CPU, and maybe p50 and p99."""
        return [float(word) for word in self._line()]

    def _line(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def _end(self) -> None:
        self.process.kill()
        self.process.communicate()


def cpu_of(pid: int) -> float:
    """The CPU time that a process has used so far."""
    return time.clock_gettime((~pid << 3) | 2)


def measure(core: str, case: Case, messages: int, load: Path) -> Figures:
    """Run one case once."""
    if case.transport == "inproc":
        command = [sys.executable, "-m", "tests.bench.inside", str(load.with_suffix(".so")), str(libzmq()), core]
        done = subprocess.run([*command, json.dumps(asdict(case)), str(messages)], check=True, capture_output=True, text=True)
        return Figures(**json.loads(done.stdout))
    with tempfile.TemporaryDirectory() as folder:
        return _measure_between_processes(core, case, messages, load, Path(folder))


def _measure_between_processes(core: str, case: Case, messages: int, load: Path, folder: Path) -> Figures:
    endpoints = [f"ipc://{folder}/{name}" if case.transport == "ipc" else f"tcp://127.0.0.1:{_free_port()}" for name in "fbm"]
    with ExitStack() as stack:
        device = None
        if core != "direct":
            command = [sys.executable, "-m", "tests.bench.device", core, *case.types, capture_of(core), *endpoints]
            device = Load(stack, command)
        library = str(libzmq())

        def at_end(role: str, where: str, endpoint: str) -> Load:
            return Load(stack, [str(load), library, role, where, endpoint, str(messages), str(case.size), str(case.window)])

        far = at_end(case.roles[1], "connect" if device else "bind", endpoints[1])
        near = at_end(case.roles[0], "connect", endpoints[0 if device else 1])
        listener = at_end("listen", "connect", endpoints[2]) if device and case.listened else None
        time.sleep(0.3)  # until all is connected: no one tells
        for end in (listener, far):
            if end:
                end.start()
        time.sleep(0.1)
        begin = cpu_of(device.process.pid) if device else 0.0
        near.start()
        if case.window:
            _, seconds, busy, p50, p99 = near.result()
            far_busy = far.result()[2]
        else:
            _, seconds, far_busy, p50, p99 = far.result()
            busy = near.result()[2]
        cpu = cpu_of(device.process.pid) - begin if device else busy + far_busy
        share = listener.result()[0] / messages if listener else 0.0
        return Figures(messages / seconds, cpu / messages, p50, p99, share)


def _free_port() -> int:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        return socket.bind_to_random_port("tcp://127.0.0.1")


def libzmq() -> Path:
    """The libzmq that pyzmq uses."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "libzmq" in line:
            return Path(line.split(maxsplit=5)[5])
    return Path(str(_zmq.__file__))


@contextmanager
def compiled() -> Iterator[Path]:
    """The load generator, compiled into a folder that goes away: a program, and beside it a library, `load.so`."""
    with tempfile.TemporaryDirectory() as folder:
        load = Path(folder) / "load"
        compiler = shutil.which("cc") or sys.exit("a C compiler is needed")
        for flags in (["-o", load], ["-fPIC", "-shared", "-o", load.with_suffix(".so")]):
            subprocess.run([compiler, "-O2", HERE / "load.c", *flags, "-ldl"], check=True)
        yield load


def messages_for(case: Case, scale: float) -> int:
    """So many that a run takes about a second with ztopo; fewer where they may all wait in memory."""
    streamed = 300_000 if case.size >= 1024 else 1_000_000 if case.size >= 256 or case.listened else 4_000_000
    count = 20_000 if case.window == 1 else 150_000 if case.window else streamed
    return max(200, int(scale * min(count, MOST_BYTES // case.size)))


def show(console: Console, case: Case, runs: dict[str, list[Figures]]) -> None:
    """A table: ratios first."""
    table = Table(title=case.name, title_justify="left")
    for heading in (
        "core",
        "rate, of ztopo's",
        "CPU, of ztopo's",
        "messages/s",
        "ns CPU/message",
        "p50 us",
        "p99 us",
        "monitor's share",
    ):
        table.add_column(heading, justify="left" if heading == "core" else "right")
    middle = {
        core: {key: statistics.median(asdict(run)[key] for run in done) for key in asdict(done[0])} for core, done in runs.items()
    }
    own = middle.get("ztopo", next(iter(middle.values())))
    for core, done in runs.items():
        figures = middle[core]
        rates = [run.rate for run in done]
        table.add_row(
            core,
            f"{figures['rate'] / own['rate']:.2f}",
            f"{figures['cpu'] / own['cpu']:.2f}" if own["cpu"] else "",
            f"{figures['rate']:,.0f} ({min(rates):,.0f}-{max(rates):,.0f})",
            f"{figures['cpu'] * 1e9:.0f} ({min(r.cpu for r in done) * 1e9:.0f}-{max(r.cpu for r in done) * 1e9:.0f})",
            f"{figures['p50'] * 1e6:.1f}" if case.window else "",
            f"{figures['p99'] * 1e6:.1f}" if case.window else "",
            f"{figures['share']:.0%}" if case.listened else "",
        )
    console.print(table)


def run(arguments: Sequence[str] = ()) -> None:
    """Measure, show, and write a file."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench core", description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer messages")
    parser.add_argument("--only", action="append", help="the cases whose name contains this; may be repeated")
    parser.add_argument("--cores", default=",".join(CORES), help="of " + ", ".join((*CORES, "python")))
    parser.add_argument("--json", type=Path, default=Path("build/bench-core.json"), help="the file that all figures go to")
    chosen = parser.parse_args(arguments)
    console = Console(width=150)
    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    cases = [case for case in CASES if any(part in case.name for part in chosen.only or [""])]
    if not cases:
        parser.error("there is no such case")
    with compiled() as load:
        for case in cases:
            runs: dict[str, list[Figures]] = {core: [] for core in chosen.cores.split(",")}
            for _ in range(chosen.runs):
                for core, done in runs.items():
                    done.append(measure(core, case, messages_for(case, chosen.scale), load))
            show(console, case, runs)
            results[case.name] = {core: [asdict(run) for run in done] for core, done in runs.items()}
            write_json(chosen.json, {"cases": results})  # what was measured is kept, whatever happens to the rest
    console.print(f"all figures: {chosen.json}")
