"""The collector is paused while texts are compiled, by however many threads, and then is as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from topo.collector import paused
from topo.compile import compile
from topo.source import Source


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    gc.enable()


def test_it_goes_on_when_the_last_pause_ends() -> None:
    first, second = paused(), paused()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_it_stays_off_if_it_was_off() -> None:
    gc.disable()
    with paused():
        pass
    assert not gc.isenabled()


def test_it_goes_on_after_a_failure() -> None:
    with pytest.raises(KeyError), paused():
        raise KeyError
    assert gc.isenabled()


def test_it_rests_while_a_text_is_compiled_and_runs_afterwards() -> None:
    phases: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        phases.append(phase)

    text = "ztopo 1\n" + "".join(f"app a{n}: PUB bind tcp://*:{n + 1}\n" for n in range(2000))
    gc.collect()
    gc.callbacks.append(note)
    try:
        compilation = compile(Source(text))
    finally:
        gc.callbacks.remove(note)
    assert len(compilation.model.apps) == 2000
    assert phases.count("start") <= 1, "thousands of objects, and no collection but the one when it goes on"
    assert gc.isenabled()
