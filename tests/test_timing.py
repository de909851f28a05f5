"""What took how long."""

from __future__ import annotations

from topo.render import Style
from topo.render.timings import render
from topo.timing import Timings


def test_what_is_done_twice_adds_up() -> None:
    clock = iter([0.0, 1.0, 1.0, 1.5, 2.0, 4.0])
    timings = Timings(lambda: next(clock))
    for name in ("parse", "ZT201  a title", "parse"):
        with timings(name):
            pass
    assert timings.spent == {"parse": 3.0, "ZT201  a title": 0.5}


def test_checks_come_after_the_phases_the_longest_first() -> None:
    spent = {"parse": 1.0, "ZT201  first": 0.25, "ZT202  second": 0.5, "write": 0.25}
    assert [line.split(maxsplit=4)[4] for line in render(spent, Style()).splitlines()] == [
        "parse",
        "write",
        "all checks",
        "ZT202  second",
        "ZT201  first",
        "in all",
    ]
    assert "    750.0 ms  37.5 %  all checks" in render(spent, Style())
