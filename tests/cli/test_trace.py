"""trace: from where, to where, what is printed, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import BROKER, Ztopo

MESH = """\
ztopo 1
device mesh: proxy swap {
    in ROUTER bind tcp://127.0.0.1:5555
    out same
}
app peer[3]: DEALER connect mesh.in { routing_id "peer${index}" }
app mute: REQ connect mesh.in
"""


@pytest.fixture
def broker(tmp_path: Path) -> None:
    (tmp_path / "broker.ztopo").write_text(BROKER)


@pytest.mark.usefixtures("broker")
def test_there_and_back(ztopo: Ztopo) -> None:
    done = ztopo("trace", "broker.ztopo", "client", "worker")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "client to worker",
        "`client` stands for any number; here it is `client[*]`",
        "`worker` stands for 3; here it is `worker[0]`",
    ]
    assert [line for line in lines if line in ("there", "back")] == ["there", "back"]
    assert lines[-1] == "The answer finds its way back."
    assert max(map(len, lines)) <= 80


@pytest.mark.usefixtures("broker")
def test_the_file_may_be_left_out(ztopo: Ztopo) -> None:
    assert ztopo("trace", "client", "worker").stdout == ztopo("trace", "broker.ztopo", "client", "worker").stdout
    done = ztopo("trace", "client")
    assert done.returncode == 2
    assert "from where, and to where?" in done.stderr


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize(
    ("start", "end", "ends"),
    [
        ("client", "worker[2]", ["client[*]", "worker[2]"]),
        ("client", "broker", ["client[*]", "broker.in"]),
        ("client", "broker.out", ["client[*]", "broker.out"]),
        ("broker", "worker", ["broker.out", "worker[0]"]),
        ("broker.in", "worker", ["broker.in", "worker[0]"]),
        ("client", "watcher", ["client[*]", "watcher"]),
    ],
)
def test_places(ztopo: Ztopo, start: str, end: str, ends: list[str]) -> None:
    done = ztopo("trace", start, end, "--format", "json")
    shortest = json.loads(done.stdout)["journeys"][0]
    assert [shortest["from"], shortest["to"]] == ends


@pytest.mark.usefixtures("broker")
def test_a_name_that_is_nearly_right(ztopo: Ztopo) -> None:
    done = ztopo("trace", "clint", "worker")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: there is no app, device or socket `clint`, did you mean `client`?\n"
    assert "did you mean `broker.in` or" in ztopo("trace", "broker.inn", "worker").stderr


@pytest.mark.usefixtures("broker")
def test_where_nothing_gets_through(ztopo: Ztopo) -> None:
    done = ztopo("trace", "watcher", "client")
    assert done.returncode == 1
    said = "No message gets there.\n`watcher` is a SUB: it only receives (broker.ztopo:14)\nFrom `client` to `watcher` there is a way.\n"
    assert done.stdout.endswith(said)
    document = json.loads(ztopo("trace", "watcher", "client", "--format", "json").stdout)
    assert document["journeys"] == []
    assert [halt["socket"] for halt in document["halts"]] == ["watcher"]
    assert document["other_way"]


def test_a_message_that_does_not_arrive(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "mesh.ztopo").write_text(MESH)
    assert ztopo("trace", "peer", "peer").stdout.splitlines()[-1] == "The answer finds its way back."
    done = ztopo("trace", "mute", "peer")
    assert done.returncode == 1
    assert "✗ `mesh.in` drops it: it knows nobody by an empty part (mesh.ztopo:3)" in done.stdout
    done = ztopo("trace", "peer", "mute")
    assert done.returncode == 1
    assert "✗ `mute` has no `routing_id` by which anybody could call it (mesh.ztopo:7)" in done.stdout


@pytest.mark.usefixtures("broker")
def test_findings_of_the_file_are_said_beside_it(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "broker.ztopo").write_text(BROKER.replace("linger", "lingr") + "app bad: PULL connect broker.out\n")
    done = ztopo("trace", "client", "worker")
    assert done.returncode == 1
    assert "error[ZT201]" in done.stderr
    assert done.stdout.endswith("The answer finds its way back.\n")


def test_an_app_without_sockets(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text("ztopo 1\napp a\napp b: PUSH bind tcp://*:5\n")
    assert ztopo("trace", "a", "b").stderr == "error: `a` has no sockets\n"
