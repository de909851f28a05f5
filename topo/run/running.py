"""A running topology for a Python program: the supervisor is a thread of it, thread devices are threads of it.

It installs no signal handlers and changes nothing else that belongs to the whole process. What fails while it runs is logged as
it happens, by the logger `ztopo`, for the thread that would be told may be waiting for a message that never comes.

It has a folder in the runtime directory, so that `ztopo ps`, `top`, `tap` and `down` find it. There it is called `NAME@PID`: several
programs may run topologies of one name, and none is to fail because another one runs.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType, TracebackType
from typing import Any, Protocol

import zmq

from topo.change import plan_change
from topo.devcore import Statistics
from topo.diagnostic import Diagnostic
from topo.plan import Plan
from topo.run import mistakes, sockets
from topo.run.changing import Change, Moved
from topo.run.control import Control
from topo.run.events import Phased, RolledBack, Said, StopAsked, Told, Undrained
from topo.run.folder import Refused, claim
from topo.run.journal import Journal
from topo.run.machine import Limits
from topo.run.moment import Moment
from topo.run.snapshot import Snapshot
from topo.run.sockets import Context, Socket
from topo.run.supervisor import Outcome, Supervisor
from topo.run.upkeep import Upkeep
from topo.source import Source
from topo.steps import ChangePlan
from topo.text import harmless

__all__ = ["Awaited", "RunError", "Running", "Starting", "start", "start_awaited"]

DRAIN = 1.0
"""For how many seconds it drains, if nobody says: the program itself may be who does not read any more."""

log = logging.getLogger("ztopo")
LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}

MakeError = Callable[[tuple[Diagnostic, ...]], Exception]


class Wanted(Protocol):
    """What can be run: a `topo.Topology`."""

    def wanted(self) -> tuple[Plan, Mapping[str, Source]]:
        """The plan, and the texts that its places are in."""
        ...


class RunError(Exception):
    """A topology could not start, or something of it failed. `diagnostics` says what, with places."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(d.message for d in self.diagnostics))


def start(
    plan: Plan,
    *,
    in_process: bool = True,
    context: zmq.Context[Any] | None = None,
    sources: Mapping[str, Source] | None = None,
    on_event: Callable[[Told], None] | None = None,
    on_failure: Callable[[Diagnostic], None] | None = None,
    limits: Limits | None = None,
    error: MakeError = RunError,
) -> Running:
    """Start a plan, and return when it is ready: everything is bound and connected.

    Thread devices share `context`, or pyzmq's usual one if None; with `in_process=False` they have a process of their own.
    `sources` are the texts that the plan's places are in; see `topo.plan.sources`. `on_event` is told what happens, in threads
    of the supervisor, `on_failure` of what fails once it is ready. Whatever goes wrong is raised as `error` makes it from
    diagnostics, with nothing left running.
    """
    running = Running(
        plan,
        context or zmq.Context.instance(),
        in_process=in_process,
        sources=sources,
        on_event=on_event,
        on_failure=on_failure,
        limits=limits,
        error=error,
    )
    try:
        running._begun.wait()
        running._must_have_begun()
    except BaseException:
        running.stop()
        raise
    return running


async def start_awaited(plan: Plan, **more: Any) -> Running:
    """The same for a task: its event loop goes on meanwhile. If the task is cancelled, nothing is left running either."""
    running = Running(plan, more.pop("context", None) or zmq.Context.instance(), **more)
    try:
        await running._begun.come()
        running._must_have_begun()
    except BaseException:
        await running.aio.stop()
        raise
    return running


