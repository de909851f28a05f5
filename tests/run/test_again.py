"""Starting devices again on purpose, with real processes and real sockets. That nothing is lost is shown by `tests/soak`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import zmq

from tests.run.conftest import Up, World
from tests.run.test_recovery import arrives, peer
from tests.run.test_up import SLEEPER, app
from topo.run.again import NotAgain, paused
from topo.run.events import Command

Ends = Callable[[Up, int], None]

RELAY = """
device relay: streamer {{
    run {placement}
    in  PULL bind tcp://127.0.0.1:*
    out PUSH bind ipc://out
}}
"""


@pytest.mark.parametrize("placement", ["thread", "process"])
def test_a_device_starts_again_at_the_address_that_it_had(world: World, ends_well: Ends, placement: str) -> None:
    world.topology(RELAY.format(placement=placement))
    up = world.up("t.ztopo")
    address = up.wait_for(r"^ +in +(tcp://\S+)$")[1]
    up.wait_for("^t is ready")
    with peer(zmq.PUSH, address) as source, peer(zmq.PULL, f"ipc://{world.folder}/out") as sink:
        source.send(b"before")
        assert sink.recv() == b"before"
        done = world.run("restart", "relay")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "started again: relay\n")
        assert arrives(source, sink, b"after")  # who has not noticed yet that the connection was lost sends into it
    up.interrupt()
    ends_well(up, 0)


def test_what_may_be_lost_is_said(world: World, ends_well: Ends) -> None:
    world.topology(RELAY.format(placement="thread"))
    up = world.up("t.ztopo", "--timeout", "0")
    address = up.wait_for(r"^ +in +(tcp://\S+)$")[1]
    up.wait_for("^t is ready")
    with zmq.Context() as context, context.socket(zmq.PUSH) as source:
        source.linger = 0
        source.connect(address)
        source.send(b"nobody takes this")
        world.wait_for_state(lambda relay: relay.statistics is not None and relay.statistics.waiting == ("backend",))
        done = world.run("restart", "relay")
    assert done.returncode == 0
    assert done.stderr == "relay loses at most 1,000 messages that may wait in its sockets\nstarted again: relay\n"
    up.interrupt()
    ends_well(up, 0)


def test_only_a_device_that_runs_is_started_again(world: World, ends_well: Ends) -> None:
    world.topology(RELAY.format(placement="process") + app("sink", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for("^t is ready")
    done = world.run("restart", "relay", "delay")
    assert (done.returncode, done.stderr) == (2, "error: there is no device `delay` in t; did you mean `relay`?\n")
    done = world.run("restart", "sink")
    assert (done.returncode, done.stderr) == (2, "error: sink is an app: only devices are started again\n")
    up.interrupt()
    ends_well(up, 0)


def test_the_name_of_replicas_is_all_of_them(world: World, ends_well: Ends) -> None:
    world.topology("device relay[2]: streamer {\n    in PULL bind ipc://*\n    out PUSH bind ipc://*\n}\n")
    up = world.up("t.ztopo")
    up.wait_for("^t is ready")
    done = world.run("restart", "relay", "relay[1]")
    assert (done.returncode, done.stderr) == (0, "started again: relay[0], relay[1]\n")
    assert world.run("restart", "-t", "other", "relay").returncode == 3
    up.interrupt()
    ends_well(up, 0)


class Unanswered:
    """A supervisor of whose devices the first does not answer."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.joined = self

    def call(self, question: object) -> tuple[list[str], list[str], list[str]]:
        return ["stopped", "other"], ["app"], []

    def command(self, device: str, what: Command, timeout: float) -> None:
        self.told.append((device, type(what).__name__))
        if device == "stopped":
            raise TimeoutError

    def want(self, app: str, do: str) -> None:
        self.told.append((app, do))


def test_everybody_goes_on_if_one_does_not_pause() -> None:
    supervisor: Any = Unanswered()
    with pytest.raises(NotAgain, match="stopped did not pause: it does not answer"), paused(supervisor, (), 1.0):
        raise AssertionError("nobody is paused")
    assert supervisor.told[-3:] == [("app", "resume"), ("stopped", "Resume"), ("other", "Resume")]


def test_what_a_killed_device_may_have_lost_is_said(world: World, ends_well: Ends) -> None:
    world.topology(RELAY.format(placement="process"))
    up = world.up("t.ztopo")
    up.wait_for("^t is ready")
    world.kill("relay")
    up.wait_for("^relay +loses +at most 2,000 messages that may wait in its sockets$")
    up.wait_for("^relay +ready")
    up.interrupt()
    ends_well(up, 0)
