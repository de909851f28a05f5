"""The control socket: what is asked there is answered, and nobody who asks can hurt the topology or each other."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from tests.processes import PATIENCE
from tests.run.conftest import World
from tests.run.test_up import SLEEPER, app
from topo.plan import Plan
from topo.run import client, control, folder
from topo.run.client import NotRunning, Refused, Topology
from topo.run.control import Call, Control, Nothing, Verb
from topo.run.events import StopAsked, Told
from topo.run.feed import Feed, Missed
from topo.run.journal import Journal, Record
from topo.run.snapshot import Snapshot

SNAPSHOT = Snapshot(name="t", file="/srv/t.ztopo", phase="running", pid=os.getpid(), started=1.0)
JOURNAL_PLAN = Plan("t", None, (), (), (), ())
JOURNAL = Journal(JOURNAL_PLAN)


class Supervisor:
    """As much of one as is needed here."""

    def __init__(self) -> None:
        self.heard: list[StopAsked] = []
        self.listeners: list[Callable[[Told], None]] = []

    def post(self, event: StopAsked) -> None:
        self.heard.append(event)

    def snapshot(self) -> Snapshot:
        return SNAPSHOT

    def subscribe(self, listener: Callable[[Told], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor()


@pytest.fixture
def running(tmp_path: Path, supervisor: Supervisor) -> Iterator[Topology]:
    """A topology that answers at a control socket."""
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with folder.claim("t", "/srv/t.ztopo", environment=environment) as home, Control(home, supervisor, JOURNAL):
        yield client.find("t", environment)


def raw(running: Topology, data: bytes) -> list[dict[str, Any]]:
    """What is answered to some bytes, until the other side closes or has said its last word."""
    with running._connect(PATIENCE) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as lines:
            return [json.loads(line) for line in lines]


def error_of(running: Topology, data: bytes) -> str:
    (answer,) = raw(running, data)
    assert answer["error"]["exit"] == 2
    message: str = answer["error"]["message"]
    return message


def test_a_topology_is_asked(running: Topology) -> None:
    assert running.ask("ping") == [{"pid": os.getpid(), "format_version": 1, "phase": "binding"}]
    assert running.snapshot() == SNAPSHOT


def test_several_things_are_asked_one_after_the_other(running: Topology) -> None:
    answers = raw(running, b'{"verb": "ping"}\n{"verb": "nonsense"}\n{"verb": "ping"}\n')
    assert [next(iter(a)) for a in answers] == ["pid", "end", "error", "pid", "end"]


def test_a_wish_to_stop_is_passed_on(running: Topology, supervisor: Supervisor) -> None:
    assert running.ask("stop", by="somebody") == [{"asked": True}]
    assert running.ask("stop", by="somebody", force=True) == [{"asked": True}]
    assert [(wish.by, wish.insists) for wish in supervisor.heard] == [("somebody", False), *[("somebody", True)] * 2]


def test_what_is_no_request_is_refused_with_the_reason(running: Topology) -> None:
    assert error_of(running, b"hello\n").startswith("this is no JSON: ")
    assert error_of(running, b"\xff\xfe\n").startswith("this is no JSON: ")
    assert error_of(running, b"[" * 100_000 + b"\n").startswith("this is no JSON: ")
    assert error_of(running, b'["verb"]\n') == "a request is an object with a verb"
    assert error_of(running, b'{"verb": 1}\n') == "a request is an object with a verb"
    assert error_of(running, b'{"verb": "stip"}\n').startswith("there is no verb 'stip', there are ping, status, stop")
    assert error_of(running, b'{"verb": "ping", "loud": 1}\n') == "ping: Object contains unknown field `loud`"
    assert error_of(running, b'{"verb": "stop", "force": 1}\n') == "stop: Expected `bool`, got `int` - at `$.force`"
    with pytest.raises(Refused, match="there is no verb 'stip'") as raised:
        running.ask("stip")
    assert raised.value.exit_code == 2


def test_a_request_without_an_end_is_none(running: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "LONGEST_REQUEST", 1 << 20)
    assert raw(running, b'{"verb": "pi') == []
    assert raw(running, b"") == []
    assert error_of(running, b"x" * control.LONGEST_REQUEST) == "a request has at most 1048576 bytes"


def test_a_mistake_of_ours_is_told_and_hurts_nobody(running: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(call: Call, _: Nothing) -> control.Answers:
        yield {"first": 1}
        raise ZeroDivisionError("here")

    monkeypatch.setitem(control.VERBS, "broken", Verb(Nothing, broken))
    first, last = raw(running, b'{"verb": "broken"}\n')
    assert first == {"first": 1}
    assert last["error"]["message"] == "a mistake in ztopo, please report it: ZeroDivisionError('here')"
    assert running.ask("ping")


def test_what_the_system_refuses_is_told(running: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(call: Call, _: Nothing) -> control.Answers:
        yield {"first": 1}
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setitem(control.VERBS, "refused", Verb(Nothing, refused))
    with pytest.raises(Refused, match="Cannot allocate memory"):
        running.ask("refused")


def test_who_is_silent_makes_room_for_others(running: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MOST_CALLERS", 5)
    silent = []
    for number in range(5):
        silent.append(running._connect(PATIENCE))
        silent[-1].sendall(b'{"verb": "ping"}\n' if number % 2 else b'{"verb": "p')
    with silent[1].makefile("rb") as lines:
        assert b"pid" in lines.readline()
        assert b"end" in lines.readline()
    assert running.ask("ping")
    assert running.ask("ping")
    for connection in silent:
        connection.close()


def test_a_hundred_ask_at_once(running: Topology) -> None:
    answers: list[list[dict[str, Any]]] = []
    threads = [threading.Thread(target=lambda: answers.append(running.ask("ping", PATIENCE))) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(answers) == 100


@pytest.mark.parametrize(("user", "ours"), [(os.getuid(), True), (0, True), (os.getuid() + 1, False)])
def test_other_users_are_not_answered(user: int, ours: bool) -> None:
    class Connection:
        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
            return struct.pack("3i", 1, user, user)

    assert control._is_ours(Connection()) is ours  # type: ignore[arg-type]  # as much of one as is needed here


# Streams


def counting(monkeypatch: pytest.MonkeyPatch, room: int = 4) -> tuple[list[Feed[dict[str, int]]], threading.Event]:
    """A verb `count` that is fed by the test. Its feeds, and whether its generator has come to its end."""
    feeds: list[Feed[dict[str, int]]] = []
    over = threading.Event()

    def count(call: Call, _: Nothing) -> control.Answers:
        feed: Feed[dict[str, int]] = Feed(room)
        feeds.append(feed)
        try:
            yield {"here": True}
            yield from call.follow(feed)
        finally:
            over.set()

    monkeypatch.setitem(control.VERBS, "count", Verb(Nothing, count))
    return feeds, over


def test_a_stream_goes_on_until_the_topology_ends(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds, over = counting(monkeypatch)
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with folder.claim("t", "", environment=environment) as home:
        with Control(home, supervisor, JOURNAL):
            stream = client.find("t", environment).stream("count", PATIENCE)
            assert next(stream) == {"here": True}
            for number in range(3):
                feeds[0].put({"number": number})
                assert next(stream) == {"number": number}
            feeds[0].put({"number": 3})
        assert list(stream) == [{"number": 3}]
        assert over.wait(PATIENCE)
        assert not (home.folder / "control").exists()


def test_who_leaves_a_stream_ends_it(running: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    _, over = counting(monkeypatch)
    stream = running.stream("count", PATIENCE)
    assert next(stream) == {"here": True}
    assert not over.is_set()
    stream.close()
    assert over.wait(PATIENCE)


def test_who_does_not_read_is_told_what_they_have_missed(running: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds, _ = counting(monkeypatch)
    with running._connect(PATIENCE) as connection, connection.makefile("rb") as lines:
        connection.sendall(b'{"verb": "count"}\n')
        assert b"here" in lines.readline()
        (feed,) = feeds
        total = 200_000  # far more than the socket takes; none of them waits
        for number in range(total):
            feed.put({"number": number})
        feed.close()
        answers = [json.loads(line) for line in iter(lines.readline, b'{"end":true}\n')]
    missed = sum(a.get("missed", 0) for a in answers)
    numbers = [a["number"] for a in answers if "number" in a]
    assert missed
    assert numbers == sorted(numbers)
    assert len(numbers) + missed == total


def test_what_is_missed_is_said_in_its_place() -> None:
    feed: Feed[int] = Feed(2)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for number in range(5):
            feed.put(number)
        told = feed.follow(ours)
        assert [next(told), next(told)] == [0, 1]
        missed = next(told)
        assert isinstance(missed, Missed)
        assert missed.count == 3
        feed.put(5)
        feed.close()
        feed.put(6)
        assert list(told) == [5]


def test_the_end_does_not_wait_for_those_who_do_not_read(tmp_path: Path, supervisor: Supervisor) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with folder.claim("t", "", environment=environment) as home, Control(home, supervisor, JOURNAL):
        running = client.find("t", environment)
        half, full = running._connect(PATIENCE), running._connect(PATIENCE)
        half.sendall(b'{"verb": ')
        full.sendall(b'{"verb": "ping"}\n')
        assert full.recv(1)  # both have been let in, one after the other
        full.settimeout(0.5)
        with pytest.raises(TimeoutError):  # nobody reads its answers, so its requests are not read either
            full.sendall(b'{"verb": "ping"}\n' * 100_000)
    with half, full:
        assert half.recv(1) == b""


# When the folder is removed


@pytest.mark.parametrize("what", ["folder", "base", "control"])
def test_what_is_removed_is_made_again_and_said(tmp_path: Path, supervisor: Supervisor, what: str) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    journal = Journal(JOURNAL_PLAN)
    said: SimpleQueue[Record] = SimpleQueue()
    journal.subscribe(said.put)
    with folder.claim("t", "/srv/t.ztopo", environment=environment) as home, Control(home, supervisor, journal, 0.01):
        gone = {"folder": home.folder, "base": home.folder.parent, "control": home.folder / "control"}[what]
        gone.rename(tmp_path / "gone")  # all at once: what is removed piece by piece may be made again in between
        record = said.get(timeout=PATIENCE)
        assert (record.event, record.level) == ("reachable again", "warning")
        assert record.message.endswith("was removed, and is made again")
        assert client.find("t", environment).owner.file == "/srv/t.ztopo"
        assert client.find("t", environment).ask("ping")
        with pytest.raises(folder.Refused, match="runs already"), folder.claim("t", "", environment=environment):
            pass
    assert not home.folder.exists()


def test_what_another_one_has_by_now_is_left_alone(tmp_path: Path, supervisor: Supervisor) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    journal = Journal(JOURNAL_PLAN)
    said: SimpleQueue[Record] = SimpleQueue()
    journal.subscribe(said.put)
    with ExitStack() as second:
        with ExitStack() as first:
            home = first.enter_context(folder.claim("t", "first", environment=environment))
            control = first.enter_context(Control(home, supervisor, journal, PATIENCE))
            shutil.rmtree(home.folder)
            other = second.enter_context(folder.claim("t", "second", environment=environment))
            second.enter_context(Control(other, supervisor, JOURNAL))
            control._look()
            assert said.get(timeout=PATIENCE).event == "unreachable"
            control._look()
            assert said.empty()
        assert client.find("t", environment).owner.file == "second"
        assert client.find("t", environment).ask("ping")


# Finding them


def test_a_path_that_is_too_long_for_a_socket_is_no_obstacle(tmp_path: Path, supervisor: Supervisor) -> None:
    deep = tmp_path / ("long" * 30)
    deep.mkdir()
    environment = {"XDG_RUNTIME_DIR": str(deep)}
    with folder.claim("t" * 40, "", environment=environment) as home, Control(home, supervisor, JOURNAL):
        assert len(os.fsencode(home.folder / "control")) > folder.LONGEST_PATH
        assert client.find(None, environment).ask("ping")


def test_topologies_are_found_by_name_by_file_or_as_the_only_one(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    files = [tmp_path / "a.ztopo", tmp_path / "b.ztopo"]
    for file in files:
        file.touch()
    with pytest.raises(NotRunning, match="no topology is running"):
        client.find(None, environment)
    with folder.claim("a", str(files[0]), environment=environment):
        assert client.find(None, environment).owner.name == "a"
        with folder.claim("b", str(files[1]), environment=environment):
            assert client.find("b", environment).owner.file == str(files[1])
            assert client.find(str(tmp_path / "." / "a.ztopo"), environment).owner.name == "a"
            with pytest.raises(client.Trouble) as raised:
                client.find(None, environment)
        assert str(raised.value) == "there are several topologies, name the one that is meant:\n  a\n  b"
        with pytest.raises(NotRunning, match="b is not running"):
            client.find("b", environment)


def test_programs_run_several_of_one_name(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with (
        folder.claim("t", "first", environment=environment),
        folder.claim("t", "second", environment=environment, program=True),
        folder.claim("t", "third", environment=environment, program=True),
    ):
        ids = ["t", f"t@{os.getpid()}", f"t@{os.getpid()}.2"]
        assert [t.id for t in client.topologies(environment)] == ids
        assert client.find("t", environment).owner.file == "first"
        assert client.find(ids[2], environment).owner.file == "third"
    assert client.topologies(environment) == []


# The command


def test_status_says_what_runs(world: World) -> None:
    device = "device relay: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind tcp://127.0.0.1:* }\n"
    world.topology(device + app("other", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for(r"^other +\| there")
    done = world.run("status")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"t is running: process {up.process.pid}, for ")
    assert lines[1] == f"from {world.folder}/t.ztopo"
    assert [line.split()[:3] for line in lines[4:]] == [
        ["relay", "streamer", "ready"],
        ["in", "PULL", "bound"],
        ["out", "PUSH", "bound"],
        ["other", "app", "ready"],
    ]
    document = json.loads(world.run("status", "t", "--format", "json").stdout)
    assert document["format_version"] == 1
    assert document["devices"][0]["sockets"][0]["bound"][0].startswith("tcp://127.0.0.1:")
    assert document["apps"][0]["where"] == "t.ztopo:5"
    world.write("same.ztopo", "ztopo 1\ntopology t\n")
    assert world.run("status", "same.ztopo").stdout.startswith("t is running")


def test_status_of_what_does_not_run_ends_with_3(world: World) -> None:
    done = world.run("status")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "error: no topology is running\n")
    world.topology(app("other", SLEEPER))
    done = world.run("status", "t.ztopo")
    assert (done.returncode, done.stderr) == (3, "error: t is not running\n")


def test_status_of_what_does_not_answer_ends_with_4(world: World) -> None:
    world.topology(app("other", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for(r"\| there")
    up.process.send_signal(signal.SIGSTOP)
    done = world.run("status")
    assert (done.returncode, done.stderr) == (4, f"error: t runs, in process {up.process.pid}, and does not answer\n")
    up.process.send_signal(signal.SIGCONT)
    assert world.run("status").returncode == 0


def test_a_topology_that_was_killed_is_forgotten(world: World) -> None:
    world.topology(app("other", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for(r"\| there")
    up.process.kill()
    up.process.wait()
    assert world.run("status", "t").returncode == 3
    world.wait_until_empty()
    assert world.run("status", "t").returncode == 3
    assert world.is_clean()
