"""The other side of `control.py`: which topologies there are, and what they answer.

A topology that runs has a folder with a lock in it that says whose it is. One that was killed leaves its folder behind; whoever
looks for topologies removes it as soon as nothing is left of what it ran.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from topo.diagnostic import did_you_mean
from topo.run import folder as folders
from topo.run import wire
from topo.run.events import Phase
from topo.run.folder import Owner, control_path
from topo.run.snapshot import Present, Snapshot

__all__ = [
    "NotRunning",
    "Refused",
    "Seen",
    "Topology",
    "Trouble",
    "Unreachable",
    "each",
    "find",
    "glance_at",
    "look_at",
    "topologies",
]

PATIENCE = 5.0
"""Seconds that an answer may take."""
GLANCE = 2.0
"""The same, where several are asked one after the other."""
STEP = 0.05
"""Seconds until a topology that does not answer yet is asked again."""
SHOWN = 5
"""How many of those that run are named to whoever names another one."""
BEGINNING = 10.0
"""Seconds after which a folder whose lock says nothing belongs to nobody who is about to start."""


class Trouble(Exception):
    """A topology could not be asked, or does not do what it was asked for. A command ends with `exit_code`."""

    exit_code = 2


class NotRunning(Trouble):
    """There is no such topology."""

    exit_code = 3


class Unreachable(Trouble):
    """It runs, and does not answer."""

    exit_code = 4


class Refused(Trouble):
    """It answers that it does not do that."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Topology(msgspec.Struct, frozen=True):
    """A topology that runs, or has just ended."""

    folder: Path
    owner: Owner

    @property
    def id(self) -> str:
        """What it is called among those that run: its name; of one that a program runs `NAME@PID`."""
        _, at, mark = self.folder.name.partition("@")
        return f"{self.owner.name}{at}{mark}"

    @property
    def has_owner(self) -> bool:
        """Whether the process that runs it lives."""
        return folders.is_there(self.owner)

    def snapshot(self, timeout: float = PATIENCE) -> Snapshot:
        """What runs."""
        (answer,) = self.ask("status", timeout)
        return msgspec.convert(answer, Snapshot)

    def present(self, timeout: float = PATIENCE) -> Present:
        """All that a change is planned from."""
        (answer,) = self.ask("present", timeout)
        return msgspec.convert(answer, Present)

    def ask(self, verb: str, timeout: float = PATIENCE, **arguments: object) -> list[dict[str, Any]]:
        """All that is answered, within so many seconds."""
        try:
            return list(self.stream(verb, timeout, time.monotonic() + timeout, **arguments))
        except TimeoutError:
            raise self._silent() from None

    def stream(
        self, verb: str, timeout: float = PATIENCE, until: float | None = None, **arguments: object
    ) -> Generator[dict[str, Any], None, None]:
        """The answers one by one. So many seconds are for the first one; `until` that moment of the monotonic clock for all others.

        TimeoutError at that moment.
        """
        with self._connected(timeout) as connection, connection.makefile("rb") as lines:
            connection.settimeout(timeout)
            try:
                connection.sendall(wire.written({"verb": verb, **arguments}))
                line = lines.readline()
            except TimeoutError:
                raise self._silent() from None
            except OSError:  # the connection was broken
                line = b""
            while answer := _answer(line):
                yield answer
                connection.settimeout(None if until is None else max(STEP / 10, until - time.monotonic()))
                with suppress(ConnectionResetError):
                    line = b""
                    line = lines.readline()
            if answer is None:
                raise NotRunning(f"{self.id} has ended before it answered")

    def wait_until_gone(self, until: float | None = None) -> bool:
        """Wait until nothing of it is left, not even its process if that does nothing else; say whether it has come to that."""
        while not self.is_gone():
            if until is not None and time.monotonic() > until:
                return False
            time.sleep(STEP)
        return True

    def is_gone(self) -> bool:
        """Whether nothing of it is left."""
        if not self.owner.program and self.has_owner:
            return False
        return not self._is_still_there() or folders.clear(self.folder)

    def _is_still_there(self) -> bool:
        """Whether its folder is there, and not already that of another one of its name."""
        owner = _owner(self.folder)
        return owner is not None and owner == self.owner

    def begin(self, verb: str, timeout: float = PATIENCE, **arguments: object) -> socket.socket:
        """A connection on which this is asked; the answers come there, a line each."""
        connection = self._connected(timeout)
        try:
            connection.sendall(wire.written({"verb": verb, **arguments}))
        except OSError as error:
            connection.close()
            raise NotRunning(f"{self.id} has ended before it answered") from error
        return connection

    def _connected(self, timeout: float) -> socket.socket:
        """A connection; one that is about to start may take a moment."""
        end = time.monotonic() + timeout
        while True:
            if not self.has_owner or not self._is_still_there():
                raise NotRunning(f"{self.id} has ended")
            with suppress(FileNotFoundError, ConnectionRefusedError, BlockingIOError, TimeoutError):
                return self._connect(max(STEP, end - time.monotonic()))
            if time.monotonic() > end:
                raise self._silent()
            time.sleep(STEP)

    def _connect(self, timeout: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(timeout)
            with control_path(self.folder) as path:
                connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection

    def _silent(self) -> Unreachable:
        return Unreachable(f"{self.id} runs, in process {self.owner.pid}, and does not answer")


def _answer(line: bytes) -> dict[str, Any] | None:
    """What a line answers; nothing in it at the end, None if the other side has left before that."""
    if not line.endswith(b"\n"):
        return None
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise Refused(answer["error"]["message"], answer["error"]["exit"])
    return {} if "end" in answer else answer


class Seen(msgspec.Struct, frozen=True):
    """A topology, and what it answers; or why it does not."""

    topology: Topology
    phase: Phase | None = None
    snapshot: Snapshot | None = None
    trouble: str = ""


def glance_at(topology: Topology) -> Seen:
    """Ask a topology which phase it is in. Raises NotRunning if it has ended."""
    (answer,) = topology.ask("ping", GLANCE)
    return Seen(topology, answer["phase"])


def look_at(topology: Topology) -> Seen:
    """Ask a topology how it is. Raises NotRunning if it has ended."""
    snapshot = topology.snapshot()
    return Seen(topology, snapshot.phase, snapshot)


def each(topologies: Iterable[Topology], ask: Callable[[Topology], Seen]) -> list[Seen]:
    """Ask topologies one after the other; leave out those that have ended in between."""
    found = []
    for topology in topologies:
        try:
            found.append(ask(topology))
        except NotRunning:
            continue
        except Unreachable as trouble:
            found.append(Seen(topology, trouble=str(trouble)))
    return found


def topologies(environment: Mapping[str, str] = os.environ) -> list[Topology]:
    """All that run, in the order of their names. What others have left behind is removed."""
    found = []
    with suppress(FileNotFoundError):
        for folder in sorted(folders.base(environment).iterdir()):
            owner = _owner(folder)
            if owner is not None and owner.pid and folders.is_there(owner):
                found.append(Topology(folder, owner))
            elif owner is not None:
                folders.clear(folder)
    return found


def _owner(folder: Path) -> Owner | None:
    """What the lock of a folder says; None if it is no topology's, or that of one that is only just about to start."""
    try:
        with open(folder / "lock", "rb") as lock:
            owner = folders.owner_of(lock.fileno())
            begun = os.fstat(lock.fileno()).st_mtime
    except OSError:
        return None
    if owner.pid:
        return owner
    return None if time.time() - begun < BEGINNING else owner


def find(name: str | None = None, environment: Mapping[str, str] = os.environ) -> Topology:
    """The topology of that name, of that `NAME@PID`, or started from the file of that name; without a name the only one."""
    running = topologies(environment)
    if name is None:
        return _only(running, "there are several topologies, name the one that is meant", "no topology is running")
    for fits in (_is_called, _has_name, _is_from):
        if found := [topology for topology in running if fits(topology, name)]:
            return _only(found, f"{name} is the name of several, name the one that is meant")
    raise NotRunning(f"{name} is not running{_others(name, running)}")


def _others(name: str, running: list[Topology]) -> str:
    """Who may be meant instead."""
    names = [topology.id for topology in running]
    if near := did_you_mean(name, names):
        return f"; {near[0]}"
    return f"; what runs: {', '.join(names[:SHOWN])}" + (", …" if len(names) > SHOWN else "") if names else ""


def _only(found: list[Topology], several: str, none: str = "") -> Topology:
    if not found:
        raise NotRunning(none)
    if len(found) > 1:
        raise Trouble("\n".join((f"{several}:", *(f"  {t.id}" for t in found))))
    return found[0]


def _is_called(topology: Topology, name: str) -> bool:
    return topology.id == name


def _has_name(topology: Topology, name: str) -> bool:
    return topology.owner.name == name


def _is_from(topology: Topology, name: str) -> bool:
    """Whether it was started from that file, which may be gone by now, or have another name."""
    if os.path.abspath(name) == topology.owner.file:
        return True
    with suppress(OSError):
        return os.path.samefile(topology.owner.file, name)
    return False
