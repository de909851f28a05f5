"""The loop that reads events and does what the machine decides.

It holds no data socket. What runs posts events into one queue, from whatever thread; the loop takes them one by one, tells the
machine, and carries out what that answers. It can run in the main thread, as under the command line, or in any other. Whoever
listens is told in the thread of the loop, and of output in the thread that reads it.
"""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from queue import Empty, SimpleQueue

import msgspec

from topo.diagnostic import Diagnostic
from topo.plan import Place, Plan
from topo.run import claims, mistakes
from topo.run.apps import environment
from topo.run.children import Children, OnOutput, Post, Starter, Worker
from topo.run.events import (
    Addresses,
    Busy,
    Event,
    Exited,
    Failed,
    Gone,
    Phased,
    Refused,
    Said,
    Started,
    StarterLost,
    StopAsked,
    Stopped,
    Stopping,
    TimeOver,
    Told,
)
from topo.run.host import LocalHost
from topo.run.machine import (
    Act,
    After,
    Announce,
    ConnectHost,
    Limits,
    Machine,
    Report,
    SayBusy,
    SayWhy,
    SendSignal,
    StartApp,
    StartHost,
    StopDevices,
)
from topo.run.mistakes import Places
from topo.run.sockets import Context
from topo.source import Source

__all__ = ["Outcome", "Supervisor"]


class Outcome(msgspec.Struct, frozen=True):
    """How it ended: what the program should end with, and what went wrong."""

    code: int
    diagnostics: tuple[Diagnostic, ...]


