"""Measure large files: `python -m tests.bench scale --help`.

One topology is written three times: for ztopo, for PyYAML (block style, a mapping for each device and each socket) and for
python-hcl2 (a block for each). Each is read in processes of their own by `topo.compile`, which also finds the links and asks every check, by
`yaml.load` with CSafeLoader, and by `hcl2.loads`. The runs are interleaved. Two things are measured: the CPU time from the file to the
result with the cyclic collector off for all of them; and the whole process as Python comes, with the collector on, from its start to its
end: `ztopo check FILE`, or Python with two lines. Shown are medians, with the smallest and the largest value; ratios compare with ztopo. The
memory is the most that the process had. "growth" is the time per device, of that in the smallest file. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

SIZES = (1_000, 10_000, 100_000)
ROW = 10
"""How many devices pass on to each other; the first of them connects to what lies outside."""


@dataclass(frozen=True)
class Figures:
    """One run, in seconds and bytes. `work` is CPU time from the file to the result; `process` is all of a process, by the clock."""

    work: float
    process: float
    memory: int


# What is read


def _devices(count: int) -> Iterator[tuple[str, str, str, str]]:
    """Name, what the in connects to, what the out binds, what the monitor binds."""
    for n in range(count):
        above = f"relay-{n - 1:06}.out" if n % ROW else f"tcp://192.168.7.{n % 250 + 1}:7000"
        yield f"relay-{n:06}", above, f"tcp://10.{n >> 16}.{n >> 8 & 255}.{n & 255}:{20_000 + n % 10_000}", f"ipc://relay-{n:06}"


def _as_ztopo(count: int) -> Iterator[str]:
    yield "ztopo 1\ntopology scale\n"
    for name, above, out, monitor in _devices(count):
        yield f"device {name}: forwarder {{\n    in      XSUB connect {above}\n    out     XPUB bind {out} {{ sndhwm 5000 }}\n"
        yield f"    monitor PUB  bind {monitor}\n}}\n"


def _as_yaml(count: int) -> Iterator[str]:
    yield "topology: scale\ndevices:\n"
    for name, above, out, monitor in _devices(count):
        yield f"- name: {name}\n  kind: forwarder\n  in:\n    type: XSUB\n    connect: {above}\n"
        yield f"  out:\n    type: XPUB\n    bind: {out}\n    sndhwm: 5000\n  monitor:\n    type: PUB\n    bind: {monitor}\n"


def _as_hcl(count: int) -> Iterator[str]:
    yield 'topology = "scale"\n'
    for name, above, out, monitor in _devices(count):
        yield f'device "{name}" {{\n  kind = "forwarder"\n  in {{\n    type = "XSUB"\n    connect = "{above}"\n  }}\n'
        yield f'  out {{\n    type = "XPUB"\n    bind = "{out}"\n    sndhwm = 5000\n  }}\n'
        yield f'  monitor {{\n    type = "PUB"\n    bind = "{monitor}"\n  }}\n}}\n'


# Who reads it


@dataclass(frozen=True)
class Reader:
    """One of those that are compared."""

    name: str
    write: Callable[[int], Iterator[str]]
    command: Sequence[str]
    """What reads a file as a process; the file follows."""
    prepare: Callable[[], Callable[[Path], Any]]
    """Imports what it needs and gives the function that reads a file."""
    most: int = 1_000_000
    """The most devices that it is given: with more it would take too long."""
    once: int = 100_000
    """With so many and more it runs once."""


def _prepare_ztopo() -> Callable[[Path], Any]:
    from topo import compile as front_end
    from topo.source import Source

    front_end.compile(Source("ztopo 1\n"))  # the grammar and the checks are loaded

    def read(path: Path) -> Any:
        source = front_end.read(path)
        assert isinstance(source, Source)
        compilation = front_end.compile(source)
        assert all(d.severity == "info" for d in compilation.diagnostics)
        return compilation

    return read


def _prepare_yaml() -> Callable[[Path], Any]:
    import yaml

    return lambda path: yaml.load(path.read_bytes(), yaml.CSafeLoader)


def _prepare_hcl() -> Callable[[Path], Any]:
    import hcl2

    hcl2.loads("a = 1\n")  # the grammar is loaded
    return lambda path: hcl2.loads(path.read_text(encoding="utf-8"))


def _python(lines: str) -> Sequence[str]:
    return [sys.executable, "-c", lines]


READERS = (
    Reader("ztopo", _as_ztopo, [str(Path(sys.executable).parent / "ztopo"), "check"], _prepare_ztopo),
    Reader(
        "CSafeLoader",
        _as_yaml,
        _python("import sys, yaml\nyaml.load(open(sys.argv[1], 'rb'), yaml.CSafeLoader)"),
        _prepare_yaml,
    ),
    Reader(
        "python-hcl2",
        _as_hcl,
        _python("import sys, hcl2\nhcl2.load(open(sys.argv[1], encoding='utf-8'))"),
        _prepare_hcl,
        most=10_000,
        once=1_000,
    ),
)


def _work(name: str, path: Path) -> None:
    """Read a file in this process, and print what that took."""
    read = next(reader for reader in READERS if reader.name == name).prepare()
    gc.collect()
    gc.disable()
    begin = time.process_time()
    read(path)
    print(json.dumps([time.process_time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))


def _measure(reader: Reader, path: Path) -> Figures:
    command = [sys.executable, "-m", "tests.bench.scale", reader.name, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]).stdout
    work, memory = json.loads(output)
    begin = time.perf_counter()
    subprocess.run([*reader.command, str(path)], check=True, capture_output=True)
    return Figures(work, time.perf_counter() - begin, memory)


# What comes out


def _show(console: Console, count: int, runs: dict[str, list[Figures]], per_device: dict[str, float]) -> None:
    table = Table(title=f"{count:,} devices", title_justify="left")
    table.add_column("reader")
    for heading in ("work", "process", "growth", "work, s of CPU", "process, s", "memory, MB"):
        table.add_column(heading, justify="right")
    own = runs["ztopo"]
    for name, done in runs.items():
        each = median(f.work for f in done) / count
        table.add_row(
            name,
            *(
                f"{median(getattr(f, what) for f in done) / median(getattr(f, what) for f in own):.2f}"
                for what in ("work", "process")
            ),
            f"{each / per_device.setdefault(name, each):.2f}",
            *(_spread([getattr(f, what) for f in done]) for what in ("work", "process")),
            f"{median(f.memory for f in done) / 1e6:.0f}",
        )
    console.print(table)


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.3f} ({min(values):.3f}-{max(values):.3f})"


def run(arguments: Sequence[str] = ()) -> None:
    """Measure, show, and write a file."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench scale", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="how many devices, with commas between")
    parser.add_argument("--readers", default=",".join(r.name for r in READERS))
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    chosen = parser.parse_args(arguments)
    console = Console(width=110)
    results: dict[int, dict[str, list[Figures]]] = {}
    per_device: dict[str, float] = {}
    for count in map(int, chosen.sizes.split(",")):
        readers = [r for r in READERS if r.name in chosen.readers.split(",") and count <= r.most]
        results[count] = {reader.name: [] for reader in readers}
        with tempfile.TemporaryDirectory() as folder:
            for reader in readers:
                (Path(folder) / f"{reader.name}.ztopo").write_text("".join(reader.write(count)), encoding="utf-8")
            for number in range(chosen.runs):
                for reader in readers:
                    if number == 0 or count < reader.once:
                        results[count][reader.name].append(_measure(reader, Path(folder) / f"{reader.name}.ztopo"))
        _show(console, count, results[count], per_device)
    if chosen.json:
        versions = {name: version(name) for name in ("lark", "msgspec", "PyYAML", "python-hcl2")}
        machine = {"machine": platform.machine(), "system": platform.platform(), "python": platform.python_version()}
        cases = {str(count): {n: [asdict(f) for f in done] for n, done in runs.items()} for count, runs in results.items()}
        chosen.json.write_text(json.dumps({**machine, **versions, "cases": cases}, indent=1))


if __name__ == "__main__":
    _work(sys.argv[1], Path(sys.argv[2]))
