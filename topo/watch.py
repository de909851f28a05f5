"""What was seen: two looks at a running topology, and what happened between them.

`look` asks the kernel for what a snapshot does not have; `rates` is pure. Counters that have begun anew, as those of a device that was started again, are counted from zero, so that no
rate is ever negative. What is not known is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from topo.devcore import SideCounts, Statistics, Traffic
from topo.run.events import Phase
from topo.run.peers import count_peers
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot, SocketSnapshot
from topo.run.usage import Task, Usage, usages

__all__ = [
    "AppRates",
    "Copies",
    "DeviceRates",
    "Flow",
    "HostRates",
    "Rates",
    "Sample",
    "SideRates",
    "look",
    "named",
    "only",
    "rates",
    "sides",
    "task_of",
    "tasks",
]


class Sample(msgspec.Struct, frozen=True):
    """One look: the snapshot, when it was taken on a clock that never jumps, and what the watcher saw beside it."""

    snapshot: Snapshot
    at: float
    usage: Mapping[Task, Usage] = {}
    peers: Mapping[str, int | None] = {}
    """By the ids of sockets."""


class Flow(msgspec.Struct, frozen=True):
    """What went through a socket in one direction, so far and per second."""

    messages: int
    parts: int
    bytes: int
    messages_per_second: float
    parts_per_second: float
    bytes_per_second: float


class SideRates(msgspec.Struct, frozen=True):
    """A socket of a device. Of a monitor the flows are None; see `DeviceRates.copies`."""

    id: str
    type: str
    bound: tuple[str, ...]
    connected: tuple[str, ...]
    peers: int | None
    received: Flow | None = None
    sent: Flow | None = None
    unroutable: int = 0
    full: int = 0
    lost: int = 0
    held: int = 0
    waiting: bool = False
    """Whether it does not take what is there for it."""


class Copies(msgspec.Struct, frozen=True):
    """Copies for a monitor: handed to its socket, so far and per second; waiting; dropped."""

    passed: int
    passed_per_second: float
    waiting: int
    dropped: int


class DeviceRates(msgspec.Struct, frozen=True):
    """A device. `cpu` is in percent of one core; of a device with a process of its own it is the process's, with libzmq's threads."""

    name: str
    kind: str
    host: str
    life: str
    where: str
    pid: int | None
    thread: int | None
    restarts: int
    since: float | None
    state: str | None
    """What its loop does; one of `topo.devcore.report.STATES`."""
    last_message: int
    """When it passed on the last message, in nanoseconds since the epoch; 0 if there was none."""
    cpu: float | None
    memory: int | None
    """In bytes; None where it shares its process with others."""
    sockets: tuple[SideRates, ...]
    copies: Copies | None
    halted: bool = False
    """Whether a signal holds its process up."""


class HostRates(msgspec.Struct, frozen=True):
    """A process that several devices live in."""

    name: str
    pid: int
    devices: int
    cpu: float | None
    memory: int | None


class AppRates(msgspec.Struct, frozen=True):
    """An app that ztopo has started."""

    name: str
    life: str
    where: str
    pid: int | None
    restarts: int
    since: float | None
    status: int | None
    cpu: float | None
    memory: int | None
    halted: bool = False
    """Whether a signal holds its process up."""


class Rates(msgspec.Struct, frozen=True):
    """A whole topology."""

    name: str
    file: str
    phase: Phase
    pid: int
    started: float
    serial: int
    interval: float
    """Seconds between the two looks."""
    devices: tuple[DeviceRates, ...]
    hosts: tuple[HostRates, ...]
    apps: tuple[AppRates, ...]


NOTHING = Traffic()
REPLICA = re.compile(r"\[[^]]*\]")

T = TypeVar("T", DeviceRates, HostRates, AppRates)


def look(snapshot: Snapshot, at: float) -> Sample:
    """Look at what runs: `at` is the moment of the snapshot, on a clock that never jumps."""
    return Sample(snapshot, at, usages(tasks(snapshot)), count_peers(snapshot.devices))


def rates(before: Sample, after: Sample) -> Rates:
    """What happened between two looks."""
    return Between(before, after).rates()


def only(rates: Rates, *globs: str) -> Rates:
    """Of what runs, the devices, processes and apps that one of these names; see `named`. Without any, all."""
    wanted = [glob for glob in globs if glob]
    if not wanted:
        return rates

    def kept(things: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(thing for thing in things if any(named(glob, thing.name) for glob in wanted))

    return replace(rates, devices=kept(rates.devices), hosts=kept(rates.hosts), apps=kept(rates.apps))


def named(glob: str, name: str) -> bool:
    """Whether a glob names this: `*` is any text and `?` any character; without a replica's brackets it is each of them."""
    pattern = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in glob)
    return re.fullmatch(pattern, name) is not None or re.fullmatch(pattern, REPLICA.sub("", name)) is not None


