"""What systemd is told: with a real datagram socket in the place of systemd's."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PATIENCE
from tests.run.conftest import World
from tests.run.test_background import RELAY
from tests.run.test_up import SLEEPER, STUBBORN, app
from topo.plan import Plan
from topo.run.events import Busy, Phased, ReloadAsked, ReloadRefused, Stopping
from topo.run.journal import Journal
from topo.run.notify import Notifier


class Manager:
    """A service manager that listens at an address."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(PATIENCE)

    def hear(self) -> list[str]:
        """The lines of the next message."""
        return self._socket.recv(4096).decode().splitlines()

    def heard(self) -> list[str]:
        """The messages that have come."""
        messages = []
        self._socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                messages.append(self._socket.recv(4096).decode())
        self._socket.settimeout(PATIENCE)
        return messages

    def hear_until(self, wanted: str) -> list[str]:
        """All lines up to this one, though signs of life may come without an end."""
        lines: list[str] = []
        end = time.monotonic() + PATIENCE
        while wanted not in lines:
            assert time.monotonic() < end, f"{wanted} did not come: {lines}"
            lines += self.hear()
        return lines

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@ztopo-test-{os.getpid()}-{tmp_path.name}"


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    manager = Manager(address)
    try:
        yield manager
    finally:
        manager.close()


class Loop:
    """A supervisor whose loop answers, or does not."""

    def __init__(self) -> None:
        self.stuck = False
        self.asked = 0

    def call(self, question: Callable[[Any], Any], timeout: float | None = None) -> Any:
        self.asked += 1
        if self.stuck:
            raise TimeoutError
        return question(self)


@pytest.fixture
def journal() -> Journal:
    return Journal(Plan("t", None, (), (), (), ()))


def test_a_service_manager_hears_how_it_goes(address: str, manager: Manager, journal: Journal) -> None:
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "0", "OTHER": "stays"}
    with Notifier(Loop(), journal, environment):
        journal.note("info", "begun", "t is starting")
        assert manager.hear() == ["STATUS=t is starting"]
        journal.tell(Phased("running"))
        assert manager.hear() == ["READY=1", "STATUS=ready"]
        journal.tell(ReloadAsked("SIGHUP"))
        reloading, when = manager.hear()
        assert reloading == "RELOADING=1"
        assert when.removeprefix("MONOTONIC_USEC=").isdecimal()
        journal.tell(ReloadRefused("SIGHUP", "t.ztopo is invalid"))
        assert manager.hear() == ["READY=1", "STATUS=SIGHUP: t.ztopo is invalid"]
        journal.tell(Phased("stopping"))
        journal.tell(Stopping("SIGTERM"))
        journal.tell(Busy(("a", "b")))
    assert [manager.hear() for _ in range(3)] == [["STOPPING=1"], ["STATUS=stopping: SIGTERM"], ["STATUS=still busy: a, b"]]
    assert environment == {"OTHER": "stays"}


def test_signs_of_life_come_from_the_loop_itself(address: str, manager: Manager, journal: Journal) -> None:
    loop = Loop()
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(os.getpid())}
    with Notifier(loop, journal, environment):
        for _ in range(3):
            assert manager.hear() == ["WATCHDOG=1"]
        loop.stuck = True
        manager.heard()
        asked = loop.asked
        while loop.asked < asked + 5:
            threading.Event().wait(0.001)
        assert len(manager.heard()) <= 1, "one may have been under way, and none came after it"
        loop.stuck = False
        assert manager.hear() == ["WATCHDOG=1"]


@pytest.mark.parametrize("watchdog", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}])
def test_what_is_meant_for_others_is_left_alone(tmp_path: Path, journal: Journal, watchdog: dict[str, str]) -> None:
    manager = Manager(str(tmp_path / "notify"))
    loop = Loop()
    with Notifier(loop, journal, {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1", **watchdog}):
        journal.tell(Phased("running"))
        assert manager.hear() == ["READY=1", "STATUS=ready"]
    assert loop.asked == 0
    manager.close()


def test_nobody_there_is_said_once_and_nothing_else(tmp_path: Path, journal: Journal) -> None:
    said: list[str] = []
    journal.subscribe(lambda record: said.append(record.message))
    with Notifier(Loop(), journal, {"NOTIFY_SOCKET": str(tmp_path / "nowhere")}):
        journal.tell(Phased("running"))
        journal.tell(Phased("stopping"))
    assert sorted(said) == ["running", "stopping", "systemd cannot be told anything: No such file or directory"]
    with Notifier(Loop(), journal, {}):
        journal.tell(Phased("ended"))


def test_up_tells_it(world: World, tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    world.environment |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
    world.write(
        "look.py", "import os, signal\nprint('NOTIFY_SOCKET' in os.environ, 'WATCHDOG_USEC' in os.environ)\nsignal.pause()\n"
    )
    world.topology(RELAY + app("look", "python look.py"))
    up = world.up("t.ztopo", start_new_session=True)  # without a terminal, as under systemd
    manager.hear_until("READY=1")
    up.wait_for(r"^look +\| False False$")
    manager.hear_until("WATCHDOG=1")
    up.process.send_signal(signal.SIGHUP)
    manager.hear_until("RELOADING=1")
    manager.hear_until("READY=1")
    up.process.send_signal(signal.SIGTERM)
    manager.hear_until("STOPPING=1")
    manager.hear_until("STATUS=stopping: SIGTERM")
    assert up.end() == 0
    manager.close()
    assert world.is_clean()


def test_up_says_who_is_still_busy(world: World, tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    world.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
    world.topology(app("sleeper", SLEEPER) + app("stubborn", STUBBORN))
    up = world.up("t.ztopo")
    up.wait_for_all(r"^sleeper +\| there$", r"^stubborn +\| there$")
    up.interrupt()
    manager.hear_until("STATUS=still busy: stubborn (t.ztopo:5)")
    up.interrupt()
    assert up.end() == 130
    manager.close()
