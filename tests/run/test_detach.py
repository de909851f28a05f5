"""`ztopo up -d`: it starts, or says why not; then nobody waits for it, and it lives until it is told to end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from tests.processes import PATIENCE
from tests.run.conftest import ZTOPO, World, wait_for_end
from tests.run.test_background import RELAY
from tests.run.test_up import SLEEPER, STUBBORN, app


def pid_of(world: World, name: str = "t") -> int:
    (found,) = [t for t in json.loads(world.run("ls", "--format", "json").stdout)["topologies"] if t["id"] == name]
    pid: int = found["pid"]
    return pid


def test_it_lives_in_a_session_of_its_own_until_it_is_told_to_end(world: World) -> None:
    world.topology(RELAY + app("there", SLEEPER))
    done = world.run("up", "-d")  # its standard streams have an end, so nobody keeps them
    pid = pid_of(world)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"t is starting in the background, process {pid}; `ztopo down t` stops it\n"
    assert os.getsid(pid) == pid
    assert world.run("wait").returncode == 0
    following = world.verb("logs", "-f")
    following.lines.wait_for(r"^[\d:.]+  there +\| there$")
    assert world.run("down").returncode == 0
    assert following.end() == 0
    assert (world.state / "ztopo" / "t" / "errors").read_text() == ""
    assert world.is_clean()


def test_with_wait_it_is_shown_until_it_is_ready(world: World) -> None:
    world.topology(RELAY + app("there", SLEEPER))
    done = world.run("up", "-d", "--wait", "t.ztopo")
    assert (done.returncode, done.stdout) == (0, "")
    ready, side, other, last = done.stderr.splitlines()
    assert re.match(r"relay +ready +process \d+, t\.ztopo:4$", ready)
    assert re.match(r" +in +tcp://127\.0\.0\.1:\d+$", side)
    assert re.match(r" +out +tcp://127\.0\.0\.1:\d+$", other)
    assert last == f"t is ready in the background, process {pid_of(world)}; `ztopo down t` stops it"
    assert world.run("status").stdout.startswith("t is running")
    assert world.run("down").returncode == 0
    assert world.is_clean()


def test_there_is_one_of_each_name(world: World) -> None:
    world.topology(RELAY)
    assert world.run("up", "-d", "--wait").returncode == 0
    done = world.run("up", "-d")
    assert done.returncode == 1
    assert f"error[ZT908]: `t` runs already, in process {pid_of(world)}\n" in done.stderr
    assert world.run("down").returncode == 0
    assert world.is_clean()


def test_an_invalid_file_is_not_started(world: World) -> None:
    world.topology("device relay: streamer { in PUSH bind tcp://127.0.0.1:*; out PUSH bind tcp://127.0.0.1:* }\n")
    done = world.run("up", "-d", "--wait", "t.ztopo")
    assert done.returncode == 78
    assert done.stderr.startswith("error[ZT")
    assert done.stderr.endswith("t.ztopo is not started\n")
    assert world.is_clean()


def test_with_wait_a_start_that_fails_is_said(world: World) -> None:
    world.write("plain.txt", "no socket")
    world.topology(
        "device relay: streamer { in PULL bind ipc://plain.txt; out PUSH bind ipc://b }"
        '  # ztopo: allow ZT605 "as if it had come just now"\n'
    )
    done = world.run("up", "-d", "--wait")
    assert done.returncode == 1
    assert "error[ZT901]: `relay.in` cannot bind ipc://" in done.stderr
    assert done.stderr.endswith("t was not started: nothing of it is left\n")
    assert world.is_clean()


def test_who_does_not_want_to_wait_any_more_stops_it(world: World) -> None:
    with subprocess.Popen(
        [*ZTOPO, "up", "-d", "--wait", "-"],
        cwd=world.folder,
        env=world.environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as up:
        assert up.stdin is not None  # open, so that it reads on and on
        assert up.stderr is not None
        up.stdin.write("ztopo 1\n")
        up.stdin.flush()
        while len(world.processes()) < 2:
            assert up.poll() is None
        up.terminate()
        assert up.wait(PATIENCE) == 130
        assert up.stderr.read().endswith("- is not started: SIGTERM\n")
    assert world.is_clean()


def test_a_killed_one_leaves_a_folder_that_is_no_obstacle(world: World) -> None:
    world.topology(RELAY + app("there", SLEEPER))
    assert world.run("up", "-d", "--wait").returncode == 0
    pid = pid_of(world)
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    assert world.run("status", "t").returncode == 3
    assert world.run("up", "-d", "--wait").returncode == 0
    assert pid_of(world) != pid
    assert world.run("down").returncode == 0
    assert world.is_clean()


def test_down_of_one_that_is_stubborn(world: World) -> None:
    world.topology(app("stubborn", STUBBORN))
    assert world.run("up", "-d").returncode == 0
    following = world.verb("logs", "-f")
    following.lines.wait_for(r"\| there$")
    assert world.run("down", "--timeout", "0.1").returncode == 1
    assert following.end() == 0
    assert world.is_clean()


def test_a_hangup_asks_for_the_file_to_be_read_again(world: World) -> None:
    world.topology(RELAY)
    assert world.run("up", "-d", "--wait").returncode == 0
    following = world.verb("events")
    assert following.lines.next()
    os.kill(pid_of(world), signal.SIGHUP)
    line = following.lines.next()
    assert line is not None
    assert (json.loads(line)["event"], json.loads(line)["data"]) == ("reload asked", {"by": "SIGHUP"})
    assert world.run("down").returncode == 0


def test_options_of_the_environment_reach_it_once(world: World) -> None:
    world.environment["ZTOPO_CLI_UP_DETACH"] = "1"
    world.topology(RELAY)
    assert world.run("up").returncode == 0
    assert world.run("wait").returncode == 0
    assert world.run("down").returncode == 0
    assert world.is_clean()


def test_wait_goes_with_detach(world: World) -> None:
    done = world.run("up", "--wait", "t.ztopo")
    assert done.returncode == 2
    assert done.stderr.endswith("error: --wait goes with -d: without it, `up` stays until everything has ended\n")


# In front, as lines of JSON


def test_what_happens_is_written_as_lines_of_json(world: World) -> None:
    world.topology(RELAY + app("there", "python -c 'print(1)'") + app("other", SLEEPER))
    with subprocess.Popen(
        [*ZTOPO, "up", "--log-format", "json"], cwd=world.folder, env=world.environment, stdout=subprocess.PIPE
    ) as up:
        assert up.stdout is not None
        records = []
        for line in up.stdout:
            records.append(json.loads(line))
            if {"there", "other"} <= {r["component"] for r in records if r["event"] == "output"}:
                break
        up.terminate()
        records += map(json.loads, up.stdout)
        assert up.wait(PATIENCE) == 0
    assert records[0]["event"] == "begun"
    assert records[-1]["message"] == "ended"
    log = Path(world.state / "ztopo" / "t" / "log.jsonl").read_text().splitlines()
    assert sorted(map(str, records)) == sorted(map(str, map(json.loads, log)))
    assert world.is_clean()
