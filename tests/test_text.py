"""Texts in a terminal: tables and times."""

from __future__ import annotations

import pytest

from topo.text import ago, nearest, padded, sentence, table, width


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172799, "47 h"),
        (172800, "2 d"),
        (9e6, "104 d"),
    ],
)
def test_how_long_something_has_lasted(seconds: float, shown: str) -> None:
    assert ago(seconds) == shown


def test_columns_stand_below_each_other() -> None:
    rows = [("NAME", "PID", "FILE"), ("\u65e5\u672c", "7", "a"), ("x", "1234", "bb")]
    assert table(rows, 80, right=(1,)) == ["NAME   PID  FILE", "\u65e5\u672c     7  a", "x     1234  bb"]
    assert table([], 80) == []


def test_a_table_keeps_to_its_width_at_the_cost_of_one_column() -> None:
    rows = [("one", "a-long-name-of-a-file", "end"), ("two", "b", "end")]
    lines = table(rows, 20, cuttable=(1,))
    assert lines == ["one  a-lon\u2026file  end", "two  b           end"]
    assert all(width(line) <= 20 for line in lines)
    assert table(rows, 5, cuttable=(1,)) == ["one  \u2026  end", "two  b  end"], "it keeps a cell"


def test_padded_to_the_left_and_to_the_right() -> None:
    assert (padded("a", 3), padded("a", 3, right=True)) == ("a  ", "  a")


def test_the_first_of_two_columns_gives_way_first() -> None:
    rows = [("t" * 30, "n" * 20, "end")]
    assert [len(cell) for cell in table(rows, 44, cuttable=(0, 1))[0].split()] == [17, 20, 3]
    assert [len(cell) for cell in table(rows, 30, cuttable=(0, 1))[0].split()] == [12, 11, 3]


def test_a_command_to_copy_stays_in_one_piece() -> None:
    text = "detector is ready in the background, process 4711; `ztopo down detector` stops it"
    assert sentence(text, 60) == ["detector is ready in the background, process 4711;", "`ztopo down detector` stops it"]


@pytest.mark.parametrize(
    ("path", "folders", "shown"),
    [
        ("/srv/a/b.ztopo:3", ("/srv", "/srv/a"), "b.ztopo:3"),
        ("/srv/a/b.ztopo:3", ("/srv/a/", ""), "b.ztopo:3"),
        ("/srv/ab/c", ("/srv/a",), "/srv/ab/c"),
        ("a/b.ztopo:3", ("/srv", "a"), "a/b.ztopo:3"),
        ("/b", ("/",), "b"),
        ("", ("/",), ""),
    ],
)
def test_a_path_is_called_from_where_that_is_nearest(path: str, folders: tuple[str, ...], shown: str) -> None:
    assert nearest(path, *folders) == shown
