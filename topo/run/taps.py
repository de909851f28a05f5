"""Who taps what: monitors that are there for as long as somebody listens.

A device that has a PUB monitor binds one address more on it; one that has no monitor gets one. Several who tap a device share that;
with the last of them it goes. A device that was started again gets it again, and one that a change has given another monitor, too.
What others read from a monitor is never touched: one that shares its copies among its readers, or has a single reader, is not
tapped.

A tap ends when whoever asked for it has gone, however that was: see `control.py`.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import msgspec

from topo.plan import BindPlan, DevicePlan, OptionPlan, Plan, SocketPlan
from topo.run.events import TAP, Attach, BindTo, Changed, Command, Detach, Done, Ready, RolledBack, Told, UnbindFrom
from topo.run.lives import Life
from topo.run.snapshot import DeviceSnapshot, Snapshot
from topo.zeromq.options import OPTIONS

__all__ = ["NoTap", "Tappable", "Tapped", "Taps", "refusal"]

PATIENCE = 5.0
"""Seconds that a device may take to open or close a tap. One that is stopped closes it when it goes on."""
WILD = "ipc://*"
"""libzmq makes a file for it, in a folder of its own for this user alone."""
OPEN = frozenset({"PUB", "XPUB"})
"""Types of monitors that give each reader every copy, and drop what one does not take."""
WHY_NOT = {
    "PUSH": "shares its copies among its readers, so a tap would take them away from the others",
    "DEALER": "shares its copies among its readers, so a tap would take them away from the others",
    "PAIR": "has one reader at a time, so a tap would keep the other one out",
}


class NoTap(Exception):
    """A device cannot be tapped; the text says why."""


class Tapped(msgspec.Struct, frozen=True):
    """Where to listen, said when a tap opens, and again when its device has been started again."""

    device: str
    address: str
    """Empty as long as the device does not run."""
    prefixes: tuple[str, str] = ("", "")
    """What copies begin with, in hexadecimal."""
    sides: tuple[str, str] = ("", "")
    """The sides that they stand for."""
    passed: int = 0
    """How many copies the device had passed to its monitor before."""


class Tappable(Protocol):
    """As much of the supervisor as is needed here."""

    @property
    def plan(self) -> Plan:
        """What runs at present."""
        ...

    def snapshot(self) -> Snapshot:
        """What runs. RuntimeError at the end of the topology."""
        ...

    def subscribe(self, listener: Callable[[Told], None]) -> Callable[[], None]:
        """Tell the listener whatever is told, until what is returned is called."""
        ...

    def command(self, device: str, what: Command, timeout: float) -> Done:
        """Let a device carry out a command. OSError if it cannot, TimeoutError, RuntimeError at the end of the topology."""
        ...


Tell = Callable[[Tapped], None]


class Tap:
    """A device that is tapped, and by whom."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.listeners: list[Tell] = []
        self.now = Tapped(device, "")
        self.undo: Command | None = None
        """What takes it down."""
        self.life: tuple[int, int | None, int | None] | None = None
        """The life of the device in which it is open."""


