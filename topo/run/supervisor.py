"""The loop that reads events and does what the machine decides.

It holds no data socket. What runs posts events into one queue, from whatever thread; the loop takes them one by one, tells the
machine, and carries out what that answers. It can run in the main thread, as under the command line, or in any other. Whoever
listens is told in the thread of the loop, and of output in the thread that reads it.

Other threads look at what runs, and change it, by what stands under "From other threads": those wait for the loop.
"""

from __future__ import annotations

import errno
import heapq
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeVar

import msgspec

from topo.diagnostic import Diagnostic
from topo.plan import THREAD_HOST, AppPlan, DevicePlan, Plan, SocketPlan
from topo.run import again, claims
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
from topo.run.apps import environment
from topo.run.changing import Changer
from topo.run.children import Children, OnOutput, Post, Starter, Worker
from topo.run.counters import Counters
from topo.run.events import (
    Addresses,
    Bound,
    Busy,
    Changed,
    ChangeStep,
    Changing,
    Command,
    CommandError,
    Done,
    Drain,
    EndAsked,
    Event,
    Exited,
    Failed,
    Gone,
    Halted,
    Looked,
    NotDone,
    Pause,
    Phased,
    PlanChanged,
    Ready,
    Refused,
    ReloadAsked,
    ReloadRefused,
    Restarting,
    Resumed,
    RolledBack,
    Said,
    StartAsked,
    Started,
    StarterLost,
    Stopped,
    Stopping,
    TimeOver,
    Told,
    Turn,
    Undrained,
    Wish,
)
from topo.run.feed import Feed
from topo.run.host import LocalHost
from topo.run.joined import Declared, Joined, Wanted, declared
from topo.run.ledger import Ledger
from topo.run.listeners import Kept
from topo.run.lives import Life
from topo.run.machine import Limits, Machine
from topo.run.reports import Reports
from topo.run.sight import Sight
from topo.run.snapshot import Present, Snapshot
from topo.run.sockets import Context
from topo.source import Source

__all__ = ["CommandError", "Outcome", "Sequel", "Supervisor"]

T = TypeVar("T")

MOST_KEPT = 1000
"""How many diagnostics are kept for the end."""
ENDED = (Life.ENDED, Life.PLANNED, None)
TOLD = (
    *(Bound, Ready, Failed, Stopped, Started, Refused, Halted, Resumed, Exited, Gone, ReloadAsked),
    *(Changing, ChangeStep, Changed, RolledBack, ReloadRefused),
)
"""The events that others want to hear of."""


class Outcome(msgspec.Struct, frozen=True):
    """How it ended: what the program should end with, and what went wrong."""

    code: int
    diagnostics: tuple[Diagnostic, ...]


Sequel = Callable[[Done], PlanChanged]
"""What is wanted once a command is done."""


