"""What the host has to do with a topology, as data: which of its endpoints, names and commands are not to be had.

`wanted` says what a topology wants of a host, `topo/run/survey.py` looks and makes a `Host`, and the checks in `topo/hostchecks/`
judge by that. So they can be tested with a host that there is not.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from topo.graph import Graph, Written, ipv6_on
from topo.model import App
from topo.zeromq.transports import TRANSPORTS, numeric

__all__ = [
    "OVER_TCP",
    "Command",
    "Endpoint",
    "Holder",
    "Host",
    "Refused",
    "Wanted",
    "command_of",
    "endpoint_of",
    "refused",
    "wanted",
]

OVER_TCP = frozenset({"tcp", "ws", "wss"})
"""The transports whose endpoints are addresses and ports of TCP."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds an address: a topology, or else a process and its command, or only a user if the system tells no more."""

    pid: int = 0
    command: str = ""
    user: str = ""
    topology: str = ""

    @property
    def held(self) -> str:
        """By whom, in a few words."""
        if self.topology:
            return f"held by topology `{self.topology}` (process {self.pid})"
        return f"held by process {self.pid}" if self.pid else f"held by a process of the user {self.user}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What more there is to say of it."""
        return (f"process {self.pid} is {self.command}",) if self.command and not self.topology else ()


class Refused(msgspec.Struct, frozen=True):
    """Why an endpoint cannot be bound: the system's number, and who has it already, where that is known."""

    errno: int
    holder: Holder | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """An endpoint to be bound, and whether its socket speaks IPv6."""

    text: str
    ipv6: bool = False


class Command(msgspec.Struct, frozen=True):
    """The first word of a command, and the folder that it is to run in."""

    folder: str
    word: str


class Wanted(msgspec.Struct, frozen=True):
    """What a topology wants of the host that it is to run on."""

    binds: frozenset[Endpoint] = frozenset()
    names: frozenset[str] = frozenset()
    """The names of hosts that it binds or connects to."""
    commands: frozenset[Command] = frozenset()


class Host(msgspec.Struct, frozen=True):
    """What a host says to that. The defaults are those of one that refuses nothing."""

    refused: Mapping[Endpoint, Refused] = {}
    left: frozenset[Endpoint] = frozenset()
    """ipc endpoints whose file is there, with nobody behind it."""
    unknown: frozenset[str] = frozenset()
    """Names that nobody knows here."""
    missing: Mapping[Command, int] = {}
    """Commands that cannot be run, and the system's number for why."""
    outgoing: tuple[int, int] = (32768, 60999)
    """The first and the last port that the system takes for outgoing connections."""
    reserved: frozenset[int] = frozenset()
    """Those of them that it does not take."""
    descriptors: int = 1_048_576
    """How many files and sockets a process may have open, once it asks for all that it may."""


# What is wanted


def wanted(graph: Graph) -> Wanted:
    """What a topology wants of the host that it is to run on.

    An app that is `run inside` binds when it likes, and may have done so already.
    """
    ours = [w for w in graph.endpoints if w.flaw is None and graph.runs(w.socket)]
    return Wanted(
        binds=frozenset(endpoint_of(w) for w in ours if w.use == "bind" and not _inside(graph, w)),
        names=frozenset(w.endpoint.address.host for w in ours if _is_name(w)),
        commands=frozenset(c for app in graph.model.apps if (c := command_of(app)) is not None),
    )


def endpoint_of(written: Written) -> Endpoint:
    """What a bind asks for."""
    return Endpoint(written.endpoint.text, ipv6_on(written.socket))


def _inside(graph: Graph, written: Written) -> bool:
    owner = graph.component(written.socket)
    return isinstance(owner, App) and owner.inside


def command_of(app: App) -> Command | None:
    """The command of an app, if it has one that can be split."""
    word = _first_word(app.run) if app.run is not None else ""
    return Command(app.folder, word) if word else None


@lru_cache(maxsize=1024)  # replicas have the same
def _first_word(command: str) -> str:
    """What is to be run; nothing if the command cannot be split, which is a finding of its own."""
    try:
        return next(iter(shlex.split(command)), "")
    except ValueError:
        return ""


def _is_name(written: Written) -> bool:
    address = written.endpoint.address
    return address.transport in OVER_TCP and not address.wild_host and numeric(address.host) is None and ":" not in address.host


# What the checks ask


def refused(
    graph: Graph, host: Host, *numbers: int, transports: frozenset[str] = frozenset(TRANSPORTS)
) -> Iterator[tuple[Written, Refused]]:
    """The binds that the host refuses for one of these reasons."""
    for written in graph.endpoints if host.refused else ():
        if written.use == "bind" and written.endpoint.address.transport in transports and graph.runs(written.socket):
            found = host.refused.get(endpoint_of(written))
            if found is not None and found.errno in numbers:
                yield written, found
