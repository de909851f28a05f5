"""Processes as the supervisor sees them: what one has said comes before its end, whoever is slow, and whatever it leaves behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.processes import PATIENCE, wait_until
from topo.run import children as module
from topo.run.children import Children, OnOutput
from topo.run.events import Exited, Started

Told = SimpleQueue[object]
Start = Callable[[str, OnOutput], Children]


@pytest.fixture
def told() -> Told:
    return SimpleQueue()


@pytest.fixture
def start(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a shell that is called `it`, and tell what happens; its output goes elsewhere."""
    monkeypatch.setattr(module, "LAST_WORDS", PATIENCE)
    started: list[Children] = []

    def run(script: str, on_output: OnOutput) -> Children:
        started.append(Children(told.put, on_output))
        started[-1].start_app("it", ("sh", "-c", script), str(tmp_path), os.environ)
        assert isinstance(told.get(timeout=PATIENCE), Started)
        return started[-1]

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

    start("echo one; echo two; echo three >&2; exit 3", slow).begun("it")
    assert until_its_end(told) == ["one", "two", "three", Exited("it", 3)]


def test_its_end_does_not_wait_for_those_who_hold_its_output_open(told: Told, start: Start) -> None:
    start("sleep 600 & echo last", lambda _, line, __: told.put(line)).begun("it")
    assert until_its_end(told) == ["last", Exited("it", 0)]


def test_what_it_says_waits_until_its_start_has_been_told(told: Told, start: Start, tmp_path: Path) -> None:
    children = start(f"echo first; touch {tmp_path}/said; sleep 600", lambda _, line, __: told.put(line))
    wait_until((tmp_path / "said").exists, "its first word")
    assert told.empty()
    children.begun("it")
    assert told.get(timeout=PATIENCE) == "first"