class Order(NamedTuple):
    """A command that a device was given."""

    device: str
    then: Sequel | None
    answer: Future[Done]


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
        file: str = "",
        folder: Path | None = None,
    ) -> None:
        """With a `context`, thread devices live in this process and share it; else in a process of their own.

        `base` is the environment that apps start from, `file` what the plan was read from.
        """
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.diagnostics: list[Diagnostic] = []
        """What went wrong, the latest of it: what is started again for months has had many warnings."""
        self._context = context
        self._on_output = on_output
        self._make_starter = starter
        self._starter: Starter | None = None
        self._clock = clock
        self._base = base
        self.folder = folder
        self.joined = Joined()
        local = frozenset({THREAD_HOST}) if context is not None else frozenset()
        self.machine = Machine(plan, limits, local, clock)
        self.sight = Sight(plan, self.machine, file)
        self.ledger = Ledger(plan, self.sight, self.joined)
        self.changer = Changer(self)
        self._reports = Reports(self.sight, sources)
        self.hosts: dict[str, Worker | LocalHost] = {}
        self._kept = Kept()
        self._listeners: list[Callable[[Told], None]] = [tell]
        self._orders: dict[int, Order] = {}
        """The commands that are not answered yet."""
        self._waits: list[tuple[Callable[[Machine], bool], Future[None]]] = []
        self._loop = 0
        """The thread that runs it."""
        self._over = threading.Event()
        self._timers: list[tuple[float, int, TimeOver]] = []
        self._numbers = count()

    @property
    def plan(self) -> Plan:
        """What is wanted at present."""
        return self.machine.plan

    # From other threads

    def post(self, event: Event) -> None:
        """Say that something has happened. From any thread, and from a signal handler."""
        self.events.put(event)

    def call(self, question: Callable[[Supervisor], T], timeout: float | None = None) -> T:
        """Ask something in the thread of the loop, and wait for the answer. Raises what the question raises.

        RuntimeError at the end of the topology; TimeoutError if the loop does not answer in so many seconds.
        """
        if threading.get_ident() == self._loop:  # a listener asks, which the loop waits for
            return question(self)
        answer: Future[T] = Future()

        def act() -> None:
            try:
                found = question(self)
            except Exception as error:
                _fail(answer, error)
            else:
                with suppress(InvalidStateError):  # nobody waits any more
                    answer.set_result(found)

        self.post(Wish(act))
        return self._result(answer, timeout)

    def snapshot(self) -> Snapshot:
        """What runs, at this moment. Waits for the loop."""
        return self.call(lambda loop: loop.sight.snapshot())

    def present(self) -> Present:
        """All that a change is planned from, at this moment. Waits for the loop."""
        return self.call(lambda loop: Present(loop.plan, loop.sight.snapshot(), tuple(loop.joined.sockets)))

    def subscribe(self, listener: Callable[[Told], None]) -> Callable[[], None]:
        """Let a listener be told, in the thread of the loop, which it must not hold up. Returns what ends that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    def command(self, device: str, what: Command, timeout: float = 10.0, then: Sequel | None = None) -> Done:
        """Let a device that runs carry out a command in its own thread, and wait until it has.

        `then` says what is wanted from the moment on in which it has: should the device end right after, it starts again so.
        Raises CommandError if it cannot, or does not run, TimeoutError, and RuntimeError at the end of the topology. What has not
        been done in time may still be, before whatever the device is told next; what is wanted stays as it was.
        """
        number, answer = self.call(lambda loop: loop._order(device, what, then))
        try:
            return self._result(answer, timeout)
        except TimeoutError:
            self.post(Wish(lambda: self._forget_order(number)))
            raise

    def joining(self, app: str, socket: str, feed: Feed[Wanted]) -> AbstractContextManager[Declared]:
        """Within the block of what is returned, a socket of an app counts, and is told by the feed when it is to wait.

        Raises KeyError if there is no such app or socket, OSError if there is no memory for its counts.
        """
        plan = self.sight.apps[app]
        found = declared(plan, socket, self.machine.addresses)
        if found is None or self.folder is None:
            raise KeyError(socket)
        return self.joined.joining(app, found, self.folder, feed)

    def end(self, names: Iterable[str], drain: Drain | None = None, timeout: float | None = None) -> bool:
        """Let devices and apps end, and stay so, and wait for it. Says whether they have."""
        wanted = tuple(names)
        self.post(EndAsked(wanted, drain))
        return self.wait_until(lambda machine: all(machine.life(n) in ENDED for n in wanted), timeout)

    def start(self, names: Iterable[str], timeout: float | None = None) -> bool:
        """Start devices and apps that do not run, and wait until they are ready. Says whether they are."""
        wanted = tuple(names)
        self.post(StartAsked(wanted))
        return self.wait_until(lambda machine: all(machine.life(n) == Life.READY for n in wanted), timeout)

    def restart(self, devices: Iterable[str]) -> tuple[Undrained, ...]:
        """Start devices again, and wait until they are ready: with what was lost, or may be; see `again.py`.

        Raises NotAgain if one does not run, or does not start. A change that is being carried out comes first.
        """
        with self.changer.turn:
            return again.restart(self, devices)

    def adopt(self, plan: Plan, addresses: Addresses | None = None) -> None:
        """Let this be what is wanted from now on. What is gone from it, or other, has ended or was changed alive.

        `addresses` are those of sockets that have bound something else meanwhile, all of each such socket.
        """
        self.post(PlanChanged(plan, addresses or {}))
        self.call(lambda _: None)

    def wait_until(self, holds: Callable[[Machine], bool], timeout: float | None = None) -> bool:
        """Wait until something holds of the machine, which is looked at after each event. Says whether it does.

        RuntimeError at the end of the topology.
        """
        seen: Future[None] = Future()
        self.post(Wish(lambda: self._waits.append((holds, seen))))
        try:
            self._result(seen, timeout)
        except TimeoutError:
            self.post(Wish(lambda: self._waits.remove((holds, seen)) if (holds, seen) in self._waits else None))
            return False
        return True

    def _result(self, answer: Future[T], timeout: float | None) -> T:
        """Wait for an answer, but not beyond the end of the topology."""
        if self._over.is_set():  # else the loop sees to it
            self._no_more(answer)
        return answer.result(timeout)

    def _no_more(self, answer: Future[T]) -> None:
        _fail(answer, RuntimeError(f"{self.plan.name} has ended"))

    def know(self, sources: Mapping[str, Source]) -> Mapping[str, Source]:
        """Let these be the texts that places are in, and return those that were. In the thread of the loop only."""
        return self._reports.know(sources)

    # The loop

    def run(self) -> Outcome:
        """Run the topology, and return when nothing of it is left."""
        self._loop = threading.get_ident()
        try:
            self._carry_out(self.machine.begin())
            while self.machine.phase != "ended":
                self.take(self._next())
                self._look_whether()
        finally:
            self._leave_nothing()
        return Outcome(self.machine.code, tuple(self.diagnostics))

    def _leave_nothing(self) -> None:
        """At the usual end there is nothing left; should the loop itself have broken, this ends everything."""
        for host in self.hosts.values():
            if isinstance(host, LocalHost):
                host.stop(tuple(host.host.devices))
            host.close()
        if self._starter is not None:
            self._starter.close()
        for counters in self.sight.counters.values():
            counters.close()
        self._kept = Kept()
        self._over.set()
        for order in self._orders.values():
            self._no_more(order.answer)
        for _, seen in self._waits:
            self._no_more(seen)
        while not self.events.empty():
            event = self.events.get()
            if isinstance(event, Wish):
                event.act()

    def _look_whether(self) -> None:
        """Tell those who wait for something that it is so."""
        for wait in [w for w in self._waits if w[0](self.machine)]:
            self._waits.remove(wait)
            wait[1].set_result(None)

    # Events

    def take(self, event: Event) -> None:
        """Let everybody hear of something at once, and do what the machine answers. In the thread of the loop only."""
        lost = self._lost_with(event)
        self._hear(event)
        self._carry_out(self.machine.on(event))
        for left in lost:
            self._tell(left)

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
            case Exited(name) if name in self.machine.hosts:
                self._unanswered(name)
                self._clear_up(name)
            case Gone(name) if name in self.sight.apps:
                self._clear_up_app(name)
            case Gone(name) if name in self.hosts:
                self.hosts.pop(name).close()
                self._forget_counters(self.sight.plans)
            case Stopped(device) | Failed(device) if self.machine.phase != "running":
                self._kept.give_up(device)
            case StarterLost():
                for name in self.sight.plans.keys() - self.machine.local:
                    self._clear_up(name)
                for name in self.sight.apps:
                    self._clear_up_app(name)
            case PlanChanged(plan):
                for wanted in plan.devices:
                    self._kept.trim(wanted)
                self._forget_counters({host.name for host in plan.hosts})
            case Wish(act):
                act()
            case Done() | NotDone():
                self._answered(event)
        self.sight.note(event)
        self.ledger.note(event)
        if isinstance(event, Exited):
            self._tell(msgspec.structs.replace(event, asked=self.machine.as_asked(event)))
        elif isinstance(event, TOLD):
            self._tell(event)
        if isinstance(event, Started) and event.name not in self.machine.local:
            self.starter.begun(event.name)

    def _lost_with(self, event: Event) -> list[Undrained]:
        """What is lost with devices that have just ended unasked, or may be."""
        if not isinstance(event, Failed | Exited) or self.machine.phase != "running":
            return []
        names = (event.device,) if isinstance(event, Failed) else self.machine.hosts.get(event.name, ())
        return [self.ledger.lost(name) for name in names if self.machine.life(name) == Life.READY]

    def _tell(self, event: Told) -> None:
        for listener in [*self._listeners]:
            listener(event)

    def _order(self, device: str, what: Command, then: Sequel | None) -> tuple[int, Future[Done]]:
        if self.machine.life(device) != Life.READY:
            raise CommandError(errno.ESRCH, f"{device} does not run")
        number = next(self._numbers)
        order = self._orders[number] = Order(device, then, Future())
        self.hosts[self.machine.host_of[device]].do(device, number, what)
        return number, order.answer

    def tell(self, device: str, what: Command) -> None:
        """Let a device carry out a command, and do not wait for that. In the thread of the loop only."""
        self.hosts[self.machine.host_of[device]].do(device, next(self._numbers), what)

    def _answered(self, event: Done | NotDone) -> None:
        order = self._orders.pop(event.number, None)
        if order is None:
            return
        if isinstance(event, NotDone):
            order.answer.set_exception(CommandError(event.errno, event.reason))
            return
        if order.then is not None:
            self.take(order.then(event))
        order.answer.set_result(event)

    def _forget_order(self, number: int) -> None:
        """Nobody waits for this any more."""
        self._orders.pop(number, None)

    def _forget_counters(self, wanted: Collection[str]) -> None:
        """Who has ended and is not wanted counts no more."""
        for host in [h for h in self.sight.counters if h not in wanted and h not in self.hosts]:
            self.sight.counters.pop(host).close()

    def _unanswered(self, host: str) -> None:
        """A process has ended: what its devices were to do they have not done."""
        for number, order in [(n, o) for n, o in self._orders.items() if self.machine.host_of.get(o.device) == host]:
            self._answered(NotDone(order.device, number, errno.ESRCH, "its process has ended"))

    def _clear_up(self, host: str) -> None:
        """Remove the socket files that a process has left behind."""
        for device in self.sight.plans[host].devices if host in self.sight.plans else ():
            for socket in device.sockets:
                declared = tuple(bind.endpoint for bind in socket.binds)
                real = self.machine.addresses.get(socket.id, declared)  # it may have died before it could say
                for endpoint, address in zip(declared, real, strict=False):
                    claims.remove_dead(address, wild=endpoint == "ipc://*")

    def _clear_up_app(self, name: str) -> None:
        """Remove the socket files that an app has bound by what it was told, and that a signal has left there."""
        for endpoint in self.sight.apps[name].binds:
            claims.remove_dead(endpoint, wild=False)

    # Acts

    def _carry_out(self, acts: list[Act]) -> None:
        for act in acts:
            self._do(act)

    def _do(self, act: Act) -> None:
        match act:
            case StartHost(name, devices):
                with self._refusing(name):
                    self.hosts[name] = self._start_host(name)
                    self._begin(name, devices)
            case StartDevices(host, devices):
                self._begin(host, devices)
            case ConnectDevices(host, devices):
                self.hosts[host].connect(self._addresses_for(devices), devices)
            case StopDevices(host, devices, drain) if host in self.hosts:  # else it was refused, and that is about to be heard
                self.hosts[host].stop(devices, drain)
            case Look(names, last):
                self.post(Looked(self.ledger.look(names), last))
            case PauseMember(name) if name in self.machine.apps:
                self.joined.want(name, "pause")
            case PauseMember(name):
                self.tell(name, Pause())
            case TurnDevice(name):
                self.tell(name, Turn())
            case DismissHost(name) if name in self.hosts:
                self.hosts[name].dismiss()
            case ForgetDevice(name):
                self._kept.give_up(name)
                for counters in self.sight.counters.values():
                    counters.clear(name)
            case StartApp(name):
                app = self.sight.apps[name]
                with self._refusing(name):
                    self.starter.start_app(name, app.command, app.folder, self._environment(app))
            case SendSignal(name, number):
                self.joined.want(name, "stop")
                self.starter.signal(name, number)
            case After(seconds, event):
                heapq.heappush(self._timers, (self._clock() + seconds, next(self._numbers), event))
            case Announce(phase):
                self._tell(Phased(phase, dict(self.machine.addresses)))
            case SayRestart(name, attempt, delay):
                self._tell(Restarting(name, attempt, delay))
            case SayWhy(why):
                self._tell(Stopping(why))
            case SayUndrained(name, standing, quiet):
                self._tell(self.ledger.undrained(name, standing, quiet))
            case SayBusy(names):
                self._tell(Busy(names))
            case Report():
                self._say(self._reports.of(act))

    def _environment(self, app: AppPlan) -> dict[str, str]:
        folder = "" if self.folder is None else os.fspath(self.folder)
        return environment(app, self.machine.addresses, self._base, folder)

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
        """Start a process, whose devices begin later. It counts where it did in its last life."""
        counters = self.sight.counters.get(name)
        if counters is None:
            counters = self.sight.counters[name] = Counters()
        if name not in self.machine.local:
            return self.starter.start_worker(self.sight.plans[name], counters)
        assert self._context is not None
        host = LocalHost(name, self._context, counters, self.post)
        host.start()
        return host

    def _begin(self, host: str, names: tuple[str, ...]) -> None:
        """Start devices in a process, at the addresses that they had."""
        for name in names:
            self.ledger.begins(name)
        plans = tuple(self._again(self.sight.devices[name]) for name in names)
        try:
            kept = {} if host in self.machine.local else {o: h for plan in plans for o, h in self._kept.of(plan).items()}
            self.hosts[host].begin(plans, kept)
        except OSError as error:
            for plan in plans:
                reason = error.strerror or str(error)
                self.post(Failed(plan.name, "run", plan.frontend.id, errno=error.errno or 0, reason=reason))

    def _again(self, plan: DevicePlan) -> DevicePlan:
        """A device, to bind what it had when it lived before."""
        sides = {side: getattr(plan, side) for side in ("frontend", "backend", "capture")}
        return msgspec.structs.replace(plan, **{side: self._bound_again(s) for side, s in sides.items() if s is not None})

    def _bound_again(self, socket: SocketPlan) -> SocketPlan:
        had = self.sight.bound(socket.id)
        binds = tuple(msgspec.structs.replace(b, address=had.get(b.endpoint, "")) for b in socket.binds)
        return msgspec.structs.replace(socket, binds=binds) if had else socket

    def _addresses_for(self, devices: tuple[str, ...]) -> Addresses:
        """Of the real addresses those that devices connect to."""
        sockets = (s for name in devices for s in self.sight.devices[name].sockets)
        wanted = {c.origin.socket for s in sockets for c in s.connects if c.origin}
        return {id: self.machine.addresses[id] for id in wanted if id in self.machine.addresses}

    def _say(self, diagnostic: Diagnostic) -> None:
        self.diagnostics.append(diagnostic)
        del self.diagnostics[:-MOST_KEPT]
        self._tell(Said(diagnostic))


def _fail(answer: Future[T], error: Exception) -> None:
    """Let whoever waits for an answer, if anybody still does, get an error."""
    with suppress(InvalidStateError):
        answer.set_exception(error)
