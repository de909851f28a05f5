"""`ztopo up --metrics`: what runs is scraped as Prometheus does it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
import zmq

from tests.processes import PATIENCE
from tests.run.conftest import World
from tests.test_metrics import key, scrape

STREAMER = "device jobs: streamer { run process; in PULL bind ipc://in; out PUSH bind ipc://out }\n"


def test_what_flows_is_counted(world: World) -> None:
    up = world.up(str(world.topology(STREAMER)), "--metrics", "127.0.0.1:0")
    url = up.wait_for(r"metrics at (http://127\.0\.0\.1:\d+/metrics)")[1]
    up.wait_for("t is ready")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context.socket(zmq.PUSH) as source, context.socket(zmq.PULL) as sink:
        for end, name in ((source, "in"), (sink, "out")):
            end.linger, end.rcvtimeo = 0, int(PATIENCE * 1000)
            end.connect(f"ipc://{world.folder}/{name}")
        for _ in range(10):
            source.send_multipart([b"abc", b"de"])
            sink.recv_multipart()
        world.wait_for_state(lambda jobs: jobs.statistics is not None and jobs.statistics.backend.sent.messages == 10)
        found = scrape(url)
    context.term()
    side = {"device": "jobs", "side": "in", "direction": "received"}
    assert found[key("ztopo_device_messages_total", **side)] == 10
    assert found[key("ztopo_device_parts_total", **side)] == 20
    assert found[key("ztopo_device_bytes_total", **side)] == 50
    assert found[key("ztopo_device_peers", device="jobs", side="out")] == 1
    assert found[key("ztopo_up")] == 1
    assert found[key("ztopo_process_resident_memory_bytes", process="jobs")] > 1 << 20
    up.interrupt()
    assert up.end() == 0, up.text
    assert world.is_clean()


def test_an_address_that_is_taken_is_said_before_anything_starts(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        up = world.up(str(world.topology(STREAMER)), "--metrics", address)
        assert up.end() == 78
    assert f"error[ZT916]: metrics cannot be served at {address}: Address already in use" in up.text
    assert "= note: process" in up.text
    assert up.text.endswith("t.ztopo is not started")
    assert "is ready" not in up.text
    assert world.is_clean()


@pytest.mark.parametrize("wrong", ["9100", "127.0.0.1:x", ""])
def test_what_is_no_address_is_wrong_usage(world: World, wrong: str) -> None:
    up = world.up(str(world.topology(STREAMER)), "--metrics", wrong)
    assert up.end() == 2
    assert "is no address, as 127.0.0.1:9100" in up.text


def test_without_prometheus_client_it_says_what_to_install(world: World, tmp_path: Path) -> None:
    (tmp_path / "prometheus_client").mkdir()
    (tmp_path / "prometheus_client" / "__init__.py").write_text("raise ImportError('not installed')")
    world.environment["PYTHONPATH"] = str(tmp_path)
    up = world.up(str(world.topology(STREAMER)), "--metrics", ":0")
    assert up.end() == 2
    assert up.text.endswith("error: --metrics needs prometheus_client: pip install 'ztopo[metrics]'"), sys.path
    assert world.run("check", "t.ztopo").returncode == 0
