"""Changing what runs around apps that count, over inproc, and while a device does not hear: nothing lost, and all or nothing."""

from __future__ import annotations

import itertools
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zmq

from tests.processes import PATIENCE, wait_until
from tests.run.conftest import World as Files
from tests.run.test_changing import PIPELINE, Stream
from tests.run.test_changing import World as Bare
from tests.run.test_running import plan_of
from topo.change import plan_change
from topo.run.changing import Changer
from topo.run.events import ChangeStep, Halted, Resumed, Told, WatchPeers
from topo.run.hands import Patience
from topo.run.lives import Life
from topo.run.peers import Network
from topo.run.running import RunError
from topo.steps import ChangePlan, Noticed, Pause
from topo.zeromq.transports import Address, parse

SOURCE = """
import itertools, time, topo
socket = topo.socket()
for number in itertools.count():
    socket.send(b"%d" % number)
    time.sleep(0.0005)
"""
SINK = """
import signal, sys, topo
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(True))
socket = topo.socket()
with open(sys.argv[1], "a", buffering=1) as file:
    print("at most", socket.rcvhwm, flush=True)
    while not over:
        if socket.poll(20):
            file.write(f"{int(socket.recv())}\\n")
"""
WORKER = """
import topo
jobs, results = topo.socket("jobs"), topo.socket("results")
while True:
    results.send(jobs.recv())
"""
RESTLESS = """
import topo
jobs, results = topo.socket("jobs"), topo.socket("results")
while True:
    results.send(jobs.recv() if jobs.poll(5) else b"0")
"""
APPS = """
app source: PUSH bind ipc://./source {{ run "python source.py" }}
device v: streamer {{ in PULL connect source; out PUSH connect first{where} }}
device w: streamer {{ in PULL connect idle.out; out PUSH connect second{where} }}
device idle: streamer {{ in PULL bind ipc://./in; out PUSH bind ipc://./idle{where} }}
app first: PULL bind ipc://./first {{ run "python sink.py first.txt" }}
app second: PULL bind ipc://./second {{ run "python sink.py second.txt" }}
"""


WORK = """
app source: PUSH bind ipc://./source { run "python source.py" }
device v: streamer { in PULL connect source; out PUSH connect worker.jobs }
device idle: streamer { in PULL bind ipc://./in; out PUSH bind ipc://./idle }
app worker { run "python worker.py"
             socket jobs: PULL bind ipc://./jobs
             socket results: PUSH connect first { sndhwm 3 } }
app first: PULL bind ipc://./first { run "python sink.py first.txt" }
"""


class World(Bare):
    """A topology whose text is changed word by word, with apps that write what they get into files."""

    def __init__(self, text: str, folder: Path, *, in_process: bool = True) -> None:
        super().__init__(text, in_process=in_process)
        self.text = text
        self.files = [folder / "first.txt", folder / "second.txt"]

    def plan(self, text: str) -> ChangePlan:
        present = self.supervisor.present()
        return plan_change(present.plan, present.snapshot, plan_of(text), present.joined)

    def with_other(self, *words: tuple[str, str]) -> str:
        """The text of what runs with some words other."""
        text = self.text
        for old, new in words:
            assert old in text
            text = text.replace(old, new)
        return text

    def replace(self, *words: tuple[str, str]) -> ChangePlan:
        """Change some words of what runs."""
        self.text = self.with_other(*words)
        return self.change(self.text)

    def pids(self) -> dict[str, int | None]:
        return {app.name: app.pid for app in self.running.status().apps}

    def joined(self, *apps: str) -> None:
        """Wait until these count."""
        wait_for(lambda: set(apps) <= set(self.supervisor.joined.sockets))

    def come(self) -> list[list[int]]:
        """What each sink has got."""
        return [[int(n) for n in file.read_text().split("\n")[:-1]] if file.exists() else [] for file in self.files]

    def goes_on(self, sink: int) -> None:
        """Wait until more has come to a sink."""
        wanted = len(self.come()[sink]) + 20
        wait_for(lambda: len(self.come()[sink]) >= wanted)

    def all_came(self) -> None:
        """End the source by a change: what it has sent has come, once, and in order to whoever has got it."""
        text = "\n".join(line for line in self.text.splitlines() if not line.startswith("app source"))
        self.change(text.replace("connect source", "connect idle.out"))
        sent = self.supervisor.joined.counts("source").sent
        wait_for(lambda: sum(map(len, self.come())) >= sent)
        came = self.come()
        assert sorted(itertools.chain(*came)) == list(range(sent))
        assert all(numbers == sorted(numbers) for numbers in came)