def tasks(snapshot: Snapshot) -> Iterator[Task]:
    """The processes and threads whose use of CPU and memory is worth a look."""
    yield from (task for device in snapshot.devices if (task := task_of(device)))
    yield from (Task(pid) for pid, _ in _shared(snapshot).values())
    yield from (Task(app.pid) for app in snapshot.apps if app.pid is not None)


def sides(device: DeviceSnapshot) -> Iterator[tuple[SocketSnapshot, Traffic, SideCounts, bool]]:
    """The sides of a device: each with what it has received, the counts of what was sent to it, and whether that waits.

    Where both sides are one socket, what it sends is counted as the backend's.
    """
    counts = device.statistics
    if counts is None:
        return
    ends = [s for s in device.sockets if not _is_monitor(s)]
    if len(ends) == 1:
        yield ends[0], counts.frontend.received, counts.backend, bool(counts.waiting)
    else:
        for socket, side, name in zip(ends, (counts.frontend, counts.backend), ("frontend", "backend"), strict=False):
            yield socket, side.received, side, name in counts.waiting


def _is_monitor(socket: SocketSnapshot) -> bool:
    return socket.id.endswith(".monitor")


def _alone(device: DeviceSnapshot) -> bool:
    """Whether a device has a process of its own."""
    return device.host == device.name


def task_of(device: DeviceSnapshot) -> Task | None:
    """What a device's time is counted as: its process, or its thread where it shares that with others."""
    if device.pid is None or (device.thread is None and not _alone(device)):
        return None
    return Task(device.pid, None if _alone(device) else device.thread)


