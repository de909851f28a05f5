"""What happens to a running topology, as records: what is in its log, and what `ztopo events` shows.

A record is for people by its message, and for programs by its event and its data. Every thing told becomes one; what it is called
and how grave it is stands in the table KINDS, and a thing that is not there is called by its own name.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from topo.plan import Plan
from topo.run.events import (
    Bound,
    Busy,
    Changed,
    ChangeStep,
    Changing,
    Exited,
    Failed,
    Gone,
    Halted,
    Phase,
    Phased,
    Ready,
    Refused,
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
from topo.run.mistakes import how_it_ended

__all__ = ["Journal", "Level", "Record", "what_it_loses"]

Level = Literal["debug", "info", "warning", "error"]


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that has happened."""

    time: str
    """When, as in RFC 3339, with microseconds, in UTC."""
    level: Level
    topology: str
    component: str
    """The device, the app or the process of devices that it is about; empty for the topology as a whole."""
    event: str
    """What it is, in one word or two that stay the same."""
    message: str
    """What it is, for people. Of `output` the line that was written."""
    where: str = ""
    """`file:line` of what declares the component, or of what the message is about."""
    pid: int | None = None
    """Of the process that it is about."""
    data: dict[str, Any] = {}
    """What more there is to know, by the names of the fields in `topo.run.events`."""


class Kind(NamedTuple):
    """How a thing told becomes a record."""

    event: str
    level: Callable[[Any], Level]
    """`Any` is the thing itself, here and below."""
    message: Callable[[Any], str]
    data: tuple[str, ...] = ()
    """The fields that are data."""


SHOWN = 5
"""How many names are in a message; all of them are in its data."""


def _always(level: Level) -> Callable[[object], Level]:
    return lambda _: level


def _addresses(event: Bound) -> str:
    return "bound " + (", ".join(a for addresses in event.addresses.values() for a in addresses) or "nothing")


def _again(attempt: int, delay: float) -> str:
    return f"starts again, attempt {attempt}" + (f", in {delay:g} s" if delay else "")


def _end(event: Exited) -> str:
    return "stopped" if event.asked else how_it_ended(event.status)


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def what_it_loses(left: Undrained) -> str:
    """What is lost with a device that could not pass everything on in time, or may be."""
    known = [
        f"{count:,} message{'s' * (count != 1)} {where}"
        for count, where in ((left.held, "in hand"), (left.coming, "on the way to it"))
        if count
    ]
    if left.at_most is None:
        known.append("any number of messages that may wait in its sockets")
    elif left.at_most:
        known.append(f"at most {left.at_most:,} messages that may wait in its sockets")
    return ", ".join(known)


def _taken_back(event: RolledBack) -> str:
    if not event.left:
        return f"not changed, all is as it was: could not {event.what}: {event.why}"
    return f"not changed: could not {event.what}: {event.why}; could not take back: {'; '.join(event.left)}"


def _of_change(word: str, event: Changing | Changed) -> str:
    return f"{word}: {event.what or 'nothing to do'}"


DEBUG, INFO, WARNING, ERROR = _always("debug"), _always("info"), _always("warning"), _always("error")

KINDS: dict[type[Any], Kind] = {
    Started: Kind("started", INFO, lambda e: f"started as process {e.pid}"),
    Bound: Kind("bound", INFO, _addresses, ("addresses",)),
    Ready: Kind("ready", INFO, lambda e: "ready"),
    Failed: Kind("failed", ERROR, lambda e: f"failed: {e.reason.strip()}", ("step", "socket", "endpoint", "errno")),
    Stopped: Kind("stopped", INFO, lambda e: f"stopped: {e.reason}", ("statistics",)),
    Refused: Kind("refused", ERROR, lambda e: f"not started: {e.what}: {os.strerror(e.errno)}", ("errno",)),
    Halted: Kind("halted", WARNING, lambda e: f"halted by {signal.Signals(e.number).name}", ("number",)),
    Resumed: Kind("resumed", INFO, lambda e: "goes on"),
    Exited: Kind("exited", lambda e: "warning" if e.status and not e.asked else "info", _end, ("status",)),
    Gone: Kind("gone", DEBUG, lambda e: "nothing of it is left"),
    ReloadAsked: Kind("reload asked", INFO, lambda e: f"to be read again: {e.by}", ("by",)),
    Phased: Kind("phase", INFO, lambda e: e.phase, ("phase",)),
    Stopping: Kind("stopping", INFO, lambda e: f"stopping: {e.why}", ("why",)),
    Undrained: Kind("undrained", WARNING, lambda e: f"{e.name} loses {what_it_loses(e)}", ("held", "coming", "at_most")),
    Busy: Kind("busy", WARNING, lambda e: "still busy", ("names",)),
    Restarting: Kind("restarting", WARNING, lambda e: _again(e.attempt, e.delay), ("attempt", "delay")),
    Changing: Kind("changing", INFO, lambda e: _of_change("changing", e), ("what", "steps")),
    ChangeStep: Kind("change step", INFO, lambda e: e.what, ("number",)),
    Changed: Kind("changed", INFO, lambda e: _of_change("changed", e), ("what",)),
    RolledBack: Kind("rolled back", ERROR, _taken_back, ("what", "why", "left")),
    ReloadRefused: Kind("reload refused", ERROR, lambda e: f"{e.by}: {e.why}", ("by", "why")),
    Said: Kind("finding", lambda e: e.diagnostic.severity, lambda e: f"{e.diagnostic.message} [{e.diagnostic.code}]"),
}

