"""The log: every record in it, whatever the disk does, and read through rotation."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import resource
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.processes import PATIENCE, wait_until
from tests.run.conftest import World
from tests.run.test_up import SLEEPER, app
from topo.diagnostic import Diagnostic
from topo.plan import Plan
from topo.render import Style
from topo.render.log_text import render
from topo.run import log as log_module
from topo.run.events import Bound, Busy, Changing, Exited, Gone, Phased, Ready, Restarting, RolledBack, Said, Started, Stopping
from topo.run.journal import Journal, Record
from topo.run.log import Log, Tail, log_of, pieces


@pytest.fixture
def journal() -> Journal:
    text = 'device relay: streamer { in PULL bind inproc://a; out PUSH bind inproc://b }\napp there { run "sleep 600" }\n'
    clock = itertools.count(1_000_000_000)
    return Journal(plan_of(text, "t.ztopo"), lambda: float(next(clock)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "log.jsonl"


def never(error: OSError) -> None:
    raise AssertionError(error)


def read(path: Path) -> list[dict[str, Any]]:
    tail = Tail(path)
    try:
        return list(tail.read())
    finally:
        tail.close()


# Records


def plan_of(text: str, name: str) -> Plan:
    from topo.compile import compile, make_plan
    from topo.source import Source

    return make_plan(compile(Source(text, name), fragment=True))


def test_places_are_those_of_what_is_wanted_and_of_what_was_once_that_is_taken_back() -> None:
    device = "device relay: streamer { in PULL bind inproc://a; out PUSH bind inproc://b }\n"
    journal = Journal(plan_of(device, "old.ztopo"))
    records: list[Record] = []
    journal.subscribe(records.append)
    changing = Changing("1 changed", 1, plan_of("\n" + device, "new.ztopo"))
    for event in (Ready("relay"), changing, Ready("relay"), RolledBack("a step", "a reason"), Ready("relay")):
        journal.tell(event)
    assert [r.where for r in records if r.event == "ready"] == ["old.ztopo:1", "new.ztopo:2", "old.ztopo:1"]


def test_what_is_told_becomes_a_record(journal: Journal) -> None:
    records: list[Record] = []
    stop = journal.subscribe(records.append)
    for event in (
        Started("thread host", 41),
        Bound("relay", {"relay.in": ("inproc://a",)}),
        Ready("relay"),
        Phased("running"),
        Started("there", 42),
        Restarting("there", 2, 0.5),
        Said(Diagnostic(code="ZT999", message="something", severity="warning")),
    ):
        journal.tell(event)
    journal.wrote("there", "hello", False)
    stop()
    journal.tell(Ready("relay"))
    assert [(r.component, r.event, r.message, r.level, r.where, r.pid) for r in records] == [
        ("thread host", "started", "started as process 41", "info", "", 41),
        ("relay", "bound", "bound inproc://a", "info", "t.ztopo:1", 41),
        ("relay", "ready", "ready", "info", "t.ztopo:1", 41),
        ("", "phase", "running", "info", "", os.getpid()),
        ("there", "started", "started as process 42", "info", "t.ztopo:2", 42),
        ("there", "restarting", "starts again, attempt 2, in 0.5 s", "warning", "t.ztopo:2", 42),
        ("", "finding", "something [ZT999]", "warning", "", os.getpid()),
    ]
    assert records[1].data == {"addresses": {"relay.in": ("inproc://a",)}}
    assert records[0].time == "2001-09-09T01:46:40.000000Z"


def test_of_very_many_who_are_busy_some_are_named(journal: Journal) -> None:
    records: list[Record] = []
    journal.subscribe(records.append)
    journal.tell(Busy(("relay", "there")))
    journal.tell(Busy(tuple(f"d{n}" for n in range(1000))))
    assert [r.message for r in records] == [
        "still busy: relay (t.ztopo:1), there (t.ztopo:2)",
        "still busy: d0, d1, d2, d3, d4 and 995 more",
    ]
    assert len(records[1].data["names"]) == 1000


def test_an_end_that_was_asked_for_is_no_warning(journal: Journal) -> None:
    records: list[Record] = []
    journal.subscribe(records.append)
    journal.tell(Started("there", 42))
    journal.tell(Exited("there", -15))
    journal.tell(Gone("there"))
    journal.tell(Started("there", 43))
    journal.tell(Stopping("somebody"))
    journal.tell(Exited("there", -15))
    assert [(r.event, r.level, r.pid) for r in records if r.component] == [
        ("started", "info", 42),
        ("exited", "warning", 42),
        ("gone", "debug", None),
        ("started", "info", 43),
        ("exited", "info", 43),
    ]


def test_one_that_was_asked_to_end_has_stopped(journal: Journal) -> None:
    records: list[Record] = []
    journal.subscribe(records.append)
    journal.tell(Exited("there", -15, asked=True))
    journal.tell(Exited("there", -15))
    assert [(r.message, r.level) for r in records] == [("stopped", "info"), ("was killed by SIGTERM", "warning")]


def test_the_notes_of_a_finding_stand_below_it(journal: Journal) -> None:
    records: list[Record] = []
    journal.subscribe(records.append)
    journal.tell(Said(Diagnostic(code="ZT999", message="something", notes=("why", "two\nlines"))))
    document = msgspec.to_builtins(records[0])
    _, finding, *notes = render(document, Style(color=False, width=80, unicode=True), None).splitlines()
    column = finding.index("something")
    assert notes == [" " * column + line for line in ("note: why", "note: two", "      lines")]


# Writing


def test_records_and_output_are_written_and_read(journal: Journal, path: Path) -> None:
    with Log(path, journal, never):
        journal.tell(Started("there", 42))
        journal.wrote("there", "caf\xe9 \udcff", False)
        journal.wrote("there", "more", True)
    started, first, second = read(path)
    assert (started["event"], started["pid"]) == ("started", 42)
    assert (first["component"], first["event"], first["message"]) == ("there", "output", "caf\xe9 \udcff")
    assert second["data"] == {"goes_on": True}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_one_goes_on_behind_the_one_before_even_if_that_was_torn(journal: Journal, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"event": "first"}\n{"event": "to')
    with Log(path, journal, never):
        journal.note("info", "begun", "again")
    assert [r["event"] for r in read(path)] == ["first", "begun"]


def test_it_does_not_grow_for_ever(journal: Journal, path: Path) -> None:
    with Log(path, journal, never, size=4000):
        for number in range(2000):
            journal.wrote("there", str(number), False)
            if number % 100 == 0:
                wait_until_written(path, number)
    files = pieces(path)
    assert [f.name for f in files] == ["log.jsonl.3", "log.jsonl.2", "log.jsonl.1", "log.jsonl"]
    assert sum(f.stat().st_size for f in files) < 4 * 4000 + 500 * 200
    numbers = [int(r["message"]) for r in read(path)]
    assert numbers == list(range(numbers[0], 2000))


def wait_until_written(path: Path, number: int) -> None:
    """Wait until this one has been written, so that what comes next is written by itself."""
    wanted = f'"message":"{number}"'.encode()

    def is_there() -> bool:
        with suppress(FileNotFoundError):  # it is being replaced just now
            return any(wanted in file.read_bytes() for file in pieces(path))
        return False

    wait_until(is_there, f"{number} in the log")


def test_a_tail_follows_through_rotation(journal: Journal, path: Path) -> None:
    """The reader is slower than the writer, and now and then faster."""
    numbers: list[int] = []
    tail = Tail(path)
    assert list(tail.read()) == []
    with Log(path, journal, never, size=20_000):
        for number in range(1000):
            journal.wrote("there", str(number), False)
            if number % 150 == 0:
                wait_until_written(path, number)
                numbers += [int(r["message"]) for r in tail.read()]
    numbers += [int(r["message"]) for r in tail.read()]
    tail.close()
    assert len(pieces(path)) > 2
    assert numbers == list(range(1000))


def test_a_tail_whose_file_is_gone_goes_on_with_the_oldest(journal: Journal, path: Path) -> None:
    tail = Tail(path)
    with Log(path, journal, never, size=1000):
        journal.wrote("there", "0", False)
        wait_until_written(path, 0)
        assert [r["message"] for r in tail.read()] == ["0"]
        for number in range(1, 100):
            journal.wrote("there", str(number), False)
            wait_until_written(path, number)
    numbers = [int(r["message"]) for r in tail.read()]
    tail.close()
    jumps = [(a, b) for a, b in itertools.pairwise(numbers) if b != a + 1]
    assert len(jumps) == 1, "it has read its own file to the end, and then what there still was"
    assert (numbers[0], numbers[-1]) == (1, 99)


def test_nobody_waits_for_a_disk_that_takes_its_time(journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "WAITING", 10)
    held, go_on = threading.Event(), threading.Event()
    write = os.write

    def slow(handle: int, data: bytes) -> int:
        held.set()
        go_on.wait(PATIENCE)
        return write(handle, data)

    monkeypatch.setattr(os, "write", slow)
    with Log(path, journal, never):
        journal.wrote("there", "first", False)
        assert held.wait(PATIENCE)
        for number in range(100):
            journal.wrote("there", str(number), False)
        go_on.set()
    said = [r["message"] for r in read(path)]
    assert said == ["first", *map(str, range(10)), "90 records are missing here"]


class Full:
    """A disk that is full for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._room = 0
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, handle: int, data: bytes) -> int:
        if not self.full:
            self._room = 10
            return self._write(handle, data)
        if not self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        data, self._room = data[: self._room], 0
        return self._write(handle, data)


