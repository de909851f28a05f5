"""Metrics, as Prometheus's own parser reads them."""

from __future__ import annotations

import os
import re
import threading
import urllib.request
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from topo.devcore import CaptureCounts, SideCounts, Statistics, Traffic
from topo.metrics import FAMILIES, Metrics, address_of, served
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot, SocketSnapshot

COUNTS = Statistics(
    "running",
    1,
    1_500_000_000,
    ("backend",),
    SideCounts(Traffic(10, 20, 100), Traffic(3, 6, 30), unroutable=1, full=2, lost=3),
    SideCounts(Traffic(3, 6, 30), Traffic(9, 18, 90), held=1),
    CaptureCounts(13, 4, 5),
)
DEVICE = DeviceSnapshot(
    'a"b',
    "queue",
    "thread host",
    "ready",
    "t.ztopo:3",
    pid=os.getpid(),
    thread=threading.get_native_id(),
    restarts=2,
    sockets=(SocketSnapshot('a"b.in', "ROUTER"), SocketSnapshot('a"b.out', "DEALER"), SocketSnapshot('a"b.monitor', "PUB")),
    statistics=COUNTS,
)
STARTING = DeviceSnapshot("later", "queue", "later", "starting", "t.ztopo:9")
APP = AppSnapshot("job", ("job",), "ended", "t.ztopo:5", restarts=1, status=0)
SNAPSHOT = Snapshot("t", "t.ztopo", "running", os.getpid(), 12.5, devices=(DEVICE, STARTING), apps=(APP,))

Key = tuple[str, frozenset[tuple[str, str]]]


def scrape(url: str) -> dict[Key, float]:
    """All samples, by name and labels."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(snapshot: Callable[[], Snapshot]) -> dict[Key, float]:
    with served("127.0.0.1:0", Metrics("t", snapshot)) as url:
        return scrape(url)


def key(name: str, /, **labels: str) -> Key:
    return name, frozenset({"topology": "t", **labels}.items())


def test_everything_of_a_snapshot_is_there() -> None:
    found = scraped(lambda: SNAPSHOT)
    device = 'a"b'
    assert found[key("ztopo_up")] == 1
    assert found[key("ztopo_start_time_seconds")] == 12.5
    assert found[key("ztopo_device_up", device=device)] == 1
    assert found[key("ztopo_device_up", device="later")] == 0
    for measure, values in (("messages", (10, 3, 3, 9)), ("parts", (20, 6, 6, 18)), ("bytes", (100, 30, 30, 90))):
        name = f"ztopo_device_{measure}_total"
        directions = [(side, direction) for side in ("in", "out") for direction in ("received", "sent")]
        assert [found[key(name, device=device, side=s, direction=d)] for s, d in directions] == list(values)
    for what, there in (
        ("unroutable_total", (1, 0)),
        ("full_total", (2, 0)),
        ("lost_total", (3, 0)),
        ("held", (0, 1)),
        ("waiting", (0, 1)),
    ):
        assert tuple(found[key(f"ztopo_device_{what}", device=device, side=s)] for s in ("in", "out")) == there
    assert found[key("ztopo_device_peers", device=device, side="in")] == 0
    assert found[key("ztopo_device_copies_total", device=device)] == 13
    assert found[key("ztopo_device_copies_waiting", device=device)] == 4
    assert found[key("ztopo_device_copies_dropped_total", device=device)] == 5
    assert found[key("ztopo_device_last_message_timestamp_seconds", device=device)] == 1.5
    assert found[key("ztopo_device_cpu_seconds_total", device=device)] > 0
    assert found[key("ztopo_app_up", app="job")] == 0
    assert found[key("ztopo_restarts_total", kind="device", name=device)] == 2
    assert found[key("ztopo_restarts_total", kind="app", name="job")] == 1
    assert found[key("ztopo_process_resident_memory_bytes", process="ztopo")] > 1 << 20
    assert found[key("ztopo_process_cpu_seconds_total", process="thread host")] > 0


def test_what_is_not_known_is_left_out() -> None:
    found = scraped(lambda: SNAPSHOT)
    assert [name for name, labels in found if ("device", "later") in labels] == ["ztopo_device_up"]


def test_names_and_labels_follow_the_conventions() -> None:
    """Those of prometheus.io/docs/practices/naming: a prefix, base units, `_total` for what only grows; nothing said twice."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert re.fullmatch(r"ztopo_[a-z]+(_[a-z]+)*", family.name)
        assert not re.search(r"milli|micro|percent|kilo|_(ms|kib|mib)\b", family.name)
        assert family.help.endswith(".")
        for label in family.labels:
            assert re.fullmatch("[a-z]+", label)
    with served("127.0.0.1:0", Metrics("t", lambda: SNAPSHOT)) as url, urllib.request.urlopen(url, timeout=30) as answer:
        families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
    for family in FAMILIES:
        assert families[family.name.removesuffix("_total")].type == ("counter" if family.name.endswith("_total") else "gauge")


def test_each_scrape_asks_and_nothing_else_does() -> None:
    asked = 0

    def snapshot() -> Snapshot:
        nonlocal asked
        asked += 1
        return replace(SNAPSHOT, started=float(asked))

    with served("127.0.0.1:0", Metrics("t", snapshot)) as url:
        assert asked == 0
        assert [scrape(url)[key("ztopo_start_time_seconds")] for _ in range(3)] == [1.0, 2.0, 3.0]
        assert asked == 3


def test_what_has_ended_is_down() -> None:
    def snapshot() -> Snapshot:
        raise RuntimeError("t has ended")

    assert scraped(snapshot) == {key("ztopo_up"): 0}
    assert scraped(lambda: replace(SNAPSHOT, phase="stopping"))[key("ztopo_up")] == 0


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:9100", ("127.0.0.1", 9100)), (":0", ("127.0.0.1", 0)), ("[::1]:9100", ("::1", 9100)), ("host.example:80", ("host.example", 80)),
     ("0.0.0.0:65535", ("0.0.0.0", 65535))],
)  # fmt: skip
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize(
    "text", ["", "9100", "127.0.0.1", "::1:9100", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1", "tcp://*:9100x"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        address_of(text)


def test_an_address_that_is_taken_is_an_error_and_is_free_afterwards() -> None:
    with served("127.0.0.1:0", Metrics("t", lambda: SNAPSHOT)) as url:
        address = url.removeprefix("http://").partition("/")[0]
        with pytest.raises(OSError, match="in use"), served(address, Metrics("t", lambda: SNAPSHOT)):
            raise AssertionError("it is not to be served")
    with served(address, Metrics("t", lambda: SNAPSHOT)) as again:
        assert again == url


def test_ipv6_and_names() -> None:
    with served("[::1]:0", Metrics("t", lambda: SNAPSHOT)) as url:
        assert url.startswith("http://[::1]:")
        assert scrape(url)[key("ztopo_up")] == 1
    with (
        pytest.raises(OSError, match=r"there is no host nowhere\.invalid"),
        served("nowhere.invalid:0", Metrics("t", lambda: SNAPSHOT)),
    ):
        raise AssertionError("it is not to be served")