def _shared(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    """The processes that devices share: their numbers, and how many devices each has."""
    found: dict[str, tuple[int, int]] = {}
    for device in snapshot.devices:
        if device.pid is not None and not _alone(device):
            found[device.host] = (device.pid, found.get(device.host, (0, 0))[1] + 1)
    return found


class Between:
    """Two looks, and what became of each thing from the one to the other."""

    def __init__(self, before: Sample, after: Sample) -> None:
        self._before, self._after = before, after
        self._interval = max(after.at - before.at, 1e-9)
        self._earlier = {device.name: device for device in before.snapshot.devices}

    def rates(self) -> Rates:
        now = self._after.snapshot
        return Rates(
            name=now.name,
            file=now.file,
            phase=now.phase,
            pid=now.pid,
            started=now.started,
            serial=now.serial,
            interval=self._interval,
            devices=tuple(map(self._device, now.devices)),
            hosts=tuple(self._host(name, pid, count) for name, (pid, count) in _shared(now).items()),
            apps=tuple(map(self._app, now.apps)),
        )

    def _device(self, device: DeviceSnapshot) -> DeviceRates:
        counts = device.statistics
        task = task_of(device)
        return DeviceRates(
            name=device.name,
            kind=device.kind,
            host=device.host,
            life=device.life,
            where=device.where,
            pid=device.pid,
            thread=device.thread,
            restarts=device.restarts,
            since=device.since,
            state=counts.state if counts else None,
            last_message=counts.last_message if counts else 0,
            cpu=self._cpu(task),
            memory=self._memory(task) if _alone(device) else None,
            sockets=tuple(self._sockets(device)),
            copies=self._copies(device),
            halted=device.halted,
        )

    def _sockets(self, device: DeviceSnapshot) -> Iterator[SideRates]:
        earlier = self._same_life(device)
        then = {socket.id: (received, counts.sent) for socket, received, counts, _ in sides(earlier)} if earlier else {}
        now = {socket.id: (received, counts, waiting) for socket, received, counts, waiting in sides(device)}
        for socket in device.sockets:
            known = (socket.id, socket.type, socket.bound, socket.connected, self._after.peers.get(socket.id))
            if socket.id not in now:
                yield SideRates(*known)
                continue
            received, counts, waiting = now[socket.id]
            received_then, sent_then = then.get(socket.id, (NOTHING, NOTHING))
            yield SideRates(
                *known,
                received=self._flow(received_then, received),
                sent=self._flow(sent_then, counts.sent),
                unroutable=counts.unroutable,
                full=counts.full,
                lost=counts.lost,
                held=counts.held,
                waiting=waiting,
            )

    def _same_life(self, device: DeviceSnapshot) -> DeviceSnapshot | None:
        """The device at the first look, if it has not begun anew since."""
        earlier = self._earlier.get(device.name)
        return None if earlier is None or _anew(earlier, device) else earlier

    def _flow(self, then: Traffic, now: Traffic) -> Flow:
        return Flow(
            messages=now.messages,
            parts=now.parts,
            bytes=now.bytes,
            messages_per_second=(now.messages - then.messages) / self._interval,
            parts_per_second=(now.parts - then.parts) / self._interval,
            bytes_per_second=(now.bytes - then.bytes) / self._interval,
        )

    def _copies(self, device: DeviceSnapshot) -> Copies | None:
        if device.statistics is None or not any(map(_is_monitor, device.sockets)):
            return None
        earlier = self._same_life(device)
        now = device.statistics.capture
        then = earlier.statistics.capture.passed if earlier and earlier.statistics else 0
        return Copies(now.passed, (now.passed - then) / self._interval, now.waiting, now.dropped)

    def _host(self, name: str, pid: int, devices: int) -> HostRates:
        return HostRates(name, pid, devices, self._cpu(Task(pid)), self._memory(Task(pid)))

    def _app(self, app: AppSnapshot) -> AppRates:
        task = None if app.pid is None else Task(app.pid)
        return AppRates(
            name=app.name,
            life=app.life,
            where=app.where,
            pid=app.pid,
            restarts=app.restarts,
            since=app.since,
            status=app.status,
            cpu=self._cpu(task),
            memory=self._memory(task),
            halted=app.halted,
        )

    def _cpu(self, task: Task | None) -> float | None:
        then, now = self._before.usage.get(task) if task else None, self._after.usage.get(task) if task else None
        if then is None or now is None or now.cpu < then.cpu:  # the number may be somebody else's by now
            return None
        return 100 * (now.cpu - then.cpu) / self._interval

    def _memory(self, task: Task | None) -> int | None:
        usage = self._after.usage.get(task) if task else None
        return None if usage is None else usage.memory


def _anew(then: DeviceSnapshot, now: DeviceSnapshot) -> bool:
    """Whether a device was started again: it says so, or counts that only grow have shrunk."""
    if (then.restarts, then.pid, then.thread) != (now.restarts, now.pid, now.thread):
        return True
    return any(a > b for a, b in zip(_growing(then.statistics), _growing(now.statistics), strict=False))


def _growing(counts: Statistics | None) -> tuple[int, ...]:
    if counts is None:
        return ()
    flows = (flow for side in (counts.frontend, counts.backend) for flow in (side.received, side.sent))
    return (
        counts.turns,
        counts.capture.passed,
        counts.capture.dropped,
        *(n for f in flows for n in (f.messages, f.parts, f.bytes)),
    )
