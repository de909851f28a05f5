"""One target under atheris: inputs that reach new code are kept in a folder, and changed again.

A process of its own, started by `python -m tests.fuzz`: atheris takes the process over, and ends it. What is wrong is written to a
folder, once for each place in the code, and the search goes on.
"""

from __future__ import annotations

import resource
import sys
import traceback
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["topo", "lark"]):
    from tests.fuzz.mutate import mutated
    from tests.fuzz.targets import TARGETS, Target, bounded

MEMORY = 3 * 1024**3


class Search:
    """A search for inputs of which something does not hold."""

    def __init__(self, target: Target, found: Path) -> None:
        self.target = target
        self.found = found
        self.places: set[str] = set()

    def try_one(self, data: bytes) -> None:
        """Try an input, and write down what is wrong."""
        try:
            with bounded():
                self.target.run(data)
        except Exception as error:
            self._note(data, error)

    def _note(self, data: bytes, error: Exception) -> None:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "/topo/" in f.filename or "/tests/" in f.filename]
        last = frames[-1]
        place = f"{type(error).__name__}-{Path(last.filename).stem}-{last.lineno}"
        if place not in self.places:
            self.places.add(place)
            (self.found / place).write_bytes(data)
            (self.found / f"{place}.txt").write_text("".join(traceback.format_exception(error))[-20_000:], errors="replace")
            print(f"found: {place}", flush=True)

    def change(self, data: bytes, most: int, seed: int) -> bytes:
        """A new input: half of them changed by bytes, half by pieces."""
        random = Random(seed)
        if random.random() < 0.3:
            return bytes(atheris.Mutate(data, most))
        return mutated(data, random, self.target.words, self.target.make)[:most]


def main(name: str, corpus: str, found: str, *options: str) -> None:
    """Search until libFuzzer's options say that it is enough."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.setrecursionlimit(sys.getrecursionlimit() * 2)  # the instrumented code has deeper frames
    search = Search(TARGETS[name], Path(found))
    atheris.Setup([sys.argv[0], corpus, *options], search.try_one, custom_mutator=search.change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