Listener = Callable[[Record], None]


class Journal:
    """Makes records of what is told, for those who listen. May be told in any thread."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.time) -> None:
        self._name = plan.name
        self._clock = clock
        self._listeners: tuple[tuple[Listener, bool], ...] = ()
        self._pids: dict[str, int] = {}
        self._stopping = False
        self.phase: Phase = "binding"
        """The phase that the topology has come to."""
        self._hosts: dict[str, str] = {}
        self._where: dict[str, str] = {}
        self._plan = self._before = plan
        """What is wanted, and what was before the last change of that began."""
        self.adopt(plan)

    def adopt(self, plan: Plan) -> None:
        """Look places and processes up in this plan from now on; those that are not in it, where they were before."""
        self._plan = plan
        self._hosts |= {d.name: host.name for host in plan.hosts for d in host.devices}
        self._where |= {d.name: d.place.where for d in plan.devices} | {a.name: a.place.where for a in plan.apps}

    def subscribe(self, listener: Listener, *, output: bool = False) -> Callable[[], None]:
        """Give the listener every record, with those of `output` or without, until what is returned is called.

        It is called in the thread that tells, and must not block.
        """
        entry = (listener, output)
        self._listeners = (*self._listeners, entry)

        def unsubscribe() -> None:
            with suppress(ValueError):
                left = list(self._listeners)
                left.remove(entry)
                self._listeners = tuple(left)

        return unsubscribe

    def tell(self, event: Told) -> None:
        """Make a record of this."""
        if isinstance(event, Started):
            self._pids[event.name] = event.pid
        if isinstance(event, Stopping):
            self._stopping = True
        if isinstance(event, Phased):
            self.phase = event.phase
        if isinstance(event, Changing):
            self._before = self._plan
            self.adopt(event.wanted)
        if isinstance(event, RolledBack):
            self.adopt(self._before)
        if self._listeners:
            self._pass_on(self._record(event))
        if isinstance(event, Exited):
            self._pids.pop(event.name, None)

    def wrote(self, name: str, line: str, goes_on: bool) -> None:
        """Make a record of a line that a process has written; it may go on with the one before."""
        if any(output for _, output in self._listeners):
            self._pass_on(self.record("info", "output", line, name, data={"goes_on": True} if goes_on else {}))

    def note(self, level: Level, event: str, message: str, **more: Any) -> None:
        """Make a record of what nobody tells. `more` are its other fields."""
        self._pass_on(self.record(level, event, message, **more))

    def record(self, level: Level, event: str, message: str, component: str = "", **more: Any) -> Record:
        """A record of what happens now. `more` are its other fields."""
        return Record(
            time=datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            level=level,
            topology=self._name,
            component=component,
            event=event,
            message=message,
            **{"where": self._where.get(component, ""), "pid": self._pid(component), **more},
        )

    def _record(self, event: Told) -> Record:
        kind = KINDS.get(type(event)) or _unknown(event)
        more: dict[str, Any] = {"data": {name: msgspec.to_builtins(getattr(event, name)) for name in kind.data}}
        if isinstance(event, Said):
            more = _finding(event)
        elif isinstance(event, ChangeStep | RolledBack):
            more["where"] = event.where
        component = getattr(event, "name", "") or getattr(event, "device", "")
        level = "info" if isinstance(event, Exited) and self._stopping else kind.level(event)  # it was asked to end
        message = f"still busy: {_some([*map(self._placed, event.names)])}" if isinstance(event, Busy) else kind.message(event)
        return self.record(level, kind.event, message, component, **more)

    def _placed(self, name: str) -> str:
        """A name, and where that is declared."""
        where = self._where.get(name)
        return f"{name} ({where})" if where else name

    def _pid(self, component: str) -> int | None:
        return self._pids.get(self._hosts.get(component, component)) if component else os.getpid()

    def _pass_on(self, record: Record) -> None:
        for listener, output in self._listeners:
            if output or record.event != "output":
                listener(record)


def _finding(said: Said) -> dict[str, Any]:
    diagnostic = said.diagnostic
    return {
        "where": diagnostic.span.where if diagnostic.span else "",
        "data": {"code": diagnostic.code, "notes": list(diagnostic.notes)},
    }


def _unknown(event: Told) -> Kind:
    """Of a thing that nobody has said more about than what it is: all its fields are data."""
    word = type(event).__name__.lower()
    return Kind(word, INFO, lambda _: word, tuple(n for n in event.__struct_fields__ if n not in ("name", "device")))
