"""A device that is tapped and gets, loses or keeps a monitor meanwhile: the tap goes on, and the monitor is as declared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
import zmq

from tests.processes import PATIENCE
from tests.run.test_changing import World
from topo.run.taps import Tapped, Taps

PLAIN = "device a: streamer {{ run {place}; in PULL bind ipc://{folder}/in; out PUSH bind ipc://{folder}/out }}\n"
OPEN = PLAIN.replace(" }}\n", "; monitor PUB bind ipc://{folder}/copies }}\n")


class Ends:
    """A source, a sink, and somebody who taps."""

    def __init__(self, world: World, folder: Path) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.source, self.sink, self.tap = (self._context.socket(t) for t in (zmq.PUSH, zmq.PULL, zmq.SUB))
        for socket in (self.source, self.sink, self.tap):
            socket.linger, socket.rcvtimeo = 0, int(PATIENCE * 1000)
        self.source.connect(f"ipc://{folder}/in")
        self.sink.connect(f"ipc://{folder}/out")
        self.tap.subscribe(b"")

    def copies_arrive(self, address: str) -> bool:
        """Pass messages on until one of them is seen at the tap."""
        message = os.urandom(8)  # of an earlier address some may still come
        self.tap.connect(address)
        seen: list[bytes] = []
        while message not in seen:
            self.source.send(message)
            self.sink.recv()
            seen = self.tap.recv_multipart() if self.tap.poll(0) else []
        self.tap.disconnect(address)
        return seen == [b"in", message]

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.fixture(params=["thread", "process"])
def texts(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    return tuple(text.format(folder=tmp_path, place=request.param) for text in (PLAIN, OPEN))  # type: ignore[return-value]  # of two


@pytest.fixture
def world(texts: tuple[str, str]) -> Iterator[World]:
    world = World(texts[0], in_process=False)
    try:
        yield world
    finally:
        world.close()


def test_a_monitor_comes_and_goes_and_the_tap_goes_on(world: World, texts: tuple[str, str], tmp_path: Path) -> None:
    plain, monitored = texts
    ends = Ends(world, tmp_path)
    heard: SimpleQueue[Tapped] = SimpleQueue()
    try:
        with Taps(world.supervisor).tapped(["a"], heard.put):
            assert ends.copies_arrive(heard.get(timeout=PATIENCE).address)
            lives = world.lives("a")
            world.change(monitored)
            assert ends.copies_arrive(heard.get(timeout=PATIENCE).address)
            assert ends.copies_arrive(f"ipc://{tmp_path}/copies")
            world.change(plain)
            assert ends.copies_arrive(heard.get(timeout=PATIENCE).address)
            assert world.lives("a") == lives, "it is the same device, in the same life"
            world.change(monitored)
            assert ends.copies_arrive(heard.get(timeout=PATIENCE).address)
        assert ends.copies_arrive(f"ipc://{tmp_path}/copies"), "the monitor stays when the tap ends"
    finally:
        ends.close()
