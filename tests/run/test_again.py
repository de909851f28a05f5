"""Starting devices again on purpose, with real processes and real sockets. That nothing is lost is shown by `tests/soak`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import zmq

from tests.run.conftest import Up, World
from tests.run.test_recovery import arrives, peer

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
    world.topology(RELAY.format(placement="process"))
    up = world.up("t.ztopo")
    up.wait_for("^t is ready")
    done = world.run("restart", "relay", "delay")
    assert (done.returncode, done.stderr) == (1, "there is no device delay\n")
    up.interrupt()
    ends_well(up, 0)


def test_what_a_killed_device_may_have_lost_is_said(world: World, ends_well: Ends) -> None:
    world.topology(RELAY.format(placement="process"))
    up = world.up("t.ztopo")
    up.wait_for("^t is ready")
    world.kill("relay")
    up.wait_for("^relay +loses +at most 2,000 messages that may wait in its sockets$")
    up.wait_for("^relay +ready")
    up.interrupt()
    ends_well(up, 0)
