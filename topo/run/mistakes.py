"""What can go wrong while a topology runs, and how that is said.

Each function makes one kind of diagnostic. Its places come from the plan; `Places` finds the texts they are in, so that the line
can be shown, and names `file:line` where there is no text at hand.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from topo.devcore import Statistics
from topo.diagnostic import Diagnostic, Label, finding
from topo.host import Holder
from topo.plan import AppPlan, BindPlan, ConnectPlan, DevicePlan, OptionPlan, Place, RestartPlan, SocketPlan
from topo.run.events import Exited, Failed, Refused, RolledBack, Stopped
from topo.source import Source, Span

__all__ = [
    "Places",
    "app_failed",
    "bind_failed",
    "command_refused",
    "device_ended",
    "folder_unusable",
    "log_unwritable",
    "moved",
    "needs_application",
    "not_changed",
    "process_ended",
    "runs_already",
    "socket_refused",
    "starter_ended",
    "took_too_long",
    "tried_enough",
    "wrong_system",
]


class Places:
    """The texts that a plan's places are in, by the name that the places have for them."""

    def __init__(self, sources: Mapping[str, Source] | None = None) -> None:
        self._sources = dict(sources or {})

    def label(self, place: Place, text: str = "") -> tuple[Label, ...]:
        """The place with a few words under it, if its text is at hand."""
        source = self._sources.get(place.file)
        return (Label(Span(source, place.start, place.end), text),) if source is not None else ()

    def note(self, place: Place) -> tuple[str, ...]:
        """Where it is, if its text is not at hand."""
        return () if place.file in self._sources else (f"declared at {place.where}",)


# At the start


@finding("ZT901", "an endpoint cannot be bound")
def bind_failed(places: Places, failed: Failed, bind: BindPlan) -> Diagnostic:
    """The system refused to give a socket its address, so nothing of the topology was started.

    Most often somebody else has it already: another topology, or an earlier run of the same program. Where the system
    tells, the message says who. An ipc path counts as taken if somebody listens on it; ZeroMQ itself would take it away from
    them without a word. A socket file on which nobody listens any more is removed, any other file is left alone.

    Let the system choose a port that is free, and connect by name:

    ```ztopo
    device broker: queue {
        in  ROUTER bind tcp://127.0.0.1:*
        out DEALER bind tcp://127.0.0.1:*
    }
    app client: REQ connect broker.in { run "python client.py" }
    app worker: REP connect broker.out { run "python worker.py" }
    ```
    """
    holder = failed.holder
    return Diagnostic(
        code="ZT901",
        message=f"`{failed.socket}` cannot bind {failed.endpoint}: {failed.reason}",
        labels=places.label(bind.place, holder.held if holder else ""),
        notes=(*(holder.notes if holder else ()), *_advice(failed), *places.note(bind.place)),
    )


def _advice(failed: Failed) -> tuple[str, ...]:
    path = failed.endpoint.removeprefix("ipc://")
    if failed.errno == errno.EEXIST:
        return (f"remove {path} yourself if nobody needs it: ztopo removes dead sockets only",)
    if failed.errno == errno.ENOENT and path != failed.endpoint:
        return (f"there is no folder {Path(path).parent}",)
    if failed.errno == errno.EACCES and path == failed.endpoint:
        return ("ports below 1024 are for root",)
    if failed.errno in (errno.EADDRNOTAVAIL, errno.ENODEV):
        return ("a socket binds only an address or an interface that this host has",)
    return _limits(failed.errno)


@finding("ZT902", "a socket cannot be made as it is declared")
def socket_refused(places: Places, failed: Failed, socket: SocketPlan) -> Diagnostic:
    """ZeroMQ refused a socket, one of its options, or an endpoint to connect to.

    What can be known before is found by `ztopo check`. What is left depends on the host: how many sockets and files a
    process may have, what the kernel allows, what this libzmq was built with.
    """
    what, place = _step(failed, socket)
    return Diagnostic(
        code="ZT902",
        message=f"`{failed.socket}` {what}: {failed.reason}",
        labels=places.label(place),
        notes=(*_limits(failed.errno), *places.note(place)),
    )


