"""`topo.socket`: apps whose messages are counted, with real processes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import topo
from tests.run.conftest import Up, World

Ends = Callable[[Up, int], None]

SOURCE = """
import itertools, threading, topo
socket = topo.socket()
print("begins")
for number in itertools.count():
    socket.send_multipart([b"%d" % number, b"half of it"])
    print("sent", number)
    threading.Event().wait(0.001)
"""

SINK = """
import topo
socket = topo.socket("sink")
while True:
    number, _ = socket.recv_multipart()
    print("got", number.decode())
"""

PIPELINE = """
device relay: streamer {{
    run {placement}
    in  PULL bind tcp://127.0.0.1:* {{ rcvhwm 10 }}
    out PUSH bind ipc://relay.out
}}
app source: PUSH connect relay.in {{ run "python source.py" }}
app sink: PULL connect relay.out {{ rcvhwm 10; run "python sink.py" }}
"""


def last(up: Up, name: str, said: str) -> int:
    """The last number that an app has said this of."""
    return max(int(number) for number in re.findall(rf"^{name} +\| {said} (\d+)$", up.text, re.M))


@pytest.mark.parametrize("placement", ["thread", "process"])
def test_nothing_is_lost_between_apps_that_count_when_it_stops(world: World, ends_well: Ends, placement: str) -> None:
    world.write("source.py", SOURCE)
    world.write("sink.py", SINK)
    world.topology(PIPELINE.format(placement=placement))
    up = world.up("t.ztopo", "--timeout", "30")
    up.wait_for(r"^sink +\| got 100$")
    up.interrupt()
    ends_well(up, 0)
    assert last(up, "sink", "got") == last(up, "source", "sent")
    assert re.findall(r"^sink +\| got (\d+)$", up.text, re.M) == [str(n) for n in range(last(up, "sink", "got") + 1)]


def test_a_program_that_nobody_runs_is_told_so() -> None:
    with pytest.raises(RuntimeError, match="was not started by ztopo"):
        topo.socket("x")


def test_a_program_whose_topology_has_gone_is_told_so(tmp_path: Path) -> None:
    from topo import joined

    with pytest.raises(joined.NotJoined, match="the topology that runs x does not answer"):
        joined.socket(environment={"ZTOPO": f"x@{tmp_path}"})


def test_a_socket_that_is_not_declared_is_an_error(world: World, ends_well: Ends) -> None:
    world.write("source.py", "import topo\ntopo.socket('sauce')\n")
    world.topology('app source {\nrun "python source.py"\nsocket out: PUB bind ipc://a\nsocket more: PUB bind ipc://b\n}')
    up = world.up("t.ztopo")
    up.wait_for("NotJoined: source has no socket 'sauce'; it has source.out, source.more$")
    ends_well(up, 1)


def test_a_socket_is_made_as_it_is_declared(world: World, ends_well: Ends) -> None:
    world.write(
        "app.py",
        "import topo, zmq\n"
        "one = topo.socket('one')\n"
        "print(one.type == zmq.DEALER, one.routing_id, one.sndhwm, one.last_endpoint.decode().rpartition('/')[2])\n"
        "try:\n    topo.socket()\nexcept RuntimeError as error:\n    print(error)\n",
    )
    world.topology(
        'app it {\nrun "python app.py"\n'
        'socket one: DEALER bind ipc://one { routing_id "me"; sndhwm 7 }\nsocket other: PULL bind ipc://b\n}'
    )
    up = world.up("t.ztopo")
    up.wait_for(r"True b'me' 7 one$")
    up.wait_for("it has it.one, it.other: say which socket is meant$")
    ends_well(up, 0)
