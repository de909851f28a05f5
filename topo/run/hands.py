"""How the steps of a change are done to what runs.

A step is done to its end, or raises `Undoable` with nothing of it done. What is wanted changes in the moment in which it is so: a
device that dies a moment later starts again with it; one that dies before has done nothing of it, and starts again without.

A command that is not answered in time may still be carried out: that is `Unsure`, and taken back like one that was, for a device takes
commands in their order. If it lives another life by then there is nothing to take back: in this one nobody told it.
"""

from __future__ import annotations

import errno
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from topo import steps
from topo.diagnostic import Diagnostic
from topo.links import Flow
from topo.plan import BindPlan, Plan, SocketPlan
from topo.run import events
from topo.run.events import (
    Addresses,
    Command,
    CommandError,
    Done,
    Drain,
    Pause,
    PlanChanged,
    Resume,
    Said,
    Standing,
    StartAsked,
    Told,
)
from topo.run.lives import Life
from topo.run.machine import Machine
from topo.run.peers import Network
from topo.run.sockets import connect_to
from topo.steps import Step
from topo.zeromq.transports import parse

if TYPE_CHECKING:
    from topo.run.supervisor import Supervisor

__all__ = ["Hands", "Patience", "Stuck", "Undoable", "Unsure"]

STEP = 0.005
"""Seconds between two looks at counters, and between two tries to bind."""
QUIET = 1.0
"""Seconds after which nothing more is expected where counts tell nothing, for something was lost before; or of an app that has no rest."""
SILENCE = 0.05
"""Seconds for which nothing has come to a device that is drained, or an app that passes on has done nothing."""
BUSY = frozenset({errno.EADDRINUSE})


class Undoable(Exception):
    """A step could not be done. Nothing of it is."""


class Unsure(Undoable):
    """A device has not answered in time. It was told in the life that began then."""

    def __init__(self, why: str, device: str, life: float | None) -> None:
        super().__init__(why)
        self.device = device
        self.life = life


class Stuck(Undoable):
    """What is to be empty stays as it is, since those who receive are paused as well: at another moment nothing may be there."""


class Patience(msgspec.Struct, frozen=True):
    """How many seconds something may take."""

    command: float = 10.0
    """Until a device has carried out a command."""
    start: float = 40.0
    """Until what is started is ready; the machine gives it up a little earlier, and says why."""
    drain: float = 2.0
    """Until a device that is to end has passed on what it has."""
    end: float = 15.0
    """Until what is to end has ended, killed if need be."""
    bind: float = 3.0
    """Until an address is free that is just being given up."""
    empty: float = 5.0
    """Until everything on its way has arrived."""


