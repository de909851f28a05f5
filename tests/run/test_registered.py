"""What programs run by the Python API is found like what `ztopo up` runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

import topo
from tests.processes import PATIENCE
from tests.run.conftest import World
from topo.run import client

TEXT = """ztopo 1
topology t
device relay: streamer { in PULL bind inproc://a; out PUSH bind inproc://b }
app end: PULL connect relay.out { run inside }
"""

PROGRAM = f"""
import topo
with topo.loads({TEXT!r}).up() as running:
    print("ready", flush=True)
    running.wait()
print("over", flush=True)
"""


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        yield context
    finally:
        context.destroy(linger=0)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_it_is_found_as_long_as_it_runs(runtime: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    file = runtime / "system.ztopo"
    file.write_text(TEXT.replace("inproc://a", "tcp://127.0.0.1:*").replace("inproc://b", "tcp://127.0.0.1:*"))
    with topo.load(file).up(context=context) as first, topo.load(file).up(context=context):
        found = client.topologies()
        assert [t.id for t in found] == [f"t@{os.getpid()}", f"t@{os.getpid()}.2"]
        assert all(t.owner.program and t.owner.file == str(file) for t in found)
        snapshot = client.find(found[0].id).snapshot()
        assert (snapshot.phase, snapshot.pid, snapshot.file) == ("running", os.getpid(), str(file))
        assert [d.life for d in snapshot.devices] == ["ready"]
        with pytest.raises(client.Trouble, match="t is the name of several"):
            client.find("t")
        first.stop()
        assert [t.id for t in client.topologies()] == [f"t@{os.getpid()}.2"]
    assert client.topologies() == []
    assert list((runtime / "ztopo").iterdir()) == []


def test_to_read_a_file_again_is_refused_by_a_program(runtime: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with topo.loads(TEXT).up(context=context) as running:
        wanted = client.find(f"t@{os.getpid()}")
        why = f"^t is run by a program, process {os.getpid()}, and no file is read again: ztopo apply changes it, too$"
        with pytest.raises(client.Trouble, match=why):
            wanted.ask("reload")
        assert running.plan(topo.loads(TEXT)).changes == ()


def test_without_a_folder_it_runs_all_the_same(
    runtime: Path, context: zmq.Context[zmq.Socket[bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    (runtime / "ztopo").write_text("no folder")
    with topo.loads(TEXT).up(context=context) as running:
        assert running.socket("end").type == zmq.PULL
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("t: ztopo ps, top and tap do not find it: the runtime folder ")


def test_programs_are_seen_beside_topologies_and_stopped_like_them(world: World) -> None:
    world.write("t.ztopo", TEXT.replace("inproc", "ipc").replace("run inside", "linger 0"))
    up = world.up("t.ztopo")
    up.wait_for("is ready")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=world.folder, env=world.environment, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        listed: list[dict[str, Any]] = json.loads(world.run("ls", "--format", "json").stdout)["topologies"]
        assert [(t["id"], t["name"], t["program"], t["pid"]) for t in listed] == [
            ("t", "t", False, up.process.pid),
            (f"t@{program.pid}", "t", True, program.pid),
        ]
        assert [line.split()[:4] for line in world.run("ps", f"t@{program.pid}").stdout.splitlines()[3:]] == [
            ["relay", "streamer", "ready", str(program.pid)]
        ]
        done = world.run("logs", f"t@{program.pid}")
        assert done.returncode == 2
        assert (
            done.stderr == f"error: t@{program.pid} has no log: the program that runs it, process {program.pid}, keeps its own\n"
        )
        done = world.run("down", f"t@{program.pid}")
        assert (done.returncode, done.stderr) == (0, f"stopping t@{program.pid}\nt@{program.pid} has stopped\n")
        assert program.stdout.read() == "over\n"
        assert program.wait(PATIENCE) == 0
    assert world.run("status", "t").stdout.startswith("t is running")
    up.interrupt()
    assert up.end() == 0


def test_a_program_that_is_killed_is_forgotten(world: World) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=world.folder, env=world.environment, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        assert world.run("status").returncode == 0
        program.kill()
        program.wait()
    world.wait_until_empty()
    assert world.run("status").returncode == 3
    assert world.is_clean()
