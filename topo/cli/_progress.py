"""What `ztopo up` shows while it runs: a line for each thing that happens, and the output of the apps behind their names.

    broker     ready    request_broker.ztopo:8
               in       tcp://0.0.0.0:5555
               out      tcp://0.0.0.0:5556
    request_broker is ready: 1 device, 2 apps; Ctrl-C stops it
    client     started  process 4711, request_broker.ztopo:15
    client     | asked, and got an answer

`up --log-format json` writes the records of the journal instead, as lines of JSON on standard output.

The output of the apps goes to standard output, everything else to standard error. A reader who does not read holds nothing up
but the output: see `_writer.py`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from signal import SIGKILL, Signals
from typing import Self, TextIO

from topo.cli import style_for
from topo.cli._writer import Writer
from topo.plan import AppPlan, DevicePlan, Plan
from topo.render import here, plural
from topo.render.findings_full import render
from topo.run import wire
from topo.run.events import (
    Bound,
    Busy,
    Changed,
    ChangeStep,
    Changing,
    Exited,
    Halted,
    Phased,
    Ready,
    ReloadAsked,
    ReloadRefused,
    Restarting,
    Resumed,
    RolledBack,
    Said,
    Started,
    Stopped,
    Stopping,
    Told,
    Undrained,
)
from topo.run.journal import Journal, Record, what_it_loses
from topo.text import cut, harmless, nearest, sentence, width

__all__ = ["Lines", "Progress"]

COLORS = ("cyan", "green", "yellow", "magenta", "blue")
WIDEST_NAME = 24
WORD = 8
"""How wide the column of words such as `ready` is."""


class Progress:
    """Shows events. It is told them in several threads. At the end of its block all is written that is read."""

    def __init__(
        self, plan: Plan, color: str, on_failed: Callable[[OSError], None], out: TextIO, err: TextIO, folder: str = ""
    ) -> None:
        """`on_failed` is called when standard output takes nothing any more. `folder` is that of the topology's file."""
        self._plan = self._before = plan
        """What is wanted, and what was before the last change of that began."""
        self._writer = Writer(out, err, on_failed)
        self._lock = threading.Lock()
        self._out = style_for(out, color)
        self._err = style_for(err, color)
        self._terminal = out.isatty()
        self._folders = (here(), folder)
        """Where paths are called from, if they are longer without."""
        self._was_ready = False
        self._failed = False
        self._stopping = False
        self._killing = False
        self._devices: dict[str, DevicePlan] = {}
        self._apps: dict[str, AppPlan] = {}
        self._host_of: dict[str, str] = {}
        self._members: dict[str, tuple[str, ...]] = {}
        self._adopt(plan)
        self._order = deque(self._devices)
        self._ready: set[str] = set()
        self._bound: dict[str, Bound] = {}
        self._pids: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def _adopt(self, plan: Plan) -> None:
        """Know what is in this plan as well."""
        self._devices |= {d.name: d for d in plan.devices}
        self._apps |= {a.name: a for a in plan.apps}
        self._host_of |= {d.name: host.name for host in plan.hosts for d in host.devices}
        self._members |= {host.name: tuple(d.name for d in host.devices) for host in plan.hosts}
        names = (*self._devices, *self._apps)
        self._column = min(max(map(width, names), default=0), WIDEST_NAME)
        self._colors = {name: COLORS[n % len(COLORS)] for n, name in enumerate(names)}

    # Output

    def wrote(self, name: str, line: str, goes_on: bool) -> None:
        """A line of an app's output, or of a process's that has something to complain of."""
        bar = "+" if goes_on else "|"
        line = harmless(line) if self._terminal else line
        text = f"{self._out.paint(self._padded(name), self._colors.get(name, 'dim'))} {self._out.paint(bar, 'dim')} {line}\n"
        self._writer.offer(text)  # without the lock: it may have to wait for the reader

    # Events

    def tell(self, event: Told) -> None:
        """Show an event, if it is worth a line."""
        with self._lock:
            self._tell(event)

    def _tell(self, event: Told) -> None:
        match event:
            case Bound(device):
                self._bound[device] = event
            case Ready(device) if self._was_ready:
                self._show_device(device)
            case Ready(device):
                self._ready.add(device)
                self._show_ready()
            case Started(name, pid):
                self._pids[name] = pid
                if name in self._apps:
                    self._line(name, "started", f"process {pid}, {self._at(self._apps[name].place.where)}")
            case Halted(name, number):
                self._line(name, "halted", f"by {Signals(number).name}, process {self._pids[name]}", "yellow")
            case Resumed(name):
                self._line(name, "resumed", f"process {self._pids[name]}")
            case Exited(name, 0) if name in self._apps and not self._stopping:
                self._line(name, "done", self._at(self._apps[name].place.where))
            case Exited(name, status) if self._stopping:
                self._show_end(name, status)
            case Stopped(device) if event.statistics:
                self._line(device, "stopped", _counts(event.statistics))
            case Phased("running"):
                self._running()
            case Phased("stopping"):
                self._stopping = True
                self._writer.hurry()
                if self._failed:
                    self._say("stopping everything else")
            case Phased("killing"):
                self._killing = True
            case Phased("ended"):
                self._ended()
            case Stopping(why):
                self._say(f"{'killing everything' if self._killing else 'stopping'}: {why}")
            case Busy(names):
                self._say("still busy: " + ", ".join(self._with_pid(n) for n in names[:5]) + (", …" if len(names) > 5 else ""))
            case Undrained(name):
                self._line(name, "loses", what_it_loses(event), "yellow")
            case ReloadAsked(by):
                self._say(f"{by}: reading the file again")
            case ReloadRefused(by, why, diagnostics):
                if diagnostics:
                    self._say(render(diagnostics, self._err))
                self._say(f"{by}: {why}; {self._plan.name} goes on as it is")
            case Changing(what, steps, wanted):
                self._before, self._plan = self._plan, wanted
                self._adopt(wanted)
                if what:
                    self._say(f"changing {self._plan.name}: {what}, {plural(steps, 'step')}")
            case ChangeStep(number, what, where):
                self._say(f"{number:>{self._column}} {what} " + self._err.paint(self._at(where), "dim"))
            case Changed(what):
                self._say(f"{self._plan.name} is changed: {what}" if what else f"{self._plan.name}: nothing to change")
            case RolledBack():
                self._rolled_back(event)
            case Restarting(name, attempt, delay):
                when = f"in {delay:g} s" if delay else "at once"
                self._line(name, "restarts", f"{when}, restart {attempt}", "yellow")
            case Said(diagnostic):
                self._failed = self._failed or diagnostic.severity == "error"
                self._say(render([diagnostic], self._err))

    def _show_ready(self) -> None:
        """Show devices in the order of the file, however they came to be ready."""
        while self._order and self._order[0] in self._ready:
            self._show_device(self._order.popleft())

    def _show_device(self, name: str) -> None:
        device = self._devices[name]
        pid = self._pids[self._host_of[name]]
        self._line(name, "ready", f"process {pid}, {self._at(device.place.where)}", "green")
        for socket in device.sockets:
            side = socket.id.rpartition(".")[2]
            for address in self._bound[name].addresses.get(socket.id, ()):
                self._say(f"{' ' * self._column} {side:<{WORD}} {address}")

    def _show_end(self, name: str, status: int) -> None:
        """The end of a process that is to end. Devices say theirs themselves, unless they are killed."""
        killed = status == -SIGKILL
        how = f"process {self._pids[name]}" + (", as asked" if killed and self._killing else "")
        for member in (name,) if name in self._apps else self._members[name] if killed else ():
            self._line(member, "killed" if killed else "stopped", how)

    def _running(self) -> None:
        counts = ((len(self._devices), "device"), (len(self._apps), "app"))
        what = ", ".join(plural(n, noun) for n, noun in counts if n) or "nothing to run"
        self._was_ready = True
        self._say(self._err.paint(f"{self._plan.name} is ready", "bold") + f": {what}; Ctrl-C stops it")

    def _rolled_back(self, event: RolledBack) -> None:
        where = f" ({self._at(event.where)})" if event.where else ""
        self._say(f"could not {event.what}{where}: {event.why}")
        for left in event.left:
            self._say(f"could not take back: {left}")
        self._plan = self._before
        self._adopt(self._before)
        self._say(f"{self._plan.name} is not changed" + ("" if event.left else ", all is as it was"))

    def _ended(self) -> None:
        what = "has stopped" if self._was_ready else "was not started: nothing of it is left"
        self._say(f"{self._plan.name} {what}" + (", after the failure above" if self._failed and self._was_ready else ""))

    # Lines

    def _say(self, text: str) -> None:
        """Write lines; on a terminal one that is too long for it breaks at blanks."""
        plain = self._err.terminal and "\n" not in text and "\x1b" not in text and not text.startswith(" ")
        self._writer.say("\n".join(sentence(text, self._err.width)) if plain else text)

    def _line(self, name: str, word: str, text: str, *how: str) -> None:
        colored = self._err.paint(self._padded(name), self._colors.get(name, "dim"))
        before = self._column + WORD + 2
        lines = sentence(text, self._err.width - before) if self._err.terminal else [text]
        shown = ("\n" + " " * before).join(self._err.paint(line, "dim") for line in lines)
        self._say(f"{colored} {self._err.paint(f'{word:<{WORD}}', *how)} {shown}")

    def _at(self, where: str) -> str:
        """A place, as short as it can be called from here."""
        return nearest(where, *self._folders)

    def _padded(self, name: str) -> str:
        text = cut(name, self._column)
        return text + " " * (self._column - width(text))

    def _with_pid(self, name: str) -> str:
        return f"{name} (process {self._pids[name]})" if name in self._pids else name


