"""What `ztopo up` shows while it runs: a line for each thing that happens, and the output of the apps behind their names.

    broker     ready    request_broker.ztopo:8
               in       tcp://0.0.0.0:5555
               out      tcp://0.0.0.0:5556
    request_broker is ready: 1 device, 2 apps; Ctrl-C stops it
    client     started  process 4711, request_broker.ztopo:15
    client     | asked, and got an answer

The output of the apps goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from signal import Signals

from topo.cli import report, say, style_for
from topo.plan import Plan
from topo.render import plural
from topo.run.events import (
    Bound,
    Busy,
    Exited,
    Halted,
    Phased,
    Ready,
    ReloadAsked,
    Resumed,
    Said,
    Started,
    Stopped,
    Stopping,
    Told,
)
from topo.text import cut, width

__all__ = ["Progress"]

COLORS = ("cyan", "green", "yellow", "magenta", "blue")
WIDEST_NAME = 24
WORD = 8
"""How wide the column of words such as `ready` is."""


class Progress:
    """Shows events. It is told them in several threads."""

    def __init__(self, plan: Plan, color: str, on_closed: Callable[[], None]) -> None:
        """`on_closed` is called once standard output does not take anything any more."""
        self._plan = plan
        self._color = color
        self._on_closed = on_closed
        self._lock = threading.Lock()
        self._out = style_for(sys.stdout, color)
        self._err = style_for(sys.stderr, color)
        self._closed = False
        self._was_ready = False
        self._failed = False
        self._stopping = False
        self._killing = False
        self._devices = {d.name: d for d in plan.devices}
        self._apps = {a.name: a for a in plan.apps}
        self._host_of = {d.name: host.name for host in plan.hosts for d in host.devices}
        names = (*self._devices, *self._apps)
        self._column = min(max(map(width, names), default=0), WIDEST_NAME)
        self._colors = {name: COLORS[n % len(COLORS)] for n, name in enumerate(names)}
        self._order = deque(self._devices)
        self._ready: set[str] = set()
        self._bound: dict[str, Bound] = {}
        self._pids: dict[str, int] = {}

    # Output

    def wrote(self, name: str, line: str, goes_on: bool) -> None:
        """A line of an app's output, or of a process's that has something to complain of."""
        bar = "+" if goes_on else "|"
        text = f"{self._out.paint(self._padded(name), self._colors.get(name, 'dim'))} {self._out.paint(bar, 'dim')} {line}\n"
        with self._lock:
            if self._closed:
                return
            try:
                sys.stdout.write(text)
                sys.stdout.flush()
            except OSError:
                self._closed = True
                _throw_away(sys.stdout.fileno())
        if self._closed:
            self._on_closed()

    # Events

    def tell(self, event: Told) -> None:
        """Show an event, if it is worth a line."""
        with self._lock:
            self._tell(event)

    def _tell(self, event: Told) -> None:
        match event:
            case Bound(device):
                self._bound[device] = event
            case Ready(device):
                self._ready.add(device)
                self._show_ready()
            case Started(name, pid):
                self._pids[name] = pid
                if name in self._apps:
                    self._line(name, "started", f"process {pid}, {self._apps[name].place.where}")
            case Halted(name, number):
                self._line(name, "halted", f"by {Signals(number).name}, process {self._pids[name]}", "yellow")
            case Resumed(name):
                self._line(name, "resumed", f"process {self._pids[name]}")
            case Exited(name, 0) if name in self._apps and not self._stopping:
                self._line(name, "done", self._apps[name].place.where)
            case Stopped(device) if event.statistics:
                self._line(device, "stopped", _counts(event.statistics))
            case Phased("running"):
                self._running()
            case Phased("stopping"):
                self._stopping = True
                if self._failed:
                    say("stopping everything else")
            case Phased("killing"):
                self._killing = True
            case Phased("ended"):
                self._ended()
            case Stopping(why):
                say(f"{'killing everything' if self._killing else 'stopping'}: {why}")
            case Busy(names):
                say("still busy: " + ", ".join(self._with_pid(n) for n in names[:5]) + (", …" if len(names) > 5 else ""))
            case ReloadAsked(by):
                say(f"{by}: a topology that runs does not take up changes of its file yet; it goes on as it is")
            case Said(diagnostic):
                self._failed = self._failed or diagnostic.severity == "error"
                report([diagnostic], self._color)

    def _show_ready(self) -> None:
        """Show devices in the order of the file, however they came to be ready."""
        while self._order and self._order[0] in self._ready:
            self._show_device(self._order.popleft())

    def _show_device(self, name: str) -> None:
        device = self._devices[name]
        pid = self._pids[self._host_of[name]]
        self._line(name, "ready", f"process {pid}, {device.place.where}", "green")
        for socket in device.sockets:
            side = socket.id.rpartition(".")[2]
            for address in self._bound[name].addresses.get(socket.id, ()):
                say(f"{' ' * self._column} {side:<{WORD}} {address}")

    def _running(self) -> None:
        counts = ((len(self._devices), "device"), (len(self._apps), "app"))
        what = ", ".join(plural(n, noun) for n, noun in counts if n) or "nothing to run"
        self._was_ready = True
        say(self._err.paint(f"{self._plan.name} is ready", "bold") + f": {what}; Ctrl-C stops it")

    def _ended(self) -> None:
        what = "has stopped" if self._was_ready else "was not started: nothing of it is left"
        say(f"{self._plan.name} {what}" + (", after the failure above" if self._failed and self._was_ready else ""))

    # Lines

    def _line(self, name: str, word: str, text: str, *how: str) -> None:
        colored = self._err.paint(self._padded(name), self._colors.get(name, "dim"))
        say(f"{colored} {self._err.paint(f'{word:<{WORD}}', *how)} {self._err.paint(text, 'dim')}")

    def _padded(self, name: str) -> str:
        text = cut(name, self._column)
        return text + " " * (self._column - width(text))

    def _with_pid(self, name: str) -> str:
        return f"{name} (process {self._pids[name]})" if name in self._pids else name


def _counts(statistics: dict[str, object]) -> str:
    """How many messages a device took in and passed on, both sides together."""

    def messages(side: str, way: str) -> int:
        count: object = statistics
        for key in (side, way, "messages"):
            count = count.get(key, 0) if isinstance(count, dict) else 0
        return count if isinstance(count, int) else 0

    received, sent = (sum(messages(side, way) for side in ("frontend", "backend")) for way in ("received", "sent"))
    return f"{received:,} messages received, {sent:,} sent"


def _throw_away(handle: int) -> None:
    """Let what is still written there go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, handle)
    os.close(nowhere)
