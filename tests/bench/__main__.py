"""Measure: `python -m tests.bench` runs every benchmark there is, `python -m tests.bench NAME [OPTIONS]` one of them.

A benchmark is a module of this folder with a function `run` that takes the options. Nothing is asserted: a slow machine fails
no build.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import tests.bench

Benchmark = Callable[[Sequence[str]], None]


def benchmarks() -> dict[str, Benchmark]:
    """The benchmarks there are, by name."""
    modules = [i.name for i in pkgutil.iter_modules(tests.bench.__path__) if not i.name.startswith("_")]
    found = {name: getattr(import_module(f"tests.bench.{name}"), "run", None) for name in modules}
    return {name: run for name, run in found.items() if run is not None}


def main(arguments: Sequence[str]) -> None:
    """Run one benchmark, or all."""
    known = benchmarks()
    if not arguments:
        for name, run in known.items():
            print(f"-- {name}", flush=True)
            run(())
    elif arguments[0] in known:
        known[arguments[0]](arguments[1:])
    else:
        sys.exit(f"{__doc__}\nThere are: {', '.join(known)}")


if __name__ == "__main__":
    main(sys.argv[1:])
