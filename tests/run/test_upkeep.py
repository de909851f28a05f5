"""What is removed under a topology that runs is made again, and nobody who is connected notices."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.processes import PATIENCE, wait_until
from tests.run.conftest import World as Files
from tests.run.test_changing import World
from topo.run.journal import Journal, Record
from topo.run.upkeep import Upkeep

RELAY = "device relay: streamer {{ in PULL bind ipc://*, ipc://*; out PUSH bind ipc://{folder}/out{where} }}\n"


@pytest.fixture(params=["thread", "process"])
def relay(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    where = "; run process" if request.param == "process" else ""
    world = World(RELAY.format(folder=tmp_path, where=where), in_process=not where)
    try:
        yield world
    finally:
        world.close()


class Looked:
    """One who looks after a world when the test wants it, and what that says."""

    def __init__(self, world: World) -> None:
        self.said: list[Record] = []
        journal = Journal(world.supervisor.plan)
        journal.subscribe(self.said.append)
        self.upkeep = Upkeep(world.supervisor, journal)

    def look(self) -> list[str]:
        """Look, wait until what follows is done, and return what is new."""
        before = len(self.said)
        self.upkeep.look()
        if self.upkeep._binding is not None:
            self.upkeep._binding.join(PATIENCE)
        return [record.event for record in self.said[before:]]


def test_files_of_sockets_that_were_removed_are_bound_again(relay: World, tmp_path: Path) -> None:
    lives = relay.lives()
    addresses = relay.device("relay").sockets[0].bound
    paths = [Path(address.removeprefix("ipc://")) for address in addresses]
    sink = relay.socket(zmq.PULL, to=f"ipc://{tmp_path}/out")
    old = relay.socket(zmq.PUSH, to=addresses[0])
    old.send(b"before")
    assert sink.recv() == b"before"
    looked = Looked(relay)
    assert looked.look() == []
    shutil.rmtree(paths[0].parent)
    paths[1].unlink()
    assert looked.look() == ["reachable again"] * 2
    assert looked.look() == []
    for address in addresses:
        new = relay.socket(zmq.PUSH, to=address)
        for sender, text in ((new, b"new"), (old, b"old")):
            sender.send(text)
            assert sink.recv() == text
    assert relay.device("relay").sockets[0].bound == addresses
    assert relay.lives() == lives
    relay.running.stop()
    assert not any(path.parent.exists() for path in paths)


def test_what_cannot_be_bound_again_is_said_once_and_tried_on(relay: World) -> None:
    (path, _) = (Path(address.removeprefix("ipc://")) for address in relay.device("relay").sockets[0].bound)
    shutil.rmtree(path.parent)
    path.parent.write_text("in the way")
    looked = Looked(relay)
    assert looked.look() == ["unreachable"]
    assert looked.look() == []
    path.parent.unlink()
    assert looked.look() == ["reachable again"]


def test_nothing_is_bound_again_in_the_middle_of_a_change(relay: World) -> None:
    (path, _) = (Path(address.removeprefix("ipc://")) for address in relay.device("relay").sockets[0].bound)
    path.unlink()
    looked = Looked(relay)
    with relay.changer.turn:
        assert looked.look() == []
    assert looked.look() == ["reachable again"]


def test_up_looks_after_its_folder(world: Files) -> None:
    world.topology("device relay: streamer { in PULL bind ipc://*; out PUSH bind ipc://./out }\n")
    up = world.up("t.ztopo")
    address = up.wait_for(r"in +(ipc://\S+)")[1]
    up.wait_for("t is ready")
    shutil.rmtree(world.runtime / "ztopo" / "t")
    wait_until(lambda: Path(address.removeprefix("ipc://")).exists(), "the socket")
    with zmq.Context() as context, context.socket(zmq.PUSH) as source, context.socket(zmq.PULL) as sink:
        sink.rcvtimeo = int(PATIENCE * 1000)
        source.connect(address)
        sink.connect(f"ipc://{world.folder}/out")
        source.send(b"there")
        assert sink.recv() == b"there"
    assert re.search(r"relay +ipc://\S+ was removed, and relay.in has bound it again", world.run("logs", "t").stdout)
    up.interrupt()
    assert up.end() == 0
    assert world.is_clean()
