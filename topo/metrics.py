"""What runs, for Prometheus: over HTTP, in its text format, with names and labels after its conventions.

Nothing is counted here, and nothing happens between two scrapes: each takes a snapshot and writes down what it says. Counters are a
device's own, so they begin again at zero when it is started again, as Prometheus expects of a process.

FAMILIES says what there is. This needs `prometheus_client`, which the extra `metrics` brings.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from topo.devcore import SideCounts, Statistics
from topo.run.lives import Life
from topo.run.snapshot import DeviceSnapshot, Snapshot
from topo.run.usage import Task, Usage, usage_of
from topo.watch import Sample, look, sides, task_of

__all__ = ["FAMILIES", "Family", "Metrics", "address_of", "served"]

Labels = tuple[str, ...]
Samples = Iterable[tuple[Labels, float]]
"""The values of labels, and what was measured."""


class Family(NamedTuple):
    """A metric: its name, what it says, its labels beside `topology`, and where its values come from."""

    name: str
    help: str
    labels: Labels
    samples: Callable[[Sample], Samples]


def _flows(measure: str) -> Callable[[Sample], Samples]:
    """Messages, parts or bytes, of each side in both directions."""

    def samples(seen: Sample) -> Samples:
        for device in seen.snapshot.devices:
            for side, received, counts, _ in sides(device):
                yield (device.name, _role(side.id), "received"), getattr(received, measure)
                yield (device.name, _role(side.id), "sent"), getattr(counts.sent, measure)

    return samples


def _of_sides(measure: Callable[[SideCounts, bool], float]) -> Callable[[Sample], Samples]:
    """Something of the counts of each side, and of whether it waits."""

    def samples(seen: Sample) -> Samples:
        for device in seen.snapshot.devices:
            for side, _, counts, waits in sides(device):
                yield (device.name, _role(side.id)), measure(counts, waits)

    return samples


def _of_devices(measure: Callable[[Statistics], float]) -> Callable[[Sample], Samples]:
    """Something of the counts of each device that has any."""
    return lambda seen: (
        ((device.name,), measure(device.statistics)) for device in seen.snapshot.devices if device.statistics is not None
    )


def _peers(seen: Sample) -> Samples:
    for device in seen.snapshot.devices:
        for side in device.sockets:
            count = seen.peers.get(side.id)
            if count is not None:
                yield (device.name, _role(side.id)), count


def _cpu_of_devices(seen: Sample) -> Samples:
    for device in seen.snapshot.devices:
        task = task_of(device)
        usage = seen.usage.get(task) if task else None
        if usage is not None:
            yield (device.name,), usage.cpu


def _restarts(seen: Sample) -> Samples:
    yield from ((("device", device.name), device.restarts) for device in seen.snapshot.devices)
    yield from ((("app", app.name), app.restarts) for app in seen.snapshot.apps)


def _of_processes(measure: Callable[[Usage], float]) -> Callable[[Sample], Samples]:
    """Something of each process: ztopo itself, those of devices, apps."""

    def samples(seen: Sample) -> Samples:
        for name, pid in _processes(seen.snapshot).items():
            usage = seen.usage.get(Task(pid)) or usage_of(Task(pid))
            if usage is not None:
                yield (name,), measure(usage)

    return samples


def _processes(snapshot: Snapshot) -> dict[str, int]:
    found = {"ztopo": snapshot.pid}
    found.update((device.host, device.pid) for device in snapshot.devices if device.pid is not None)
    found.update((app.name, app.pid) for app in snapshot.apps if app.pid is not None)
    return found


def _role(id: str) -> str:
    """`in`, `out` or `monitor`."""
    return id.rpartition(".")[2]


def _lives(device: DeviceSnapshot) -> bool:
    return device.life == Life.READY


DEVICE, SIDE, FLOW = ("device",), ("device", "side"), ("device", "side", "direction")

FAMILIES = (
    Family("ztopo_up", "Whether the topology runs: 0 while it starts or stops.", (), lambda s: [((), s.snapshot.phase == "running")]),
    Family("ztopo_start_time_seconds", "When it was started, since the epoch.", (), lambda s: [((), s.snapshot.started)]),
    Family("ztopo_device_up", "Whether the device passes messages on.", DEVICE, lambda s: (((d.name,), _lives(d)) for d in s.snapshot.devices)),
    Family("ztopo_device_messages_total", "Messages that a side has received and sent.", FLOW, _flows("messages")),
    Family("ztopo_device_parts_total", "Parts of these messages.", FLOW, _flows("parts")),
    Family("ztopo_device_bytes_total", "Bytes of these parts.", FLOW, _flows("bytes")),
    Family("ztopo_device_unroutable_total", "Dropped: the ROUTER knows no such peer.", SIDE, _of_sides(lambda c, _: c.unroutable)),
    Family("ztopo_device_full_total", "Dropped: the peer of the ROUTER takes no more.", SIDE, _of_sides(lambda c, _: c.full)),
    Family("ztopo_device_lost_total", "Dropped: the peer vanished between two parts.", SIDE, _of_sides(lambda c, _: c.lost)),
    Family("ztopo_device_held", "Messages in hand that the side does not take yet.", SIDE, _of_sides(lambda c, _: c.held)),
    Family("ztopo_device_waiting", "Whether the side does not take what is there for it.", SIDE, _of_sides(lambda _, waits: waits)),
    Family("ztopo_device_peers", "Connections at this moment.", SIDE, _peers),
    Family("ztopo_device_copies_total", "Copies passed to the monitor.", DEVICE, _of_devices(lambda s: s.capture.passed)),
    Family("ztopo_device_copies_dropped_total", "Copies that the monitor did not take.", DEVICE, _of_devices(lambda s: s.capture.dropped)),
    Family("ztopo_device_copies_waiting", "Copies that wait for the monitor.", DEVICE, _of_devices(lambda s: s.capture.waiting)),
    Family(
        "ztopo_device_last_message_timestamp_seconds", "When the last message was passed on, since the epoch.", DEVICE,
        _of_devices(lambda s: s.last_message / 1e9),
    ),
    Family("ztopo_device_cpu_seconds_total", "CPU time of its thread, or of its process if that is its own.", DEVICE, _cpu_of_devices),
    Family(
        "ztopo_app_up", "Whether the app runs.", ("app",),
        lambda s: (((app.name,), app.life == Life.READY) for app in s.snapshot.apps),
    ),
    Family("ztopo_restarts_total", "How often it was started again.", ("kind", "name"), _restarts),
    Family("ztopo_process_cpu_seconds_total", "CPU time of a process.", ("process",), _of_processes(lambda u: u.cpu)),
    Family("ztopo_process_resident_memory_bytes", "Memory of a process.", ("process",), _of_processes(lambda u: u.memory)),
)  # fmt: skip
"""What there is to scrape. What ends in `_total` only grows."""


class Metrics(Collector):
    """Asks for a snapshot whenever somebody scrapes."""

    def __init__(self, name: str, snapshot: Callable[[], Snapshot]) -> None:
        """`snapshot` raises RuntimeError once the topology has ended."""
        self._name = name
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Everything, at this moment."""
        try:
            seen = look(self._snapshot(), time.monotonic())
        except RuntimeError:
            ended = GaugeMetricFamily(FAMILIES[0].name, FAMILIES[0].help, labels=("topology",))
            ended.add_metric((self._name,), 0)
            yield ended
            return
        for family in FAMILIES:
            kind = CounterMetricFamily if family.name.endswith("_total") else GaugeMetricFamily
            metric = kind(family.name, family.help, labels=("topology", *family.labels))
            for labels, value in family.samples(seen):
                metric.add_metric((self._name, *labels), value)
            yield metric


def address_of(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9100`, `[::1]:9100`, `:9100`; without a host it is this one alone. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise ValueError(f"{text!r} is no address, as 127.0.0.1:9100")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


@contextmanager
def served(address: str, metrics: Metrics) -> Iterator[str]:
    """Serve metrics within the block, at the URL that it gives. Raises OSError if the address cannot be had."""
    host, port = address_of(address)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    try:
        server, thread = start_http_server(port, host, registry)
    except socket.gaierror as error:
        raise OSError(error.errno, f"there is no host {host}") from error
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
