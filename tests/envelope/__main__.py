"""The longer sweep: generated topologies that are others each time, on both cores."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings

from tests.devcore.conftest import CORES
from tests.envelope.rig import compare, told
from tests.envelope.texts import Pair, rows


def sweep(core: str, examples: int, folder: Path) -> Counter[str]:
    """Hold the model to what a core does, and count what became of the messages."""
    found: Counter[str] = Counter()

    @settings(max_examples=examples, derandomize=False, deadline=None)
    @given(rows())
    def hold(row: tuple[str, Pair]) -> None:
        text, (start, end) = row
        journey = compare(told(text, folder).graph, CORES[core], start, end)
        found[journey.verdict if journey else "no way"] += 1

    hold()
    return found


def main() -> None:
    """Sweep, and say what was seen."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with TemporaryDirectory() as folder:
        for core in CORES:
            found = sweep(core, examples, Path(folder))
            print(
                f"{core}: the model is right about {found.total()} messages:",
                ", ".join(f"{n} {w}" for w, n in found.most_common()),
            )


if __name__ == "__main__":
    main()