def wait_for(holds: Callable[[], bool]) -> None:
    """Look until something holds."""
    wait_until(holds, "what is waited for")


@pytest.fixture
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[World]]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source.py").write_text(SOURCE)
    (tmp_path / "sink.py").write_text(SINK)
    (tmp_path / "worker.py").write_text(WORKER)
    worlds: list[World] = []
    try:
        yield worlds
    finally:
        for world in worlds:
            world.close()


@pytest.fixture(params=["thread", "process"])
def where(request: pytest.FixtureRequest) -> str:
    return "; run process" if request.param == "process" else ""


@pytest.fixture
def apps(worlds: list[World], tmp_path: Path, where: str) -> World:
    world = World(APPS.format(where=where), tmp_path, in_process=not where)
    worlds.append(world)
    world.joined("source", "first")
    world.goes_on(0)
    return world


# Apps that count


def test_an_app_that_sends_is_paused_while_its_link_is_led_another_way(apps: World) -> None:
    pids, lives = apps.pids(), apps.lives()
    for sink in (1, 0) * 3:
        plan = apps.replace(
            ("connect source;", "connect its.in;"),
            ("connect idle.out;", "connect source;"),
            ("connect its.in;", "connect idle.out;"),
        )
        assert Pause(("source",)) in plan.steps
        assert any(isinstance(step, Noticed) and "source" in step.sockets for step in plan.steps)
        assert {c.name: c.effect for c in plan.changes} == {"v": "drain", "w": "drain"}
        apps.goes_on(sink)
    apps.all_came()
    assert apps.lives() == lives
    del pids["source"]
    assert apps.pids() == pids


def test_an_app_that_binds_goes_on_only_when_it_has_noticed_who_has_left(apps: World, monkeypatch: pytest.MonkeyPatch) -> None:
    really, looks = Network.held, itertools.count()
    before = really(Network(), parse("ipc://./source"))
    assert before
    closed, looked = threading.Event(), threading.Event()

    def held(network: Network, address: Address) -> frozenset[int] | None:
        """None of the connections has gone, as far as is told, until they are said to have closed."""
        if next(looks) > 5:
            looked.set()
        return really(network, address) if closed.is_set() else before

    monkeypatch.setattr(Network, "held", held)
    apps.text = apps.with_other(
        ("connect source;", "connect its.in;"), ("connect idle.out;", "connect source;"), ("connect its.in;", "connect idle.out;")
    )
    change = apps.changer.begin(apps.plan(apps.text))
    assert looked.wait(PATIENCE)
    assert apps.supervisor.joined.is_paused("source")
    closed.set()
    assert change.result() is None
    apps.goes_on(1)
    apps.all_came()


def test_a_device_is_led_from_one_app_that_counts_to_another(apps: World) -> None:
    pids, lives = apps.pids(), apps.lives()
    apps.joined("second")
    for sink in (1, 0) * 3:
        here, there = ("first", "second") if sink else ("second", "first")
        plan = apps.replace((f"connect source; out PUSH connect {here}", f"connect source; out PUSH connect {there}"))
        assert {c.name: c.effect for c in plan.changes} == {"v": "drain"}
        apps.goes_on(sink)
    apps.all_came()
    assert apps.lives() == lives
    del pids["source"]
    assert apps.pids() == pids


