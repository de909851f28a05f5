"""The soak, for some seconds; `make soak` runs it for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import Count, one_way, soak


def test_nothing_is_lost_where_that_is_promised(tmp_path: Path) -> None:
    result = soak(tmp_path, 3.0, seed=3, least=5)  # a slow machine comes to less in that time
    assert result.right, result
    assert result.done["restarts"] > 0
    assert result.done["rewired"] > 0


@pytest.mark.parametrize(
    ("got", "lost", "doubled", "disordered"),
    [([[0, 1, 2]], 0, 0, 0), ([[0, 2], [1]], 0, 0, 0), ([[0, 2]], 1, 0, 0), ([[0, 1, 1, 2]], 0, 1, 1), ([[1, 0, 2]], 0, 0, 1),
     ([[0, 1], [1, 2]], 0, 1, 0)],
)  # fmt: skip
def test_it_would_notice(got: list[list[int]], lost: int, doubled: int, disordered: int) -> None:
    count = one_way("x", [{"name": "a", "sent": 3}], [{"got": {"a": numbers}} for numbers in got])
    assert (count.lost, count.doubled, count.disordered) == (lost, doubled, disordered)
    assert count.right == (not lost and not doubled and not disordered)


def test_as_much_may_be_lost_as_was_said() -> None:
    assert Count("x", sent=3, arrived=1, allowed=2).right
    assert not Count("x", sent=3, arrived=1, allowed=1).right
