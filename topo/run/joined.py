"""The sockets of apps that count: who has joined, what they have counted, and how they are paused.

An app joins at the control socket, once for each `topo.socket`; see `topo/joined.py` for its side. What it is told goes there through
a feed, so nobody here waits for it; that it has paused is seen in the memory in which it counts.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from topo.links import Counts
from topo.plan import AppPlan, SocketPlan
from topo.run import tally
from topo.run.events import Addresses
from topo.run.feed import Feed
from topo.run.sockets import connect_to

__all__ = ["Declared", "Joined", "Wanted", "declared"]


class Declared(msgspec.Struct, frozen=True):
    """What an app is told of a socket of its own, and where it is to count."""

    id: str
    type: str
    options: tuple[tuple[int, int | str], ...]
    """By their numbers. Bytes are written in hexadecimal."""
    binds: tuple[str, ...]
    connects: tuple[str, ...]
    memory: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """What an app is to do: `pause`, `resume`, or `stop`, after which whoever waits to send is told that it is over."""

    do: str
    number: int
    """So that it can be seen that just this has been done."""


class _Member:
    """One socket of a process that has joined."""

    def __init__(self, app: str, feed: Feed[Wanted], counts: tally.Tally) -> None:
        self.app = app
        self.feed = feed
        self.counts = counts
        self.lives = True
        self.wanted = Wanted("resume", 0)

    def want(self, do: str) -> None:
        """Let it do this."""
        self.wanted = Wanted(do, self.wanted.number + 1)
        self.feed.put(self.wanted)

    @property
    def is_paused(self) -> bool:
        """Whether it is to be paused, and is."""
        return self.wanted.do == "pause" and self.counts.heeded == self.wanted.number


class Joined:
    """All that have joined. Its methods may be called from any thread, and do not block."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[str, str] = {}
        """What each app was told last, and a socket that joins later is told, too."""
        self._members: dict[str, list[_Member]] = {}
        """By the ids of their sockets; those that have gone, too, for what they have counted stays true."""

    @contextmanager
    def joining(self, app: str, socket: Declared, folder: Path, feed: Feed[Wanted]) -> Iterator[Declared]:
        """Within the block it has joined. Gives what it is to be told. Raises OSError if there is no memory for its counts."""
        path, counts = tally.make(folder)
        member = _Member(app, feed, counts)
        with self._lock:
            self._members.setdefault(socket.id, []).append(member)
            if self._wanted.get(app, "resume") == "pause":
                member.want("pause")
        try:
            yield msgspec.structs.replace(socket, memory=path)
        finally:
            member.lives = False
            with suppress(FileNotFoundError):  # it has mapped it
                Path(path).unlink()

    @property
    def sockets(self) -> Collection[str]:
        """The ids of those that have ever joined."""
        return self._members.keys()

    def counts(self, socket: str) -> Counts:
        """What a socket has counted, in whatever process."""
        members = self._members.get(socket, ())
        return Counts(sum(m.counts.sent for m in members), sum(m.counts.received for m in members))

    def has(self, app: str) -> bool:
        """Whether an app is there that has joined."""
        return any(True for _ in self._of(app))

    def is_paused(self, app: str) -> bool:
        """Whether no socket of an app sends anything."""
        return all(m.is_paused for m in self._of(app))

    def is_waiting(self, socket: str) -> bool:
        """Whether a socket receives nothing because its program waits until it may send."""
        return any(m.counts.waiting for m in self._members.get(socket, ()) if m.lives)

    def want(self, app: str, do: str) -> None:
        """Let all sockets of an app pause, resume or stop sending. When they have is seen by `is_paused`."""
        with self._lock:
            self._wanted[app] = do
        for member in self._of(app):
            member.want(do)

    def _of(self, app: str) -> Iterator[_Member]:
        with self._lock:
            members = [m for group in self._members.values() for m in group]
        return (m for m in members if m.app == app and m.lives)


def declared(app: AppPlan, name: str, addresses: Addresses) -> Declared | None:
    """A socket of an app, by its id or its name in the app; without a name its only one. None if there is no such one."""
    named = app.name.partition("[")[0]
    fits = [s for s in app.sockets if name in ("", s.id, named if s.id == app.name else s.id.rpartition(".")[2])]
    return _declared(fits[0], addresses) if len(fits) == 1 else None


def _declared(socket: SocketPlan, addresses: Addresses) -> Declared:
    return Declared(
        id=socket.id,
        type=socket.type,
        options=tuple((o.number, o.value.hex() if isinstance(o.value, bytes) else o.value) for o in socket.options),
        binds=tuple(bind.endpoint for bind in socket.binds),
        connects=tuple(connect_to(connect, addresses) for connect in socket.connects),
    )
