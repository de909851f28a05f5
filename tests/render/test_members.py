"""What runs, as tables for people: names have room before all else, and a place is called from the file's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from topo.render import Style, members_text, status_text
from topo.run.client import Seen, Topology
from topo.run.folder import Owner
from topo.run.snapshot import DeviceSnapshot, Snapshot
from topo.text import width

FILE = "/srv/lines/of/a/plant/in/the/north/with/many/cameras/detector.ztopo"
TOPOLOGY = "detector_of_everything_that_moves_in_front_of_the_cameras"
DEVICE = "frames_of_the_cameras_in_the_north"


def snapshot(name: str = TOPOLOGY, called: str = DEVICE) -> Snapshot:
    device = DeviceSnapshot(called, "forwarder", called, "ready", f"{FILE}:8", pid=4711)
    return Snapshot(name, FILE, "running", 4702, 1.0, devices=(device,))


def seen(name: str = TOPOLOGY) -> Seen:
    return Seen(Topology(Path("/run/ztopo", name), Owner(4702, FILE, name, 1.0)), "running", snapshot(name))


def test_of_one_topology_its_name_stands_above_the_table() -> None:
    head, blank, heads, row = members_text.render([seen()], Style()).splitlines()
    assert (head, blank) == (f"{TOPOLOGY} is running: process 4702", "")
    assert heads.split() == ["NAME", "KIND", "STATE", "PID", "RESTARTS", "SINCE"]
    assert row.startswith(DEVICE[:13])
    assert width(row) <= 80


def test_of_several_the_name_of_the_topology_gives_way_to_that_of_the_device() -> None:
    heads, *rows = members_text.render([seen(), seen("other")], Style()).splitlines()
    assert heads.split()[:2] == ["TOPOLOGY", "NAME"]
    assert all(width(row) <= 80 for row in rows)
    topology, name = rows[0].split()[:2]
    assert (width(topology), topology[:3], name[:6], name[-6:]) == (12, "det", DEVICE[:6], DEVICE[-6:])


@pytest.mark.parametrize("cells", [80, 200])
def test_status_calls_a_place_from_the_folder_of_the_file(cells: int) -> None:
    lines = status_text.render(snapshot(called="frames"), Style(width=cells)).splitlines()
    assert lines[4].endswith("detector.ztopo:8")
    assert all(width(line) <= cells for line in lines[1:])


def test_status_calls_the_file_from_here_where_it_has_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20)
    folder.mkdir()
    monkeypatch.chdir(folder)
    there = Snapshot("t", f"{folder}/t.ztopo", "running", 1, 1.0)
    assert status_text.render(there, Style()).splitlines()[1] == "from t.ztopo"
    assert status_text.render(there, Style(width=900)).splitlines()[1] == f"from {folder}/t.ztopo"


def test_on_a_terminal_what_stands_above_breaks_at_blanks() -> None:
    long = "t" * 70
    for text in (
        members_text.render([seen(long)], Style(terminal=True)),
        status_text.render(snapshot(long), Style(terminal=True)),
    ):
        assert text.splitlines()[0].startswith(f"{long} is")
        assert width(text.splitlines()[0]) <= 80
    assert members_text.render([seen(long)], Style()).splitlines()[0] == f"{long} is running: process 4702"
