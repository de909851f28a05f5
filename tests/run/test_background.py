"""The verbs for topologies that run: several side by side, found, waited for, followed, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.processes import PATIENCE
from tests.run.conftest import ZTOPO, Up, World
from tests.run.test_control import Supervisor
from tests.run.test_up import SLEEPER, STUBBORN, app
from topo.cli.wait import _comes
from topo.plan import Plan
from topo.run.client import find
from topo.run.control import Control
from topo.run.events import Phase, Phased
from topo.run.folder import claim
from topo.run.journal import Journal
from topo.run.snapshot import Snapshot

RELAY = "device relay: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind tcp://127.0.0.1:* }\n"


def start(world: World, name: str, text: str) -> Up:
    """`ztopo up`, until it is ready and its apps have started."""
    world.write(f"{name}.ztopo", f"ztopo 1\ntopology {name}\n\n{text}")
    up = world.up(f"{name}.ztopo")
    up.wait_for(rf"^{name} is ready")
    if "app " in text:
        up.wait_for(r"\| there$")
    return up


def events(lines: list[str]) -> list[str]:
    """What is said of the whole topology and of its members, in a word each."""
    return [f"{e['component']} {e['event']}".strip() for e in map(json.loads, lines) if "event" in e]


# ls, ps


def test_topologies_run_side_by_side_and_are_listed(world: World) -> None:
    assert (world.run("ls").stdout, world.run("ls").stderr) == ("", "no topology is running\n")
    assert json.loads(world.run("ls", "--format", "json").stdout) == {"format_version": 1, "topologies": []}
    one, two = start(world, "one", RELAY + app("sleeper", SLEEPER)), start(world, "two", RELAY)
    rows = [line.split() for line in world.run("ls").stdout.splitlines()]
    assert rows[0] == ["TOPOLOGY", "PHASE", "PID", "FOR", "FILE"]
    assert [row[:3] for row in rows[1:]] == [["one", "running", str(one.process.pid)], ["two", "running", str(two.process.pid)]]
    listed = json.loads(world.run("ls", "--format", "json").stdout)["topologies"]
    assert [(t["id"], t["program"], t["file"]) for t in listed] == [
        ("one", False, f"{world.folder}/one.ztopo"),
        ("two", False, f"{world.folder}/two.ztopo"),
    ]
    rows = [line.split() for line in world.run("ps").stdout.splitlines()]
    assert [row[:4] for row in rows[1:]] == [
        ["one", "relay", "streamer", "ready"],
        ["one", "sleeper", "app", "ready"],
        ["two", "relay", "streamer", "ready"],
    ]
    members = json.loads(world.run("ps", "one", "--format", "json").stdout)["members"]
    assert [(m["topology"], m["name"], m["kind"], m["restarts"]) for m in members] == [
        ("one", "relay", "streamer", 0),
        ("one", "sleeper", "app", 0),
    ]
    assert members[1]["where"] == "one.ztopo:5"
    assert world.run("status").stderr == "error: there are several topologies, name the one that is meant:\n  one\n  two\n"
    assert world.run("down", "one").returncode == 0
    assert one.end() == 0
    assert world.run("status").stdout.startswith("two is running")
    assert world.run("down").returncode == 0
    assert two.end() == 0
    assert world.is_clean()


def test_one_that_does_not_answer_is_listed_as_such(world: World) -> None:
    up = start(world, "one", RELAY)
    up.process.send_signal(signal.SIGSTOP)
    assert world.run("ls").stdout.splitlines()[1].split()[:4] == ["one", "no", "answer", str(up.process.pid)]
    done = world.run("ps")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"error: one runs, in process {up.process.pid}, and does not answer\n"
    up.process.send_signal(signal.SIGCONT)
    assert world.run("down").returncode == 0


def test_what_a_killed_one_has_left_is_recognised_and_removed(world: World) -> None:
    up = start(world, "one", RELAY + app("sleeper", SLEEPER))
    up.process.kill()
    up.process.wait()
    assert world.run("ls").stderr == "no topology is running\n"
    assert world.run("down", "one").returncode == 3
    world.wait_until_empty()
    assert world.run("ls").returncode == 0
    assert world.is_clean()
    again = start(world, "one", RELAY)
    assert world.run("down").returncode == 0
    assert again.end() == 0
    assert world.is_clean()


# down


def test_down_waits_until_nothing_is_left_and_says_who_is_busy(world: World) -> None:
    up = start(world, "one", app("stubborn", STUBBORN))
    done = world.run("down")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0] == "stopping one"
    assert lines[1] == "still busy: stubborn (one.ztopo:4)"
    assert lines[2].startswith("one.ztopo:4: `stubborn` (process ")
    assert lines[2].endswith("did not end within 5 s and is killed [ZT907]")
    assert lines[3] == "one has stopped"
    assert world.processes() == []
    up.wait_for("^stopping: ztopo down$")
    assert up.end() == 0
    assert world.is_clean()


def test_down_kills_what_has_not_ended_in_time(world: World) -> None:
    up = start(world, "one", app("stubborn", STUBBORN))
    done = world.run("down", "--timeout", "0.2")
    assert done.returncode == 1
    assert done.stderr.endswith("one has stopped; what had not ended after 0.2 s was killed\n")
    up.wait_for("^killing everything: ztopo down --timeout 0.2$")
    assert up.end() == 130
    assert world.is_clean()


def test_down_stops_what_is_only_just_starting(world: World) -> None:
    world.topology(
        "".join(f"device d{n}: streamer {{ in PULL bind ipc://a{n}; out PUSH bind ipc://b{n} }}\n" for n in range(200))
    )
    up = world.up("t.ztopo")
    lock = world.runtime / "ztopo" / "t" / "lock"
    while not (lock.exists() and lock.read_bytes()):
        assert up.process.poll() is None
    done = world.run("down", "t")
    assert done.returncode == 0
    assert up.end() == 0
    assert world.is_clean()


# wait, events


def test_wait_ends_when_it_is_so(world: World) -> None:
    assert world.run("wait", "one").returncode == 3
    assert world.run("wait", "one", "--for", "ended").returncode == 0
    up = start(world, "one", RELAY)
    assert world.run("wait").returncode == 0
    done = world.run("wait", "--for", "ended", "--timeout", "0.05")
    assert (done.returncode, done.stderr) == (1, "one has not ended after 0.05 s\n")
    waiting = world.verb("wait", "one", "--for", "ended")
    up.interrupt()
    assert waiting.end() == 0
    assert up.end() == 0


@pytest.mark.parametrize(
    ("before", "phases", "comes"),
    [
        ("binding", ["connecting", "running"], True),
        ("connecting", ["stopping"], False),
        ("running", [], True),
        ("stopping", [], False),
    ],
)
def test_wait_sees_whether_it_becomes_ready(tmp_path: Path, before: Phase, phases: list[Phase], comes: bool) -> None:
    plan = Plan("t", None, (), (), (), ())
    journal = Journal(plan)

    class Starting(Supervisor):
        def snapshot(self) -> Snapshot:
            for phase in phases:  # after the one who waits has begun to follow
                journal.tell(Phased(phase))
            return Snapshot(name="t", file="", phase=before, pid=os.getpid(), started=0.0)

    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with claim("t", "", environment=environment) as home, Control(home, Starting(), journal):
        assert _comes(find("t", environment), "ready", None) is comes


def test_events_begin_with_what_runs_and_end_with_the_topology(world: World) -> None:
    up = start(world, "one", RELAY + app("sleeper", SLEEPER))
    following = world.verb("events", "--follow")
    first = following.lines.next()
    assert first is not None
    document: dict[str, Any] = json.loads(first)
    assert document["format_version"] == document["snapshot"]["format_version"] == 1
    assert [d["life"] for d in document["snapshot"]["devices"]] == ["ready"]
    up.interrupt()
    assert following.end() == 0
    assert up.end() == 0
    said = events(following.lines.seen)
    assert said[0] == "phase"
    assert said[-1] == "phase"
    assert {"stopping", "sleeper exited", "relay stopped"} <= set(said)
    records = [json.loads(line) for line in following.lines.seen[1:]]
    (stopped,) = (r for r in records if r["event"] == "stopped")
    assert stopped["where"] == "one.ztopo:4"
    assert stopped["data"]["statistics"]["frontend"]["received"]["messages"] == 0
    (exited,) = (r for r in records if r["event"] == "exited" and r["component"] == "sleeper")
    assert (exited["level"], exited["message"]) == ("info", "stopped")


def test_a_snapshot_alone_can_be_had_as_well(world: World) -> None:
    up = start(world, "one", RELAY)
    done = world.run("events", "--no-follow")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["snapshot"]["name"] == "one"
    up.interrupt()
    assert up.end() == 0


@pytest.mark.parametrize("verb", [("events",), ("logs", "-f")])
def test_what_follows_ends_when_nobody_reads_it_even_if_nothing_comes(world: World, verb: tuple[str, ...]) -> None:
    up = start(world, "one", RELAY)
    reader, writer = os.pipe()
    with subprocess.Popen(
        [*ZTOPO, *verb], cwd=world.folder, env=world.environment, stdout=writer, stderr=subprocess.PIPE
    ) as following:
        os.close(writer)
        assert os.read(reader, 1 << 16)
        os.close(reader)
        assert following.wait(PATIENCE) == 0
        assert following.stderr is not None
        assert following.stderr.read() == b""
    up.interrupt()
    assert up.end() == 0


def test_those_who_do_not_read_hold_nothing_up(world: World) -> None:
    """An app that is started again and again, and followers that have been stopped."""
    world.topology("app again { run \"python -c 'print(1)'\"; restart always max 1000 in 1s backoff 1ms..2ms }\n")
    up = world.up("t.ztopo")
    up.wait_for(r"^again +\| 1$")
    followers = [world.verb("events", "t") for _ in range(5)]
    for follower in followers:
        assert follower.lines.next()
        follower.process.send_signal(signal.SIGSTOP)
    for _ in range(20):
        up.wait_for(r"^again +\| 1$")
    assert world.run("status").returncode == 0
    assert world.run("down").returncode == 0
    assert up.end() == 0
    for follower in followers:
        follower.process.send_signal(signal.SIGCONT)
        assert follower.end() in (0, 3)  # what the socket did not take is lost to them, the end as well
    assert world.is_clean()


def test_one_that_is_killed_ends_what_follows_it(world: World) -> None:
    up = start(world, "one", RELAY)
    following = world.verb("events")
    assert following.lines.next()
    up.process.kill()
    up.process.wait()
    assert following.end() == 3
    assert following.lines.seen[-1] == "error: one has ended before it answered"
    world.wait_until_empty()


@pytest.mark.parametrize("verb", ["down", "status", "events", "wait"])
def test_what_does_not_run_ends_with_3(world: World, verb: str) -> None:
    done = world.run(verb, "nobody")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "error: nobody is not running\n")


@pytest.mark.parametrize("verb", ["down", "status", "events", "wait", "ls", "ps", "logs"])
def test_where_topologies_do_not_run_that_is_said(world: World, verb: str) -> None:
    """As on Windows, where much of what is imported for it is not there."""
    program = (
        "import sys, types, topo.run; topo.run.sys = types.SimpleNamespace(platform='win32'); sys.modules['fcntl'] = None;"
        f"sys.argv = ['ztopo', {verb!r}]; from topo.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=world.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: topologies do not run on Windows; checking and drawing them works\n"


# On a terminal


def test_long_paths_break_nothing_on_a_terminal(world: World) -> None:
    folder = world.folder / "a_folder_with_a_name_that_is_longer_than_anybody_would_like" / "and_another_one"
    folder.mkdir(parents=True)
    name = "detector_of_everything_that_moves"
    file = folder / "x.ztopo"
    file.write_text(f"ztopo 1\ntopology {name}\n\n{RELAY}", encoding="utf-8")

    def shown(*arguments: str) -> list[str]:
        terminal = Terminal([*ZTOPO, *arguments], world.environment, columns=80, lines=40)
        try:
            assert terminal.end() == 0
            terminal.finish()
            return terminal.lines
        finally:
            terminal.close()

    lines = shown("up", "-d", "--wait", str(file))
    assert next(line for line in lines if line.startswith("relay ")).endswith(", x.ztopo:4")
    assert f"`ztopo down {name}` stops it" in lines
    assert any(line.endswith("  x.ztopo:4") for line in shown("status"))
    assert any(line.endswith("relay              ready  x.ztopo:4") for line in shown("logs"))
    assert shown("ps")[0].startswith(f"{name} is running: process ")
    assert world.run("down").returncode == 0
    assert world.is_clean()
