"""How a running topology lives: what follows from the tables of `lives.py`.

Everything that happens is an event; all events go through one queue, and this machine decides what each of them means. It
acts on nothing itself: `on` returns what is to be done (`acts.py`), and `supervisor.py` does it. So a history of events can be told to it
in a test, and asked what it did.

First everything binds, then everything connects, then it is ready, and the apps start. A failure, a wish to stop, or that
nothing is left to run leads to `stopping`: stage by stage, those from which messages come first. Who does not end in time is
killed; a second wish to stop kills all who are left. Only when everything has ended is the topology ended.

After a wish to stop it drains: whose turn it is to end, ends once it has nothing more to do (`draining.py`), or when the time for
that is over. After a failure it does not, for there is a hole where messages went.

A failure is: a device that fails or ends unasked; a process that takes devices with it; an app that cannot be started, or ends
with anything but 0 and not by a signal of ours; a start or an end that takes too long. An app that ends with 0 is done, and the
rest goes on.

While the topology runs, a failure is first a matter of who has failed: is it to be started again (`restarts.py`), that is said,
and done. A process lives until no device of it is left, or to come. Only who may not be started again takes the rest along.

While the topology runs, it can also be changed, by whoever has begun a change: devices and apps end and stay so, others start,
and what is wanted becomes another plan. Those that a change starts are on trial until they are ready: first all of them bind, then
all connect, and one that fails is not started again, nor does it take anybody along. Whoever changes sees it, and takes it back.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from topo.plan import Plan
from topo.run.acts import (
    Act,
    After,
    Announce,
    ConnectDevices,
    DismissHost,
    ForgetDevice,
    Look,
    PauseMember,
    Report,
    SayBusy,
    SayRestart,
    SayUndrained,
    SayWhy,
    SendSignal,
    StartApp,
    StartDevices,
    StartHost,
    StopDevices,
    TurnDevice,
)
from topo.run.draining import Draining
from topo.run.events import (
    Addresses,
    Bound,
    ChangeBegun,
    ChangeOver,
    Drain,
    EndAsked,
    Event,
    Exited,
    Failed,
    Gone,
    Halted,
    Looked,
    Phase,
    PlanChanged,
    Ready,
    Refused,
    Resumed,
    Standing,
    StartAsked,
    Started,
    StarterLost,
    StopAsked,
    Stopped,
    TimeOver,
)
from topo.run.lives import ALIVE, LIVES, PHASES, STARTABLE, UNREADY, Life
from topo.run.restarts import Restarts, companions

__all__ = ["Limits", "Machine"]


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
    drain: float = 5.0
    """From a wish to stop until nobody is waited for who has still something to do."""
    silence: float = 0.05
    """After which nothing more is expected from those whose messages nobody counts."""
    patience: float = 1.0
    """Until one who drains, and is never quiet, is cut off."""


LOOK = 0.01
"""Seconds between two looks at those who drain."""
TURN = 0.001
"""Seconds until one who was asked to go round is looked at."""


class Machine:
    """One topology, from its plan to its end. `code` is what the program should end with."""

    def __init__(
        self,
        plan: Plan,
        limits: Limits | None = None,
        local: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`local` are the hosts in this very process, which no signal can end."""
        self.plan = plan
        self.limits = limits or Limits()
        self.local = local
        self.clock = clock
        self.phase: Phase = "binding"
        self.code = 0
        self.addresses: Addresses = {}
        self.hosts: dict[str, tuple[str, ...]] = {}
        self.host_of: dict[str, str] = {}
        self.order: list[str] = []
        """Every device and app, in the order of the declarations; those that the plan's order lacks come last."""
        self.devices: dict[str, Life] = {}
        self.apps: dict[str, Life] = {}
        self.processes: dict[str, Life] = {}
        """The lives of hosts. The process of a device and the device have one name, so they are kept apart."""
        self.tally: Counter[Life] = Counter()
        """How many devices stand where."""
        self.living: dict[str, int] = {}
        """How many devices of a process have not ended."""
        self.restarts: dict[str, Restarts] = {}
        """What each device and app has had of them."""
        self.tried: set[str] = set()
        """Those that have been ready, in this life or an earlier one: before that, they are not started again."""
        self.returning: set[str] = set()
        """Those who are to wait for a restart as soon as they have ended."""
        self.due: set[str] = set()
        """Those who are to start as soon as nothing is in the way: the end of their process, or of a companion."""
        self.companies: list[tuple[str, ...]] = []
        """Those who end and start again together, the one who failed first. Nobody starts before all have ended."""
        self.births: Counter[str] = Counter()
        """How often each app and process was started."""
        self.begun: Counter[str] = Counter()
        """How often each device was started while the rest ran."""
        self.asked: Counter[str] = Counter()
        """How often each device was asked to end."""
        self.sent: dict[str, set[int]] = {}
        """The signals that we have sent."""
        self.halted: set[str] = set()
        """Those that somebody has stopped with a signal: they hear nothing before they go on."""
        self.changing = False
        """Whether somebody is carrying out a change."""
        self.trial: set[str] = set()
        """Those that the change has started and that are not ready yet."""
        self.stage = -1
        self.waiting_for: list[str] = []
        """Of the stage that is being stopped; those at the end of the list may have ended."""
        self.draining: Draining | None = None
        """What is seen of those who drain, while there is time for that."""
        self.look_is_set = False
        self.wishes = 0
        """How often somebody insisted on its end."""
        self.emptied: set[str] = set()
        """Processes whose last device has ended just now."""
        self.acts: list[Act] = []
        self._take(plan)

    # From outside

    def begin(self) -> list[Act]:
        """Start: everything binds."""
        self.acts.append(After(self.limits.start, TimeOver("start")))
        for host, devices in self.hosts.items():
            self._move(self.processes, host, "start")
            for device in devices:
                self._move(self.devices, device, "start")
            self.acts.append(StartHost(host, devices))
        return self._settle()

    def on(self, event: Event) -> list[Act]:
        """What is to be done, now that this has happened."""
        match event:
            case Bound(device, addresses):
                self.addresses.update(addresses)
                if self._move(self.devices, device, "bound") and self.phase == "running":
                    self._connect_next(device)
            case Ready(device):
                if self._move(self.devices, device, "ready"):
                    self.tried.add(device)
                    self.trial.discard(device)
            case Failed(device) | Stopped(device):
                self._device_ended(event, device)
            case Started(name):
                if self._move(self._lives(name), name, "started") and name in self.apps:
                    self.tried.add(name)
                    self.trial.discard(name)
            case Refused(name):
                self._refused(event, name)
            case Exited(name):
                self._exited(event, name)
            case Halted(name):
                self.halted.add(name)
            case Resumed(name):
                self.halted.discard(name)
            case Gone(name):
                self._gone(name)
            case StarterLost():
                self._starter_lost(event)
            case StopAsked():
                self._stop_asked(event)
            case Looked(standings, last) if self.draining is not None:
                self._looked(self.draining, standings, last)
            case TimeOver():
                self._time_over(event)
            case EndAsked(names, drain) if self.phase == "running":
                self._rest(names, drain)
            case StartAsked(names) if self.phase == "running":
                self._start_wanted(names)
            case PlanChanged(plan, addresses):
                self.addresses.update(addresses)
                self._take(plan)
            case ChangeBegun() | ChangeOver():
                self.changing = isinstance(event, ChangeBegun)
                self.trial.clear()
        return self._settle()

    def life(self, member: str) -> Life | None:
        """Where a device or an app stands; None if there is none of that name."""
        return self._lives_of(member).get(member)

    def is_halted(self, member: str) -> bool:
        """Whether an app, or the process of a device, was stopped with a signal, and hears nothing."""
        return self.host_of.get(member, member) in self.halted

    # What there is

    def _take(self, plan: Plan) -> None:
        """Let this be what is wanted: what is new is planned, what is gone from it is forgotten."""
        self.plan = plan
        self.hosts = {host.name: tuple(d.name for d in host.devices) for host in plan.hosts}
        self.host_of = {device: host for host, devices in self.hosts.items() for device in devices}
        place = {name: number for number, name in enumerate(plan.order)}
        self.order = sorted((*self.host_of, *(a.name for a in plan.apps)), key=lambda name: place.get(name, len(place)))
        policies = {d.name: d.restart for d in plan.devices} | {a.name: a.restart for a in plan.apps}
        for lives, names in ((self.devices, self.host_of), (self.apps, [a.name for a in plan.apps])):
            for gone in lives.keys() - names:
                del lives[gone]
                self.tried.discard(gone)
                self.due.discard(gone)
                if lives is self.devices:
                    self.acts.append(ForgetDevice(gone))
            for name in names:
                lives.setdefault(name, Life.PLANNED)
        for name in self.hosts:
            self.processes.setdefault(name, Life.PLANNED)
        for name in self.processes.keys() - self.hosts.keys():
            if self.processes[name] in (Life.ENDED, Life.PLANNED):
                del self.processes[name]
            else:
                self.hosts[name] = ()
                self.emptied.add(name)
        before = self.restarts
        self.restarts = {}
        for name, policy in policies.items():
            old = before.get(name)
            self.restarts[name] = old if old is not None and old.plan == policy else Restarts(policy)
        self._count()

    def _count(self) -> None:
        self.tally = Counter(self.devices.values())
        self.living = {host: sum(self.devices[d] != Life.ENDED for d in devices) for host, devices in self.hosts.items()}

    # Lives

    def _lives(self, name: str) -> dict[str, Life]:
        return self.processes if name in self.processes else self.apps

    def _lives_of(self, member: str) -> dict[str, Life]:
        """The lives of devices, or of apps."""
        return self.devices if member in self.devices else self.apps

    def _move(self, lives: dict[str, Life], name: str, event: str) -> bool:
        """Let a life go on, and say whether it did."""
        before = lives.get(name)
        if before is None:
            return False
        after = LIVES.get((before, event))
        if after is None:
            return False
        lives[name] = after
        if lives is self.devices:
            self.tally[before] -= 1
            self.tally[after] += 1
            host = self.host_of[name]
            self.living[host] += (before == Life.ENDED) - (after == Life.ENDED)
            if after == Life.ENDED and self.living[host] == 0:
                self.emptied.add(host)
        elif after == Life.STARTING:
            self.births[name] += 1
        return True

    def _lose_devices(self, host: str) -> tuple[str, ...]:
        """The devices that a process takes with it. None, if it is that of an app."""
        return tuple(d for d in self.hosts.get(host, ()) if self._move(self.devices, d, "lost"))

    def _device_ended(self, event: Failed | Stopped, device: str) -> None:
        """A device has said its last word."""
        asked = self.devices.get(device) == Life.STOPPING
        if not self._move(self.devices, device, "failed" if isinstance(event, Failed) else "stopped"):
            return
        if isinstance(event, Stopped) and event.reason == "context terminated" and not asked:
            self._fail(event)  # by the application that it is a part of: there is nothing to go on in
        elif isinstance(event, Failed) or not asked:
            self._mishap(event, (device,), asked=asked)
        self._come_back(device)

    def _refused(self, event: Refused, name: str) -> None:
        if self._move(self._lives(name), name, "refused"):
            self._mishap(event, self._lose_devices(name) or (name,))

    def _exited(self, event: Exited, name: str) -> None:
        lives = self._lives(name)
        asked = {d for d in (name, *self.hosts.get(name, ())) if self._lives_of(d).get(d) == Life.STOPPING}
        if not self._move(lives, name, "exited"):
            return
        lost = self._lose_devices(name)
        unasked = tuple(d for d in lost if d not in asked) if self.phase == "running" else lost
        if lives is self.apps:
            self._app_exited(event, name, asked=name in asked)
        elif unasked and self.phase != "killing":
            self._mishap(event, unasked)
        elif not self._ended_well(event):
            self._mishap(event, lost, asked=bool(lost))
        for device in lost:
            self._come_back(device)
        if name not in self.local:
            self._signal(name, signal.SIGTERM)  # for what it may have left behind
            self.acts.append(self._miss("stop", name))

    def _app_exited(self, event: Exited, name: str, *, asked: bool) -> None:
        if not self._ended_well(event):
            self._mishap(event, (name,), asked=asked)
        elif not asked and self.phase == "running" and self.restarts[name].asked_for(well=True):
            self._recover(event, (name,), well=True)

    def as_asked(self, event: Exited) -> bool:
        """Whether one that is to end has ended by the signal that asks for it; to be asked before it is fed."""
        to_end = self._lives(event.name).get(event.name) == Life.STOPPING
        asked = event.status in (-signal.SIGTERM, 128 + signal.SIGTERM)
        return to_end and asked and self._ended_well(event)

    def _ended_well(self, event: Exited) -> bool:
        """By itself and with 0, or by a signal of ours; a shell says of that 128 and its number."""
        sent = self.sent.get(event.name, set())
        return event.status == 0 or -event.status in sent or event.status - 128 in sent

    def _gone(self, name: str) -> None:
        lives = self._lives(name)
        if not self._move(lives, name, "gone"):
            return
        self.halted.discard(name)
        if lives is self.apps:
            self._come_back(name)
        elif name not in {host.name for host in self.plan.hosts}:
            del self.processes[name], self.hosts[name]

    def _starter_lost(self, event: StarterLost) -> None:
        lost = []
        for lives in (self.processes, self.apps):
            for name in lives:
                if name not in self.local and self._move(lives, name, "lost"):
                    lost.append(name)
                    self._lose_devices(name)
        self._fail(event, tuple(lost))

    # Starting again

    def _mishap(self, event: Event, names: tuple[str, ...], *, asked: bool = False) -> None:
        """Something has failed: who may be started again is, else everything ends. Of one who was to end anyway it is only said."""
        proved = tuple(name for name in names if name not in self.trial)
        if self.phase != "running":
            self._fail(event, self._about(event, names))
        elif asked or (names and not proved):
            self.acts.append(Report(event, self._about(event, names), warning=True))
        else:
            self._recover(event, proved, well=False)

    def _about(self, event: Event, names: tuple[str, ...]) -> tuple[str, ...]:
        """The devices that a process has taken with it. All else names itself who it is about."""
        return tuple(name for name in names if name in self.devices) if isinstance(event, Exited) else ()

    def _recover(self, event: Event, names: tuple[str, ...], *, well: bool) -> None:
        now = self.clock()
        delays = {name: self._delay(name, now, well=well) for name in names}
        if not names or None in delays.values():
            spent = tuple(n for n, d in delays.items() if d is None and n in self.tried and self.restarts[n].asked_for(well=well))
            self._fail(event, self._about(event, names), spent)
            return
        if not well:
            self.acts.append(Report(event, self._about(event, names), warning=True))
        for name, delay in delays.items():
            assert delay is not None
            self.acts.append(SayRestart(name, self.restarts[name].total, delay))
            self.acts.append(After(delay, TimeOver("restart", name)))
            self.returning.add(name)
            self._come_back(name)
            self._gather(name)

    def _delay(self, name: str, now: float, *, well: bool) -> float | None:
        """After how many seconds one is started again. Who has never been ready is not."""
        return self.restarts[name].ended(now, well=well) if name in self.tried else None

    def _come_back(self, name: str) -> None:
        """Let one who has ended wait, if it is to be started again."""
        if name in self.returning and self._move(self._lives_of(name), name, "await"):
            self.returning.discard(name)

    def _gather(self, name: str) -> None:
        """Let those end who start again together with this one."""
        company = companions(name, self.restarts[name].plan.also, self.order)
        others = [n for n in company if n != name and self._lives_of(n)[n] in (*ALIVE, Life.LEAVING, Life.WAITING)]
        if others:
            self.companies.append((name, *others))
            lively = [n for n in others if self._lives_of(n)[n] != Life.WAITING]
            self.returning.update(lively)
            self._stop_members(reversed(lively))

    def _start_due(self) -> None:
        """Start those whose time has come, and for whom nothing is in the way."""
        for company in [c for c in self.companies if c[0] in self.due]:
            there = [n for n in company if n in self.devices or n in self.apps]
            if all(self._lives_of(n)[n] in STARTABLE for n in there):
                self.companies.remove(company)
                self.due.update(n for n in there if self._lives_of(n)[n] == Life.WAITING)
        held = {name for company in self.companies for name in company}
        due = self.due - held
        self._start([name for name in self.order if name in due])

    def _start(self, names: Iterable[str]) -> None:
        """Start devices and apps that do not run. Whose process is just ending, it is started once that has."""
        begun: dict[str, list[str]] = {}
        for name in names:
            self.due.add(name)
            if name in self.apps:
                if self._move(self.apps, name, "start"):
                    self.due.discard(name)
                    self.sent.pop(name, None)
                    self.acts.append(StartApp(name))
            elif self.processes[self.host_of[name]] not in (Life.STOPPING, Life.LEAVING):
                self.due.discard(name)
                if self._move(self.devices, name, "start"):
                    begun.setdefault(self.host_of[name], []).append(name)
                    self.begun[name] += 1
                    self.acts.append(After(self.limits.start, TimeOver("late", name, life=self.begun[name])))
        for host, devices in begun.items():
            self.emptied.discard(host)
            if self._move(self.processes, host, "start"):
                self.sent.pop(host, None)
                self.acts.append(StartHost(host, tuple(devices)))
            else:
                self.acts.append(StartDevices(host, tuple(devices)))

    def _connect(self, devices: Iterable[str]) -> None:
        """Let devices connect: what they need is bound."""
        told: dict[str, list[str]] = {}
        for device in devices:
            if self._move(self.devices, device, "connect"):
                told.setdefault(self.host_of[device], []).append(device)
        self.acts += [ConnectDevices(host, tuple(names)) for host, names in told.items()]

    # Changing

    def _rest(self, names: tuple[str, ...], drain: Drain | None) -> None:
        """Let these end, and stay so; those who drain already, at once."""
        there = [n for n in names if n in self.devices or n in self.apps]
        for name in there:
            self.due.discard(name)
            self.returning.discard(name)
        self.companies = [c for c in self.companies if c[0] not in there]
        if drain is None:
            again = [n for n in there if self.devices.get(n) == Life.STOPPING]
            self._ask_to_end(again, None)
        self._stop_members(there, drain)

    def _start_wanted(self, names: tuple[str, ...]) -> None:
        """Start these. If that is a part of a change, they are on trial."""
        startable = [n for n in names if self._lives_of(n).get(n) in STARTABLE]
        if self.changing:
            self.trial.update(startable)
        self._start(startable)

    def _connect_next(self, device: str) -> None:
        """Let a device connect; one on trial together with the others, when all of them have bound."""
        if device not in self.trial:
            self._connect([device])
        elif not any(self.devices.get(n) in (*STARTABLE, Life.STARTING) for n in self.trial):
            self._connect(n for n in self.host_of if n in self.trial)

    # Phases

    def _go(self, event: str) -> bool:
        """Let the topology go on, and say whether it did."""
        after = PHASES.get((self.phase, event))
        if after is None:
            return False
        self.phase = after
        self.returning.clear()
        self.due.clear()
        self.companies.clear()
        self.acts.append(Announce(after))
        return True

    def _fail(self, event: Event, names: tuple[str, ...] = (), spent: tuple[str, ...] = ()) -> None:
        self.code = self.code or 1
        self.acts.append(Report(event, names, spent=spent))
        self._go("failure")

    def _stop_asked(self, wish: StopAsked) -> None:
        ran = self.phase == "running"
        self.wishes += wish.insists
        if self._go("stop asked"):
            self.acts.append(SayWhy(wish.by))
            if ran:
                self._drain(self.limits.drain if wish.timeout is None else wish.timeout)
        elif wish.insists and self.wishes > 1 and self._go("forced"):
            self.code = 130
            self.draining = None
            self.acts.append(SayWhy(wish.by))
            for name in self._left():
                self._kill(name)

    def _settle(self) -> list[Act]:
        """Go on as far as that is possible without anything else happening, and hand out what is to be done."""
        if self.phase == "binding" and self._all(Life.BOUND) and self._go("all bound"):
            self._connect(self.devices)
        if self.phase == "connecting" and self._all(Life.READY) and self._go("all ready"):
            for app in self.apps:
                self._move(self.apps, app, "start")
                self.acts.append(StartApp(app))
        if self.phase == "running" and self.due:
            self._start_due()
        if self.phase == "running" and not self.plan.sockets and not self.changing and not self._left() and not self._to_come():
            self._go("nothing left")
        if self.phase in ("stopping", "killing") and not self._waits_for_first_look():
            self._stop_stages()
        self._dismiss_emptied()
        acts, self.acts = self.acts, []
        return acts

    def _dismiss_emptied(self) -> None:
        """Let processes end of which no device is left or to come."""
        for host in self.emptied:
            if self.living.get(host, 0) == 0 and self._move(self.processes, host, "stop"):
                self.acts += [DismissHost(host), self._miss("stop", host)]
        self.emptied.clear()

    def _all(self, life: Life) -> bool:
        return self.tally[life] == len(self.devices)

    # Stopping

    def _stop_stages(self) -> None:
        """Stop a stage when the one before has ended; at last, nothing may be left."""
        while not self._is_busy():
            self.stage += 1
            if self.stage > len(self.plan.stages):
                if not self._left():
                    self._go("all ended")
                return
            names = self.plan.stages[self.stage] if self.stage < len(self.plan.stages) else self._stageless()
            self.waiting_for = list(names)
            self._stop_members(n for n in names if not self._drains(n))
            if self._is_busy():
                self.acts.append(After(self.limits.quiet, TimeOver("busy", life=self.stage)))
                self._begin_to_drain(names)

    # Draining

    def _drain(self, seconds: float) -> None:
        """Let it drain from now on, for so long at most. First of all it is seen how everybody stands."""
        ready = self._ready()
        if seconds > 0 and any(name in self.devices for name in ready):
            self.draining = Draining(self.limits.silence, self.limits.patience)
            self.acts += [After(seconds, TimeOver("drain")), Look(ready)]

    def _ready(self) -> tuple[str, ...]:
        return tuple(name for lives in (self.devices, self.apps) for name, life in lives.items() if life == Life.READY)

    def _waits_for_first_look(self) -> bool:
        return self.draining is not None and not self.draining.standings

    def _drains(self, name: str) -> bool:
        return self.draining is not None and name in self.draining.standings and self.life(name) == Life.READY

    def _begin_to_drain(self, names: Iterable[str]) -> None:
        due = tuple(n for n in names if self._drains(n))
        if self.draining is not None and due:
            self.draining.begin(due, self.clock())
            self.acts.append(Look(due))  # what was seen before the last stage has ended is no longer true

    def _due(self) -> tuple[str, ...]:
        """Those of the present stage that drain."""
        return tuple(n for n in self.waiting_for if self._drains(n))

    def _looked(self, draining: Draining, standings: dict[str, Standing], last: bool) -> None:
        now = self.clock()
        draining.see(standings, now)
        if last:
            self._drain_no_longer(draining)
            return
        verdicts = {name: draining.verdict(name, now) for name in self._due() if name in standings}
        self._end_drained(draining, [name for name, verdict in verdicts.items() if verdict == "end"])
        for name, verdict in verdicts.items():
            if verdict == "turn":
                self.acts.append(TurnDevice(name))
                self._let_hear(self.host_of[name])
            elif verdict == "pause" and name not in draining.told_to_pause:
                draining.told_to_pause.add(name)
                self.acts.append(PauseMember(name))
        if self._due() and not self.look_is_set:
            self.look_is_set = True
            self.acts.append(After(TURN if "turn" in verdicts.values() else LOOK, TimeOver("look")))

    def _drain_no_longer(self, draining: Draining) -> None:
        """The time is over: everybody ends as they are."""
        due = self._due()
        self.draining = None
        self._end_drained(draining, (name for name in self._ready() if name in draining.standings), due)

    def _end_drained(self, draining: Draining, names: Iterable[str], due: tuple[str, ...] | None = None) -> None:
        """Say who has something left, and let those whose turn it is end."""
        names = tuple(names)
        now = self.clock()
        for name in names:
            if draining.undrained(name, now):
                self.acts.append(SayUndrained(name, draining.standings[name], draining.is_quiet(name, now)))
        self._stop_members(names if due is None else due)

    def _stageless(self) -> tuple[str, ...]:
        """Those who have not ended though all stages have: a change may have brought them, and no order."""
        return tuple(n for n in (*self.devices, *self.apps) if self._lives_of(n)[n] not in (Life.ENDED, Life.PLANNED))

    def _stop_members(self, names: Iterable[str], drain: Drain | None = None) -> None:
        asked: list[str] = []
        for name in names:
            if name in self.apps:
                self._stop_app(name)
            elif self._move(self.devices, name, "stop") and self.devices[name] == Life.STOPPING:
                asked.append(name)
        self._ask_to_end(asked, drain)

    def _ask_to_end(self, names: Iterable[str], drain: Drain | None) -> None:
        """Ask devices to end. Who only drains is not missed in time: that is for whoever wants it."""
        asked: dict[str, list[str]] = {}
        for name in names:
            asked.setdefault(self.host_of[name], []).append(name)
        for host, devices in asked.items():
            self.acts.append(StopDevices(host, tuple(devices), drain))
            self._let_hear(host)
            self.asked.update(devices)
            if drain is None:
                counts = tuple(self.asked[d] for d in devices)
                late = TimeOver("stop", host, tuple(devices), self.births[host], counts)
                self.acts.append(After(self.limits.stop, late))

    def _stop_app(self, name: str) -> None:
        if self._move(self.apps, name, "stop") and self.apps[name] == Life.STOPPING:
            self._signal(name, signal.SIGTERM)
            self._let_hear(name)
            self.acts.append(self._miss("stop", name))

    def _let_hear(self, name: str) -> None:
        """Let one that is halted go on, for it was asked to do something."""
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

    def _left(self) -> tuple[str, ...]:
        """Every process and app that has not ended."""
        gone = (Life.ENDED, Life.PLANNED)
        return tuple(name for lives in (self.apps, self.processes) for name, life in lives.items() if life not in gone)

    def _to_come(self) -> bool:
        """Whether a device is to be started again."""
        return bool(self.tally[Life.WAITING] or self.due)

    def _signal(self, name: str, number: int) -> None:
        self.sent.setdefault(name, set()).add(number)
        self.acts.append(SendSignal(name, number))

    def _kill(self, name: str) -> None:
        if name in self.local:
            self._stop_members(self.hosts[name])
        else:
            self._signal(name, signal.SIGKILL)
        self.acts.append(self._miss("kill", name))

    # Time

    def _miss(self, what: Literal["stop", "kill"], name: str) -> After:
        """Let it be missed if an app or a process has not ended in time."""
        return After(self.limits.stop if what == "stop" else self.limits.kill, TimeOver(what, name, life=self.births[name]))

    def _time_over(self, event: TimeOver) -> None:
        match event.what:
            case "start" if self.phase in ("binding", "connecting"):
                late = tuple(n for n, life in self.devices.items() if life != Life.READY)
                self._fail(event, late)
            case "restart" if self._lives_of(event.name).get(event.name) == Life.WAITING or event.name in self.returning:
                self.due.add(event.name)
            case "late" if event.life != self.begun[event.name]:
                pass  # it has ended since, and was started again
            case "late" if self.phase == "running" and event.name in self.trial:
                self.acts.append(Report(event, (event.name,), warning=True))
                self._rest((event.name,), None)
            case "late" if self.phase == "running" and self.devices.get(event.name) in UNREADY:
                self._fail(event, (event.name,))
            case "stop" if self._is_late(event):
                self.acts.append(Report(event, warning=True))
                self._kill(event.name)
            case "kill" if self._lives_yet(event):
                self._give_up(event)
            case "look":
                self.look_is_set = False
                if due := self._due():
                    self.acts.append(Look(due))
            case "drain" if self.draining is not None:
                self.acts.append(Look(self._ready(), last=True))
            case "busy" if self.phase == "stopping" and self.stage == event.life and self._is_busy():
                self.acts.append(SayBusy(tuple(n for n in self.waiting_for if self._has_not_ended(n))))

    def _is_late(self, event: TimeOver) -> bool:
        """Whether those that should have ended by now have not."""
        asked = event.asked or tuple(self.asked[d] for d in event.devices)
        waited_for = any(
            self.devices.get(d) == Life.STOPPING and self.asked[d] == n for d, n in zip(event.devices, asked, strict=True)
        )
        emptied = not event.devices and self.living.get(event.name) == 0  # the time of a device says nothing of its process
        return self._lives_yet(event) and (waited_for or event.name in self.apps or emptied)

    def _lives_yet(self, event: TimeOver) -> bool:
        """Whether the app or process that this is about, in that life, has not ended."""
        life = self._lives(event.name).get(event.name, Life.ENDED)
        return life not in STARTABLE and self.births[event.name] == event.life

    def _give_up(self, event: TimeOver) -> None:
        lives = self._lives(event.name)
        self._move(lives, event.name, "lost")
        self._lose_devices(event.name)
        self._fail(event)
