"""How a running topology lives: three tables, and what follows from them.

Everything that happens is an event; all events go through one queue, and this machine decides what each of them means. It
acts on nothing itself: `on` returns what is to be done, and `supervisor.py` does it. So a history of events can be told to it
in a test, and asked what it did.

Whatever is started has a *life*: a device, an app, a process of devices. LIVES says how it goes on:

    planned -> starting -> bound -> connecting -> ready -> stopping -> ended          a device
    planned -> starting -> ready -> stopping -> leaving -> ended                      an app, a process of devices

An app or a process is `leaving` when it has ended itself but not yet all that it had started. A pair that LIVES does not have
changes nothing: that event came too late to matter.

The topology as a whole is in a *phase*. PHASES says how it goes on:

    binding -> connecting -> running -> stopping -> ended
                                        stopping -> killing -> ended

First everything binds, then everything connects, then it is ready, and the apps start. A failure, a wish to stop, or that
nothing is left to run leads to `stopping`: stage by stage, those from which messages come first. Who does not end in time is
killed; a second wish to stop kills all who are left. Only when everything has ended is the topology ended.

A failure is: a device that fails or ends unasked; a process that takes devices with it; an app that cannot be started, or ends
with anything but 0 and not by a signal of ours; a start or an end that takes too long. An app that ends with 0 is done, and the
rest goes on.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

import msgspec

from topo.plan import Plan
from topo.run.events import (
    Addresses,
    Bound,
    Event,
    Exited,
    Failed,
    Gone,
    Halted,
    Phase,
    Ready,
    Refused,
    Resumed,
    Started,
    StarterLost,
    StopAsked,
    Stopped,
    TimeOver,
)

__all__ = [
    "Act",
    "After",
    "Announce",
    "ConnectHost",
    "Life",
    "Limits",
    "Machine",
    "Report",
    "SayBusy",
    "SayWhy",
    "SendSignal",
    "StartApp",
    "StartHost",
    "StopDevices",
]


class Life(StrEnum):
    """Where a device, an app or a process of devices stands."""

    PLANNED = "planned"
    STARTING = "starting"
    BOUND = "bound"
    CONNECTING = "connecting"
    READY = "ready"
    STOPPING = "stopping"
    LEAVING = "leaving"
    ENDED = "ended"


ALIVE = (Life.STARTING, Life.BOUND, Life.CONNECTING, Life.READY, Life.STOPPING)

LIVES: dict[tuple[Life, str], Life] = {
    (Life.PLANNED, "start"): Life.STARTING,
    (Life.PLANNED, "stop"): Life.ENDED,
    (Life.STARTING, "started"): Life.READY,
    (Life.STARTING, "refused"): Life.ENDED,
    (Life.STOPPING, "refused"): Life.ENDED,
    (Life.STARTING, "bound"): Life.BOUND,
    (Life.BOUND, "connect"): Life.CONNECTING,
    (Life.CONNECTING, "ready"): Life.READY,
    (Life.STARTING, "stop"): Life.STOPPING,
    (Life.BOUND, "stop"): Life.STOPPING,
    (Life.CONNECTING, "stop"): Life.STOPPING,
    (Life.READY, "stop"): Life.STOPPING,
    **{(life, "stopped"): Life.ENDED for life in ALIVE},
    **{(life, "failed"): Life.ENDED for life in ALIVE},
    **{(life, "lost"): Life.ENDED for life in (*ALIVE, Life.LEAVING)},
    **{(life, "exited"): Life.LEAVING for life in ALIVE},
    (Life.LEAVING, "gone"): Life.ENDED,
}

PHASES: dict[tuple[Phase, str], Phase] = {
    ("binding", "all bound"): "connecting",
    ("connecting", "all ready"): "running",
    ("running", "nothing left"): "stopping",
    ("binding", "failure"): "stopping",
    ("connecting", "failure"): "stopping",
    ("running", "failure"): "stopping",
    ("binding", "stop asked"): "stopping",
    ("connecting", "stop asked"): "stopping",
    ("running", "stop asked"): "stopping",
    ("stopping", "forced"): "killing",
    ("stopping", "all ended"): "ended",
    ("killing", "all ended"): "ended",
}


class Limits(msgspec.Struct, frozen=True):
    """How many seconds something may take."""

    start: float = 30.0
    """Until everything is bound and connected."""
    stop: float = 5.0
    """From the wish that something ends until it is killed."""
    kill: float = 2.0
    """From there until it is given up."""
    quiet: float = 1.0
    """Until it is said who is still busy."""


# What is to be done


class StartHost(msgspec.Struct, frozen=True):
    """Start a process of devices."""

    name: str


class ConnectHost(msgspec.Struct, frozen=True):
    """Tell a process of devices that everything is bound."""

    name: str


class StopDevices(msgspec.Struct, frozen=True):
    """Ask devices of a process to end."""

    host: str
    devices: tuple[str, ...]


class StartApp(msgspec.Struct, frozen=True):
    """Start an app."""

    name: str


class SendSignal(msgspec.Struct, frozen=True):
    """Send a signal to an app or a process of devices, and to all that it has started."""

    name: str
    number: int


class After(msgspec.Struct, frozen=True):
    """Let this event come after so many seconds."""

    seconds: float
    event: TimeOver


class Announce(msgspec.Struct, frozen=True):
    """Say that the topology has come to another phase."""

    phase: Phase


class Report(msgspec.Struct, frozen=True):
    """Say that something went wrong, or (`warning`) at least not as it should."""

    event: Event
    names: tuple[str, ...] = ()
    """Who it is about, where the event does not say."""
    warning: bool = False


class SayWhy(msgspec.Struct, frozen=True):
    """Say why it stops."""

    why: str


class SayBusy(msgspec.Struct, frozen=True):
    """Say who has not ended yet."""

    names: tuple[str, ...]


Act = StartHost | ConnectHost | StopDevices | StartApp | SendSignal | After | Announce | Report | SayWhy | SayBusy

Kind = Literal["device", "app", "host"]


class Machine:
    """One topology, from its plan to its end. `code` is what the program should end with."""

    def __init__(self, plan: Plan, limits: Limits | None = None, local: frozenset[str] = frozenset()) -> None:
        """`local` are the hosts in this very process, which no signal can end."""
        self.plan = plan
        self.limits = limits or Limits()
        self.local = local
        self.phase: Phase = "binding"
        self.code = 0
        self.addresses: Addresses = {}
        self.hosts = {host.name: tuple(d.name for d in host.devices) for host in plan.hosts}
        self.host_of = {device: host for host, devices in self.hosts.items() for device in devices}
        self.devices = dict.fromkeys(self.host_of, Life.PLANNED)
        self.apps = {app.name: Life.PLANNED for app in plan.apps}
        self.processes = dict.fromkeys(self.hosts, Life.PLANNED)
        """The lives of hosts. The process of a device and the device have one name, so they are kept apart."""
        self.tally = Counter({Life.PLANNED: len(self.devices)})
        """How many devices stand where."""
        self.living = {host: len(devices) for host, devices in self.hosts.items()}
        """How many devices of a process have not ended."""
        self.sent: dict[str, set[int]] = {}
        """The signals that we have sent."""
        self.halted: set[str] = set()
        """Those that somebody has stopped with a signal: they hear nothing before they go on."""
        self.stage = -1
        self.waiting_for: list[str] = []
        """Of the stage that is being stopped; those at the end of the list may have ended."""
        self.wishes = 0
        """How often somebody insisted on its end."""
        self.acts: list[Act] = []

    # From outside

    def begin(self) -> list[Act]:
        """Start: everything binds."""
        self.acts.append(After(self.limits.start, TimeOver("start")))
        for host, devices in self.hosts.items():
            self._move(self.processes, host, "start")
            for device in devices:
                self._move(self.devices, device, "start")
            self.acts.append(StartHost(host))
        return self._settle()

    def on(self, event: Event) -> list[Act]:
        """What is to be done, now that this has happened."""
        match event:
            case Bound(device, addresses):
                self.addresses.update(addresses)
                self._move(self.devices, device, "bound")
            case Ready(device):
                self._move(self.devices, device, "ready")
            case Failed(device):
                if self._move(self.devices, device, "failed"):
                    self._fail(event)
                    self._expect_end(self.host_of[device])
            case Stopped(device):
                asked = self.devices[device] == Life.STOPPING
                if self._move(self.devices, device, "stopped"):
                    if not asked:
                        self._fail(event)
                    self._expect_end(self.host_of[device])
            case Started(name):
                self._move(self._lives(name), name, "started")
            case Refused(name):
                if self._move(self._lives(name), name, "refused"):
                    self._lose_devices(name)
                    self._fail(event)
            case Exited(name):
                self._exited(event, name)
            case Halted(name):
                self.halted.add(name)
            case Resumed(name):
                self.halted.discard(name)
            case Gone(name):
                self._move(self._lives(name), name, "gone")
            case StarterLost():
                self._starter_lost(event)
            case StopAsked(by, insists):
                self._stop_asked(by, insists)
            case TimeOver():
                self._time_over(event)
        return self._settle()

    # Lives

    def _lives(self, name: str) -> dict[str, Life]:
        return self.processes if name in self.processes else self.apps

    def _move(self, lives: dict[str, Life], name: str, event: str) -> bool:
        """Let a life go on, and say whether it did."""
        before = lives[name]
        after = LIVES.get((before, event))
        if after is None:
            return False
        lives[name] = after
        if lives is self.devices:
            self.tally[before] -= 1
            self.tally[after] += 1
            self.living[self.host_of[name]] -= after == Life.ENDED
        return True

    def _lose_devices(self, host: str) -> tuple[str, ...]:
        """The devices that a process takes with it. None, if it is that of an app."""
        return tuple(d for d in self.hosts.get(host, ()) if self._move(self.devices, d, "lost"))

    def _exited(self, event: Exited, name: str) -> None:
        lives = self._lives(name)
        if not self._move(lives, name, "exited"):
            return
        lost = self._lose_devices(name)
        if (lost and self.phase != "killing") or not self._ended_well(event):
            self._fail(event, lost)
        if name not in self.local:
            self._signal(name, signal.SIGTERM)  # for what it may have left behind
            self.acts.append(After(self.limits.stop, TimeOver("stop", name)))

    def _ended_well(self, event: Exited) -> bool:
        """By itself and with 0, or by a signal of ours; a shell says of that 128 and its number."""
        sent = self.sent.get(event.name, set())
        return event.status == 0 or -event.status in sent or event.status - 128 in sent

    def _starter_lost(self, event: StarterLost) -> None:
        lost = []
        for lives in (self.processes, self.apps):
            for name in lives:
                if name not in self.local and self._move(lives, name, "lost"):
                    lost.append(name)
                    self._lose_devices(name)
        self._fail(event, tuple(lost))

    # Phases

    def _go(self, event: str) -> bool:
        """Let the topology go on, and say whether it did."""
        after = PHASES.get((self.phase, event))
        if after is None:
            return False
        self.phase = after
        self.acts.append(Announce(after))
        return True

    def _fail(self, event: Event, names: tuple[str, ...] = ()) -> None:
        self.code = self.code or 1
        self.acts.append(Report(event, names))
        self._go("failure")

    def _stop_asked(self, by: str, insists: bool) -> None:
        self.wishes += insists
        if self._go("stop asked"):
            self.acts.append(SayWhy(by))
        elif insists and self.wishes > 1 and self._go("forced"):
            self.code = 130
            self.acts.append(SayWhy(by))
            for name in self._left():
                self._kill(name)

    def _settle(self) -> list[Act]:
        """Go on as far as that is possible without anything else happening, and hand out what is to be done."""
        if self.phase == "binding" and self._all(Life.BOUND) and self._go("all bound"):
            for host, devices in self.hosts.items():
                for device in devices:
                    self._move(self.devices, device, "connect")
                self.acts.append(ConnectHost(host))
        if self.phase == "connecting" and self._all(Life.READY) and self._go("all ready"):
            for app in self.apps:
                self._move(self.apps, app, "start")
                self.acts.append(StartApp(app))
        if self.phase == "running" and not self.plan.sockets and not self._left():
            self._go("nothing left")
        if self.phase in ("stopping", "killing"):
            self._stop_stages()
        acts, self.acts = self.acts, []
        return acts

    def _all(self, life: Life) -> bool:
        return self.tally[life] == len(self.devices)

    # Stopping

    def _stop_stages(self) -> None:
        """Stop a stage when the one before has ended; at last, nothing may be left."""
        while not self._is_busy():
            self.stage += 1
            if self.stage >= len(self.plan.stages):
                if not self._left():
                    self._go("all ended")
                return
            names = self.plan.stages[self.stage]
            self.waiting_for = list(names)
            self._stop_members(names)
            if self._is_busy():
                self.acts.append(After(self.limits.quiet, TimeOver("busy")))

    def _stop_members(self, names: Iterable[str]) -> None:
        asked: dict[str, list[str]] = {}
        for name in names:
            if name in self.apps:
                self._stop_app(name)
            elif self._move(self.devices, name, "stop") and self.devices[name] == Life.STOPPING:
                asked.setdefault(self.host_of[name], []).append(name)
        for host, devices in asked.items():
            self.acts.append(StopDevices(host, tuple(devices)))
            self._let_hear(host)
            self.acts.append(After(self.limits.stop, TimeOver("stop", host, tuple(devices))))

    def _stop_app(self, name: str) -> None:
        if self._move(self.apps, name, "stop") and self.apps[name] == Life.STOPPING:
            self._signal(name, signal.SIGTERM)
            self._let_hear(name)
            self.acts.append(After(self.limits.stop, TimeOver("stop", name)))

    def _let_hear(self, name: str) -> None:
        """Let one that is halted go on, for it was asked to end."""
        if name in self.halted:
            self._signal(name, signal.SIGCONT)

    def _is_busy(self) -> bool:
        """Whether somebody of the present stage has not ended."""
        while self.waiting_for and not self._has_not_ended(self.waiting_for[-1]):
            self.waiting_for.pop()
        return bool(self.waiting_for)

    def _has_not_ended(self, name: str) -> bool:
        """Of a device also whether its process has not, if it was the last one there."""
        if name in self.apps:
            return self.apps[name] != Life.ENDED
        host = self.host_of[name]
        last_words = self.living[host] == 0 and self.processes[host] != Life.ENDED
        return self.devices[name] != Life.ENDED or last_words

    def _expect_end(self, host: str) -> None:
        """A process ends when its last device has."""
        if self.living[host] == 0:
            self.acts.append(After(self.limits.stop, TimeOver("stop", host)))

    def _left(self) -> tuple[str, ...]:
        """Every process and app that has not ended."""
        gone = (Life.ENDED, Life.PLANNED)
        return tuple(name for lives in (self.apps, self.processes) for name, life in lives.items() if life not in gone)

    def _signal(self, name: str, number: int) -> None:
        self.sent.setdefault(name, set()).add(number)
        self.acts.append(SendSignal(name, number))

    def _kill(self, name: str) -> None:
        if name in self.local:
            self._stop_members(self.hosts[name])
        else:
            self._signal(name, signal.SIGKILL)
        self.acts.append(After(self.limits.kill, TimeOver("kill", name)))

    # Time

    def _time_over(self, event: TimeOver) -> None:
        match event.what:
            case "start" if self.phase in ("binding", "connecting"):
                late = tuple(n for n, life in self.devices.items() if life != Life.READY)
                self._fail(event, late)
            case "stop" if self._is_late(event):
                self.acts.append(Report(event, warning=True))
                self._kill(event.name)
            case "kill" if self._lives(event.name)[event.name] != Life.ENDED:
                self._give_up(event)
            case "busy" if self.phase == "stopping" and self._is_busy():
                self.acts.append(SayBusy(tuple(n for n in self.waiting_for if self._has_not_ended(n))))

    def _is_late(self, event: TimeOver) -> bool:
        """Whether those that should have ended by now have not."""
        if self._lives(event.name)[event.name] == Life.ENDED:
            return False
        waited_for = any(self.devices[d] != Life.ENDED for d in event.devices)
        return waited_for or event.name in self.apps or self.living[event.name] == 0

    def _give_up(self, event: TimeOver) -> None:
        lives = self._lives(event.name)
        self._move(lives, event.name, "lost")
        self._lose_devices(event.name)
        self._fail(event)
