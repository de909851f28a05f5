"""How a topology stops: what is passed on before the end, and what is said of the rest. With real processes and real sockets."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from tests.processes import PATIENCE, wait_until
from tests.run.conftest import Up, World
from tests.run.test_running import plan_of
from topo.run.events import Told, Undrained
from topo.run.machine import Limits
from topo.run.running import start

Ends = Callable[[Up, int], None]

SOURCE = """
import os, signal, sys, zmq
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with zmq.Context() as context, context.socket(zmq.PUSH) as socket:  # the end of which waits until all is sent
    socket.connect(os.environ["ZTOPO_SOURCE"])
    for number in range(100):
        socket.send_multipart([b"%d" % number, bytes(65536)])
    print("sent everything")
    signal.pause()
"""

SINK = """
import os, zmq
socket = zmq.Context.instance().socket(zmq.PULL)
socket.rcvhwm = 1
socket.connect(os.environ["ZTOPO_SINK"])
print("waits")
open("go").readline()
while True:
    print("got", socket.recv_multipart()[0].decode())
"""

CHAIN = """
device first: streamer {{
    run {placement}
    in  PULL bind ipc://first.in {{ hwm 5 }}
    out PUSH bind ipc://first.out {{ hwm 5 }}
}}
device second: streamer {{
    run {placement}
    in  PULL connect first.out {{ hwm 5 }}
    out PUSH bind ipc://second.out {{ hwm 5 }}
}}
app source: PUSH connect first.in {{ run "python source.py" }}
app sink: PULL connect second.out {{ run "python sink.py" }}
"""

OPEN = """
device relay: streamer {
    in  PULL bind ipc://in
    out PUSH bind ipc://out
}
"""


def chain(world: World, placement: str) -> None:
    world.write("source.py", SOURCE)
    world.write("sink.py", SINK)
    world.topology(CHAIN.format(placement=placement))


@contextmanager
def flood(folder: Path) -> Iterator[None]:
    """Somebody else who never stops sending, and somebody who takes it, while the block lasts."""
    over = threading.Event()

    def send() -> None:
        with context.socket(zmq.PUSH) as socket:
            socket.linger = 0
            socket.sndtimeo = 10
            socket.connect(f"ipc://{folder}/in")
            while not over.is_set():
                try:
                    socket.send(b"more")
                except zmq.Again:
                    continue

    def take() -> None:
        with context.socket(zmq.PULL) as socket:
            socket.rcvtimeo = 10
            socket.connect(f"ipc://{folder}/out")
            while not over.is_set():
                try:
                    socket.recv()
                except zmq.Again:
                    continue

    with zmq.Context() as context:
        threads = [threading.Thread(target=target) for target in (send, take)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("placement", ["thread", "process"])
def test_what_was_sent_before_the_wish_to_stop_arrives(world: World, ends_well: Ends, placement: str) -> None:
    go = world.fifo("go")
    chain(world, placement)
    up = world.up("t.ztopo", "--timeout", "30")
    up.wait_for_all("source +. sent everything", "sink +. waits")
    up.interrupt()
    up.wait_for("^stopping: SIGINT$")
    go.write("go")
    for number in range(100):
        up.wait_for(rf"^sink +\| got {number}$")
    ends_well(up, 0)
    assert "loses" not in up.text


@pytest.mark.parametrize(("timeout", "said"), [("0.2", True), ("0", False)])
def test_who_cannot_pass_on_what_it_has_is_ended_in_time_and_that_is_said(
    world: World, ends_well: Ends, timeout: str, said: bool
) -> None:
    world.topology(OPEN)
    up = world.up("t.ztopo", "--timeout", timeout)
    up.wait_for("^t is ready")
    with zmq.Context() as context, context.socket(zmq.PUSH) as source:
        source.linger = 0
        source.connect(f"ipc://{world.folder}/in")
        source.send(b"one")
        world.wait_for_state(lambda relay: relay.statistics is not None and relay.statistics.waiting == ("backend",))
        up.interrupt()
        ends_well(up, 0)
    assert bool(re.search("^relay +loses +at most 1,000 messages that may wait in its sockets$", up.text, re.M)) == said


def test_one_who_floods_it_does_not_hold_up_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it seem to be quiet, if a busy machine keeps the flood waiting: here it never is."""
    monkeypatch.chdir(tmp_path)
    told: list[Told] = []
    limits = Limits(silence=10 * PATIENCE, drain=PATIENCE)
    running = start(plan_of(OPEN), in_process=False, on_event=told.append, limits=limits)
    with running, flood(tmp_path):
        wait_until(lambda: running.statistics()["relay"].backend.sent.messages > 1000, "a flood")
        assert running.stop(PATIENCE)
    (undrained,) = (event for event in told if isinstance(event, Undrained))
    assert (undrained.name, undrained.at_most) == ("relay", 1000)


def test_a_second_signal_ends_what_drains(world: World, ends_well: Ends) -> None:
    world.fifo("go")
    chain(world, "process")
    up = world.up("t.ztopo", "--timeout", "30")
    up.wait_for_all("source +. sent everything", "sink +. waits")
    up.interrupt()
    up.wait_for("^still busy: source")
    up.interrupt()
    up.wait_for("^killing everything: SIGINT$")
    ends_well(up, 130)
