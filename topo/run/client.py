"""The other side of `control.py`: which topologies there are, and what they answer.

A topology that runs has a folder with a lock in it that says whose it is. One that was killed leaves its folder behind; whoever
looks for topologies removes it as soon as nothing is left of what it ran.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from topo.run import folder as folders
from topo.run import wire
from topo.run.folder import Owner, control_path
from topo.run.snapshot import Snapshot

__all__ = ["NotRunning", "Refused", "Topology", "Trouble", "Unreachable", "find", "topologies"]

PATIENCE = 5.0
"""Seconds that an answer may take."""
STEP = 0.05
"""Seconds until a topology that does not answer yet is asked again."""
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

    def ask(self, verb: str, timeout: float = PATIENCE, **arguments: object) -> list[dict[str, Any]]:
        """All that is answered, within so many seconds for each line."""
        return list(self.stream(verb, timeout, timeout, **arguments))

    def stream(
        self, verb: str, timeout: float = PATIENCE, silence: float | None = None, **arguments: object
    ) -> Iterator[dict[str, Any]]:
        """The answers one by one. `timeout` is for the connection, `silence` for each line; None waits for ever."""
        with self._connected(timeout) as connection, connection.makefile("rb") as lines:
            try:
                connection.sendall(wire.written({"verb": verb, **arguments}))
                connection.settimeout(silence)
                for line in lines:
                    answer = json.loads(line)
                    if "error" in answer:
                        raise Refused(answer["error"]["message"], answer["error"]["exit"])
                    if "end" in answer:
                        return
                    yield answer
            except TimeoutError:
                raise self._silent() from None
            except OSError as error:  # the connection was broken
                raise NotRunning(f"{self.id} has ended before it answered") from error
        raise NotRunning(f"{self.id} has ended before it answered")

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
            if not self.has_owner or not self.folder.exists():
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
    raise NotRunning(f"{name} is not running")


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
    with suppress(OSError):
        return os.path.samefile(topology.owner.file, name)
    return False
