"""A hundred changes in a row, half of them invalid: what runs in the end is the last valid one, and the rest saw nothing of it."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import zmq

import topo
from tests.processes import PATIENCE, wait_until
from tests.run.conftest import World
from topo import cli
from topo.run.snapshot import DeviceSnapshot, Snapshot

COUNT = 100
STAYS = """\
device a: streamer {{ in PULL bind ipc://./a; out PUSH connect b.in }}
device b: streamer {{ in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://./b{where} }}
"""
VALID = (
    "device c: streamer { in PULL bind ipc://./c; out PUSH bind ipc://./d }\n",
    "device c: streamer { in PULL bind ipc://./c { rcvhwm 7 }; out PUSH bind ipc://./d }\n",
    "device c: proxy { in PULL bind ipc://./c; out PUSH bind ipc://./d }\n",
    "device d: streamer { in PULL bind ipc://./c, tcp://127.0.0.1:*; out PUSH bind ipc://./d }\n",
    "",
)
INVALID = (
    ("device c: streamer { in PULL bind ipc://./c; out PUSH connect nobody.in }\n", 78),
    ("device c: streamer { in PULL bind ipc://./c\n", 78),
    ("device c: streamer { in PULL bind ipc://./c; out SUB bind ipc://./d }\n", 78),
    ("device c: streamer { in PULL bind ipc://./taken; out PUSH bind ipc://./d }\n", 1),
)
"""What is wrong with them, and what `ztopo apply` ends with: the last one is refused by the system when it is done."""


def storm() -> Iterator[tuple[str, int]]:
    """What a file says besides what stays, and how that ends; the last one is valid."""
    for number in range(COUNT // 2):
        yield INVALID[number % len(INVALID)]
        yield VALID[number % len(VALID)], 0
    yield VALID[1], 0


class Stream:
    """Numbered messages through what stays, one after the other, for as long as it is there."""

    def __init__(self, folder: Path) -> None:
        self.sent = 0
        self.received: list[int] = []
        self._context: zmq.Context[Any] = zmq.Context()
        self._source, self._sink = self._context.socket(zmq.PUSH), self._context.socket(zmq.PULL)
        for socket, name in ((self._source, "a"), (self._sink, "b")):
            socket.linger, socket.sndtimeo, socket.rcvtimeo = 0, int(PATIENCE * 1000), int(PATIENCE * 1000)
            socket.connect(f"ipc://{folder}/{name}")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with suppress(zmq.Again):
            for number in itertools.count():
                if self._over.wait(0.001):
                    return
                self._source.send(b"%d" % number)
                self.sent += 1
                self.received.append(int(self._sink.recv()))

    def __enter__(self) -> Stream:
        self._thread.start()
        wait_until(lambda: len(self.received) > 0, "a message")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._context.destroy(linger=0)


def lives(snapshot: Snapshot | dict[str, Any]) -> dict[str, tuple[object, ...]]:
    """Who those that stay are: process and thread, when they became ready, and how often they were started again."""
    devices: list[Any] = snapshot["devices"] if isinstance(snapshot, dict) else list(snapshot.devices)
    told = (d if isinstance(d, dict) else _told(d) for d in devices)
    return {d["name"]: (d["pid"], d["thread"], d["since"], d["restarts"]) for d in told if d["name"] in "ab"}


def _told(device: DeviceSnapshot) -> dict[str, Any]:
    return {name: getattr(device, name) for name in ("name", "pid", "thread", "since", "restarts")}


@contextmanager
def unharmed(folder: Path) -> Iterator[Stream]:
    """Within the block messages go through what stays, and not one of them is lost, doubled or out of order."""
    (folder / "taken").write_text("in the way")
    with Stream(folder) as stream:
        yield stream
    assert stream.received == list(range(stream.sent))
    assert stream.sent > COUNT // 2


def test_a_storm_of_apply(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The command is driven in this process: a hundred new ones would take their time only to start."""
    text = STAYS.format(where="; run process")
    up = world.up(str(world.topology(text)))
    up.wait_for("t is ready")
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, world.environment[name])
    monkeypatch.chdir(world.folder)

    def ztopo(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["ztopo", *arguments])
        return int(cli._run())

    def status() -> dict[str, Any]:
        capfd.readouterr()
        assert ztopo("status", "--format", "json") == 0
        found: dict[str, Any] = json.loads(capfd.readouterr().out)
        return found

    before = lives(status())
    with unharmed(world.folder) as stream:
        for more, code in storm():
            assert ztopo("apply", str(world.topology(text + more, "new.ztopo"))) == code, capfd.readouterr().err
            assert lives(status()) == before
        assert ztopo("plan", "new.ztopo", "--exit-code") == 0
    after = status()
    assert [d["name"] for d in after["devices"]] == ["a", "b", "c"]
    wait_until(lambda: [received(d) for d in status()["devices"][:2]] == [stream.sent] * 2, "counts that were never reset")
    up.interrupt()
    assert up.end() == 0
    assert world.is_clean()


def received(device: dict[str, Any]) -> int:
    count: int = device["statistics"]["frontend"]["received"]["messages"]
    return count


@pytest.mark.parametrize("where", ["", "; run process"], ids=["thread", "process"])
def test_a_storm_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.chdir(tmp_path)
    text = "ztopo 1\n" + STAYS.format(where=where)
    with zmq.Context() as context, topo.loads(text).up(context=context) as running:
        before, threads = lives(running.status()), threading.active_count()
        with unharmed(tmp_path) as stream:
            for more, code in storm():
                if code:
                    with pytest.raises(topo.TopologyError):
                        running.apply(topo.loads(text + more))
                else:
                    running.apply(topo.loads(text + more))
                assert lives(running.status()) == before
            assert running.plan(topo.loads(text + VALID[1])).changes == ()
        assert [d.name for d in running.status().devices] == ["a", "b", "c"]
        wait_until(
            lambda: [running.statistics()[name].frontend.received.messages for name in "ab"] == [stream.sent] * 2,
            "counts that were never reset",
        )
        running.apply(topo.loads(text))
        wait_until(lambda: threading.active_count() <= threads, "an end of the threads of what has gone")