def _step(failed: Failed, socket: SocketPlan) -> tuple[str, Place]:
    if failed.step == "option":
        option: OptionPlan = socket.options[failed.index]
        return f"cannot have the option {option.name}", option.place
    if failed.step == "connect":
        connect: ConnectPlan = socket.connects[failed.index]
        return f"cannot connect to {failed.endpoint}", connect.place
    return f"cannot be made as a {socket.type}", socket.place


def _limits(number: int) -> tuple[str, ...]:
    return tuple(note for numbers, note in LIMITS if number in numbers)


LIMITS = (
    ((errno.EMFILE,), "the process has as many sockets or files as it may have: see `ulimit -n`, and the context's MAX_SOCKETS"),
    ((errno.ENFILE,), "the system has as many open files as it may have: see fs.file-max"),
    (
        (errno.EAGAIN, errno.ENOMEM),
        "the system has no room for another process or thread: see `ulimit -u`, and how much memory is free",
    ),
    ((errno.ENOSPC, errno.EDQUOT), "the file system is full"),
)


@finding("ZT905", "a process cannot be started")
def command_refused(places: Places, refused: Refused, place: Place, app: AppPlan | None) -> Diagnostic:
    """The system could not start the command of an app, or a process for devices; whatever had been started was stopped.

    Where it is a limit that is reached, a note says which: each process takes two descriptors of ztopo's own, for example.

    A command is split into words as a shell would do it, but no shell runs it: no pipes, no variables, no `&&`. Its folder is
    that of the file. The folder of the Python that runs ztopo comes first in PATH, so `python` is that one.

    ```ztopo
    app sink {
        run "python sink.py --quiet"
        socket work: PULL bind tcp://127.0.0.1:*
    }
    ```
    """
    return Diagnostic(
        code="ZT905",
        message=f"`{refused.name}` cannot be started: {refused.what}: {os.strerror(refused.errno)}",
        labels=places.label(place),
        notes=(*(_command_advice(refused, app) if app else ()), *_limits(refused.errno), *places.note(place)),
    )


def _command_advice(refused: Refused, app: AppPlan) -> tuple[str, ...]:
    if refused.what == app.folder:
        return ("the folder of the file is where its commands run",)
    if refused.errno == errno.ENOEXEC:
        return ("a script needs a first line such as `#!/bin/sh`, or its interpreter in the command",)
    if refused.errno != errno.ENOENT:
        return ()
    if "/" not in refused.what:
        return ("it is in no folder of PATH",)
    if Path(app.folder, refused.what).exists():
        return ("the file is there, but not the interpreter that its first line names",)
    return (f"commands run in {app.folder}",)


@finding("ZT907", "something took too long", "error", "warning")
def took_too_long(places: Places, what: str, at: Sequence[Place], *, warning: bool, notes: tuple[str, ...] = ()) -> Diagnostic:
    """Devices have half a minute to bind and to connect, and whatever is asked to end has some seconds for it.

    What does not start in time stops the topology. What does not end in time is killed, and what it still had to deliver is
    lost: see the options `linger` of its sockets, and what the app does on SIGTERM.
    """
    return Diagnostic(
        code="ZT907",
        message=what,
        severity="warning" if warning else "error",
        labels=tuple(label for place in at for label in places.label(place)),
        notes=(*notes, *(note for place in at for note in places.note(place))),
    )


# Later


@finding("ZT903", "a device has failed")
def device_ended(places: Places, event: Failed | Stopped, device: DevicePlan, counts: Counts) -> Diagnostic:
    """A device ended although nobody had asked it to.

    As a warning it is started again, as its `restart` says; as an error that was tried too often, or is not wanted, and the whole
    topology was stopped. The message says what the system or ZeroMQ refused, and at which socket; a note what it had done by then.
    """
    notes: tuple[str, ...] = ()
    if isinstance(event, Stopped):
        message = f"`{device.name}` has ended by itself: {event.reason}"
    elif event.step == "mistake":
        message = f"`{device.name}` has failed by a mistake in ztopo"
        notes = ("please report it, with this and with your file:\n" + event.reason.rstrip(),)
    else:
        message = f"`{device.name}` has failed at `{event.socket}`: {event.reason}"
        notes = _limits(event.errno)
    return Diagnostic(
        code="ZT903",
        message=message,
        labels=places.label(device.place),
        notes=(*notes, *_last_counts(counts), *places.note(device.place)),
    )


