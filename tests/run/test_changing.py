"""Changing what runs, with real devices and sockets: all of a change or nothing, and nobody else notices."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

import topo
from tests.processes import PATIENCE, wait_until
from tests.run.test_running import plan_of
from topo.change import plan_change
from topo.run.changing import Moved
from topo.run.events import Changed, ChangeStep, Changing, Exited, Gone, RolledBack, Told
from topo.run.lives import Life
from topo.run.machine import Machine
from topo.run.running import Running, start
from topo.run.sight import Sight
from topo.run.snapshot import DeviceSnapshot
from topo.steps import ChangePlan

PIPELINE = """
device a: streamer {{ in PULL bind ipc://{folder}/a;         out PUSH connect b.in{where} }}
device b: streamer {{ in PULL bind tcp://127.0.0.1:*;        out PUSH connect z.in{where} }}
device c: streamer {{ in PULL bind tcp://127.0.0.1:*;        out PUSH connect z.in{where} }}
device z: streamer {{ in PULL bind tcp://127.0.0.1:*;        out PUSH bind ipc://{folder}/z{where} }}
"""
"""Everything that comes to `a` leaves at `z`, through `b` or `c`."""


FORK = """
device a: streamer {{ in PULL bind ipc://{folder}/a; out PUSH connect b.in{where} }}
device b: streamer {{ in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://{folder}/b{where} }}
device c: streamer {{ in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://{folder}/c{where} }}
"""
SPREAD = """
device a: streamer {{ in PULL bind ipc://{folder}/a; out PUSH bind tcp://127.0.0.1:*{where} }}
device v: streamer {{ in PULL connect a.out; out PUSH connect z.in{where} }}
device z: streamer {{ in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://{folder}/z{where} }}
"""


class World:
    """A topology that runs, and what its listeners were told."""

    def __init__(self, text: str, *, in_process: bool) -> None:
        self.told: list[Told] = []
        self.context: zmq.Context[Any] = zmq.Context()
        self.sockets: list[zmq.Socket[Any]] = []
        self.streams: list[Stream] = []
        self.running: Running = start(plan_of(text), in_process=in_process, context=self.context, on_event=self.told.append)
        self.supervisor = self.running._supervisor
        self.changer = self.supervisor.changer

    def plan(self, text: str) -> ChangePlan:
        return plan_change(self.supervisor.plan, self.supervisor.snapshot(), plan_of(text))

    def apply(self, text: str) -> RolledBack | None:
        return self.changer.begin(self.plan(text)).result()

    def change(self, text: str) -> ChangePlan:
        """Change to this, which works."""
        plan = self.plan(text)
        assert self.changer.begin(plan).result() is None, self.told
        assert self.supervisor.plan == plan.wanted
        assert self.plan(text).steps == ()
        return plan

    def device(self, name: str) -> DeviceSnapshot:
        return next(d for d in self.running.status().devices if d.name == name)

    def lives(self, *names: str) -> list[tuple[str, int | None, int | None]]:
        """Who they are: process and thread."""
        return [(d.name, d.pid, d.thread) for d in self.running.status().devices if not names or d.name in names]

    def counted(self, number: int, *names: str) -> dict[str, int]:
        """How many messages each of these devices has received, once they have counted so many together.

        A device counts at the end of each turn: what it has passed on in a turn may be elsewhere before.
        """

        def counts() -> dict[str, int]:
            statistics = self.running.statistics()
            return {name: statistics[name].frontend.received.messages for name in names}

        wait_until(lambda: sum(counts().values()) >= number, f"a count of {number}")
        return counts()

    def socket(self, type: int, **connect: str) -> zmq.Socket[Any]:
        made = self.context.socket(type)
        self.sockets.append(made)
        made.linger = 0
        made.rcvtimeo = made.sndtimeo = int(PATIENCE * 1000)
        for endpoint in connect.values():
            made.connect(endpoint)
        return made

    def close(self) -> None:
        for stream in self.streams:
            stream.stop()
        self.running.stop()
        for made in self.sockets:
            made.close(0)
        self.context.term()


@pytest.fixture
def worlds() -> Iterator[list[World]]:
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
def pipeline(worlds: list[World], tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> tuple[World, str]:
    monkeypatch.chdir(tmp_path)
    text = PIPELINE.format(folder=".", where=where)
    worlds.append(World(text, in_process=not where))
    return worlds[0], text


class Stream:
    """Numbered messages, sent without an end to `a`, and received from `z`, or wherever they may come out."""

    def __init__(self, world: World, folder: Path, *ends: str) -> None:
        self._source = world.socket(zmq.PUSH, to=f"ipc://{folder}/a")
        self._sinks = {world.socket(zmq.PULL, to=f"ipc://{folder}/{name}"): name for name in ends or ("z",)}
        self._stop, self._over = threading.Event(), threading.Event()
        self._progress = threading.Condition()
        self.sent = 0
        self.by_sink: dict[str, list[int]] = {name: [] for name in self._sinks.values()}
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]
        for thread in self._threads:
            thread.start()
        world.streams.append(self)
        self.goes_on()

    @property
    def received(self) -> list[int]:
        return [number for numbers in self.by_sink.values() for number in numbers]

    def _send(self) -> None:
        while not self._stop.is_set():
            self._source.send(str(self.sent).encode())
            self.sent += 1

    def _receive(self) -> None:
        poller = zmq.Poller()
        for sink in self._sinks:
            poller.register(sink, zmq.POLLIN)
        while not self._over.is_set():
            for sink, _ in poller.poll(10):
                with self._progress:
                    self.by_sink[self._sinks[sink]].append(int(sink.recv()))
                    self._progress.notify_all()

    def goes_on(self) -> None:
        """Wait until more has come through."""
        with self._progress:
            wanted = self._count() + 100
            assert self._progress.wait_for(lambda: self._count() >= wanted, PATIENCE), "nothing comes through"

    def _count(self) -> int:
        return sum(map(len, self.by_sink.values()))

    def stop(self) -> None:
        """Leave the sockets alone, whatever comes."""
        self._stop.set()
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def end(self) -> None:
        """Nothing is lost and nothing doubled. Who is on a faster way may overtake others."""
        self._stop.set()
        self._threads[0].join(PATIENCE)
        with self._progress:
            self._progress.wait_for(lambda: self._count() >= self.sent, PATIENCE)
        self.stop()
        assert sorted(self.received) == list(range(self.sent))


def test_a_stream_is_led_another_way_and_back_while_it_flows(pipeline: tuple[World, str], tmp_path: Path) -> None:
    world, there = pipeline
    before = world.lives()
    stream = Stream(world, tmp_path)
    for wanted in (there.replace("connect b.in", "connect c.in"), there) * 5:
        world.change(wanted)
        stream.goes_on()
    stream.end()
    assert world.lives() == before
    assert {c.name for c in world.running.status().devices if c.statistics and c.statistics.frontend.received.messages} == {
        *("a", "b", "c", "z")
    }


def test_whoever_is_on_one_way_gets_everything_in_order(worlds: list[World], tmp_path: Path, where: str) -> None:
    there = FORK.format(folder=tmp_path, where=where)
    world = World(there, in_process=not where)
    worlds.append(world)
    streams = Stream(world, tmp_path, "b", "c")
    for wanted in (there.replace("connect b", "connect c"), there) * 5:
        world.change(wanted)
        streams.goes_on()
    streams.end()
    assert all(received == sorted(received) for received in streams.by_sink.values())
    assert all(streams.by_sink.values())


def test_who_binds_and_sends_loses_nothing_when_a_receiver_goes(worlds: list[World], tmp_path: Path, where: str) -> None:
    there = SPREAD.format(folder=tmp_path, where=where)
    more = there + f"device w: streamer {{ in PULL connect a.out; out PUSH connect z.in{where} }}\n"
    world = World(there, in_process=not where)
    worlds.append(world)
    before = world.lives()
    stream = Stream(world, tmp_path)
    for wanted in (more, there) * 5:
        world.change(wanted)
        stream.goes_on()
    stream.end()
    assert world.lives() == before


def test_a_device_on_the_way_is_changed_and_nothing_is_lost(pipeline: tuple[World, str], tmp_path: Path) -> None:
    world, there = pipeline
    stream = Stream(world, tmp_path)
    others = world.lives("a", "c", "z")
    (old,) = world.lives("b")
    for wanted in (there.replace("b: streamer", "b: proxy"), there):
        plan = world.change(wanted)
        assert [(c.name, c.effect) for c in plan.changes] == [("b", "restart")]
        stream.goes_on()
        assert world.device("b").kind == ("proxy" if "proxy" in wanted else "streamer")
    stream.end()
    assert world.lives("b") != [old]
    assert world.lives("a", "c", "z") == others


def test_devices_come_and_go_while_the_rest_goes_on(pipeline: tuple[World, str], tmp_path: Path, where: str) -> None:
    world, there = pipeline
    stream = Stream(world, tmp_path)
    before = world.lives()
    more = there + f"device d: streamer {{ in PULL bind tcp://127.0.0.1:*; out PUSH connect z.in{where} }}\n"
    through_d = more.replace("connect b.in", "connect d.in")
    for wanted in (more, through_d, more, there):
        world.change(wanted)
        stream.goes_on()
    stream.end()
    assert world.lives() == before


def test_an_address_that_the_system_chose_stays(pipeline: tuple[World, str], where: str) -> None:
    world, there = pipeline
    chosen = world.device("b").sockets[0].bound
    world.change(there.replace("b: streamer", "b: proxy"))
    assert world.device("b").sockets[0].bound == chosen


def test_a_socket_binds_one_endpoint_more_and_one_less(pipeline: tuple[World, str], tmp_path: Path) -> None:
    world, there = pipeline
    before = world.lives()
    first = world.socket(zmq.PUSH, to=f"ipc://{tmp_path}/a")
    sink = world.socket(zmq.PULL, to=f"ipc://{tmp_path}/z")
    world.change(there.replace("bind ipc://./a", "bind ipc://./a, ipc://./more"))
    second = world.socket(zmq.PUSH, to=f"ipc://{tmp_path}/more")
    for sender, text in ((first, b"one"), (second, b"two")):
        sender.send(text)
        assert sink.recv() == text
    assert [Path(b).name for b in world.device("a").sockets[0].bound] == ["a", "more"]
    world.change(there.replace("bind ipc://./a", "bind ipc://./more"))
    assert not (tmp_path / "a").exists()
    second.send(b"three")
    assert sink.recv() == b"three"
    assert world.lives() == before


def test_an_option_is_set_alive(pipeline: tuple[World, str], tmp_path: Path) -> None:
    world, there = pipeline
    before = world.lives()
    plan = world.change(there.replace("out PUSH connect z.in", "out PUSH connect z.in { sndhwm 7 }"))
    assert {c.name: c.effect for c in plan.changes} == {"b": "live", "c": "live"}
    assert world.lives() == before
    stream = Stream(world, tmp_path)
    stream.end()


def test_a_monitor_comes_and_goes(pipeline: tuple[World, str], tmp_path: Path) -> None:
    world, there = pipeline
    before = world.lives()
    source, sink = world.socket(zmq.PUSH, to=f"ipc://{tmp_path}/a"), world.socket(zmq.PULL, to=f"ipc://{tmp_path}/z")
    world.change(there.replace("bind ipc://./a;", "bind ipc://./a; monitor PUSH bind ipc://./seen;"))
    seen = world.socket(zmq.PULL, to=f"ipc://{tmp_path}/seen")
    source.send(b"looked at")
    assert sink.recv() == b"looked at"
    assert seen.recv_multipart() == [b"in", b"looked at"]
    world.change(there)
    assert not (tmp_path / "seen").exists()
    source.send(b"unseen")
    assert sink.recv() == b"unseen"
    assert world.lives() == before


def test_who_is_connected_to_what_stays_sees_nothing(pipeline: tuple[World, str], tmp_path: Path) -> None:
    world, there = pipeline
    peer = world.socket(zmq.PUSH)
    events = peer.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CONNECT_RETRIED)
    peer.connect(f"ipc://{tmp_path}/a")
    assert recv_monitor_message(events)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED
    peer.send(b"x")
    assert world.socket(zmq.PULL, to=f"ipc://{tmp_path}/z").recv() == b"x"
    assert world.counted(1, "a") == {"a": 1}
    world.change(there.replace("connect b.in", "connect c.in").replace("b: streamer", "b: proxy"))
    assert world.counted(1, "a") == {"a": 1}
    assert not events.poll(0)
    peer.disable_monitor()
    events.close()


def test_a_step_that_fails_takes_everything_back(pipeline: tuple[World, str], tmp_path: Path, where: str) -> None:
    world, there = pipeline
    stream = Stream(world, tmp_path)
    before = world.lives()
    plan = world.supervisor.plan
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        wanted = there.replace("connect b.in", "connect c.in")
        wanted += f"device late: streamer {{ in PULL bind tcp://127.0.0.1:{port}; out PUSH connect c.in{where} }}\n"
        rolled_back = world.apply(wanted)
    assert rolled_back is not None
    assert rolled_back.left == ()
    assert "Address already in use" in rolled_back.why
    assert rolled_back.what == "start late"
    assert world.lives() == before
    assert world.supervisor.plan == plan
    stream.goes_on()
    stream.end()
    assert rolled_back in world.told


def test_what_was_done_alive_is_taken_back_too(pipeline: tuple[World, str], tmp_path: Path) -> None:
    world, there = pipeline
    before, plan = world.lives(), world.supervisor.plan
    status = [d.sockets for d in world.running.status().devices]
    (tmp_path / "file").write_text("in the way")
    wanted = there.replace("bind ipc://./a;", "bind ipc://./more { rcvhwm 5 };").replace("bind ipc://./z", "bind ipc://./file")
    rolled_back = world.apply(wanted)
    assert rolled_back is not None
    assert rolled_back.left == ()
    assert [d.sockets for d in world.running.status().devices] == status
    assert world.lives() == before
    assert world.supervisor.plan == plan
    stream = Stream(world, tmp_path)
    stream.end()


def test_a_change_is_told_step_by_step_with_its_places(pipeline: tuple[World, str]) -> None:
    world, there = pipeline
    plan = world.change(there.replace("connect b.in", "connect c.in"))
    told = [t for t in world.told if isinstance(t, Changing | ChangeStep | Changed)]
    assert isinstance(told[0], Changing)
    assert (told[0].what, told[0].steps) == ("1 changed", len(plan.steps))
    assert [t.number for t in told if isinstance(t, ChangeStep)] == list(range(1, len(plan.steps) + 1))
    assert {t.where for t in told if isinstance(t, ChangeStep)} == {"", "<text>:2"}
    assert told[-1] == Changed("1 changed")


def test_a_plan_is_refused_once_the_world_has_moved(pipeline: tuple[World, str]) -> None:
    world, there = pipeline
    first, second = there.replace("connect b.in", "connect c.in"), there.replace("b: streamer", "b: proxy")
    late = world.plan(second)
    world.change(first)
    with pytest.raises(Moved, match="the world has moved"):
        world.changer.begin(late).result()
    assert world.supervisor.plan == plan_change(world.supervisor.plan, world.supervisor.snapshot(), plan_of(first)).wanted


def test_the_end_of_a_process_that_nobody_wants_any_more_moves_nothing(tmp_path: Path) -> None:
    """Its device has ended when the change is over; it goes later, on a busy machine."""
    plan = plan_of(PIPELINE.format(folder=tmp_path, where="; run process"))
    sight = Sight(plan, Machine(plan))
    for event in (Exited("ended", 0), Gone("ended")):
        sight.note(event)
    assert sight.serial == 0
    for event in (Exited("a", 0), Gone("a")):
        sight.note(event)
    assert sight.serial == 2


def test_what_is_wanted_no_longer_is_taken_back(pipeline: tuple[World, str], tmp_path: Path) -> None:
    world, there = pipeline
    plan = world.plan(there.replace("connect b.in", "connect c.in"))
    wanted = world.supervisor.plan
    change = world.changer.begin(plan)
    change.withdraw()
    rolled_back = change.result()
    assert rolled_back is None or rolled_back.why == "it is no longer wanted"
    assert world.supervisor.plan == (plan.wanted if rolled_back is None else wanted)
    stream = Stream(world, tmp_path)
    stream.end()


def test_what_dies_after_a_change_starts_again_as_it_was_changed(
    worlds: list[World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there = PIPELINE.format(folder=".", where="; run process")
    world = World(there, in_process=False)
    worlds.append(world)
    world.change(there.replace("connect b.in", "connect c.in").replace("bind ipc://./a;", "bind ipc://./a, ipc://./more;"))
    before = world.device("a")
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    assert world.supervisor.wait_until(
        lambda machine: machine.restarts["a"].total == 1 and machine.life("a") == Life.READY, PATIENCE
    )
    after = world.device("a")
    assert after.pid != before.pid
    assert after.sockets == before.sockets
    sender, sink = world.socket(zmq.PUSH, to=f"ipc://{tmp_path}/more"), world.socket(zmq.PULL, to=f"ipc://{tmp_path}/z")
    sender.send(b"through c")
    assert sink.recv() == b"through c"
    assert world.counted(1, "b", "c") == {"b": 0, "c": 1}


def declared(text: str) -> topo.Topology:
    return topo.loads("ztopo 1\n" + text)


def test_a_program_plans_and_applies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    there = PIPELINE.format(folder=".", where="")
    led_away = there.replace("connect b.in", "connect c.in")
    context: zmq.Context[Any] = zmq.Context()
    try:
        with declared(there).up(context=context) as running:
            plan = running.plan(declared(led_away))
            assert [(c.name, c.action, c.effect) for c in plan.changes] == [("a", "changed", "drain")]
            running.apply(plan)
            assert running.plan(declared(led_away)).changes == ()
            with pytest.raises(topo.TopologyError, match="the world has moved"):
                running.apply(plan)
            running.apply(declared(there))
            with pytest.raises(topo.TopologyError, match="nobody"):
                running.apply(declared(there.replace("connect b.in", "connect nobody.in")))
            (tmp_path / "taken").write_text("in the way")
            with pytest.raises(topo.TopologyError, match="could not start late"):
                running.apply(declared(there + "device late: streamer { in PULL bind ipc://./taken; out PUSH connect z.in }"))
            assert running.plan(declared(there)).changes == ()
    finally:
        context.term()


def test_a_task_applies_and_may_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    there = PIPELINE.format(folder=".", where="")
    led_away = there.replace("connect b.in", "connect c.in")

    async def use() -> None:
        async with declared(there).up_async() as running:
            await running.aio.apply(declared(led_away))
            assert running.plan(declared(led_away)).changes == ()
            applying = asyncio.ensure_future(running.aio.apply(declared(there)))
            await asyncio.sleep(0)
            applying.cancel()
            with pytest.raises(asyncio.CancelledError):
                await applying
            assert len([text for text in (there, led_away) if running.plan(declared(text)).changes == ()]) == 1

    asyncio.run(use())


@pytest.mark.parametrize("number", range(1, 6))
def test_a_device_that_is_killed_in_the_middle_leaves_the_one_or_the_other(
    worlds: list[World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.chdir(tmp_path)
    there = PIPELINE.format(folder=".", where="; run process")
    world = World(there, in_process=False)
    worlds.append(world)
    before, pid = world.supervisor.plan, world.device("a").pid
    assert pid is not None

    def kill(told: Told) -> None:
        if isinstance(told, ChangeStep) and told.number == number:
            os.kill(pid, signal.SIGKILL)

    world.supervisor.subscribe(kill)
    plan = world.plan(there.replace("connect b.in", "connect c.in"))
    assert len(plan.steps) == 5
    rolled_back = world.changer.begin(plan).result()
    assert world.supervisor.wait_until(
        lambda machine: machine.restarts["a"].total == 1 and machine.life("a") == Life.READY, PATIENCE
    )
    assert world.supervisor.plan == (plan.wanted if rolled_back is None else before)
    assert rolled_back is None or rolled_back.left == ()
    sender, sink = world.socket(zmq.PUSH, to=f"ipc://{tmp_path}/a"), world.socket(zmq.PULL, to=f"ipc://{tmp_path}/z")
    for text in (b"one", b"two"):
        sender.send(text)
        assert sink.recv() == text
    assert world.counted(2, "b", "c") == ({"b": 0, "c": 2} if rolled_back is None else {"b": 2, "c": 0})


QUEUE = """
device q: queue {{ in ROUTER bind ipc://{folder}/q; out DEALER connect v.in{where} }}
device v: queue {{ in ROUTER bind tcp://127.0.0.1:*; out DEALER connect s.in{where} }}
device w: queue {{ in ROUTER bind tcp://127.0.0.1:*; out DEALER connect s.in{where} }}
device s: queue {{ in ROUTER bind tcp://127.0.0.1:*; out DEALER bind ipc://{folder}/s{where} }}
"""


def test_questions_are_led_another_way(worlds: list[World], tmp_path: Path, where: str) -> None:
    there = QUEUE.format(folder=tmp_path, where=where)
    world = World(there, in_process=not where)
    worlds.append(world)
    asking, answering = world.socket(zmq.DEALER, to=f"ipc://{tmp_path}/q"), world.socket(zmq.ROUTER, to=f"ipc://{tmp_path}/s")
    before = world.lives()
    for turn in range(6):
        world.change(there.replace("connect v.in", "connect w.in") if turn % 2 else there)
        for number in range(10):
            asking.send(str(number).encode())
            answering.send_multipart(answering.recv_multipart())
            assert asking.recv() == str(number).encode()
    assert world.lives() == before


def test_questions_under_way_are_led_another_way_and_no_answer_comes_twice(
    worlds: list[World], tmp_path: Path, where: str
) -> None:
    there = QUEUE.format(folder=tmp_path, where=where)
    world = World(there, in_process=not where)
    worlds.append(world)
    asking, answering = world.socket(zmq.DEALER, to=f"ipc://{tmp_path}/q"), world.socket(zmq.ROUTER, to=f"ipc://{tmp_path}/s")
    over = threading.Event()
    answers: list[int] = []

    def answer() -> None:
        while not over.is_set():
            if answering.poll(10):
                answering.send_multipart(answering.recv_multipart())

    def ask() -> None:
        asked = 0
        while not over.is_set():
            for number in range(asked, asked + 20):
                asking.send(str(number).encode())
            asked += 20
            while asking.poll(1):
                answers.append(int(asking.recv()))

    threads = [threading.Thread(target=answer), threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(10):
            plan = world.change(there.replace("connect v.in", "connect w.in") if turn % 2 == 0 else there)
            assert [c.effect for c in plan.changes] == ["may drop"]  # answers to those whom a ROUTER knew by their connections
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert len(set(answers)) == len(answers)


def test_an_app_that_is_changed_is_started_anew(worlds: list[World], tmp_path: Path) -> None:
    there = f"device a: streamer {{ in PULL bind ipc://{tmp_path}/a; out PUSH bind tcp://127.0.0.1:* }}\n"
    app = "app waits: PULL connect a.out {{ run \"sh -c 'echo {0} >> {folder}/said; exec sleep 1000'\" }}\n"
    world = World(there + app.format("one", folder=tmp_path), in_process=True)
    worlds.append(world)
    device = world.lives()
    (first,) = world.running.status().apps
    plan = world.change(there + app.format("two", folder=tmp_path))
    assert [(c.name, c.action) for c in plan.changes] == [("waits", "changed")]
    (second,) = world.running.status().apps
    assert second.pid != first.pid
    assert second.life == "ready"
    assert world.lives() == device
    world.change(there)
    assert world.running.status().apps == ()
