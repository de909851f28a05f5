"""Who taps what: opened with the first who listens, closed with the last, opened again for a device that was started again."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest
from msgspec.structs import replace

from tests.processes import PATIENCE
from topo.compile import compile, make_plan
from topo.devcore import CaptureCounts, SideCounts, Statistics, Traffic
from topo.plan import Plan
from topo.run.events import Attach, BindTo, Changed, Command, Detach, Done, Ready, RolledBack, Told, UnbindFrom
from topo.run.snapshot import DeviceSnapshot, Snapshot
from topo.run.taps import NoTap, Tapped, Taps
from topo.source import Source

TEXT = """ztopo 1
device plain: streamer { in PULL bind tcp://127.0.0.1:5001; out PUSH bind tcp://127.0.0.1:5002 }
device open: queue {
    in ROUTER bind tcp://127.0.0.1:5003; out DEALER bind tcp://127.0.0.1:5004
    monitor PUB bind tcp://127.0.0.1:5005 { prefix "Q", "A" }
}
device shared: streamer { in PULL bind tcp://127.0.0.1:5006; out PUSH bind tcp://127.0.0.1:5007; monitor PUSH bind tcp://127.0.0.1:5008 }
device single: streamer { in PULL bind tcp://127.0.0.1:5009; out PUSH bind tcp://127.0.0.1:5010; monitor PAIR bind tcp://127.0.0.1:5011 }
device echo: proxy { in ROUTER bind tcp://127.0.0.1:5012; out same }
"""


class Supervisor:
    """As much of one as taps need: it writes down what devices are told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        compilation = compile(Source(TEXT, "t.ztopo"))
        assert compilation.graph is not None
        self.plan: Plan = make_plan(compilation)
        self.told: list[tuple[str, Command]] = []
        self.listeners: list[Callable[[Told], None]] = []
        self.lives = dict.fromkeys((d.name for d in self.plan.devices), 1)
        self.running = set(self.lives)
        self.error: Exception | None = None

    def snapshot(self) -> Snapshot:
        counts = Statistics("running", 1, 0, (), *[SideCounts(Traffic(), Traffic())] * 2, CaptureCounts(passed=7))
        devices = (
            DeviceSnapshot(n, "", "", "ready" if n in self.running else "starting", "", thread=life, statistics=counts)
            for n, life in self.lives.items()
        )
        return Snapshot("t", "", "running", 1, 0.0, devices=tuple(devices))

    def subscribe(self, listener: Callable[[Told], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def command(self, device: str, what: Command, timeout: float) -> Done:
        self.told.append((device, what))
        if self.error is not None:
            raise self.error
        if device not in self.running:
            raise OSError(errno.ESRCH, "it does not run")
        return Done(device, 1, self._done(device, what))

    def _done(self, device: str, what: Command) -> tuple[str, ...]:
        """The file of a tap is there as long as the tap is."""
        file = self.file(device)
        if isinstance(what, Detach | UnbindFrom):
            file.unlink(missing_ok=True)
            return ()
        file.touch()
        return (f"ipc://{file}",)

    def file(self, device: str, life: int = 0) -> Path:
        return self.folder / f"{device}.{life or self.lives[device]}"

    def address(self, device: str, life: int = 1) -> str:
        return f"ipc://{self.file(device, life)}"

    def start_again(self, device: str) -> None:
        """As when a device has another life."""
        self.lives[device] += 1
        self.running.add(device)
        self.tell(Ready(device, self.lives[device]))

    def tell(self, event: Told) -> None:
        for listener in tuple(self.listeners):
            listener(event)


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    return Supervisor(tmp_path)


def test_a_device_without_a_monitor_has_one_while_somebody_listens(supervisor: Supervisor) -> None:
    heard: list[Tapped] = []
    with Taps(supervisor).tapped(["plain"], heard.append):
        ((device, what),) = supervisor.told
        assert device == "plain"
        assert isinstance(what, Attach)
        assert (what.socket.id, what.socket.type, what.socket.binds[0].endpoint) == ("plain.tap", "PUB", "ipc://*")
        assert [(o.name, o.value) for o in what.socket.options] == [("linger", 0)]
        assert heard == [Tapped("plain", supervisor.address("plain"), (b"in".hex(), b"out".hex()), ("in", "out"), 7)]
    assert supervisor.told[1:] == [("plain", Detach("plain.tap"))]
    assert supervisor.listeners == []


def test_a_monitor_that_is_there_gets_one_address_more(supervisor: Supervisor) -> None:
    heard: list[Tapped] = []
    with Taps(supervisor).tapped(["open"], heard.append):
        assert supervisor.told == [("open", BindTo("open.monitor", "ipc://*"))]
        assert (heard[0].prefixes, heard[0].sides) == ((b"Q".hex(), b"A".hex()), ("in", "out"))
    assert supervisor.told[1:] == [("open", UnbindFrom("open.monitor", supervisor.address("open")))]


def test_both_sides_of_a_single_socket_are_its_side(supervisor: Supervisor) -> None:
    heard: list[Tapped] = []
    with Taps(supervisor).tapped(["echo"], heard.append):
        assert heard[0].sides == ("in", "in")


def test_several_share_a_tap_and_the_last_one_closes_it(supervisor: Supervisor) -> None:
    taps = Taps(supervisor)
    heard: list[Tapped] = []
    with taps.tapped(["plain"], heard.append):
        with taps.tapped(["plain", "open"], heard.append):
            assert [device for device, _ in supervisor.told] == ["plain", "open"]
            assert heard[0] == heard[1]
        assert supervisor.told[2:] == [("open", UnbindFrom("open.monitor", supervisor.address("open")))]
    assert supervisor.told[3:] == [("plain", Detach("plain.tap"))]


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("shared", "shared.monitor is a PUSH: it shares its copies among its readers, so a tap would take them away"),
        ("single", "single.monitor is a PAIR: it has one reader at a time"),
        ("other", "there is no device other"),
    ],
)
def test_what_cannot_be_tapped_is_refused_and_nothing_stays_open(supervisor: Supervisor, device: str, why: str) -> None:
    with pytest.raises(NoTap, match=why), Taps(supervisor).tapped(["plain", device], lambda _: None):
        raise AssertionError("it is not to be open")
    assert [what for _, what in supervisor.told[1:]] == [Detach("plain.tap")]
    assert supervisor.listeners == []


def test_a_device_that_does_not_run_is_tapped_when_it_does(supervisor: Supervisor) -> None:
    supervisor.running.remove("plain")
    heard: SimpleQueue[Tapped] = SimpleQueue()
    with Taps(supervisor).tapped(["plain"], heard.put):
        assert heard.get(timeout=PATIENCE).address == ""
        supervisor.start_again("plain")
        assert heard.get(timeout=PATIENCE).address == supervisor.address("plain", 2)
    assert supervisor.told[-1] == ("plain", Detach("plain.tap"))


def test_a_device_that_was_started_again_is_tapped_again(supervisor: Supervisor) -> None:
    heard: SimpleQueue[Tapped] = SimpleQueue()
    with Taps(supervisor).tapped(["plain"], heard.put):
        assert heard.get(timeout=PATIENCE).address == supervisor.address("plain")
        supervisor.start_again("plain")
        assert heard.get(timeout=PATIENCE).address == supervisor.address("plain", 2)
        supervisor.tell(Ready("plain", 2))  # once more, of the life in which it is open
        supervisor.start_again("plain")
        assert heard.get(timeout=PATIENCE).address == supervisor.address("plain", 3)
        assert [type(what) for _, what in supervisor.told] == [Attach, Attach, Attach]


@pytest.mark.parametrize("event", [Changed("a change"), RolledBack("a step", "a reason")], ids=["done", "taken back"])
def test_a_device_that_a_change_has_given_a_monitor_is_tapped_there(supervisor: Supervisor, event: Told) -> None:
    heard: SimpleQueue[Tapped] = SimpleQueue()
    with Taps(supervisor).tapped(["plain", "open"], heard.put):
        assert {heard.get(timeout=PATIENCE).device for _ in range(2)} == {"plain", "open"}
        supervisor.file("plain").unlink()  # as when the device has closed it
        hosted = supervisor.plan.hosted
        assert hosted is not None
        monitor = replace(hosted.devices[1].capture, id="plain.monitor")
        devices = (replace(hosted.devices[0], capture=monitor), *hosted.devices[1:])
        supervisor.plan = replace(supervisor.plan, hosted=replace(hosted, devices=devices))
        before = len(supervisor.told)
        supervisor.tell(event)
        assert heard.get(timeout=PATIENCE) == Tapped(
            "plain", supervisor.address("plain"), (b"in".hex(), b"out".hex()), ("in", "out"), 7
        )
        assert supervisor.told[before:] == [("plain", BindTo("plain.monitor", "ipc://*"))], "the other one is as it was"
    assert ("plain", UnbindFrom("plain.monitor", supervisor.address("plain"))) in supervisor.told


def test_one_that_nobody_listens_to_any_more_is_not_opened_again(supervisor: Supervisor) -> None:
    taps = Taps(supervisor)
    heard: SimpleQueue[Tapped] = SimpleQueue()
    with taps.tapped(["open"], heard.put):
        with taps.tapped(["plain"], heard.put):
            pass
        before = len(supervisor.told)
        supervisor.start_again("plain")
        supervisor.start_again("open")
        while heard.get(timeout=PATIENCE).address != supervisor.address("open", 2):
            pass
        assert [device for device, _ in supervisor.told[before:]] == ["open"]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "plain cannot be tapped: No space left"),
        (TimeoutError(), "plain does not answer"),
    ],
)
def test_what_a_device_cannot_do_is_said(supervisor: Supervisor, error: Exception, why: str) -> None:
    supervisor.error = error
    with pytest.raises(NoTap, match=why), Taps(supervisor).tapped(["plain"], lambda _: None):
        raise AssertionError("it is not to be open")
    supervisor.error = None
    with Taps(supervisor).tapped(["plain"], lambda _: None):
        assert isinstance(supervisor.told[-1][1], Attach), "and it can be tried again"


def test_the_end_of_the_topology_is_the_end_of_its_taps(supervisor: Supervisor) -> None:
    with Taps(supervisor).tapped(["plain"], lambda _: None):
        supervisor.error = RuntimeError("t has ended")
    assert supervisor.told[-1] == ("plain", Detach("plain.tap"))


def test_a_hundred_come_and_go_at_once(supervisor: Supervisor) -> None:
    taps = Taps(supervisor)
    start = threading.Barrier(10)

    def come_and_go() -> None:
        start.wait()
        for _ in range(10):
            with taps.tapped(["plain", "open"], lambda _: None):
                pass

    threads = [threading.Thread(target=come_and_go) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for device in ("plain", "open"):
        told = [type(what) in (Attach, BindTo) for name, what in supervisor.told if name == device]
        assert told == [True, False] * (len(told) // 2), "opened and closed in turn"


def test_a_monitor_that_is_ours_already_is_made_anew(supervisor: Supervisor) -> None:
    """As when the device began another life just before the tap was opened, and that was heard just after."""
    heard: list[Tapped] = []
    refusals = [OSError(errno.EALREADY, "plain has a monitor")]
    carry_out = supervisor.command

    def command(device: str, what: Command, timeout: float) -> Done:
        done = carry_out(device, what, timeout)
        if isinstance(what, Attach) and refusals:
            raise refusals.pop()
        return done

    supervisor.command = command  # type: ignore[method-assign]  # for this once
    with Taps(supervisor).tapped(["plain"], heard.append):
        assert [type(what) for _, what in supervisor.told] == [Attach, Detach, Attach]
        assert heard[0].address == supervisor.address("plain")