class Hands:
    """What does the steps of one change. It blocks, and is not for the thread of the supervisor's loop."""

    def __init__(self, supervisor: Supervisor, patience: Patience, stop: threading.Event) -> None:
        """Who waits for something to be free or empty no longer does so once it is to `stop`."""
        self._supervisor = supervisor
        self._patience = patience
        self._stop = stop
        self._insists = False
        self._held: dict[str, frozenset[int]] = {}
        """The connections that sockets of apps had when they were to be watched."""

    @contextmanager
    def insisting(self) -> Iterator[None]:
        """Within the block wait for everything as long as it may take, and tell it also those who hear it only later.

        Something is being taken back.
        """
        before = self._stop, self._insists
        self._stop, self._insists = threading.Event(), True
        try:
            yield
        finally:
            self._stop, self._insists = before

    def resolved(self, step: Step) -> Step:
        """A step with the address that it is about, if that was bound only by one before it."""
        if not isinstance(step, steps.Connect) or step.address:
            return step
        connect = step.connect
        return steps.replace(step, address=self._supervisor.call(lambda loop: connect_to(connect, loop.machine.addresses)))

    def do(self, step: Step, after: Plan) -> Step:
        """Do a step, `after` which that is wanted, and return it with the addresses that have turned out."""
        match step:
            case steps.Pause(senders):
                self._pause(senders)
            case steps.Resume(senders):
                self._tell_all(senders, Resume, "resume")
            case steps.Empty(flow, through):
                self._wait_until_empty(flow, through)
            case steps.Noticed(sockets):
                self._wait_until_noticed(sockets)
            case steps.Bind(device, socket, bind):
                done = self._bind(device, events.BindTo(socket, bind.endpoint, bind.address), after, socket, (bind,))
                return steps.replace(step, bind=steps.replace(bind, address=done.address))
            case steps.Unbind(device, socket, bind):
                address = bind.address or self._supervisor.call(lambda loop: loop.sight.bound(socket).get(bind.endpoint))
                address = address or bind.endpoint  # whoever has bound that has not said where
                self._tell(device, events.UnbindFrom(socket, address), lambda _: self._bound(after, socket))
                return steps.replace(step, bind=steps.replace(bind, address=address))
            case steps.Connect(device, socket, _, _, address):
                self._tell(device, events.ConnectTo(socket, address), lambda _: PlanChanged(after))
            case steps.Disconnect(device, socket, _, _, address):
                self._tell(device, events.DisconnectFrom(socket, address), lambda _: PlanChanged(after))
            case steps.SetOption(device, socket, option):
                self._tell(device, events.SetOption(socket, option.number, option.value), lambda _: PlanChanged(after))
            case steps.Attach(device, monitor):
                known = self._supervisor.call(lambda loop: _resolved(monitor, loop.machine.addresses))
                self._bind(device, events.Attach(known), after, monitor.id, monitor.binds)
            case steps.Detach(device, monitor):
                self._tell(device, events.Detach(monitor.id), lambda _: PlanChanged(after))
                return steps.replace(step, socket=self._with_addresses(monitor))
            case steps.Start(lodgers, apps):
                self._start(tuple(d.device.name for d in lodgers), tuple(a.name for a in apps), after, _addresses_of(step))
            case steps.End(lodgers, apps):
                step = steps.replace(step, devices=tuple(self._lodger_with_addresses(d) for d in lodgers))
                self._end_for_good(tuple(d.device.name for d in lodgers), tuple(a.name for a in apps), after)
        return step

    # Starting and ending

    def _start(self, devices: tuple[str, ...], apps: tuple[str, ...], after: Plan, addresses: Addresses) -> None:
        """Start what does not run: all devices bind before any connects, and apps come last. If one cannot, none does."""
        self._supervisor.adopt(after, addresses)
        with self._hearing() as heard:
            if self._come_up(devices) and self._come_up(apps):
                return
        self._end(devices, apps)
        raise Undoable("; ".join(d.message for d in heard) or f"not ready within {self._patience.start:g} s")

    def _come_up(self, names: tuple[str, ...]) -> bool:
        supervisor = self._supervisor
        supervisor.post(StartAsked(names))
        settled = supervisor.wait_until(lambda machine: _begun(machine, names) is not None, self._patience.start)
        return settled and bool(supervisor.call(lambda loop: _begun(loop.machine, names)))

    def _end_for_good(self, devices: tuple[str, ...], apps: tuple[str, ...], after: Plan) -> None:
        """Let these end, all or none."""
        try:
            self._end(devices, apps)
        except Undoable:
            self._supervisor.start((*devices, *apps), self._patience.start)
            raise
        self._supervisor.adopt(after)

    def _end(self, devices: tuple[str, ...], apps: tuple[str, ...]) -> None:
        """Let these end: apps when they are told, devices when they have passed on what they have, if that comes about in time."""
        supervisor = self._supervisor
        names = (*apps, *devices)
        supervisor.end(apps, timeout=0)
        if not supervisor.end(devices, Drain(quiet=SILENCE), self._patience.drain):
            supervisor.end(devices, timeout=0)
        if not supervisor.end(names, timeout=self._patience.end):
            raise Undoable(f"{', '.join(names)} did not end within {self._patience.end:g} s")

    @contextmanager
    def _hearing(self) -> Iterator[list[Diagnostic]]:
        """What is said within the block to go wrong."""
        heard: list[Diagnostic] = []

        def hear(told: Told) -> None:
            if isinstance(told, Said):
                heard.append(told.diagnostic)

        unsubscribe = self._supervisor.call(lambda loop: loop.subscribe(hear))
        try:
            yield heard
        finally:
            self._supervisor.call(lambda _: unsubscribe())

    # The flow of messages

    def _pause(self, senders: tuple[str, ...]) -> None:
        """Let all of these pause, or none."""
        for _, owner in self._owned(senders):
            self._must_hear(owner)
        try:
            self._tell_all(senders, Pause, "pause")
        except Undoable:
            with self.insisting():
                for sender in senders:
                    with suppress(Undoable):
                        self._tell_all((sender,), Resume, "resume")
            raise

    def _tell_all(self, senders: Iterable[str], what: type[Pause | Resume], in_apps: str) -> None:
        """Let these sockets pause, or go on: those of devices, and apps with sockets that count."""
        devices = self._supervisor.call(lambda loop: loop.sight.devices.keys())
        apps: dict[str, None] = {}
        for socket, owner in self._owned(senders):
            if owner in devices:
                self._tell(owner, what(socket))
            else:
                apps[owner] = None
        for app in apps:
            self._must_hear(app)
            self._supervisor.joined.want(app, in_apps)
            self._wait_for_app(app, paused=what is Pause)

    def _wait_for_app(self, app: str, paused: bool) -> None:
        end = time.monotonic() + self._patience.command
        while paused and not self._supervisor.joined.is_paused(app):
            if time.monotonic() > end or self._stop.wait(STEP):
                raise Undoable(f"{app} does not pause")

    def _wait_until_empty(self, flow: Flow, through: Iterable[str]) -> None:
        """Wait until nothing is under way in a flow, and nothing held by those that it goes `through`. Counts begin anew there."""
        watch = Watch(flow, tuple(through))
        end = time.monotonic() + self._patience.empty
        while not self._supervisor.call(watch.is_empty):
            left = f"{watch.left} under way from {', '.join(flow.senders)} to {', '.join(flow.receivers)}"
            if watch.is_stuck:
                raise Stuck(f"{left}, and who receives is paused as well")
            if time.monotonic() > end or self._stop.wait(STEP):
                raise Undoable(left)
        self._supervisor.call(lambda loop: loop.ledger.settle(flow))

    def watch(self, sockets: Iterable[str]) -> None:
        """Count from now on the connections to these that end."""
        for socket, owner in self._owned(sockets):
            if owner in self._apps():
                self._held[socket] = self._open_at(socket)
            else:
                self._tell(owner, events.WatchPeers(socket))

    def unwatch(self, sockets: Iterable[str]) -> None:
        """Count them no longer. Whoever does not run counts none."""
        for socket, owner in self._owned(sockets):
            if owner in self._apps():
                self._held.pop(socket, None)
                continue
            with suppress(CommandError, TimeoutError):
                self._supervisor.command(owner, events.WatchPeers(socket, on=False), self._patience.command)

    def _wait_until_noticed(self, sockets: tuple[str, ...]) -> None:
        """Wait until so many connections to these have ended."""
        end = time.monotonic() + self._patience.empty
        for socket, owner in self._owned(sockets):
            wanted = sockets.count(socket)
            in_app = owner in self._apps()
            while (self._closed(socket) if in_app else self._ended(owner, socket)) < wanted:
                if time.monotonic() > end or self._stop.wait(STEP):
                    raise Undoable(f"{socket} has not noticed that its peers have gone")
            if not in_app:  # an app makes sure of it itself when it goes on
                self._ended(owner, socket, sure=True)

    def _closed(self, socket: str) -> float:
        """How many of the connections to a socket of an app it has closed; all that may be asked for if nobody knows more."""
        before, now = self._held.get(socket, frozenset()), self._open_at(socket)
        return len(before - now) if before & now else math.inf

    def _open_at(self, socket: str) -> frozenset[int]:
        """The connections to a socket of an app, by their numbers in the kernel."""
        network = Network()
        plans = [s for app in self._supervisor.plan.apps for s in app.sockets if s.id == socket]
        held = (network.held(parse(bind.endpoint)) for plan in plans for bind in plan.binds)
        return frozenset().union(*(numbers for numbers in held if numbers is not None))

    def _apps(self) -> frozenset[str]:
        return frozenset(app.name for app in self._supervisor.plan.apps)

    def _ended(self, device: str, socket: str, sure: bool = False) -> float:
        try:
            return self._ask(device, events.CountEnded(socket, sure)).count
        except CommandError:  # it lives another life by now, in which nobody it knew has gone
            return math.inf

    def _owned(self, sockets: Iterable[str]) -> list[tuple[str, str]]:
        """Each of these sockets, with its device or app."""
        owners = self._supervisor.call(lambda loop: loop.ledger.links.owners)
        return [(socket, owners[socket]) for socket in dict.fromkeys(sockets) if socket in owners]

    # Commands

    def _bind(self, device: str, what: Command, after: Plan, socket: str, binds: tuple[BindPlan, ...]) -> Done:
        """Let a device bind something, again and again for a while if it is not free."""

        def then(done: Done) -> PlanChanged:
            return self._bound(after, socket, dict(zip((b.endpoint for b in binds), done.addresses, strict=False)))

        end = time.monotonic() + self._patience.bind
        while True:
            try:
                return self._ask(device, what, then)
            except CommandError as error:
                if error.errno not in BUSY or time.monotonic() > end or self._stop.wait(STEP):
                    raise Undoable(error.strerror) from error

    def _bound(self, plan: Plan, socket: str, fresh: dict[str, str] | None = None) -> PlanChanged:
        """The plan, and what its socket has bound by now. In the thread of the loop."""
        known = self._supervisor.sight.bound(socket) | (fresh or {})
        there = (s for device in plan.devices for s in device.sockets if s.id == socket)
        return PlanChanged(plan, {s.id: tuple(known[b.endpoint] for b in s.binds if b.endpoint in known) for s in there})

    def _tell(self, device: str, what: Command, then: Callable[[Done], PlanChanged] | None = None) -> None:
        try:
            self._ask(device, what, then)
        except CommandError as error:
            raise Undoable(error.strerror) from error

    def _ask(self, device: str, what: Command, then: Callable[[Done], PlanChanged] | None = None) -> Done:
        """Let a device carry out a command, as soon as it runs. Raises CommandError, or Undoable."""
        patience = self._patience.command
        if not self._supervisor.wait_until(lambda machine: machine.life(device) == Life.READY, patience):
            raise Undoable(f"{device} does not run")
        self._must_hear(device)
        life = self.life(device)
        try:
            return self._supervisor.command(device, what, patience, then)
        except TimeoutError:
            raise Unsure(f"{device} does not answer within {patience:g} s", device, life) from None

    def _must_hear(self, member: str) -> None:
        """Raise Undoable if a signal has stopped it: nobody knows when it goes on."""
        if not self._insists and self._supervisor.call(lambda loop: loop.machine.is_halted(member)):
            raise Undoable(f"{member} is halted by a signal, and hears nothing")

    def life(self, device: str) -> float | None:
        """Which life a device lives: when that began."""
        return self._supervisor.call(lambda loop: loop.sight.since.get(device))

    # Addresses

    def _with_addresses(self, socket: SocketPlan) -> SocketPlan:
        """A socket with the addresses that it has bound, as far as that is known and not said."""
        known = self._supervisor.call(lambda loop: loop.sight.bound(socket.id))
        binds = (b if b.address else steps.replace(b, address=known.get(b.endpoint, "")) for b in socket.binds)
        return steps.replace(socket, binds=tuple(binds))

    def _lodger_with_addresses(self, lodger: steps.Lodger) -> steps.Lodger:
        device = lodger.device
        sides = {side: getattr(device, side) for side in ("frontend", "backend", "capture")}
        known = {side: self._with_addresses(socket) for side, socket in sides.items() if socket is not None}
        return steps.replace(lodger, device=steps.replace(device, **known))