def test_a_full_disk_is_said_once_and_what_is_missing_is_counted(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Full(monkeypatch)
    complaints: list[OSError] = []
    heard = threading.Event()

    def complain(error: OSError) -> None:
        complaints.append(error)
        journal.note("warning", "complaint", "full")
        heard.set()

    with Log(path, journal, complain):
        journal.wrote("there", "before", False)
        wait_until(lambda: path.stat().st_size > 0, "a line")
        disk.full = True
        journal.wrote("there", "lost", False)
        assert heard.wait(PATIENCE)
        disk.full = False
        journal.wrote("there", "after", False)
    said = [(r["event"], r["message"]) for r in read(path)]
    assert said[0] == ("output", "before")
    assert ("missed", "1 record is missing here") in said or ("missed", "2 records are missing here") in said
    assert said[-1] == ("output", "after")
    assert len(complaints) == 1


def test_a_device_that_is_full_is_said_once_and_what_is_missing_is_counted_when_there_is_room_again(
    journal: Journal, path: Path
) -> None:
    """Here the system itself refuses, and then no longer does."""
    complaints: list[OSError] = []
    heard = threading.Event()

    def complain(error: OSError) -> None:
        complaints.append(error)
        heard.set()

    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/dev/full")
    with Log(path, journal, complain) as log:
        journal.wrote("there", "lost", False)
        assert heard.wait(PATIENCE)
        path.unlink()
        with path.open("ab") as room:
            os.dup2(room.fileno(), log._handle)
        journal.wrote("there", "after", False)
    assert [(r["event"], r["message"]) for r in read(path)] == [("missed", "1 record is missing here"), ("output", "after")]
    assert [error.errno for error in complaints] == [errno.ENOSPC]


def test_logs_lie_in_the_folder_for_state(tmp_path: Path) -> None:
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
    state = {"XDG_STATE_HOME": "/s", "STATE_DIRECTORY": "/var/lib/x:/other", "HOME": "/home/me"}
    assert log_of("t", runtime | state) == Path("/s/ztopo/t/log.jsonl")
    state["XDG_STATE_HOME"] = "relative"
    assert log_of("t", runtime | state) == Path("/var/lib/x/ztopo/t/log.jsonl")
    assert log_of("t", runtime | {"HOME": "/home/me"}) == Path("/home/me/.local/state/ztopo/t/log.jsonl")


# The command


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_up_goes_on_where_no_more_log_can_be_written(world: World) -> None:
    """Files may have no more than so many bytes, so that the system refuses what a full disk would refuse."""
    world.topology(app("loud", "python -c \"print('x' * 1000, *range(900), sep=chr(10)); import signal; signal.pause()\""))
    limit = 100_000
    up = world.up("t.ztopo", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    up.wait_for_all(r"^loud +\| 899$", r"^warning\[ZT915\]: the log .*log\.jsonl cannot be written: File too large$")
    up.interrupt()
    assert up.end() == 0, up.text
    assert up.text.count("ZT915") == 1
    log = world.state / "ztopo" / "t" / "log.jsonl"
    assert all(json.loads(line) for line in log.read_bytes().splitlines())


def test_up_goes_on_with_a_log_on_a_device_that_is_full(world: World) -> None:
    """The system itself says that there is no room: the log is a link to the device that never has any."""
    log = world.state / "ztopo" / "t" / "log.jsonl"
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    world.topology(app("loud", "python -c \"print('x' * 1000, *range(900), sep=chr(10)); import signal; signal.pause()\""))
    up = world.up("t.ztopo")
    up.wait_for_all(r"^loud +\| 899$", r"^warning\[ZT915\]: the log .*log\.jsonl cannot be written: No space left on device$")
    following = world.verb("events")
    assert json.loads(following.lines.next() or "")["snapshot"]["phase"] == "running"
    up.interrupt()
    assert up.end() == 0, up.text
    assert following.end() == 0
    assert up.text.count("ZT915") == 1
    assert log.is_symlink()


def test_up_goes_on_without_a_log_where_there_can_be_none(world: World) -> None:
    world.state.write_text("no folder")
    world.topology(app("there", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for("^warning\\[ZT915\\]: the log .* cannot be written: Not a directory$")
    up.wait_for(r"\| there$")
    up.interrupt()
    assert up.end() == 0


def test_logs_shows_the_last_run_even_when_it_is_over(world: World) -> None:
    world.topology(app("there", SLEEPER) + app("other", SLEEPER))
    for _ in range(2):
        up = world.up("t.ztopo")
        up.wait_for_all(r"^there +\| there$", r"^other +\| there$")
        up.interrupt()
        assert up.end() == 0
    done = world.run("logs", "t")
    assert done.returncode == 0
    day, *lines = done.stdout.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", day)
    said = [line.partition("  ")[2] for line in lines]
    assert said[0] == f"t                  t is starting, from {world.folder}/t.ztopo"
    assert [line for line in said if "is starting" in line] == said[:1]
    assert any(re.fullmatch(r"there +started as process \d+  t\.ztopo:4", line) for line in said)
    assert "other            | there" in said
    assert any(re.fullmatch(r"there +stopped  t\.ztopo:4", line) for line in said)
    assert "SIGTERM" not in done.stdout
    assert "t                  stopping: SIGINT" in said
    assert said[-1] == "t                  ended"
    assert world.run("logs", "t.ztopo", "-n", "1").stdout.endswith("  t                  ended\n")
    written = [json.loads(line) for line in world.run("logs", "t", "--only", "there", "--format", "jsonl").stdout.splitlines()]
    assert [r["event"] for r in written] == ["started", "output", "exited", "gone"]
    everything = world.run("logs", "t", "-n", "1000", "--format", "jsonl").stdout
    assert everything.count('"event":"begun"') == 2


def test_logs_follows_until_the_end_through_rotation(world: World) -> None:
    """Lines that are long, so that the log is rotated while it is followed."""
    os.mkfifo(world.folder / "fifo")
    world.write(
        "loud.sh", "#!/bin/sh\nexec python -c \"input(); [print('x' * 8000, n) for n in range(1500)]; print('done')\" < fifo\n"
    ).chmod(0o755)
    world.topology(app("loud", "./loud.sh"))
    up = world.up("t.ztopo")
    up.wait_for("^loud +started")
    following = world.verb("logs", "-f", "--format", "jsonl")
    assert following.lines.next()
    (world.folder / "fifo").write_text("go\n")
    assert up.end() == 0
    assert following.end() == 0
    records = [json.loads(line) for line in following.lines.seen]
    numbers = [int(r["message"].split()[1]) for r in records if r["message"].startswith("xxx")]
    assert numbers == list(range(1500))
    assert records[-1]["message"] == "ended"
    assert len(pieces(world.state / "ztopo" / "t" / "log.jsonl")) > 1


def test_logs_of_one_that_never_ran(world: World) -> None:
    done = world.run("logs", "nobody")
    assert (done.returncode, done.stderr) == (3, "error: there is no log of nobody: nobody is not running\n")
    assert world.run("logs").returncode == 3
