"""Processes as the supervisor sees them: what one has said comes before its end, whoever is slow, and whatever it leaves behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.processes import PATIENCE
from topo.run import children as module
from topo.run.children import Children, OnOutput
from topo.run.events import Exited

Told = SimpleQueue[object]
Start = Callable[[str, OnOutput], None]


@pytest.fixture
def told() -> Told:
    return SimpleQueue()


@pytest.fixture
def start(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a shell that is called `it`, and tell what happens; its output goes elsewhere."""
    monkeypatch.setattr(module, "LAST_WORDS", PATIENCE)
    started: list[Children] = []

    def run(script: str, on_output: OnOutput) -> None:
        started.append(Children(told.put, on_output))
        started[-1].start_app("it", ("sh", "-c", script), str(tmp_path), os.environ)

    yield run
    for children in started:
        children.close()


def until_its_end(told: Told) -> list[object]:
    """All that is told up to its end."""
    found: list[object] = []
    while not found or not isinstance(found[-1], Exited):
        found.append(told.get(timeout=PATIENCE))
    return found


def test_its_end_waits_for_those_who_are_slow_to_pass_on_what_it_has_said(told: Told, start: Start) -> None:
    def slow(name: str, line: str, goes_on: bool) -> None:
        time.sleep(0.15)  # as on a busy machine
        told.put(line)

    start("echo one; echo two; echo three >&2; exit 3", slow)
    *_, one, two, three, end = until_its_end(told)
    assert [one, two, three, end] == ["one", "two", "three", Exited("it", 3)]


def test_its_end_does_not_wait_for_those_who_hold_its_output_open(told: Told, start: Start) -> None:
    start("sleep 600 & echo last", lambda _, line, __: told.put(line))
    *_, last, end = until_its_end(told)
    assert [last, end] == ["last", Exited("it", 0)]
