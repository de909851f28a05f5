"""A running topology is changed by small things that can be waited for: in its devices' own threads, from any other."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from tests.processes import PATIENCE
from topo.compile import compile, make_plan
from topo.plan import BindPlan, Place, Plan, ProcessPlan, SocketPlan
from topo.run.events import (
    Attach,
    BindTo,
    CommandError,
    ConnectTo,
    Detach,
    DisconnectFrom,
    Drain,
    Pause,
    Ready,
    Resume,
    SetOption,
    StopAsked,
    Stopped,
    Told,
    UnbindFrom,
)
from topo.run.lives import Life
from topo.run.supervisor import Supervisor
from topo.source import Source

RELAY = """ztopo 1
device relay: streamer {{
    run {placement}
    in PULL bind tcp://127.0.0.1:*
    out PUSH bind tcp://127.0.0.1:*
}}
device other: streamer {{
    run {placement}
    in PULL bind tcp://127.0.0.1:*
    out PUSH bind tcp://127.0.0.1:*
}}
"""
PLACE = Place("<test>", 1, 0, 1)
TIMEOUT = PATIENCE * 1000


class Topology:
    """A supervisor that runs in a thread of its own."""

    def __init__(self, plan: Plan, context: zmq.Context[zmq.Socket[bytes]] | None) -> None:
        self.supervisor = Supervisor(plan, context=context)
        self.told: list[Told] = []
        self.supervisor.subscribe(self.told.append)
        self.thread = threading.Thread(target=self.supervisor.run)
        self.thread.start()
        assert self.supervisor.wait_until(lambda machine: machine.phase == "running", PATIENCE)

    def address(self, socket: str) -> str:
        (address,) = self.supervisor.call(lambda loop: loop.machine.addresses[socket])
        return address

    def close(self) -> None:
        self.supervisor.post(StopAsked("the test is over"))
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as context:
        yield context
        context.destroy(0)


Start = Callable[[str], Topology]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Topology] = []
    theirs: list[zmq.Context[zmq.Socket[bytes]]] = []

    def begin(placement: str) -> Topology:
        plan = plan_of(RELAY.format(placement=placement))
        theirs.append(zmq.Context())
        running.append(Topology(plan, theirs[-1] if placement == "thread" else None))
        return running[-1]

    yield begin
    for topology in running:
        topology.close()
    for context in theirs:
        context.term()


def plan_of(text: str) -> Plan:
    compilation = compile(Source(text))
    assert compilation.valid, compilation.diagnostics
    return make_plan(compilation)


@pytest.fixture(params=("thread", "process"))
def running(request: pytest.FixtureRequest, start: Start) -> Topology:
    return start(request.param)


def flows(context: zmq.Context[zmq.Socket[bytes]], into: str, out: str) -> bool:
    """Whether messages go through. The first may go to somebody who has just left; of an earlier time some may be left."""
    message = [b"message", os.urandom(8)]
    with context.socket(zmq.PUSH) as push, context.socket(zmq.PULL) as pull:
        push.connect(into)
        pull.connect(out)
        for _ in range(int(TIMEOUT) // 10):
            push.send_multipart(message)
            if pull.poll(10) and pull.recv_multipart() == message:
                return True
        return False


def test_a_paused_device_passes_nothing_on_until_it_goes_on(running: Topology, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    supervisor = running.supervisor
    supervisor.command("relay", Pause())
    with context.socket(zmq.PUSH) as push, context.socket(zmq.PULL) as pull:
        pull.connect(running.address("relay.out"))
        push.connect(running.address("relay.in"))
        push.send(b"message")
        (relay, _) = supervisor.snapshot().devices
        assert relay.statistics is not None
        assert relay.statistics.state in ("stopped", "paused")  # it is outside of its loop for a moment
        assert relay.statistics.frontend.received.messages == 0
        supervisor.command("relay", Resume())
        assert pull.poll(TIMEOUT)


def test_what_a_socket_sends_is_paused_alone(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    both = plan_of(RELAY.format(placement="process").replace("PULL", "DEALER").replace("PUSH", "DEALER"))
    running = Topology(both, None)
    try:
        with context.socket(zmq.DEALER) as near, context.socket(zmq.DEALER) as far:
            near.connect(running.address("relay.in"))
            far.connect(running.address("relay.out"))
            running.supervisor.command("relay", Pause("relay.out"))
            near.send(b"waits")
            far.send(b"goes on")
            assert near.recv() == b"goes on"
            assert not far.poll(0)
            running.supervisor.command("relay", Resume("relay.out"))
            assert far.recv() == b"waits"
    finally:
        running.close()


def test_a_socket_binds_one_address_more_and_gives_it_up(running: Topology, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    more = running.supervisor.command("relay", BindTo("relay.in", "tcp://127.0.0.1:*")).address
    assert more != running.address("relay.in")
    assert flows(context, more, running.address("relay.out"))
    running.supervisor.command("relay", UnbindFrom("relay.in", more))
    with context.socket(zmq.PULL) as other:
        other.bind(more)
    assert flows(context, running.address("relay.in"), running.address("relay.out"))


def test_it_binds_and_gives_up_again_and_again(
    running: Topology, context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    """What told of the first end must not be waited for at the second."""
    for endpoint in ("tcp://127.0.0.1:*", f"ipc://{tmp_path}/more", "tcp://127.0.0.1:*", f"ipc://{tmp_path}/more"):
        more = running.supervisor.command("relay", BindTo("relay.in", endpoint)).address
        assert flows(context, more, running.address("relay.out"))
        running.supervisor.command("relay", UnbindFrom("relay.in", more))
    assert flows(context, running.address("relay.in"), running.address("relay.out"))


def test_a_socket_connects_and_disconnects(running: Topology, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    target = running.address("other.in")
    running.supervisor.command("relay", ConnectTo("relay.out", target))
    assert flows(context, running.address("relay.in"), running.address("other.out"))
    running.supervisor.command("relay", DisconnectFrom("relay.out", target))
    with pytest.raises(CommandError, match="No such") as refused:
        running.supervisor.command("relay", DisconnectFrom("relay.out", target))
    assert refused.value.errno == errno.ENOENT


def test_an_option_is_set_while_the_socket_lives(running: Topology) -> None:
    running.supervisor.command("relay", SetOption("relay.out", zmq.LINGER, 5))
    with pytest.raises(CommandError) as refused:
        running.supervisor.command("relay", SetOption("relay.out", zmq.SUBSCRIBE, b""))
    assert refused.value.errno == zmq.EINVAL


def test_a_monitor_comes_and_goes(running: Topology, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    monitor = SocketPlan("relay.monitor", "PUB", (), (BindPlan("tcp://127.0.0.1:*", PLACE),), (), PLACE)
    address = running.supervisor.command("relay", Attach(monitor)).address
    with pytest.raises(CommandError, match="relay has a monitor"):
        running.supervisor.command("relay", Attach(monitor))
    with context.socket(zmq.XSUB) as seen:
        seen.connect(address)
        seen.send(b"\x01")
        while not seen.poll(10):
            assert flows(context, running.address("relay.in"), running.address("relay.out"))
        assert seen.recv_multipart()[:2] == [b"in", b"message"]
    running.supervisor.command("relay", Detach())
    with pytest.raises(CommandError, match="relay has no monitor"):
        running.supervisor.command("relay", Detach())
    assert flows(context, running.address("relay.in"), running.address("relay.out"))


def test_what_cannot_be_done_is_said_and_changes_nothing(running: Topology, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    taken = running.address("other.in")
    with pytest.raises(CommandError, match="in use") as refused:
        running.supervisor.command("relay", BindTo("relay.in", taken))
    assert refused.value.errno == zmq.EADDRINUSE
    with pytest.raises(CommandError, match=r"relay has no socket 'relay\.nowhere'"):
        running.supervisor.command("relay", BindTo("relay.nowhere", "tcp://127.0.0.1:*"))
    with pytest.raises(CommandError, match="nobody does not run"):
        running.supervisor.command("nobody", Pause())
    assert flows(context, running.address("relay.in"), running.address("relay.out"))


def test_a_device_ends_and_starts_where_it_was_while_the_rest_goes_on(
    running: Topology, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    supervisor = running.supervisor
    before = supervisor.snapshot()
    assert supervisor.end(["relay"], timeout=PATIENCE)
    with pytest.raises(CommandError, match="does not run"):
        supervisor.command("relay", Pause())
    assert supervisor.start(["relay"], timeout=PATIENCE)
    after = supervisor.snapshot()
    assert [s.bound for d in before.devices for s in d.sockets] == [s.bound for d in after.devices for s in d.sockets]
    assert before.devices[1].thread == after.devices[1].thread
    assert after.serial != before.serial
    assert flows(context, running.address("relay.in"), running.address("relay.out"))


def test_a_drained_device_ends_when_nothing_comes_any_more(running: Topology, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with context.socket(zmq.PUSH) as push, context.socket(zmq.PULL) as pull:
        pull.connect(running.address("relay.out"))
        push.connect(running.address("relay.in"))
        for _ in range(1000):
            push.send(b"message")
        assert running.supervisor.end(["relay"], Drain(received=(1000, 0)), timeout=PATIENCE)
        for _ in range(1000):
            assert pull.poll(TIMEOUT)
            pull.recv()
    ended = [event for event in running.told if isinstance(event, Stopped)]
    assert [(event.device, event.reason) for event in ended] == [("relay", "drained")]


def test_a_plan_brings_devices_and_takes_them_away(running: Topology, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    supervisor = running.supervisor
    plan = supervisor.plan
    placement = "thread" if plan.hosted else "process"
    third = plan_of(RELAY.format(placement=placement).replace("device other", "device third"))
    wanted = msgspec.structs.replace(third, name=plan.name)
    assert supervisor.end(["other"], timeout=PATIENCE)
    supervisor.adopt(wanted)
    assert supervisor.start(["third"], timeout=PATIENCE)
    assert [d.name for d in supervisor.snapshot().devices] == ["relay", "third"]
    assert [e.device for e in running.told if isinstance(e, Ready)].count("relay") == 1
    assert flows(context, running.address("third.in"), running.address("third.out"))


def test_a_process_that_is_not_wanted_any_more_ends(start: Start) -> None:
    running = start("process")
    supervisor = running.supervisor
    assert supervisor.end(["other"], timeout=PATIENCE)
    supervisor.adopt(msgspec.structs.replace(supervisor.plan, processes=supervisor.plan.processes[:1], stages=(("relay",),)))
    assert supervisor.wait_until(lambda machine: "other" not in machine.processes, PATIENCE)


def test_a_listener_may_ask_and_nobody_waits_beyond_the_end(start: Start) -> None:
    running = start("thread")
    supervisor = running.supervisor
    asked: list[int] = []
    supervisor.subscribe(lambda _: asked.append(len(supervisor.snapshot().devices)))
    supervisor.end(["relay"], timeout=PATIENCE)
    assert set(asked) == {2}
    errors: list[str] = []

    def wait() -> None:
        try:
            supervisor.wait_until(lambda _: False)
        except RuntimeError as error:
            errors.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    running.close()
    waiting.join(PATIENCE)
    assert errors == [f"{supervisor.plan.name} has ended"]
    with pytest.raises(RuntimeError, match="has ended"):
        supervisor.snapshot()


def test_what_takes_too_long_is_not_waited_for(start: Start) -> None:
    running = start("thread")
    assert not running.supervisor.wait_until(lambda machine: machine.life("relay") == Life.ENDED, 0.01)
    assert not running.supervisor.end(["relay"], Drain(received=(1, 0)), 0.01)
    assert running.supervisor.end(["relay"], timeout=PATIENCE)


def test_a_new_process_is_planned_like_any_other(start: Start) -> None:
    """A thread host of a worker takes a device that it did not begin with."""
    running = start("process")
    supervisor = running.supervisor
    hosted = plan_of(RELAY.format(placement="thread").replace("relay", "first").replace("other", "second")).hosted
    assert hosted is not None
    one = ProcessPlan(hosted.name, hosted.devices[:1])
    supervisor.adopt(msgspec.structs.replace(supervisor.plan, hosted=one))
    assert supervisor.start(["first"], timeout=PATIENCE)
    supervisor.adopt(msgspec.structs.replace(supervisor.plan, hosted=hosted))
    assert supervisor.start(["second"], timeout=PATIENCE)
    first, second, *_ = supervisor.snapshot().devices
    assert first.pid == second.pid
