"""`make soak`: for a minute, or SOAK_SECONDS. Prints a table, and ends with 1 if anything is not as it was promised."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.soak import Result, soak


def main() -> int:
    """Run it, and show what has come of it."""
    seconds = float(os.environ.get("SOAK_SECONDS", "60"))
    seed = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 1_000_000)))
    print(f"SOAK_SEED={seed} SOAK_SECONDS={seconds:g}")
    with tempfile.TemporaryDirectory() as folder:
        result = soak(Path(folder), seconds, seed)
    show(result)
    return 0 if result.right else 1


def show(result: Result) -> None:
    """Print the table."""
    print(f"{'':<34} {'sent':>9} {'arrived':>9} {'lost':>5} {'said':>7} {'twice':>5} {'order':>5}")
    for c in result.counts:
        mark = "" if c.right else "  WRONG"
        print(f"{c.name:<34} {c.sent:>9,} {c.arrived:>9,} {c.lost:>5,} {c.allowed:>7,} {c.doubled:>5,} {c.disordered:>5,}{mark}")
    print(", ".join(f"{count} {what}" for what, count in result.done.items()))
    for wrong in result.wrong:
        print(f"WRONG: {wrong}")


if __name__ == "__main__":
    sys.exit(main())
