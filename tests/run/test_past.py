"""What is said of topologies that do not run, and to those who name one wrongly."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.run.conftest import Verb, World
from tests.run.test_up import SLEEPER, app
from topo.run.past import latest, left_by, started_from

RUN = (
    {"event": "begun", "topology": "t", "time": "2001-09-09T01:46:40.0Z", "level": "info", "data": {"file": "/x/t.ztopo"}},
    {"event": "finding", "topology": "t", "time": "2001-09-09T01:46:41.0Z", "level": "warning", "message": "a warning"},
    {"event": "finding", "topology": "t", "time": "2001-09-09T01:46:42.0Z", "level": "error", "message": "the reason"},
    {"event": "finding", "topology": "t", "time": "2001-09-09T01:46:43.0Z", "level": "error", "message": "what came of it"},
    {"event": "output", "topology": "t", "time": "2001-09-09T01:46:44.0Z", "message": '"event":"begun"'},
    {"event": "phase", "topology": "t", "time": "2001-09-09T01:46:45.0Z", "level": "info", "data": {"phase": "ended"}},
)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}


def write(home: dict[str, str], *records: object, number: str = "", torn: str = "") -> None:
    folder = Path(home["XDG_STATE_HOME"], "ztopo", "t")
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    (folder / f"log.jsonl{number}").write_text(text + torn)


def test_a_run_failed_for_what_went_wrong_first(home: dict[str, str]) -> None:
    write(home, *RUN, *RUN)
    past = left_by("t", home)
    assert past == latest(home) == started_from("/x/t.ztopo", home)
    assert past is not None
    assert past.trouble.startswith("failed on 2001-09-")
    assert past.trouble.endswith(": the reason (see `ztopo logs t`)")


def test_one_that_was_stopped_has_no_trouble(home: dict[str, str]) -> None:
    write(home, *RUN, RUN[0], RUN[1], RUN[-1])
    past = left_by("t", home)
    assert past is not None
    assert past.trouble == ""


def test_a_log_that_just_ends_is_that_of_one_that_was_killed(home: dict[str, str]) -> None:
    write(home, RUN[0], number=".1")
    write(home, RUN[4], torn='{"event":"phase","da')
    past = left_by("t", home)
    assert past is not None
    assert (past.file, past.when) == ("/x/t.ztopo", RUN[4]["time"])
    assert "was killed on 2001-09-" in past.trouble


def test_of_a_long_run_the_begin_may_be_gone(home: dict[str, str]) -> None:
    write(home, *RUN[3:])
    past = left_by("t", home)
    assert past is not None
    assert (past.name, past.file, past.failure) == ("t", "", "what came of it")


def test_where_nothing_was_written_nothing_is_known(home: dict[str, str]) -> None:
    assert (left_by("t", home), latest(home), started_from("t.ztopo", home)) == (None, None, None)
    write(home)
    assert (left_by("t", home), latest(home)) == (None, None)


def test_one_that_has_failed_says_so_wherever_it_is_asked(world: World) -> None:
    world.topology(app("there", SLEEPER) + app("bad", "python -c 'raise SystemExit(7)'"))
    assert world.up("t.ztopo").end() == 1
    why = r"failed (?:at|on) \d\d[-:\d]+: `bad` ended with exit code 7 \[ZT906\] \(see `ztopo logs t`\)\n"
    for verb in ("status", "ps", "down", "wait"):
        for name in ("t", "t.ztopo"):
            done = world.run(verb, name)
            assert done.returncode == 3
            assert re.fullmatch(f"error: t is not running; it {why}", done.stderr)
    assert re.fullmatch(f"error: no topology is running; t {why}", world.run("status").stderr)
    ended = world.run("wait", "--for", "ended", "t")
    assert ended.returncode == 0
    assert re.fullmatch(f"t is not running; it {why}", ended.stderr)
    (world.folder / "t.ztopo").unlink()
    assert re.fullmatch(f"error: t is not running; it {why}", world.run("status", "t.ztopo").stderr)


def test_one_whose_ztopo_was_killed_says_so(world: World) -> None:
    world.topology(app("there", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for(r"\| there$")
    up.process.kill()
    up.process.wait()
    world.wait_until_empty()
    assert re.match(r"error: t is not running; it was killed (?:at|on) \d\d[-:\d]+ or later", world.run("status", "t").stderr)


def test_wrong_names_get_the_right_ones(world: World) -> None:
    """And the topology is found by its file when that is gone."""
    world.topology(app("there", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for(r"\| there$")
    (world.folder / "t.ztopo").rename(world.folder / "gone")
    assert world.run("status", "t.ztopo").stdout.startswith("t is running")
    assert world.run("status", "T").stderr == "error: T is not running; did you mean `t`?\n"
    assert world.run("status", "other").stderr == "error: other is not running; what runs: t\n"
    done = world.run("logs", "--only", "zzz")
    assert (done.returncode, done.stderr) == (2, "error: there is no member `zzz`; there are there\n")
    assert world.run("logs", "--only", "ther").stderr == "error: there is no member `ther`; did you mean `there`?\n"
    assert world.run("stop").stderr.endswith("error: there is no verb `stop`, did you mean `down`?\n")
    assert world.run("down", "t", "other").returncode == 3
    assert world.run("status").returncode == 0
    assert world.run("down", "t", "t.ztopo").stderr.count("t has stopped") == 1
    assert up.end() == 0
    done = world.run("logs", "-n", "1")
    assert (done.stderr, done.stdout[-8:]) == ("no topology is running; the last one was t\n", "  ended\n")


def test_ctrl_c_ends_what_follows_with_0(world: World) -> None:
    world.topology(app("there", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for(r"\| there$")
    for arguments in (("logs", "-f"), ("events",)):
        following: Verb = world.verb(*arguments)
        assert following.lines.next()
        following.process.send_signal(signal.SIGINT)
        assert following.end() == 0, following.lines.text
    up.interrupt()
    assert up.end() == 0