class Taps:
    """All taps of a topology."""

    def __init__(self, supervisor: Tappable) -> None:
        self._supervisor = supervisor
        self._lock = threading.RLock()
        """Held while a tap is opened or closed: nobody comes in between."""
        self._taps: dict[str, Tap] = {}
        self._users = 0
        """How many have something tapped, or are about to."""
        self._unsubscribe: Callable[[], None] = lambda: None

    @contextmanager
    def tapped(self, devices: Iterable[str], tell: Tell) -> Iterator[None]:
        """Have these devices tapped within the block; `tell` hears where, from any thread. Raises NoTap if one cannot be."""
        wanted, joined = tuple(devices), list[str]()
        self._begin()
        try:
            before = self._seen(wanted)
            for device in wanted:
                self._join(device, tell, before.get(device))
                joined.append(device)
            yield
        finally:
            for device in joined:
                self._leave(device, tell)
            self._end()

    def _begin(self) -> None:
        """Hear of devices that become ready from now on."""
        with self._lock:
            if not self._users:
                self._unsubscribe = self._supervisor.subscribe(self._hear)
            self._users += 1

    def _end(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._unsubscribe()

    def _join(self, device: str, tell: Tell, before: DeviceSnapshot | None) -> None:
        with self._lock:
            tap = self._taps.get(device)
            if tap is None:
                tap = self._taps[device] = Tap(device)
                try:
                    self._open(tap, before)
                except BaseException:
                    del self._taps[device]
                    raise
            tap.listeners.append(tell)
            tell(tap.now)

    def _leave(self, device: str, tell: Tell) -> None:
        with self._lock:
            tap = self._taps[device]
            tap.listeners.remove(tell)
            if tap.listeners:
                return
            del self._taps[device]
            if tap.undo is not None:
                with suppress(OSError, RuntimeError):  # it has ended, and the tap with it; or it is stopped, and does it later
                    self._supervisor.command(device, tap.undo, PATIENCE)

    def _open(self, tap: Tap, found: DeviceSnapshot | None) -> bool:
        """Open a tap, unless it is open: then its socket is there. Says whether it was not.

        A device that does not run is tapped when it does.
        """
        plan = self._plan_of(tap.device)
        why = refusal(plan)
        if why:
            raise NoTap(why)
        life = None if found is None or found.life != Life.READY else (found.restarts, found.pid, found.thread)
        if tap.life is not None and tap.life == life and os.path.exists(tap.now.address.removeprefix("ipc://")):
            return False
        tap.life, tap.undo, tap.now = None, None, Tapped(tap.device, "")
        address = "" if life is None else self._carry_out(tap.device, plan)
        if not address:
            return True
        tap.life, tap.undo = life, UnbindFrom(plan.capture.id, address) if plan.capture else Detach(tap.device + TAP)
        passed = found.statistics.capture.passed if found and found.statistics else 0
        tap.now = Tapped(tap.device, address, (plan.prefixes[0].hex(), plan.prefixes[1].hex()), _sides(plan), passed)
        return True

    def _carry_out(self, device: str, plan: DevicePlan) -> str:
        """Let a device open the tap, and return the address; empty if it has ended meanwhile."""
        what = BindTo(plan.capture.id, WILD) if plan.capture else Attach(_monitor(plan))
        try:
            try:
                return self._supervisor.command(device, what, PATIENCE).address
            except OSError as error:
                if error.errno != errno.EALREADY:
                    raise
            self._supervisor.command(
                device, Detach(device + TAP), PATIENCE
            )  # a tap of ours, made just as the device began this life
            return self._supervisor.command(device, what, PATIENCE).address
        except TimeoutError:
            raise NoTap(f"{device} does not answer") from None
        except OSError as error:
            if error.errno == errno.ESRCH:
                return ""
            raise NoTap(f"{device} cannot be tapped: {error.strerror or error}") from error

    def _plan_of(self, device: str) -> DevicePlan:
        for plan in self._supervisor.plan.devices:
            if plan.name == device:
                return plan
        raise NoTap(f"there is no device {device}")

    def passed(self, devices: Iterable[str]) -> dict[str, int]:
        """How many copies devices have passed to their monitors so far."""
        return {name: d.statistics.capture.passed for name, d in self._seen(devices).items() if d.statistics is not None}

    def _seen(self, devices: Iterable[str]) -> dict[str, DeviceSnapshot]:
        wanted = frozenset(devices)
        return {d.name: d for d in self._supervisor.snapshot().devices if d.name in wanted}

    # In the thread of the loop

    def _hear(self, event: Told) -> None:
        """A device that is ready has a new life, without the tap of the old one; a change may have put a monitor in its place."""
        if isinstance(event, Ready):
            self._look_after(event.device)
        elif isinstance(event, Changed | RolledBack):
            self._look_after(*self._taps)

    def _look_after(self, *devices: str) -> None:
        """In a thread of its own: the loop is not to wait for devices."""
        threading.Thread(target=self._open_again, args=(devices,), name="ztopo taps", daemon=True).start()

    def _open_again(self, devices: tuple[str, ...]) -> None:
        for device in devices:
            self._again(device)

    def _again(self, device: str) -> None:
        with self._lock:
            tap = self._taps.get(device)
            if tap is None:
                return
            try:
                news = self._open(tap, self._seen((device,)).get(device))
            except (NoTap, RuntimeError):  # it is another device now, or all has ended
                tap.life, tap.undo, tap.now, news = None, None, Tapped(device, ""), True
            if news:
                for tell in tap.listeners:
                    tell(tap.now)


def refusal(plan: DevicePlan) -> str:
    """Why a device cannot be tapped; empty if it can."""
    monitor = plan.capture
    if monitor is None or monitor.type in OPEN:
        return ""
    return f"{monitor.id} is a {monitor.type}: it {WHY_NOT[monitor.type]}"


def _monitor(plan: DevicePlan) -> SocketPlan:
    """What a device gets that has no monitor. At its end nothing is waited for."""
    linger = OptionPlan("linger", OPTIONS["linger"].number, 0, plan.place)
    return SocketPlan(plan.name + TAP, "PUB", (linger,), (BindPlan(WILD, plan.place),), (), plan.place)


def _sides(plan: DevicePlan) -> tuple[str, str]:
    """The sides that the two prefixes stand for. Alike, they tell nothing."""
    if plan.prefixes[0] == plan.prefixes[1] and plan.backend is not None:
        return "", ""
    names = [side.id.rpartition(".")[2] for side in (plan.frontend, plan.backend or plan.frontend)]
    return names[0], names[1]
