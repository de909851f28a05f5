"""Two looks at a running topology, and the rates between them."""

from __future__ import annotations

from msgspec.structs import replace

from topo.devcore import CaptureCounts, SideCounts, Statistics, Traffic
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot, SocketSnapshot
from topo.run.usage import Task, Usage
from topo.watch import Flow, Rates, Sample, rates, tasks

SOCKETS = (SocketSnapshot("a.in", "PULL"), SocketSnapshot("a.out", "PUSH"), SocketSnapshot("a.monitor", "PUB"))


def counts(messages: int, turns: int = 1, passed: int = 0) -> Statistics:
    """As after so many messages of two parts and ten bytes, from the frontend to the backend."""
    flow = Traffic(messages, 2 * messages, 10 * messages)
    return Statistics(
        state="running",
        turns=turns,
        last_message=0,
        waiting=("backend",),
        frontend=SideCounts(flow, Traffic()),
        backend=SideCounts(Traffic(), flow, unroutable=1, full=2, lost=3, held=4),
        capture=CaptureCounts(passed, 5, 6),
    )


def device(statistics: Statistics | None, **more: object) -> DeviceSnapshot:
    known = {"host": "a", "life": "running", "where": "t.ztopo:3", "pid": 7, "thread": 8, "sockets": SOCKETS}
    return DeviceSnapshot("a", "streamer", statistics=statistics, **(known | more))  # type: ignore[arg-type]  # as each test wants it


def sample(at: float, *devices: DeviceSnapshot, apps: tuple[AppSnapshot, ...] = (), **more: object) -> Sample:
    snapshot = Snapshot("t", "t.ztopo", "running", 1, 0.0, devices=devices, apps=apps)
    return Sample(snapshot, at, **more)  # type: ignore[arg-type]  # as above


def between(before: DeviceSnapshot, after: DeviceSnapshot) -> Rates:
    return rates(sample(10.0, before), sample(12.0, after))


def test_what_went_through_is_divided_by_the_time() -> None:
    (seen,) = between(device(counts(100, passed=10)), device(counts(300, turns=2, passed=110))).devices
    near, far, monitor = seen.sockets
    assert near.received == Flow(300, 600, 3000, 100.0, 200.0, 1000.0)
    assert near.sent == Flow(0, 0, 0, 0.0, 0.0, 0.0)
    assert far.sent == near.received
    assert (far.unroutable, far.full, far.lost, far.held, far.waiting, near.waiting) == (1, 2, 3, 4, True, False)
    assert (monitor.received, monitor.sent) == (None, None)
    assert seen.copies is not None
    assert (seen.copies.passed, seen.copies.passed_per_second, seen.copies.waiting, seen.copies.dropped) == (110, 50.0, 5, 6)


def test_a_device_that_was_started_again_counts_from_zero() -> None:
    before = device(counts(1000, turns=50))
    for after in (
        device(counts(20)),
        device(counts(2000, turns=60), restarts=1),
        device(counts(2000, turns=60), pid=70),
        device(counts(2000, turns=60), thread=80),
    ):
        (seen,) = between(before, after).devices
        assert seen.sockets[0].received is not None
        assert after.statistics is not None
        assert seen.sockets[0].received.messages_per_second == after.statistics.frontend.received.messages / 2


def test_a_device_that_was_not_there_counts_from_zero_and_one_that_does_not_run_yet_has_no_counts() -> None:
    (seen,) = rates(sample(0.0), sample(2.0, device(counts(20)))).devices
    assert seen.sockets[0].received is not None
    assert seen.sockets[0].received.messages_per_second == 10.0
    (seen,) = rates(sample(0.0), sample(2.0, device(None))).devices
    assert seen.sockets[0].received is None
    assert (seen.copies, seen.state) == (None, None)
    (seen,) = between(device(None), device(counts(20))).devices
    assert seen.sockets[0].received is not None
    assert seen.sockets[0].received.messages_per_second == 10.0


def test_where_both_sides_are_one_socket_it_has_both_counts() -> None:
    single = (SocketSnapshot("a.in", "ROUTER"),)
    (seen,) = between(device(counts(0), sockets=single), device(counts(20, turns=2), sockets=single)).devices
    (side,) = seen.sockets
    assert side.received == side.sent == Flow(20, 40, 200, 10.0, 20.0, 100.0)
    assert (side.unroutable, side.waiting) == (1, True)


def test_cpu_is_the_process_s_own_or_the_thread_s_and_memory_the_process_s() -> None:
    alone = device(counts(0))
    shared = [device(counts(0), host="thread host", pid=9, thread=n, sockets=()) for n in (10, 11)]
    app = AppSnapshot("b", ("sleep",), "running", "t.ztopo:4", pid=12)
    wanted = {Task(7), Task(9, 10), Task(9, 11), Task(9), Task(12)}
    assert set(tasks(sample(0.0, alone, *shared, apps=(app,)).snapshot)) == wanted
    then = sample(0.0, alone, *shared, apps=(app,), usage={t: Usage(1.0, 1000) for t in wanted})
    now = sample(2.0, alone, *shared, apps=(app,), usage={t: Usage(2.0, 2000) for t in wanted})
    seen = rates(then, now)
    assert [(d.cpu, d.memory) for d in seen.devices] == [(50.0, 2000), (50.0, None), (50.0, None)]
    assert [(h.name, h.pid, h.devices, h.cpu, h.memory) for h in seen.hosts] == [("thread host", 9, 2, 50.0, 2000)]
    assert [(a.name, a.cpu, a.memory) for a in seen.apps] == [("b", 50.0, 2000)]


def test_what_is_not_known_is_none() -> None:
    unknown = device(counts(0), pid=None, thread=None)
    (seen,) = between(unknown, unknown).devices
    assert (seen.cpu, seen.memory, seen.sockets[0].peers) == (None, None, None)
    threaded = device(counts(0), host="thread host", thread=None)
    usage = {Task(7): Usage(1.0, 5)}
    (seen,) = rates(sample(0.0, threaded, usage=usage), sample(1.0, threaded, usage=usage)).devices
    assert (seen.cpu, seen.memory) == (None, None), "the process's time is not the thread's"


def test_a_number_that_is_somebody_else_s_by_now_has_no_time() -> None:
    alone = device(counts(0))
    (seen,) = rates(
        sample(0.0, alone, usage={Task(7): Usage(9.0, 1)}), sample(1.0, alone, usage={Task(7): Usage(1.0, 2)})
    ).devices
    assert (seen.cpu, seen.memory) == (None, 2)


def test_peers_are_those_of_the_second_look() -> None:
    here = device(counts(0))
    (seen,) = rates(sample(0.0, here, peers={"a.in": 1}), sample(1.0, here, peers={"a.in": 3, "a.out": None})).devices
    assert [s.peers for s in seen.sockets] == [3, None, None]


def test_two_looks_at_one_time_are_no_mistake() -> None:
    here = device(counts(5))
    (seen,) = rates(sample(1.0, here), sample(1.0, replace(here, statistics=counts(5)))).devices
    assert seen.sockets[0].received is not None
    assert seen.sockets[0].received.messages_per_second == 0.0
