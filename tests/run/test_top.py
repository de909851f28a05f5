"""`ztopo top` on what runs: the numbers are those of the messages that went through."""

from __future__ import annotations

import json
from typing import Any

import zmq

from tests.processes import PATIENCE
from tests.run.conftest import World

TEXT = """
device jobs: streamer { run process; in PULL bind ipc://in; out PUSH bind ipc://out; monitor PUB bind ipc://copies }
device inner: queue { in ROUTER bind tcp://127.0.0.1:*; out DEALER connect tcp://127.0.0.1:1 }  # ztopo: allow ZT302 "nobody"
app idle { run "sleep 600" }
"""


def look(world: World) -> dict[str, Any]:
    done = world.run("top", "--format", "json", "--interval", "0.05")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_numbers_are_those_of_the_messages(world: World) -> None:
    up = world.up(str(world.topology(TEXT)))
    up.wait_for("idle .*started")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context.socket(zmq.PUSH) as source, context.socket(zmq.PULL) as sink:
        for end, name in ((source, "in"), (sink, "out")):
            end.linger, end.rcvtimeo = 0, int(PATIENCE * 1000)
            end.connect(f"ipc://{world.folder}/{name}")
        for _ in range(100):
            source.send_multipart([b"abc", b"de"])
            sink.recv_multipart()
        world.wait_for_state(lambda jobs: jobs.statistics is not None and jobs.statistics.backend.sent.messages == 100)
        document = look(world)
    context.term()
    jobs, inner = document["devices"]
    flow = {"messages": 100, "parts": 200, "bytes": 500}
    near, far, monitor = jobs["sockets"]
    assert {name: near["received"][name] for name in flow} == {name: far["sent"][name] for name in flow} == flow
    assert (near["peers"], far["peers"], monitor["peers"]) == (1, 1, 0)
    assert jobs["copies"] == {"passed": 0, "passed_per_second": 0.0, "waiting": 0, "dropped": 0}
    assert (jobs["life"], jobs["state"], jobs["restarts"]) == ("ready", "running", 0)
    assert jobs["memory"] > 1 << 20
    assert jobs["cpu"] is not None
    assert [s["peers"] for s in inner["sockets"]] == [0, 0]
    assert (inner["host"], inner["memory"], inner["copies"]) == ("thread host", None, None)
    assert inner["cpu"] is not None, "of its thread"
    (host,) = document["hosts"]
    assert (host["name"], host["pid"], host["devices"]) == ("thread host", inner["pid"], 1)
    assert host["memory"] > 1 << 20
    (app,) = document["apps"]
    assert (app["name"], app["life"], app["status"]) == ("idle", "ready", None)
    table = world.run("top", "--once", "--interval", "0.05").stdout
    assert [line.split()[0] for line in table.splitlines()[3:]] == [
        *("jobs.in", "jobs.out", "jobs.monitor", "inner.in", "inner.out", "thread", "idle")
    ]  # fmt: skip
    up.interrupt()
    assert up.end() == 0


def test_what_has_ended_is_not_running(world: World) -> None:
    done = world.run("top", "--once")
    assert (done.returncode, done.stderr) == (3, "error: no topology is running\n")