class Running:
    """A topology that runs. Its methods may be called from any thread; sockets belong to the thread that asked for them."""

    def __init__(
        self,
        plan: Plan,
        context: Context,
        *,
        in_process: bool = True,
        sources: Mapping[str, Source] | None = None,
        on_event: Callable[[Told], None] | None = None,
        on_failure: Callable[[Diagnostic], None] | None = None,
        limits: Limits | None = None,
        error: MakeError = RunError,
    ) -> None:
        self.name = plan.name
        """The topology's name."""
        self._context = context
        self._on_event = on_event
        self._on_failure = on_failure
        self._error = error
        self._begun = Moment()
        self._stopping = Moment()
        self._ended = Moment()
        self._outcome: Outcome | None = None
        self._raised: BaseException | None = None
        self._sockets: list[tuple[int, Socket]] = []
        self._journal = Journal(plan)
        self._planned: tuple[ChangePlan, Mapping[str, Source]] | None = None
        """What was planned last, and the texts that its places are in."""
        self._unprinted: set[str] = set()
        """The apps whose output cannot be printed."""
        self._supervisor = Supervisor(
            plan,
            context=context if in_process else None,
            sources=sources,
            tell=self._heard,
            on_output=self._wrote,
            limits=limits or Limits(drain=DRAIN),
            file=_file_of(plan),
        )
        self._thread = threading.Thread(target=self._run, name=f"ztopo supervisor of {plan.name}", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    # Asking

    @property
    def addresses(self) -> Mapping[str, tuple[str, ...]]:
        """The real addresses of the devices' sockets, by id (`broker.in`), in the order of their binds."""
        return MappingProxyType(dict(self._supervisor.machine.addresses))

    @property
    def stopping(self) -> bool:
        """Whether it is about to end, or has ended: it was told to, or something of it has failed."""
        return self._stopping.is_set()

    @property
    def ended(self) -> bool:
        """Whether nothing of it is left."""
        return self._ended.is_set()

    @property
    def failures(self) -> tuple[Diagnostic, ...]:
        """What has failed so far."""
        return tuple(d for d in self._supervisor.diagnostics if d.severity == "error")

    def status(self) -> Snapshot:
        """What runs at this moment; after the end, what is known of how it ended."""
        try:
            return self._supervisor.snapshot()
        except RuntimeError:  # nobody changes it any more
            return self._supervisor.sight.snapshot()

    def statistics(self) -> dict[str, Statistics]:
        """What the devices have done since they were started the last time, by name, wherever they live. Costs them nothing."""
        return {d.name: d.statistics for d in self.status().devices if d.statistics is not None}

    def socket(self, name: str) -> zmq.Socket[Any]:
        """A new socket for an app that is declared with `run inside`: of its type, with its options, bound and connected.

        It belongs to the calling thread, which may close it; if it does not, `stop` does when the same thread calls it.
        Raises what has failed, and RuntimeError if the topology was stopped: there is nobody to talk to any more.
        """
        self._must_run()
        known = {s.id: s for s in self._supervisor.plan.sockets}
        wanted = known.get(name) or {id.replace("[*]", ""): s for id, s in known.items()}.get(name)
        if wanted is None:
            there = ", ".join(known) or "none: no app is declared with `run inside`"
            raise KeyError(f"there is no socket {name!r} for this program; there is {there}")
        try:
            socket = sockets.open(self._context, wanted, dict(self.addresses))
        except sockets.SocketError as refused:
            raise zmq.ZMQError(refused.errno, f"{refused.step} of {name}: {refused.reason}") from refused
        self._sockets.append((threading.get_ident(), socket))
        return socket

    def restart(self, *devices: str) -> tuple[Undrained, ...]:
        """Start devices again, at the addresses that they have, and return when they are ready.

        Who sends to them is paused meanwhile, as far as that can be: devices, and apps that use `topo.socket`. Over links between
        those nothing is lost; what is, or may be, is returned. Raises `topo.run.again.NotAgain` if one does not run, or if it, or who
        sends to it, does not do its part in time; RuntimeError at the end of the topology.
        """
        self._must_run()
        return self._supervisor.restart(devices)

    # Changing

    def plan(self, new: Wanted) -> ChangePlan:
        """What is to be done so that another topology runs: what comes, goes and changes, and what that means for messages.

        Nothing is done. `new` comes from `topo.load`, `topo.loads`, or is built. Raises TopologyError if it is invalid, and
        RuntimeError if this one has ended.
        """
        wanted, texts = new.wanted()
        present = self._supervisor.present()
        change = plan_change(present.plan, present.snapshot, wanted, present.joined)
        self._planned = (change, texts)
        return change

    def apply(self, change: ChangePlan | Wanted) -> None:
        """Do what `plan` has planned, or plan and do it at once. Blocks until it is done.

        What does not change sees nothing of it. If a step fails everything goes back, and what ran still runs; that is raised, as
        is that the world has moved since the change was planned. What interrupts the waiting, such as Ctrl-C, takes it back too.
        """
        self._changed(self._begin(self._as_planned(change)).result)

    def _as_planned(self, change: ChangePlan | Wanted) -> ChangePlan:
        return change if isinstance(change, ChangePlan) else self.plan(change)

    def _begin(self, change: ChangePlan) -> Change:
        known, texts = self._planned or (None, {})
        return self._supervisor.changer.begin(change, texts if known is change else {})

    def _changed(self, result: Callable[[], RolledBack | None]) -> None:
        try:
            rolled_back = result()
        except Moved as why:
            raise self._error((mistakes.moved(str(why)),)) from None
        if rolled_back is not None:
            raise self._error((mistakes.not_changed(rolled_back),))

    # Waiting

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, as it does once something fails, and say whether it has. Raises what went wrong."""
        if not self._ended.wait(timeout):
            return False
        self._raise()
        return True

    def stop(self, timeout: float | None = None) -> bool:
        """Let everything drain and end, wait for it, and say whether it has.

        It drains for `timeout` seconds at most, one if that is not said, and does not if it is 0; how long the end itself may
        take is bounded as well.
        """
        self._ask_to_stop(timeout)
        if (
            threading.current_thread() is self._thread
        ):  # `on_failure` or `on_event` wants it, and nothing ends before that returns
            return False
        return self._ended.wait() and self._has_ended()

    @property
    def aio(self) -> Awaited:
        """What waits, for the tasks of an event loop: `await running.aio.wait()`."""
        return Awaited(self)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        if value is None:
            self._raise()

    # Inside

    def _must_have_begun(self) -> None:
        if self._ended.is_set():
            self._raise()

    def _ask_to_stop(self, timeout: float | None) -> None:
        for owner, socket in self._sockets:
            if owner == threading.get_ident():
                socket.close()
        self._supervisor.post(StopAsked("stop", insists=False, timeout=timeout))

    def _has_ended(self) -> bool:
        """Leave nothing of our own."""
        self._thread.join()
        atexit.unregister(self.stop)
        return True

    def _must_run(self) -> None:
        if self._ended.is_set():
            self._raise()
        if self.stopping:
            if self.failures:
                raise self._error(self.failures)
            raise RuntimeError(f"{self.name} {'has ended' if self.ended else 'is stopping'}: it makes no sockets any more")

    def _raise(self) -> None:
        if self._raised is not None:
            raise self._raised
        if self._outcome is not None and self._outcome.code:
            raise self._error(self._outcome.diagnostics)

    def _run(self) -> None:
        try:
            with self._registered():
                self._outcome = self._supervisor.run()
        except BaseException as raised:  # raised again in the thread that waits
            self._raised = raised
        finally:
            self._stopping.set()
            self._ended.set()
            self._begun.set()

    @contextmanager
    def _registered(self) -> Iterator[None]:
        """Let others find it within the block. Where that cannot be it is logged, and the topology runs all the same."""
        with ExitStack() as found:
            try:
                home = found.enter_context(claim(self.name, self._supervisor.sight.file, program=True))
                self._supervisor.folder = home.folder
                upkeep = Upkeep(self._supervisor, self._journal)
                found.enter_context(Control(home, self._supervisor, self._journal, rereads=False, on_look=upkeep.look))
            except Refused as refused:
                log.warning("%s: ztopo ps, top and tap do not find it: %s", self.name, refused.diagnostic.message)
            yield

    def _heard(self, event: Told) -> None:
        self._journal.tell(event)
        if isinstance(event, Phased) and event.phase == "running":
            self._begun.set()
        if isinstance(event, Phased) and event.phase == "stopping":
            self._stopping.set()
        if isinstance(event, Said) and self._begun.is_set():
            self._failed(event.diagnostic)
        if self._on_event is not None:
            self._on_event(event)

    def _failed(self, diagnostic: Diagnostic) -> None:
        where = f"{diagnostic.span.where}: " if diagnostic.span else ""
        if diagnostic.severity == "error":
            self._stopping.set()
        log.log(LEVELS[diagnostic.severity], "%s: %s%s [%s]", self.name, where, diagnostic.message, diagnostic.code)
        if self._on_failure is not None and diagnostic.severity == "error":
            self._on_failure(diagnostic)

    def _wrote(self, name: str, line: str, goes_on: bool) -> None:
        """Print a line of an app's output. Where that cannot be, the app is not to wait until somebody takes it."""
        self._journal.wrote(name, line, goes_on)
        try:
            shown = harmless(line) if sys.stdout is not None and sys.stdout.isatty() else line
            print(f"{name} {'+' if goes_on else '|'} {shown}", flush=True)
        except (OSError, ValueError) as error:  # nobody reads it any more, or the program has closed it
            if name not in self._unprinted:
                self._unprinted.add(name)
                log.warning("%s: the output of %s goes nowhere: %s", self.name, name, error)


class Awaited:
    """A running topology, for the tasks of an event loop, which goes on meanwhile. The same names do the same as there."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, and say whether it has. Raises what went wrong. A task that is cancelled waits no more."""
        if not await self._running._ended.come(timeout):
            return False
        self._running._raise()
        return True

    async def apply(self, change: ChangePlan | Wanted) -> None:
        """Do what `Running.plan` has planned, or plan and do it at once. If the task is cancelled, it is taken back first."""
        import asyncio

        begun = self._running._begin(await asyncio.to_thread(self._running._as_planned, change))
        try:
            await begun.over.come()
        except asyncio.CancelledError:
            begun.withdraw()
            await begun.over.come()
            raise
        self._running._changed(begun.result)

    async def restart(self, *devices: str) -> tuple[Undrained, ...]:
        """Start devices again, and wait until they are ready. It goes on if the task is cancelled. Raises what `Running.restart` does."""
        import asyncio

        return await asyncio.to_thread(self._running.restart, *devices)

    async def stop(self, timeout: float | None = None) -> bool:
        """Let everything drain and end, wait for it, and say whether it has. It goes on ending if the task is cancelled."""
        self._running._ask_to_stop(timeout)
        return await self._running._ended.come() and self._running._has_ended()


class Starting:
    """A topology that is about to start: awaited it is running, and in an `async with` it is stopped when that is left."""

    def __init__(self, start: Callable[[], Awaitable[Running]]) -> None:
        self._start = start
        self._running: Running | None = None

    def __await__(self) -> Generator[Any, None, Running]:
        return self._start().__await__()

    async def __aenter__(self) -> Running:
        self._running = await self._start()
        return self._running

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        assert self._running is not None
        await self._running.aio.stop()
        if value is None:
            self._running._raise()


def _file_of(plan: Plan) -> str:
    """The file that a plan was read from, or that of the program that has built it."""
    places = [*(d.place for d in plan.devices), *(a.place for a in plan.apps), *(s.place for s in plan.sockets)]
    file = next((place.file for place in places if os.path.isfile(place.file)), sys.argv[0] if sys.argv else "")
    return os.path.abspath(file) if file else ""
