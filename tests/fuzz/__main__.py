"""Look for inputs of which something does not hold: `python -m tests.fuzz [TARGET] [--seconds N | --examples N]`.

With `--seconds` inputs are changed for so long: guided by the code that they reach if atheris is there, else by chance; those that
reach something new are kept beside the corpus, in `tests/fuzz/kept`. With `--examples` so many are made anew, the same ones each
time. What is wrong is written to `tests/fuzz/found`, and belongs into the corpus once it is mended. Ends with 1 if something was.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import traceback
from importlib.util import find_spec
from random import Random

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import CORPUS, TARGETS, bounded

FOUND = CORPUS.parent / "found"
KEPT = CORPUS.parent / "kept"
LONGEST = 8192
"""The longest input, in bytes. What grows out of long ones, the tests look at."""


def guided(name: str, seconds: int) -> None:
    """Change inputs for so many seconds, guided by the code that they reach."""
    kept = KEPT / name
    kept.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds):
        (kept / f"seed-{number}").write_bytes(seed)
    options = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
    options += [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=1200", "-rss_limit_mb=0"]
    options += [f"-artifact_prefix={FOUND}/", "-report_slow_units=1000"]
    options += ["-print_final_stats=1", "-verbosity=1"]
    subprocess.run([sys.executable, "-m", "tests.fuzz.guided", name, str(kept), str(FOUND), *options], check=True)


def by_chance(name: str, seconds: int) -> None:
    """Change inputs of the corpus for so many seconds, whatever code they reach."""
    random = Random(0)
    target, count = TARGETS[name], 0
    corpus = [*target.seeds, *(p.read_bytes() for p in sorted((CORPUS / name).glob("*")))]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        old, other = random.choice(corpus), random.choice(corpus)
        _try(name, mutated(old, random, target.words, target.make, other)[:LONGEST], str(count))
        count += 1
    print(f"{name}: {count:,} inputs", flush=True)


def generated(name: str, examples: int) -> None:
    """Make so many inputs, the same ones each time."""
    for seed in range(examples):
        _try(name, TARGETS[name].make(Random(seed)), str(seed))
    print(f"{name}: {examples:,} inputs", flush=True)


def _try(name: str, data: bytes, number: str) -> None:
    try:
        with bounded():
            TARGETS[name].run(data)
    except Exception:
        traceback.print_exc()
        (FOUND / f"{name}-{number}").write_bytes(data)


def main() -> int:
    """Look for what is wrong with one target, or with all."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("target", nargs="?", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--seconds", type=int, default=3600, help="for all targets together")
    parser.add_argument("--examples", type=int)
    arguments = parser.parse_args()
    names = list(TARGETS) if arguments.target == "all" else [arguments.target]
    FOUND.mkdir(exist_ok=True)
    search = guided if find_spec("atheris") else by_chance
    for name in names:
        if arguments.examples is not None:
            generated(name, arguments.examples)
        else:
            search(name, arguments.seconds // len(names))
    found = sorted(p.name for p in FOUND.iterdir() if p.suffix != ".txt")
    print(f"{len(found)} found{': ' if found else ''}{', '.join(found)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