class Supervisor:
    """One running topology, from its start to its end."""

    def __init__(
        self,
        plan: Plan,
        *,
        context: Context | None = None,
        sources: Mapping[str, Source] | None = None,
        tell: Callable[[Told], None] = lambda _: None,
        on_output: OnOutput = lambda *_: None,
        limits: Limits | None = None,
        starter: Callable[[Post, OnOutput], Starter] = Children,
        clock: Callable[[], float] = time.monotonic,
        base: Mapping[str, str] = os.environ,
    ) -> None:
        """With a `context`, thread devices live in this process and share it; else in a process of their own.

        `base` is the environment that apps start from.
        """
        self.plan = plan
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.diagnostics: list[Diagnostic] = []
        self._context = context
        self._places = Places(sources)
        self._tell = tell
        self._on_output = on_output
        self._make_starter = starter
        self._starter: Starter | None = None
        self._clock = clock
        self._base = base
        local = frozenset({plan.hosted.name}) if plan.hosted and context is not None else frozenset()
        self.machine = Machine(plan, limits, local)
        self.hosts: dict[str, Worker | LocalHost] = {}
        self._plans = {host.name: host for host in plan.hosts}
        self._devices = {device.name: device for device in plan.devices}
        self._sockets = {socket.id: socket for device in plan.devices for socket in device.sockets}
        self._apps = {app.name: app for app in plan.apps}
        self._pids: dict[str, int] = {}
        self._timers: list[tuple[float, int, TimeOver]] = []
        self._numbers = count()

    def post(self, event: Event) -> None:
        """Say that something has happened. From any thread, and from a signal handler."""
        self.events.put(event)

    def run(self) -> Outcome:
        """Run the topology, and return when nothing of it is left."""
        try:
            self._carry_out(self.machine.begin())
            while self.machine.phase != "ended":
                event = self._next()
                self._hear(event)
                self._carry_out(self.machine.on(event))
        finally:
            self._leave_nothing()
        return Outcome(self.machine.code, tuple(self.diagnostics))

    def _leave_nothing(self) -> None:
        """At the usual end there is nothing left; should the loop itself have broken, this ends everything."""
        for host in self.hosts.values():
            if isinstance(host, LocalHost):
                host.stop(tuple(host.host.devices))
        if self._starter is not None:
            self._starter.close()

    # Events

    def _next(self) -> Event:
        while True:
            left = max(0.0, self._timers[0][0] - self._clock()) if self._timers else None
            try:
                return self.events.get(timeout=left)
            except Empty:
                return heapq.heappop(self._timers)[2]

    def _hear(self, event: Event) -> None:
        """Take note of what the machine need not know, and pass on what others want to."""
        match event:
            case Started(name, pid):
                self._pids[name] = pid
            case Exited(name) if name in self._plans:
                self._clear_up(name)
            case Gone(name) if name in self._apps:
                self._clear_up_app(name)
            case StarterLost():
                for name in self._plans.keys() - self.machine.local:
                    self._clear_up(name)
                for name in self._apps:
                    self._clear_up_app(name)
        if not isinstance(event, StarterLost | TimeOver | StopAsked):
            self._tell(event)

    def _clear_up(self, host: str) -> None:
        """Remove the socket files that a process has left behind."""
        for device in self._plans[host].devices:
            for socket in device.sockets:
                declared = tuple(bind.endpoint for bind in socket.binds)
                real = self.machine.addresses.get(socket.id, declared)  # it may have died before it could say
                for endpoint, address in zip(declared, real, strict=False):
                    claims.remove_dead(address, wild=endpoint == "ipc://*")

    def _clear_up_app(self, name: str) -> None:
        """Remove the socket files that an app has bound by what it was told, and that a signal has left there."""
        for endpoint in self._apps[name].binds:
            claims.remove_dead(endpoint, wild=False)

    # Acts

    def _carry_out(self, acts: list[Act]) -> None:
        for act in acts:
            self._do(act)

    def _do(self, act: Act) -> None:
        match act:
            case StartHost(name):
                with self._refusing(name):
                    self.hosts[name] = self._start_host(name)
            case ConnectHost(name):
                self.hosts[name].connect(self._addresses_for(name))
            case StopDevices(host, devices) if host in self.hosts:  # else it was refused, and that is about to be heard
                self.hosts[host].stop(devices)
            case StartApp(name):
                app = self._apps[name]
                with self._refusing(name):
                    self.starter.start_app(name, app.command, app.folder, environment(app, self.machine.addresses, self._base))
            case SendSignal(name, number):
                self.starter.signal(name, number)
            case After(seconds, event):
                heapq.heappush(self._timers, (self._clock() + seconds, next(self._numbers), event))
            case Announce(phase):
                self._tell(Phased(phase, dict(self.machine.addresses)))
            case SayWhy(why):
                self._tell(Stopping(why))
            case SayBusy(names):
                self._tell(Busy(names))
            case Report():
                self._say(self._diagnostic(act))

    @contextmanager
    def _refusing(self, name: str) -> Iterator[None]:
        """Let what the system refuses us be an event, as if it had refused the process."""
        try:
            yield
        except OSError as error:
            self.post(Refused(name, error.errno or 0, str(error.filename or "what ztopo needs to start it")))

    @property
    def starter(self) -> Starter:
        """What starts processes, itself started when the first one is."""
        if self._starter is None:
            self._starter = self._make_starter(self.post, self._on_output)
        return self._starter

    def _start_host(self, name: str) -> Worker | LocalHost:
        plan = self._plans[name]
        if name not in self.machine.local:
            return self.starter.start_worker(plan)
        assert self._context is not None
        host = LocalHost(plan, self._context, self.post)
        host.start()
        return host

    def _addresses_for(self, host: str) -> Addresses:
        """Of the real addresses those that a process connects to."""
        sockets = (s for device in self._plans[host].devices for s in device.sockets)
        wanted = {c.origin.socket for s in sockets for c in s.connects if c.origin}
        return {id: self.machine.addresses[id] for id in wanted if id in self.machine.addresses}

    # What went wrong

    def _say(self, diagnostic: Diagnostic) -> None:
        self.diagnostics.append(diagnostic)
        self._tell(Said(diagnostic))

    def _diagnostic(self, report: Report) -> Diagnostic:
        match report.event:
            case Failed() as failed:
                return self._failed(failed)
            case Stopped(device) as stopped:
                return mistakes.device_ended(self._places, stopped, self._devices[device])
            case Refused() as refused:
                return self._refused(refused)
            case Exited(name) as exited if name in self._apps:
                return mistakes.app_failed(self._places, exited, self._pids.get(name, 0), self._apps[name])
            case Exited(name) as exited:
                return mistakes.process_ended(self._places, exited, self._pids.get(name, 0), self._plans[name].devices)
            case TimeOver() as late:
                return self._late(late, report)
        assert isinstance(report.event, StarterLost), f"nobody reports {report.event}"
        return mistakes.starter_ended(report.names)

    def _refused(self, refused: Refused) -> Diagnostic:
        app = self._apps.get(refused.name)
        place = app.place if app else self._plans[refused.name].devices[0].place
        return mistakes.command_refused(self._places, refused, place, app)

    def _failed(self, failed: Failed) -> Diagnostic:
        if failed.step == "bind":
            return mistakes.bind_failed(self._places, failed, self._sockets[failed.socket].binds[failed.index])
        if failed.step in ("socket", "option", "connect"):
            return mistakes.socket_refused(self._places, failed, self._sockets[failed.socket])
        return mistakes.device_ended(self._places, failed, self._devices[failed.device])

    def _late(self, late: TimeOver, report: Report) -> Diagnostic:
        limits = self.machine.limits
        if late.what == "start":
            names = ", ".join(f"`{n}`" for n in report.names[: mistakes.SHOWN])
            return self._too_long(f"not ready within {limits.start:g} s: {names}", report.names, report)
        if late.what == "stop":
            return self._too_long(
                f"{self._who(late)} did not end within {limits.stop:g} s and is killed", self._about(late), report
            )
        return self._too_long(f"{self._who(late)} did not end {limits.kill:g} s after it was killed", self._about(late), report)

    def _about(self, late: TimeOver) -> tuple[str, ...]:
        """The devices or the app that have a place in the file."""
        return (late.name,) if late.name in self._apps else late.devices or tuple(d.name for d in self._plans[late.name].devices)

    def _who(self, late: TimeOver) -> str:
        pid = self._pids.get(late.name, 0)
        return f"`{late.name}`" + (f" (process {pid})" if pid else "")

    def _too_long(self, message: str, names: tuple[str, ...], report: Report) -> Diagnostic:
        places = [self._place(name) for name in names[: mistakes.SHOWN]]
        return mistakes.took_too_long(self._places, message, places, warning=report.warning)

    def _place(self, name: str) -> Place:
        return self._apps[name].place if name in self._apps else self._devices[name].place