class Lines:
    """Shows the records of the journal, as lines of JSON. At the end of its block all is written that is read."""

    def __init__(self, journal: Journal, on_failed: Callable[[OSError], None], out: TextIO, err: TextIO) -> None:
        """`on_failed` is called when standard output takes nothing any more."""
        self._writer = Writer(out, err, on_failed)
        self._unsubscribe = journal.subscribe(self._write, output=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._unsubscribe()
        self._writer.close()

    def tell(self, event: Told) -> None:
        """The journal has it, too."""

    def wrote(self, name: str, line: str, goes_on: bool) -> None:
        """The journal has it, too."""

    def _write(self, record: Record) -> None:
        """Only output waits for a reader, as it would in a pipe, and is dropped if they take nothing."""
        line = wire.written(record).decode("ascii")
        if record.event == "output":
            self._writer.offer(line)
        else:
            self._writer.write(line)
        if record.data.get("phase") == "stopping":
            self._writer.hurry()


def _counts(statistics: dict[str, object]) -> str:
    """How many messages a device took in and passed on, both sides together."""

    def messages(side: str, way: str) -> int:
        count: object = statistics
        for key in (side, way, "messages"):
            count = count.get(key, 0) if isinstance(count, dict) else 0
        return count if isinstance(count, int) else 0

    received, sent = (sum(messages(side, way) for side in ("frontend", "backend")) for way in ("received", "sent"))
    return f"{received:,} messages received, {sent:,} sent"