@finding("ZT904", "a process of devices has ended")
def process_ended(places: Places, exited: Exited, pid: int, devices: Sequence[DevicePlan], counts: Counts) -> Diagnostic:
    """A process in which devices lived ended although nobody had asked it to, and took them with it.

    Somebody killed it, the kernel did (see its log for a word about memory), or something in it broke: an assertion inside
    libzmq ends the process, for example. What it had in hand is lost; its counters are not, and a note says what they had come to.
    As a warning its devices are started again, as their `restart` says; as an error the whole topology was stopped.
    """
    names = ", ".join(f"`{d.name}`" for d in devices[:SHOWN]) + (
        f" and {len(devices) - SHOWN} more" if len(devices) > SHOWN else ""
    )
    return Diagnostic(
        code="ZT904",
        message=f"the process of {names} {how_it_ended(exited.status)}",
        labels=tuple(label for d in devices[:SHOWN] for label in places.label(d.place, f"lived in process {pid}")),
        notes=(*_last_counts(counts), *(note for d in devices[:SHOWN] for note in places.note(d.place))),
    )


def tried_enough(said: Diagnostic, spent: Sequence[tuple[str, RestartPlan]]) -> Diagnostic:
    """The same, with a note of those who were started again as often as they may be."""
    notes = (
        f"`{name}` was started again {plan.limit:,} time{'s' if plan.limit > 1 else ''} within {plan.period:g} s, as often as it may be"
        for name, plan in spent[:SHOWN]
    )
    return replace(said, notes=(*said.notes, *notes))


Counts = Mapping[str, Statistics]
"""What devices that have ended had done, by name."""


def _last_counts(counts: Counts) -> tuple[str, ...]:
    """What was done by those that have ended, as far as that is known."""
    lines = []
    for name, seen in list(counts.items())[:SHOWN]:
        sides = (seen.frontend, seen.backend)
        received, sent, held = (
            sum(n) for n in zip(*((s.received.messages, s.sent.messages, s.held) for s in sides), strict=True)
        )
        lines.append(f"`{name}` had received {received:,} messages, sent {sent:,} and held {held:,}")
    return tuple(lines)


SHOWN = 3
"""Of how many devices of one process the places are shown."""


def how_it_ended(status: int) -> str:
    """A status as Python has it, in words."""
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


@finding("ZT906", "an app ended with a failure")
def app_failed(places: Places, exited: Exited, pid: int, app: AppPlan) -> Diagnostic:
    """A command that the topology had started ended with something else than 0.

    As a warning it is started again, as its `restart` says; as an error the whole topology was stopped, for that is what happens
    where nothing else is said.

    An app that ends with 0 is done, and the rest goes on. One that ends by the signal with which ztopo stops it has ended
    well. What it wrote before stands above the message, behind its name.
    """
    return Diagnostic(
        code="ZT906",
        message=f"`{app.name}` {how_it_ended(exited.status)}",
        labels=places.label(app.place, f"was process {pid}"),
        notes=places.note(app.place),
    )


@finding("ZT911", "the starter has ended")
def starter_ended(names: Sequence[str]) -> Diagnostic:
    """The small process that starts all others ended, and everything that it had started with it.

    It does nothing of its own accord, so somebody killed it, or the kernel did.
    """
    lost = ", ".join(f"`{n}`" for n in names)
    return Diagnostic(
        code="ZT911",
        message="the process that starts all others has ended" + (f", and with it {lost}" if lost else ""),
    )


# While it changes