def test_an_app_that_counts_starts_again_with_another_option_and_nothing_is_lost(
    apps: World, capfd: pytest.CaptureFixture[str]
) -> None:
    pids, lives, pieces = apps.pids(), apps.lives(), list[str]()

    def said() -> str:
        pieces.append(capfd.readouterr().out)
        return "".join(pieces)

    for number in (7, 8, 9):
        words = "first {", "first { rcvhwm 7;"
        plan = apps.replace(words if number == 7 else (f"rcvhwm {number - 1}", f"rcvhwm {number}"))
        (change,) = plan.changes
        assert (change.name, change.effect, change.reasons) == (
            "first",
            "restart",
            ("a program makes its sockets when it starts",),
        )
        apps.goes_on(0)
        wait_for(lambda wanted=f"first | at most {number}\n": wanted in said())  # type: ignore[misc]  # a thread passes it on, in its own time
    apps.all_came()
    assert apps.lives() == lives
    after = apps.pids()
    assert after.pop("first") != pids.pop("first")
    del pids["source"]
    assert after == pids


def test_apply_starts_an_app_again_whose_options_changed_and_says_so(world: Files, ends_well: Callable[..., None]) -> None:
    world.write("sink.py", SINK)
    text = 'device v: streamer { in PULL bind ipc://./in; out PUSH connect it }\napp it: PULL bind ipc://./it { rcvhwm 5; run "python sink.py it.txt" }\n'
    up = world.up(str(world.topology(text)))
    up.wait_for(r"^it +\| at most 5$")
    more = str(world.topology(text.replace("rcvhwm 5", "rcvhwm 6"), "more.ztopo"))
    planned = world.run("plan", more)
    applied = world.run("apply", more)
    assert planned.returncode == applied.returncode == 0
    assert applied.stdout == planned.stdout
    assert re.search(r"^~ it +restart\n +app, more.ztopo:5\n +~ it option rcvhwm: 5 → 6$", planned.stdout, re.M)
    assert "    a program makes its sockets when it starts\n" in planned.stdout
    up.wait_for(r"^it +\| at most 6$")
    assert world.run("plan", more).stdout == "t: nothing to change, 2 unchanged\n"
    up.interrupt()
    ends_well(up, 0)


def test_an_app_that_passes_on_has_done_so_before_it_starts_again(worlds: list[World], tmp_path: Path) -> None:
    worlds.append(world := World(WORK, tmp_path))
    world.joined("source", "worker.jobs", "worker.results", "first")
    world.goes_on(0)
    for old, new in itertools.pairwise(("{ sndhwm 3 }", "{ sndhwm 4 }", "{ sndhwm 5 }", "{ sndhwm 3 }")):
        plan = world.replace((old, new))
        assert [(c.name, c.effect) for c in plan.changes] == [("worker", "restart")]
        told = [(type(s).__name__, getattr(s, "through", ()), getattr(s, "senders", ())) for s in plan.steps[:4]]
        assert told == [
            ("Pause", (), ("v.out",)),
            ("Empty", ("worker",), ()),
            ("Pause", (), ("worker.results",)),
            ("Empty", (), ()),
        ]
        world.goes_on(0)
    world.all_came()


def test_an_app_that_has_no_rest_is_not_waited_for_without_an_end(worlds: list[World], tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(RESTLESS)
    worlds.append(world := World(WORK, tmp_path))
    world.joined("source", "worker.jobs", "worker.results", "first")
    world.goes_on(0)
    before = world.pids()
    world.replace(("{ sndhwm 3 }", "{ sndhwm 4 }"))
    world.goes_on(0)
    assert [name for name, pid in world.pids().items() if pid != before[name]] == ["worker"]


def test_a_change_that_would_pause_an_app_that_is_halted_is_refused(apps: World) -> None:
    plan, pid = apps.supervisor.plan, apps.pids()["source"]
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: any(isinstance(t, Halted) and t.name == "source" for t in apps.told))
    rolled_back = apps.apply(apps.with_other(("v: streamer", "v: proxy")))
    assert rolled_back is not None
    assert (rolled_back.why, rolled_back.left) == ("source is halted by a signal, and hears nothing", ())
    assert apps.supervisor.plan == plan
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: any(isinstance(t, Resumed) for t in apps.told))
    apps.replace(("v: streamer", "v: proxy"))
    apps.goes_on(0)
    apps.all_came()


