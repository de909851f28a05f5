"""Every input that was wrong once, and those that reach different code, are tried again."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.targets import CORPUS, TARGETS, bounded

INPUTS = sorted(p for p in CORPUS.glob("*/*") if p.is_file())


@pytest.mark.parametrize("path", INPUTS, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_an_input_ends_in_diagnostics_or_a_result(path: Path) -> None:
    with bounded():
        TARGETS[path.parent.name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_generated_inputs_end_so_too(name: str) -> None:
    for seed in range(50):
        with bounded():
            TARGETS[name].run(TARGETS[name].make(Random(seed)))


def test_every_folder_is_of_a_target() -> None:
    assert {p.name for p in CORPUS.iterdir()} <= set(TARGETS)
