"""What is known of what runs: taken note of as events come by, and shown as a snapshot.

It belongs to the thread of the supervisor's loop.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from topo.devcore import Statistics
from topo.plan import AppPlan, DevicePlan, Plan, SocketPlan
from topo.run.counters import Counters
from topo.run.events import Bound, Done, Event, Exited, Failed, Gone, PlanChanged, Ready, Started, Stopped
from topo.run.lives import ALIVE
from topo.run.machine import Machine
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot, SocketSnapshot
from topo.run.sockets import connect_to

__all__ = ["Sight"]

CHANGING = (Bound, Ready, Failed, Stopped, Done, Started, Exited, Gone, PlanChanged)
"""What changes what runs."""


class Sight:
    """One topology as it is seen. `serial` changes whenever something of it does."""

    def __init__(self, plan: Plan, machine: Machine, file: str = "") -> None:
        """`file` is what the plan was read from."""
        self.machine = machine
        self.file = file
        self.started = time.time()
        self.serial = 0
        self.counters: dict[str, Counters] = {}
        """Of each process that devices live in."""
        self.pids: dict[str, int] = {}
        self.threads: dict[str, int] = {}
        self.since: dict[str, float] = {}
        self.statuses: dict[str, int] = {}
        self.bound_as: dict[str, tuple[str, ...]] = {}
        """Of each socket that was bound, the endpoints that its addresses were wanted as."""
        self._know(plan)

    def _know(self, plan: Plan) -> None:
        self.plan = plan
        self.plans = {host.name: host for host in plan.hosts}
        self.devices = {device.name: device for device in plan.devices}
        self.sockets = {socket.id: socket for device in plan.devices for socket in device.sockets}
        self.apps = {app.name: app for app in plan.apps}

    def note(self, event: Event) -> None:
        """Take note of what has happened."""
        match event:
            case Started(name, pid):
                self.pids[name] = pid
                self.since[name] = time.time()
            case Bound(_, addresses):
                self._note_bound(addresses)
            case Ready(device, thread):
                self.threads[device] = thread
                self.since[device] = time.time()
            case Exited(name, status) if name in self.apps:
                self.statuses[name] = status
            case PlanChanged(plan, addresses):
                self._know(plan)
                self._note_bound(addresses)
        self.serial += isinstance(event, CHANGING) and not self._is_past(event)

    def _is_past(self, event: Event) -> bool:
        """Whether this is the end of a process that nobody wants any more: its devices have ended before."""
        return isinstance(event, Exited | Gone) and event.name not in self.plans and event.name not in self.apps

    def _note_bound(self, ids: Iterable[str]) -> None:
        for id in ids:
            if id in self.sockets:
                self.bound_as[id] = tuple(b.endpoint for b in self.sockets[id].binds)

    def bound(self, socket: str) -> dict[str, str]:
        """The real address of each endpoint that a socket has bound."""
        return dict(zip(self.bound_as.get(socket, ()), self.machine.addresses.get(socket, ()), strict=False))

    def counts(self, devices: Iterable[str]) -> dict[str, Statistics]:
        """What devices have done in their last life, as far as that is known."""
        there = [(name, self.counters.get(self.machine.host_of[name])) for name in devices]
        read = {name: counters.read(name) for name, counters in there if counters is not None}
        return {name: seen for name, seen in read.items() if seen is not None}

    def snapshot(self) -> Snapshot:
        """All of it, at this moment, in the order of the declarations."""
        order = {name: number for number, name in enumerate(self.plan.order)}
        return Snapshot(
            name=self.plan.name,
            file=self.file,
            phase=self.machine.phase,
            pid=os.getpid(),
            started=self.started,
            serial=self.serial,
            devices=tuple(self._device(d) for d in sorted(self.plan.devices, key=lambda d: order.get(d.name, 0))),
            apps=tuple(self._app(a) for a in self.plan.apps),
        )

    def _device(self, plan: DevicePlan) -> DeviceSnapshot:
        name = plan.name
        host = self.machine.host_of[name]
        life = self.machine.devices[name]
        runs = life in ALIVE
        counters = self.counters.get(host)
        return DeviceSnapshot(
            name=name,
            kind=plan.kind,
            host=host,
            life=life,
            where=plan.place.where,
            pid=self.pids.get(host) if runs else None,
            thread=self.threads.get(name) if runs else None,
            restarts=self.machine.restarts[name].total,
            since=self.since.get(name) if runs else None,
            sockets=tuple(self._socket(s) for s in plan.sockets),
            statistics=counters.read(name) if counters is not None else None,
            halted=runs and self.machine.is_halted(name),
        )

    def _socket(self, plan: SocketPlan) -> SocketSnapshot:
        addresses = self.machine.addresses
        connected = tuple(connect_to(c, addresses) for c in plan.connects)
        return SocketSnapshot(plan.id, plan.type, addresses.get(plan.id, ()), connected)

    def _app(self, plan: AppPlan) -> AppSnapshot:
        name = plan.name
        life = self.machine.apps[name]
        return AppSnapshot(
            name=name,
            command=plan.command,
            life=life,
            where=plan.place.where,
            pid=self.pids.get(name) if life in ALIVE else None,
            restarts=self.machine.restarts[name].total,
            since=self.since.get(name) if life in ALIVE else None,
            status=None if life in ALIVE else self.statuses.get(name),
            halted=life in ALIVE and self.machine.is_halted(name),
        )