# Over inproc


INPROC = """
device a: streamer {{ in PULL bind ipc://{folder}/a; out PUSH connect b.in }}
device b: streamer {{ in PULL bind inproc://b; out PUSH connect z.in }}
device c: streamer {{ in PULL bind inproc://c; out PUSH connect z.in }}
device z: streamer {{ in PULL bind inproc://z; out PUSH bind ipc://{folder}/z }}
"""


@pytest.fixture(params=["in this process", "in one of their own"])
def inproc(request: pytest.FixtureRequest, worlds: list[World], tmp_path: Path) -> World:
    world = World(INPROC.format(folder=tmp_path), tmp_path, in_process=request.param == "in this process")
    worlds.append(world)
    return world


def test_a_stream_over_inproc_is_led_another_way_and_back(inproc: World, tmp_path: Path) -> None:
    lives = inproc.lives()
    stream = Stream(inproc, tmp_path)
    for here, there in (("b", "c"), ("c", "b")) * 5:
        plan = inproc.replace((f"connect {here}.in", f"connect {there}.in"))
        assert [(c.name, c.effect) for c in plan.changes] == [("a", "drain")]
        stream.goes_on()
    stream.end()
    assert inproc.lives() == lives


def test_an_inproc_address_moves_and_changes_hands(inproc: World, tmp_path: Path) -> None:
    lives = inproc.lives()
    stream = Stream(inproc, tmp_path)
    for old, new in itertools.pairwise(("b", "b2", "b")):
        inproc.replace((f"bind inproc://{old};", f"bind inproc://{new};"))
        stream.goes_on()
    for _ in range(2):  # each binds what the other had
        inproc.replace(
            ("bind inproc://b;", "bind inproc://?;"),
            ("bind inproc://c;", "bind inproc://b;"),
            ("bind inproc://?;", "bind inproc://c;"),
        )
        assert inproc.lives() == lives
        stream.goes_on()
    stream.end()


def test_who_is_started_anew_at_an_inproc_address_has_its_peers_again(inproc: World, tmp_path: Path) -> None:
    lives = inproc.lives("a", "c", "z")
    stream = Stream(inproc, tmp_path)
    for old, new in itertools.pairwise(("streamer", "proxy", "streamer")):
        plan = inproc.replace((f"b: {old}", f"b: {new}"))
        assert {c.name: c.effect for c in plan.changes} == {"a": "drain", "b": "restart"}
        stream.goes_on()
    stream.end()
    assert inproc.lives("a", "c", "z") == lives


def test_devices_come_and_go_that_know_each_other_over_inproc_alone(inproc: World, tmp_path: Path) -> None:
    lives = inproc.lives()
    stream = Stream(inproc, tmp_path)
    fresh = "device d: streamer { in PULL bind inproc://d; out PUSH connect e.in }\ndevice e: streamer { in PULL bind inproc://e; out PUSH connect z.in }\n"
    before = inproc.text
    for wanted in (before.replace("connect b.in", "connect d.in") + fresh, before) * 3:
        inproc.change(wanted)
        stream.goes_on()
    stream.end()
    assert inproc.lives() == lives


# While a device does not hear, or is not there


SLOW = PIPELINE.format(folder=".", where="; run process")
HASTY = Patience(command=0.3, empty=0.3)


@pytest.fixture
def processes(worlds: list[World], tmp_path: Path) -> World:
    worlds.append(world := World(SLOW, tmp_path, in_process=False))
    return world


def halt(world: World, name: str) -> int:
    """Stop the process of a device with a signal, and wait until that is seen."""
    pid = world.device(name).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: any(isinstance(t, Halted) and t.name == name for t in world.told))
    return pid


def test_a_change_elsewhere_goes_on_while_a_device_is_halted(processes: World, tmp_path: Path) -> None:
    lives = processes.lives()
    pid = halt(processes, "c")
    stream = Stream(processes, tmp_path)
    processes.replace(("bind ipc://./a;", "bind ipc://./a, ipc://./more;"))
    stream.goes_on()
    os.kill(pid, signal.SIGCONT)
    stream.end()
    assert processes.lives() == lives


