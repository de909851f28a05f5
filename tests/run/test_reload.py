"""Changing what `ztopo up` runs: ztopo apply, reading the file again, up --watch."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import wait_until
from tests.run.conftest import Up, World

Ends = Callable[[Up, int], None]

THERE = """\
device a: streamer { in PULL bind ipc://./a; out PUSH connect b.in }
device b: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://./b; run process }
"""
MORE = THERE + "device c: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://./c; run process }\n"
LED_TO_C = MORE.replace("connect b.in", "connect c.in")
INVALID = THERE.replace("connect b.in", "connect nobody.in")


def status(world: World) -> dict[str, tuple[int, int]]:
    """Who runs: process and thread of each device."""
    document = json.loads(world.run("status", "--format", "json").stdout)
    return {d["name"]: (d["pid"], d["thread"]) for d in document["devices"]}


def test_apply_shows_what_it_does_and_does_it(world: World, ends_well: Ends) -> None:
    up = world.up(str(world.topology(THERE)))
    up.wait_for("t is ready")
    before = status(world)
    wanted = str(world.topology(LED_TO_C, "new.ztopo"))
    applied = world.run("apply", wanted)
    assert applied.returncode == 0, applied.stderr
    assert "~ a" in applied.stdout
    assert "+ c" in applied.stdout
    assert re.search(r"^connect a\.out to tcp://127\.0\.0\.1:\d+  \S*new\.ztopo:4$", applied.stderr, re.M), applied.stderr
    assert applied.stderr.endswith("changed: 1 added, 1 changed\n")
    after = status(world)
    assert {name: after[name] for name in before} == before
    assert set(after) == {"a", "b", "c"}
    up.wait_for("t is changed: 1 added, 1 changed")
    again = world.run("apply", wanted)
    assert (again.returncode, again.stdout) == (0, "t: nothing to change, 3 unchanged\n")
    up.interrupt()
    ends_well(up, 0)


def test_apply_of_a_saved_plan_is_refused_once_the_world_has_moved(world: World, ends_well: Ends) -> None:
    up = world.up(str(world.topology(THERE)))
    up.wait_for("t is ready")
    more = str(world.topology(MORE, "more.ztopo"))
    assert world.run("plan", more, "-o", "saved").returncode == 0
    assert world.run("apply", "saved").returncode == 0
    refused = world.run("apply", "saved")
    assert refused.returncode == 78
    assert refused.stderr.endswith("since this was planned; plan again from what runs now\n")
    assert set(status(world)) == {"a", "b", "c"}
    up.interrupt()
    ends_well(up, 0)


def test_apply_that_fails_takes_everything_back_and_ends_with_1(world: World, ends_well: Ends) -> None:
    up = world.up(str(world.topology(THERE)))
    up.wait_for("t is ready")
    before = status(world)
    (world.folder / "taken").write_text("in the way")
    applied = world.run("apply", str(world.topology(LED_TO_C.replace("ipc://./c", "ipc://./taken"), "new.ztopo")))
    assert applied.returncode == 1
    assert "not changed, all is as it was: could not start c" in applied.stderr
    assert status(world) == before
    up.wait_for("t is not changed, all is as it was")
    up.interrupt()
    ends_well(up, 0)


@pytest.mark.parametrize(("text", "code"), [(INVALID, 78), (THERE, 3)])
def test_apply_of_what_is_invalid_or_does_not_run(world: World, text: str, code: int) -> None:
    applied = world.run("apply", str(world.topology(text)))
    assert applied.returncode == code
    assert applied.stdout == ""


def test_a_hangup_reads_the_file_again_with_the_same_params(world: World, ends_well: Ends) -> None:
    text = "param more: text\n" + THERE
    path = world.topology(text)
    up = world.up(str(path), "--set", "more=other", start_new_session=True)
    up.wait_for("t is ready")
    before = status(world)
    world.topology(text + "device d: streamer { in PULL bind ipc://./${more}; out PUSH bind ipc://./d }\n")
    up.process.send_signal(signal.SIGHUP)
    up.wait_for("SIGHUP: reading the file again")
    up.wait_for("t is changed: 1 added")
    assert (world.folder / "other").is_socket()
    assert {name: there for name, there in status(world).items() if name in before} == before
    up.process.send_signal(signal.SIGTERM)
    ends_well(up, 0)


def test_an_invalid_file_is_refused_with_its_findings_and_what_runs_goes_on(world: World, ends_well: Ends) -> None:
    path = world.topology(THERE)
    up = world.up(str(path), start_new_session=True)
    up.wait_for("t is ready")
    before = status(world)
    for said, text in (
        (r"error\[ZT101\].*nobody", f"ztopo 1\ntopology t\n\n{INVALID}"),
        ("declares other, another topology", f"ztopo 1\ntopology other\n\n{THERE}"),
        ("cannot run here", f"ztopo 1\ntopology t\n\n{THERE}app x: PUSH connect a.in {{ run inside }}\n"),
    ):
        path.write_text(text)
        up.process.send_signal(signal.SIGHUP)
        up.wait_for(said)
    path.unlink()
    up.process.send_signal(signal.SIGHUP)
    up.wait_for("cannot read .*t.ztopo: No such file")
    assert status(world) == before
    up.process.send_signal(signal.SIGTERM)
    ends_well(up, 0)


def test_a_file_that_is_watched_is_taken_up_however_it_is_written(world: World, ends_well: Ends) -> None:
    path = world.topology(THERE)
    up = world.up(str(path), "--watch")
    up.wait_for("t is ready")
    world.topology(MORE)
    up.wait_for("t.ztopo was written: reading the file again")
    up.wait_for("t is changed: 1 added")
    os.replace(world.topology(THERE, "t.ztopo~"), path)
    up.wait_for("t is changed: 1 removed")
    path.rename(path.with_suffix(".old"))
    path.with_suffix(".new").write_text(path.with_suffix(".old").read_text().replace(THERE, MORE))
    path.with_suffix(".new").rename(path)
    up.wait_for("t is changed: 1 added")
    path.write_text("ztopo 1\noops\n")
    up.wait_for("t goes on as it is")
    assert set(status(world)) == {"a", "b", "c"}
    up.interrupt()
    ends_well(up, 0)


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_a_hundred_changes_half_of_them_invalid_leave_the_last_valid_one_and_nothing_else(world: World, ends_well: Ends) -> None:
    path = world.topology(THERE)
    up = world.up(str(path), start_new_session=True)
    up.wait_for("t is ready")
    before, pids = status(world), world.processes()

    def reload(text: str, said: str) -> None:
        world.topology(text)
        up.process.send_signal(signal.SIGHUP)
        up.wait_for(said)

    def storm(count: int) -> None:
        for number in range(count):
            wanted = THERE + f"device d{number}: streamer {{ in PULL bind ipc://./in; out PUSH bind ipc://./out; run process }}\n"
            reload(wanted if number % 4 else MORE, "t is changed")
            reload(INVALID, "t goes on as it is")

    storm(5)
    reload(THERE, "t is changed")
    assert status(world) == before
    wait_until(lambda: world.processes() == pids, "the end of the other processes")
    held = {pid: (descriptors(pid), threads(pid)) for pid in pids}
    storm(50)
    reload(THERE, "t is changed")
    assert status(world) == before
    wait_until(lambda: world.processes() == pids, "the end of the other processes")
    wait_until(
        lambda: all(descriptors(p) <= d and threads(p) <= t for p, (d, t) in held.items()), "the end of what was held open"
    )
    up.process.send_signal(signal.SIGTERM)
    ends_well(up, 0)
