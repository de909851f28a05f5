"""The table of `ztopo top`: which columns have room, how numbers are shown, and in which order the lines stand."""

from __future__ import annotations

import json

import pytest

from topo.board import COLUMNS, fitting, groups, ordered, short, size
from topo.cli.top import COLUMNS as NAMES
from topo.devcore import CaptureCounts, SideCounts, Statistics, Traffic
from topo.render import Style, top_json, top_text
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot, SocketSnapshot
from topo.run.usage import Task, Usage
from topo.text import width
from topo.watch import Rates, Sample, rates


def device(
    name: str, messages: int, *, dropped: int = 0, waiting: tuple[str, ...] = (), state: str = "running"
) -> DeviceSnapshot:
    flow = Traffic(messages, 3 * messages, 100 * messages)
    sides = (SideCounts(flow, flow), SideCounts(flow, flow, unroutable=dropped, held=2))
    return DeviceSnapshot(
        name,
        "queue",
        name,
        "ready",
        "t.ztopo:3",
        pid=len(name),
        sockets=tuple(SocketSnapshot(f"{name}.{s}", t) for s, t in (("in", "ROUTER"), ("out", "DEALER"), ("monitor", "PUB"))),
        statistics=Statistics(state, messages, 0, waiting, *sides, CaptureCounts(messages, 4, 5)),
    )


def looked_at(*devices: DeviceSnapshot, apps: tuple[AppSnapshot, ...] = ()) -> Rates:
    """As after two seconds in which all of it happened."""
    usage = {Task(d.pid or 0): Usage(0.5, 20 << 20) for d in devices}
    peers = {s.id: n for d in devices for n, s in enumerate(d.sockets)}
    before = Sample(Snapshot("t", "t.ztopo", "running", 1, 0.0), 0.0, {task: Usage(0.0, 0) for task in usage})
    return rates(before, Sample(Snapshot("t", "t.ztopo", "running", 1, 0.0, devices=devices, apps=apps), 2.0, usage, peers))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0"), (0.04, "0.0"), (0.3, "0.3"), (9.97, "10"), (12.4, "12"), (9999, "9999"), (9999.7, "10000"),
     (10000, "10.0k"), (99949, "99.9k"), (99960, "100k"), (999_999, "1000k"), (1_000_000, "1.0M"), (12_345_678, "12.3M"),
     (3e9, "3.0G"), (3e12, "3000G")],
)  # fmt: skip
def test_numbers_are_short(value: float | None, shown: str) -> None:
    assert short(value) == shown
    assert len(shown) <= 5


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0B"), (999, "999B"), (1000, "1.0KiB"), (1536, "1.5KiB"), (102_400, "100KiB"), (1 << 20, "1.0MiB"),
     (1 << 30, "1.0GiB"), (5 << 40, "5120GiB")],
)  # fmt: skip
def test_sizes_are_short(value: float | None, shown: str) -> None:
    assert size(value) == shown
    assert len(shown) <= 7


@pytest.mark.parametrize("cells", [*range(40, 160, 3), 80, 200])
def test_a_line_is_no_wider_than_the_terminal_where_that_can_be(cells: int) -> None:
    seen = looked_at(device("a" * 30, 5), apps=(AppSnapshot("b", (), "ready", ""),))
    fits = fitting(groups(seen), cells)
    lines = top_text.render(seen, Style(width=cells)).splitlines()[2:]
    assert max(map(width, lines)) <= max(cells, 43)
    assert {"name", "in", "out", "dropped", "state"} <= {column.key for column, _ in fits}


def test_columns_give_way_to_names_that_are_not_too_long() -> None:
    rows = groups(looked_at(device("broker", 5)))
    assert [c.key for c, _ in fitting(rows, 200)] == [c.key for c in COLUMNS]
    narrow = [c.key for c, _ in fitting(rows, 80)]
    assert narrow == ["name", "peers", "in", "out", "bytes", "dropped", "state", "cpu", "memory"]


def test_the_columns_to_sort_by_are_those_of_the_table() -> None:
    assert tuple(column.key for column in COLUMNS) == NAMES


def test_the_lines_of_a_device() -> None:
    lines = top_text.render(looked_at(device("a", 2000, dropped=3, waiting=("backend",))), Style(width=200)).splitlines()
    assert lines[0].endswith(", 2000 messages/s in, 3 dropped, 1 device, 0 apps")
    near, far, monitor = (line.split() for line in lines[3:])
    assert near == ["a.in", "ROUTER", "0", "1000", "1000", "6000", "195KiB", *"0000", "0", "ready", "25.0", "20.0MiB", "0"]
    assert far == ["a.out", "DEALER", "1", "1000", "1000", "6000", "195KiB", "3", "0", "0", "3", "2", "waits"]
    assert monitor == ["a.monitor", "PUB", "2", "1000", "5", "4"]


def test_a_device_that_is_paused_says_so() -> None:
    (group,) = groups(looked_at(device("a", 1, state="paused")))
    assert group.rows[0]["state"] == "paused"


def test_sorted_devices_stay_in_one_piece() -> None:
    found = groups(looked_at(device("b", 10), device("a", 30), device("c", 20, dropped=9)))

    def names(key: str | None, reverse: bool = False) -> str:
        return "".join(group.name for group in ordered(found, key, reverse))

    assert names(None) == "bac"
    assert names(None, reverse=True) == "cab"
    assert names("in") == "acb"
    assert names("in", reverse=True) == "bca"
    assert names("name") == "abc"
    assert names("dropped") == "cba"
    assert names("unroutable") == "cba"
    document = json.loads(top_json.render(looked_at(device("b", 10), device("a", 30)), Style(), "in"))
    assert [d["name"] for d in document["devices"]] == ["a", "b"]


def test_what_is_not_known_comes_last() -> None:
    apps = (AppSnapshot("x", (), "ready", ""),)
    found = groups(looked_at(device("a", 1), apps=apps))
    assert [group.name for group in ordered(found, "cpu")] == ["a", "x"]


def test_names_cannot_move_the_cursor() -> None:
    found = top_text.render(looked_at(device("a\x1b[2J", 1)), Style(width=200))
    assert "\x1b" not in found