@pytest.mark.parametrize(
    "words", [("connect b.in", "connect c.in"), ("bind ipc://./a;", "bind ipc://./a, ipc://./more;"), ("a: streamer", "a: proxy")]
)
def test_a_change_of_a_device_that_is_halted_is_refused(processes: World, tmp_path: Path, words: tuple[str, str]) -> None:
    lives, before = processes.lives(), processes.supervisor.plan
    wanted = processes.with_other(words)
    pid = halt(processes, "a")
    rolled_back = processes.apply(wanted)
    assert rolled_back is not None
    assert (rolled_back.why, rolled_back.left) == ("a is halted by a signal, and hears nothing", ())
    assert processes.supervisor.plan == before
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: any(isinstance(t, Resumed) for t in processes.told))
    processes.change(wanted)
    stream = Stream(processes, tmp_path)
    stream.end()
    assert processes.lives("b", "c", "z") == [life for life in lives if life[0] != "a"]


@pytest.mark.parametrize("number", range(1, 7))
def test_a_device_that_is_halted_in_the_middle_goes_on_with_the_one_or_the_other(
    processes: World, tmp_path: Path, number: int
) -> None:
    lives, before = processes.lives(), processes.supervisor.plan
    pid = processes.device("a").pid
    assert pid is not None

    def halt(told: Told) -> None:
        if isinstance(told, ChangeStep) and told.number == number:
            os.kill(pid, signal.SIGSTOP)

    unsubscribe = processes.supervisor.subscribe(halt)
    wanted = processes.with_other(("connect b.in", "connect c.in"), ("bind ipc://./a;", "bind ipc://./a, ipc://./more;"))
    plan = processes.plan(wanted)
    assert len(plan.steps) == 6
    rolled_back = Changer(processes.supervisor, HASTY).begin(plan).result()
    unsubscribe()
    wait_for(lambda: any(isinstance(t, Halted) for t in processes.told))  # or the other signal takes this one back
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: any(isinstance(t, Resumed) for t in processes.told))
    processes.supervisor.command("a", WatchPeers("a.in", on=False), PATIENCE)  # by then it has done all that it was told before
    assert processes.supervisor.plan == (before if rolled_back is not None else plan.wanted)
    stream = Stream(processes, tmp_path)
    processes.change(wanted)
    stream.goes_on()
    processes.change(processes.text)
    assert not (tmp_path / "more").exists()
    stream.goes_on()
    stream.end()
    assert processes.lives() == lives


def test_a_change_is_taken_back_if_who_receives_is_halted_and_nothing_is_lost(processes: World, tmp_path: Path) -> None:
    lives, before = processes.lives(), processes.supervisor.plan
    stream = Stream(processes, tmp_path)
    pid = halt(processes, "b")
    wait_for(lambda: under_way(processes) > 0)
    wanted = processes.with_other(("connect b.in", "connect c.in"))
    rolled_back = Changer(processes.supervisor, HASTY).begin(processes.plan(wanted)).result()
    assert rolled_back is not None
    assert re.fullmatch(r"[\d,]+ messages are under way from a.out to b.in", rolled_back.why)
    assert rolled_back.left == ()
    assert processes.supervisor.plan == before
    os.kill(pid, signal.SIGCONT)
    processes.change(wanted)
    stream.goes_on()
    stream.end()
    assert processes.lives() == lives


def under_way(world: World) -> int:
    """How many messages there are between `a` and `b`."""
    seen = world.running.statistics()
    return seen["a"].backend.sent.messages - seen["b"].frontend.received.messages


def wait_for_restart(world: World, name: str) -> None:
    """Kill a device until it waits for its next restart."""
    for number, processes in ((1, Life.READY), (2, Life.ENDED)):
        pid = world.device(name).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda number=number: world.device(name).restarts == number)  # type: ignore[misc]  # the lambda
        life = Life.READY if number == 1 else Life.WAITING
        assert world.supervisor.wait_until(
            lambda machine, life=life, process=processes: (machine.life(name), machine.processes[name]) == (life, process),  # type: ignore[misc]  # the lambda
            PATIENCE,
        )