@finding("ZT920", "a change could not be carried out")
def not_changed(rolled_back: RolledBack) -> Diagnostic:
    """A step of a change failed, so everything that had been done was taken back, and what ran before runs on.

    What could not be taken back is said. It is as it was before the change once whatever it is about has been started again.
    """
    where = (f"declared at {rolled_back.where}",) if rolled_back.where else ()
    return Diagnostic(
        code="ZT920",
        message=f"could not {rolled_back.what}: {rolled_back.why}",
        notes=(*where, *(f"could not take back: {left}" for left in rolled_back.left)),
    )


@finding("ZT921", "the world has moved since a change was planned")
def moved(why: str) -> Diagnostic:
    """A change is planned from what runs at that moment. Once something has started, ended or changed, the plan is refused.

    Plan again: what is to be done then, and what it means for messages, may be something else.
    """
    return Diagnostic(code="ZT921", message=why, notes=("plan again from what runs now",))


# Before anything starts


@finding("ZT908", "the topology runs already")
def runs_already(name: str, pid: int, file: str, place: Span | None = None) -> Diagnostic:
    """There is one of each topology at a time. Each has a folder in the user's runtime directory, which the first one locks.

    Stop the one that runs, or give the other another name in its `topology` statement.
    """
    who = f"process {pid}" if pid else "another process"
    return Diagnostic(
        code="ZT908",
        message=f"`{name}` runs already, in {who}",
        labels=(Label(place),) if place is not None else (),
        notes=(f"that one was started from {file}",) if file else (),
    )


@finding("ZT909", "the runtime folder cannot be used")
def folder_unusable(folder: str, why: str) -> Diagnostic:
    """What a running topology has to keep lies in a folder that is its user's alone.

    It lies in XDG_RUNTIME_DIR, else RUNTIME_DIRECTORY, else /run/user/UID, else /tmp/ztopo-UID, whichever is there first. If it
    is full or cannot be written to, name another one in XDG_RUNTIME_DIR.
    """
    return Diagnostic(
        code="ZT909",
        message=f"the runtime folder {folder} cannot be used: {why}",
        notes=("another one can be named in XDG_RUNTIME_DIR",),
    )


@finding("ZT915", "the log cannot be written", "warning")
def log_unwritable(path: str, why: str) -> Diagnostic:
    """What happens to a topology is also written to its log, which `ztopo logs` shows. The topology runs all the same without it.

    The log lies in XDG_STATE_HOME, else STATE_DIRECTORY, else ~/.local/state, in the folder ztopo/NAME. If the disk is full it is
    tried again with everything that happens, and the log says how many records are missing.
    """
    return Diagnostic(
        code="ZT915",
        message=f"the log {path} cannot be written: {why}",
        severity="warning",
        notes=("the topology runs all the same",),
    )


@finding("ZT916", "the metrics cannot be served")
def metrics_unservable(address: str, why: str, holder: Holder | None) -> Diagnostic:
    """`ztopo up --metrics` wants an address of this host, as `127.0.0.1:9100`. That one cannot be had; nothing was started.

    End who has it, name another port, or `127.0.0.1:0` for one that the system chooses: which that is, is said.
    """
    return Diagnostic(
        code="ZT916",
        message=f"metrics cannot be served at {address}: {why}",
        notes=((holder.held,) if holder.topology else holder.notes) if holder else (),
    )


@finding("ZT910", "an app that runs inside needs an application")
def needs_application(app: str, place: Span) -> Diagnostic:
    """An app that is declared with `run inside` is a Python program that starts the topology itself.

    `ztopo check` accepts it; `ztopo up` cannot run it, for there is no such program. Start it from yours:

        with topo.load("system.ztopo").up() as running:
            socket = running.socket("client")
    """
    return Diagnostic(
        code="ZT910",
        message=f"`{app}` runs inside an application, which `ztopo up` is not",
        labels=(Label(place, "runs inside the program that calls the Python API"),),
        notes=("start it from that program: `with topo.load(file).up() as running:`",),
    )


@finding("ZT912", "topologies do not run on this system")
def wrong_system(system: str) -> Diagnostic:
    """Running a topology needs a system with processes and signals as Linux and macOS have them.

    Everything that does not run anything works here as well: `check`, `explain`, `graph`, `show`.
    """
    return Diagnostic(code="ZT912", message=f"topologies do not run on {system}; checking and drawing them works")
