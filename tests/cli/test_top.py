"""`ztopo top`: on a terminal, and off it. What runs is what a control socket says that does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from msgspec.structs import replace

from tests.cli.conftest import ZTOPO
from tests.cli.terminal import Terminal
from tests.processes import wait_until
from topo.board import COLUMNS
from topo.cli.top import _column, command
from topo.devcore import CaptureCounts, SideCounts, Statistics, Traffic
from topo.plan import Plan
from topo.run import folder
from topo.run.control import Control
from topo.run.events import StopAsked, Told
from topo.run.journal import Journal
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot, SocketSnapshot

NOTHING = Plan("t", None, (), (), (), ())
STEP = 1000
"""So many messages more have passed through each device from look to look."""


def device(name: str, messages: int) -> DeviceSnapshot:
    """A device of this process that has passed on so many messages."""
    flow = Traffic(messages, 2 * messages, 100 * messages)
    counts = Statistics("running", 1, 0, (), SideCounts(flow, Traffic()), SideCounts(Traffic(), flow), CaptureCounts())
    sockets = (SocketSnapshot(f"{name}.in", "PULL"), SocketSnapshot(f"{name}.out", "PUSH"))
    where = {"host": "thread host", "life": "ready", "where": "t.ztopo:3"}
    return DeviceSnapshot(name, "streamer", **where, pid=os.getpid(), sockets=sockets, statistics=counts)


class Supervisor:
    """As much of one as `top` asks for: what it shows goes on with each look."""

    def __init__(self) -> None:
        self.now = Snapshot("t", "t.ztopo", "running", os.getpid(), 1.0)
        self.devices: tuple[str, ...] = ()
        self.looks = 0
        self.takes = 0.0
        """Seconds that a look takes."""

    def snapshot(self) -> Snapshot:
        time.sleep(self.takes)
        self.looks += 1
        return replace(self.now, devices=tuple(device(name, self.looks * STEP) for name in self.devices))

    def post(self, event: StopAsked) -> None:
        raise AssertionError("nobody wants it to stop")

    def subscribe(self, listener: Callable[[Told], None]) -> Callable[[], None]:
        return lambda: None


class Place:
    """A runtime folder in which something seems to run."""

    def __init__(self, path: Path) -> None:
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(path)}
        for name in ("NO_COLOR", "TERM", "LC_ALL", "COLUMNS"):
            self.environment.pop(name, None)
        self.supervisor = Supervisor()
        self.terminals: list[Terminal] = []

    def top(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ZTOPO, "top", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def terminal(self, *arguments: str, columns: int = 80, lines: int = 24) -> Terminal:
        terminal = Terminal([ZTOPO, "top", *arguments], self.environment, columns, lines)
        self.terminals.append(terminal)
        return terminal


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    with (
        folder.claim("t", "t.ztopo", environment=place.environment) as home,
        Control(home, place.supervisor, Journal(NOTHING)),
    ):
        yield place
        for terminal in place.terminals:
            terminal.close()


def show(place: Place, *devices: str) -> None:
    """Let these devices run."""
    place.supervisor.devices = devices


def line_of(lines: list[str], name: str) -> str:
    return next((line for line in lines if line.startswith(f"{name} ")), "")


def test_once_prints_a_table(place: Place) -> None:
    show(place, "first", "second[0]")
    done = place.top("--once", "--interval", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    first, blank, head, *rows = done.stdout.splitlines()
    assert first.startswith("t: running, up ")
    assert (blank, head.split()[:4]) == ("", ["NAME", "TYPE", "PEERS", "IN/S"])
    assert [row.split()[0] for row in rows] == ["first.in", "first.out", "second[0].in", "second[0].out", "thread"]
    assert float(rows[0].split()[3].rstrip("k")) > 0


def test_json_has_the_numbers_as_they_are(place: Place) -> None:
    show(place, "first")
    done = place.top("--format", "json", "--interval", "0.1")
    document = json.loads(done.stdout)
    assert (document["format_version"], document["topology"], document["phase"]) == (1, "t", "running")
    near, far = document["devices"][0]["sockets"]
    assert near["received"]["messages"] == 2000
    rate = near["received"]["messages_per_second"]
    assert rate == pytest.approx(1000 / document["interval"])
    assert near["received"]["bytes_per_second"] == pytest.approx(100 * rate)
    assert far["sent"] == near["received"]
    assert document["hosts"][0]["memory"] > 1 << 20


def test_sort_and_only(place: Place) -> None:
    show(place, "a", "b[0]", "b[1]")
    document = json.loads(place.top("--format", "json", "--interval", "0.05", "--only", "b").stdout)
    assert [d["name"] for d in document["devices"]] == ["b[0]", "b[1]"]
    assert document["hosts"] == []
    done = place.top("--once", "--interval", "0.05", "--sort", "name", "--only", "a", "--only", "b[1]")
    assert [row.split()[0] for row in done.stdout.splitlines()[3:]] == ["a.in", "a.out", "b[1].in", "b[1].out"]
    for heading in ("NAME", "na", "Name"):
        done = place.top("--once", "--interval", "0.05", "--sort", heading, "--only", "b")
        assert [row.split()[0] for row in done.stdout.splitlines()[3:]] == ["b[0].in", "b[0].out", "b[1].in", "b[1].out"]


@pytest.mark.parametrize(
    ("value", "column"),
    [(column.head, column.key) for column in COLUMNS]
    + [("in/s", "in"), ("i", "in"), ("cpu", "cpu"), ("drop", "dropped"), ("un", "unroutable")],
)
def test_a_column_to_sort_by_is_called_as_it_is_headed(value: str, column: str) -> None:
    parameter = next(option for option in command.params if option.name == "sort")
    assert _column(click.Context(command), parameter, value) == column


def test_what_is_no_column_or_not_enough_of_one_is_said(place: Place) -> None:
    done = place.top("--sort", "colour")
    assert done.returncode == 2
    assert "'colour' is no column: there are name, type, peers, in, out," in done.stderr
    assert "'p' is not enough: it may be peers, parts" in place.top("--sort", "p").stderr


def test_elsewhere_it_is_as_wide_as_the_environment_says(place: Place) -> None:
    show(place, "broker")
    assert "RESTARTS" in place.top("--once", "--interval", "0.05").stdout
    place.environment["COLUMNS"] = "50"
    lines = place.top("--once", "--interval", "0.05").stdout.splitlines()
    assert "STATE" in lines[2]
    assert max(map(len, lines[2:])) <= 50


def test_what_does_not_run_is_said(place: Place) -> None:
    done = place.top("--once", "other")
    assert (done.returncode, done.stdout) == (3, "")
    assert "other is not running" in done.stderr


def test_an_app_that_has_ended_says_how(place: Place) -> None:
    ended = AppSnapshot("job", ("sleep", "0"), "ended", "t.ztopo:4", status=-9)
    place.supervisor.now = replace(place.supervisor.now, apps=(ended,))
    row = place.top("--once", "--interval", "0.05").stdout.splitlines()[-1]
    assert row.split() == ["job", "ended", "-9", "-", "-", "0"]


# On a terminal


@pytest.mark.parametrize("end", ["q", "\x03"])
def test_the_terminal_is_as_it_was(place: Place, end: str) -> None:
    show(place, "first")
    terminal = place.terminal("--interval", "0.05")
    lines = terminal.wait_for(lambda lines: bool(line_of(lines, "first.in")) and lines[-1].startswith("q quit"), "the table")
    assert lines[0].startswith("t: running, up ")
    terminal.press(end)
    assert terminal.end() == 0
    assert terminal.after == terminal.before
    terminal.finish()
    assert b"\x1b[?25h" in terminal.raw[-80:], "the cursor is there again"


def test_what_was_on_a_terminal_with_two_screens_is_there_again(place: Place) -> None:
    show(place, "first")
    place.environment["TERM"] = "xterm-256color"
    terminal = place.terminal("--interval", "0.05")
    terminal.wait_for(lambda lines: bool(line_of(lines, "first.in")))
    terminal.press("q")
    assert terminal.end() == 0
    terminal.finish()
    assert terminal.raw.count(b"\x1b[?1049h") == 1
    assert terminal.raw.rpartition(b"\x1b[?1049l")[0], "back to the first screen"


def test_a_terminal_that_is_not_known_is_said(place: Place) -> None:
    show(place, "first")
    place.environment["TERM"] = "no-such-thing"
    terminal = place.terminal("--interval", "0.05")
    assert terminal.end() == 2
    terminal.wait_for(lambda lines: "`ztopo top --once` prints one table" in "".join(lines))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(place: Place, number: int) -> None:
    show(place, "first")
    terminal = place.terminal("--interval", "0.05")
    terminal.wait_for(lambda lines: bool(line_of(lines, "first.in")), "the table")
    terminal.process.send_signal(number)
    assert terminal.end() == 0
    assert terminal.after == terminal.before


def test_it_looks_again_and_again(place: Place) -> None:
    show(place, "first")
    terminal = place.terminal("--interval", "0.05")
    terminal.wait_for(lambda lines: line_of(lines, "first.in").split()[2:3] not in ([], ["0"]), "a rate")
    show(place, "first", "second")
    terminal.wait_for(lambda lines: bool(line_of(lines, "second.out")), "the new device")
    terminal.press("p")
    terminal.wait_for(lambda lines: "paused" in lines[1])
    looks = place.supervisor.looks
    terminal.press("r")
    terminal.wait_for(lambda lines: "reversed" in lines[1])
    assert place.supervisor.looks == looks


def test_keys_are_heard_even_if_a_look_takes_longer_than_the_time_to_the_next(place: Place) -> None:
    show(place, "first")
    place.supervisor.takes = 0.1
    terminal = place.terminal("--interval", "0.05")
    wait_until(lambda: place.supervisor.looks > 3, "the next look")
    terminal.press("q")
    assert terminal.end() == 0


def test_at_80_columns_the_names_and_what_matters_have_room(place: Place) -> None:
    show(place, "a_name_that_is_quite_long")
    terminal = place.terminal("--interval", "0.05")
    lines = terminal.wait_for(lambda lines: lines[-1].startswith("q quit"))
    assert lines[2].split() == ["NAME", "PEERS", "IN/S", "OUT/S", "BYTES/S", "DROPPED", "STATE", "CPU%", "MEMORY"]
    assert max(map(len, lines)) <= 80
    terminal.resize(200, 30)
    terminal.wait_for(lambda lines: "RESTARTS" in lines[2], "the rest of the columns")
    terminal.wait_for(lambda lines: bool(line_of(lines, "a_name_that_is_quite_long.in")))
    terminal.resize(60, 5)
    terminal.wait_for(lambda lines: lines[0].startswith("t: running") and lines[4].startswith("q quit"))
    terminal.press("q")
    assert terminal.end() == 0


def test_a_thousand_devices_scroll(place: Place) -> None:
    show(place, *(f"d{n}" for n in range(1000)))
    terminal = place.terminal("--interval", "0.2")
    terminal.wait_for(lambda lines: "lines 1 to 20 of 2001" in lines[1])
    terminal.press("\x1b[4~")  # End
    terminal.wait_for(lambda lines: "lines 1982 to 2001 of 2001" in lines[1], "the end")
    terminal.wait_for(lambda lines: bool(line_of(lines, "d999.out") and line_of(lines, "thread")))
    terminal.press("k")
    terminal.wait_for(lambda lines: "lines 1981 to 2000" in lines[1])
    terminal.press("\x1b[1~")  # Home
    terminal.wait_for(lambda lines: bool(line_of(lines, "d0.in")))
    terminal.press("\x1b[6~")  # PgDn
    terminal.wait_for(lambda lines: "lines 21 to 40" in lines[1])


def test_keys_sort_and_filter(place: Place) -> None:
    show(place, "beta", "alpha", "gamma")
    terminal = place.terminal("--interval", "0.1")
    terminal.wait_for(lambda lines: lines[3].startswith("beta.in"))
    terminal.press(">")
    terminal.wait_for(lambda lines: lines[1] == "sorted by name" and lines[3].startswith("alpha.in"))
    terminal.press("r")
    terminal.wait_for(lambda lines: lines[3].startswith("thread host") and lines[4].startswith("gamma.in"))
    terminal.press("/a")
    terminal.press("l")
    terminal.wait_for(lambda lines: lines[-1] == "filter: al" and lines[3].startswith("alpha.in") and not lines[5])
    terminal.press("\x7f\x7f")
    terminal.wait_for(lambda lines: lines[-1] == "filter:")
    terminal.press("be*\n")
    terminal.wait_for(lambda lines: lines[-1].startswith("q quit") and lines[3].startswith("beta.in") and not lines[5])
    terminal.press("\x1b")
    terminal.wait_for(lambda lines: bool(line_of(lines, "gamma.in")))


def test_when_it_ends_that_is_said_on_a_terminal_as_it_was(tmp_path: Path) -> None:
    place = Place(tmp_path)
    show(place, "first")
    with (
        folder.claim("t", "t.ztopo", environment=place.environment) as home,
        Control(home, place.supervisor, Journal(NOTHING)),
    ):
        terminal = place.terminal("--interval", "0.05")
        terminal.wait_for(lambda lines: bool(line_of(lines, "first.in")))
    try:
        assert terminal.end() == 3
        assert terminal.after == terminal.before
        assert any("has ended" in line for line in terminal.wait_for(lambda lines: any("error: t" in line for line in lines)))
    finally:
        terminal.close()