PATIENT = SLOW.replace(
    "connect z.in; run process }\ndevice z", "connect z.in; run process; restart on-failure backoff 1h..1h }\ndevice z"
)


@pytest.fixture
def waiting(worlds: list[World], tmp_path: Path) -> World:
    """Here `c` waits for an hour to be started again."""
    worlds.append(world := World(PATIENT, tmp_path, in_process=False))
    wait_for_restart(world, "c")
    return world


def test_a_change_elsewhere_goes_on_while_a_device_waits_for_its_restart(waiting: World, tmp_path: Path) -> None:
    stream = Stream(waiting, tmp_path)
    waiting.replace(("bind ipc://./a;", "bind ipc://./a, ipc://./more;"))
    assert waiting.device("c").life == "waiting"
    stream.end()


AGAIN = (
    ("c: streamer", "c: proxy"),
    ("connect z.in; run process; restart", "connect z.in, ipc://./y; run process; restart"),
    ("1h..1h", "2h..2h"),
)


@pytest.mark.parametrize("words", AGAIN)
def test_a_device_that_waits_for_its_restart_starts_at_once_when_it_is_changed(
    waiting: World, tmp_path: Path, words: tuple[str, str]
) -> None:
    plan = waiting.replace(words)
    (change,) = plan.changes
    assert (change.name, change.effect, change.losses) == ("c", "live", ())
    if words[0] != "c: streamer":
        assert change.reasons == ("it has failed, and would be started again later",)
    assert waiting.device("c").life == "ready"
    if "y" not in words[1]:
        waiting.replace(("connect b.in", "connect c.in"))
    stream = Stream(waiting, tmp_path)
    stream.end()


def test_a_device_that_waits_for_its_restart_is_removed(waiting: World, tmp_path: Path) -> None:
    waiting.replace((next(line for line in waiting.text.splitlines() if line.startswith("device c")), ""))
    assert [(d.name, d.life) for d in waiting.running.status().devices] == [(name, "ready") for name in "abz"]
    stream = Stream(waiting, tmp_path)
    stream.end()


def test_who_sends_to_a_device_that_waits_for_its_restart_is_led_elsewhere(worlds: list[World], tmp_path: Path) -> None:
    worlds.append(
        world := World(
            PATIENT.replace("device b", "device d").replace("device c", "device b").replace("device d", "device c"),
            tmp_path,
            in_process=False,
        )
    )
    source, sink = world.socket(zmq.PUSH, to=f"ipc://{tmp_path}/a"), world.socket(zmq.PULL, to=f"ipc://{tmp_path}/z")
    wait_for_restart(world, "b")
    source.send(b"lost")
    wait_for(lambda: world.running.statistics()["a"].backend.sent.messages == 1)
    plan = world.replace(("connect b.in", "connect c.in"))
    (change,) = plan.changes
    assert (change.name, change.effect, [loss.most for loss in change.losses]) == ("a", "may drop", [1000])
    source.send(b"found")
    assert sink.recv() == b"found"


NEVER = SLOW.replace("connect z.in; run process }\ndevice z", "connect z.in; run process; restart never }\ndevice z")


def test_a_device_that_gives_up_in_the_middle_of_a_change_ends_all_of_it(worlds: list[World], tmp_path: Path) -> None:
    worlds.append(world := World(NEVER, tmp_path, in_process=False))
    pid = world.device("c").pid
    assert pid is not None

    def kill(told: Told) -> None:
        if isinstance(told, ChangeStep) and told.number == 2:
            os.kill(pid, signal.SIGKILL)

    world.supervisor.subscribe(kill)
    change = world.changer.begin(world.plan(world.with_other(("connect b.in", "connect c.in"))))
    with suppress(RuntimeError):  # it may be over before the topology is
        change.result()
    with pytest.raises(RunError, match="the process of `c` was killed"):
        world.running.wait(PATIENCE)