class Watch:
    """One who waits for a flow to be empty, and looks in the thread of the loop.

    In a flow in which something was lost before, counts tell nothing; there, it is empty when nothing has come for a while though
    those who receive could take it. Of an app nobody knows what it has in hand: it has passed on what it can once it neither sends
    nor receives for a while. One that is never at rest, as others go on sending to it, is not waited for any longer after a second.
    """

    def __init__(self, flow: Flow, through: tuple[str, ...]) -> None:
        self._flow = flow
        self._through = through
        self._received = -1
        self._since = 0.0
        self._begun = time.monotonic()
        self._heard = -1
        self._heard_last = 0.0
        self.left = "something is"
        """How much there is yet, in words."""
        self.is_stuck = False
        """Whether it stays so: who receives is paused as well, as a sender the other way."""

    def is_empty(self, supervisor: Supervisor) -> bool:
        """Whether nothing is under way."""
        ledger = supervisor.ledger
        through = ledger.look(self._through).values()
        held = sum(standing.held for standing in through)
        count = ledger.under_way(self._flow)
        self.left = f"{(count or 0) + held:,} messages are" if count is not None else "an unknown number of messages is"
        receivers = ledger.look(ledger.links.owners[id] for id in self._flow.receivers)
        self.is_stuck = bool(count) and bool(receivers) and all(standing.paused for standing in receivers.values())
        at_rest = self._are_at_rest(through)
        return at_rest and not held and (count == 0 or (count is None and self._is_quiet(supervisor)))

    def _are_at_rest(self, through: Iterable[Standing]) -> bool:
        """Whether the apps that it goes through have done nothing for a while."""
        heard = [standing.heard for standing in through if standing.role != "device"]
        now = time.monotonic()
        if sum(heard) != self._heard:
            self._heard, self._heard_last = sum(heard), now
        return not heard or now - self._heard_last >= SILENCE or now - self._begun >= QUIET

    def _is_quiet(self, supervisor: Supervisor) -> bool:
        received, blocked = supervisor.ledger.received(self._flow)
        now = time.monotonic()
        if blocked or received != self._received:
            self._received, self._since = received, now
        return now - self._since >= QUIET


def _begun(machine: Machine, names: Iterable[str]) -> bool | None:
    """Whether all of these run; None while it is not known."""
    on_trial = [name for name in names if name in machine.trial]
    if machine.phase != "running" or any(machine.life(n) == Life.ENDED and n not in machine.due for n in on_trial):
        return False
    return None if on_trial else True


def _addresses_of(start: steps.Start) -> Addresses:
    """The addresses that what starts is to bind again, by socket. Empty is one that it has not had."""
    sockets = (socket for lodger in start.devices for socket in lodger.device.sockets)
    return {socket.id: tuple(bind.address for bind in socket.binds) for socket in sockets}


def _resolved(socket: SocketPlan, addresses: Addresses) -> SocketPlan:
    """A socket that knows all addresses of the others."""
    connects = (steps.replace(c, endpoint=connect_to(c, addresses), origin=None) for c in socket.connects)
    return steps.replace(socket, connects=tuple(connects))
