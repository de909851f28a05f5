"""`topo.socket`: apps whose messages are counted, with real processes."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import topo
from tests.run.conftest import Up, World
from topo.run.feed import Feed
from topo.run.joined import Declared, Joined, Wanted
from topo.run.tally import SIZE, Tally

Ends = Callable[[Up, int], None]

SOURCE = """
import itertools, signal, threading, topo, zmq
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends where it sends, and has then said of each message that it was sent
socket = topo.socket()
print("begins")
try:
    for number in itertools.count():
        socket.send_multipart([b"%d" % number, b"half of it"])
        print("sent", number)
        threading.Event().wait(0.001)
except zmq.ContextTerminated:
    pass
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


DECLARED = Declared("x", "PUSH", (), (), ())


def heed(told: Declared, number: int) -> None:
    """Let the app have done what it was told by that number."""
    with open(told.memory, "r+b") as file:
        Tally(mmap.mmap(file.fileno(), SIZE)).heeded = number


def test_an_app_is_paused_once_it_has_heeded_just_that_wish(tmp_path: Path) -> None:
    joined = Joined()
    with closing_feed() as feed, joined.joining("x", DECLARED, tmp_path, feed) as told:
        joined.want("x", "pause")
        assert not joined.is_paused("x")
        heed(told, 1)
        assert joined.is_paused("x")
        joined.want("x", "resume")
        assert not joined.is_paused("x")
        joined.want("x", "pause")
        assert not joined.is_paused("x")  # it has not even heard that it may send again
        heed(told, 3)
        assert joined.is_paused("x")
    assert list(tmp_path.iterdir()) == []


def test_who_joins_while_its_app_is_paused_is_told_so(tmp_path: Path) -> None:
    joined = Joined()
    joined.want("x", "pause")
    with closing_feed() as feed, joined.joining("x", DECLARED, tmp_path, feed) as told:
        assert not joined.is_paused("x")
        heed(told, 1)
        assert joined.is_paused("x")


@contextmanager
def closing_feed() -> Iterator[Feed[Wanted]]:
    feed: Feed[Wanted] = Feed()
    try:
        yield feed
    finally:
        feed.discard()


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
