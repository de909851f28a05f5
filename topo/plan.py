"""What runs where, as plain data: all that a worker or an app gets told.

`make` turns a checked graph into a plan and has no other effect. A plan can be written as JSON and read in another process.
Addresses that are known only once they are bound stand in it as `Origin`, the bind that they come from.
"""

from __future__ import annotations

import msgspec

__all__ = ["AppPlan", "BindPlan", "ConnectPlan", "DevicePlan", "Origin", "Plan", "ProcessPlan", "SocketPlan"]


class Origin(msgspec.Struct, frozen=True):
    """The bind `index` of the socket `socket`: where an address comes from."""

    socket: str
    index: int


class BindPlan(msgspec.Struct, frozen=True):
    """Bind this. `where` is the `file:line` that asked for it."""

    endpoint: str
    where: str


class ConnectPlan(msgspec.Struct, frozen=True):
    """Connect to this: `endpoint`, unless `origin` is bound by a device of this plan, whose real address then counts."""

    endpoint: str
    where: str
    origin: Origin | None = None


class SocketPlan(msgspec.Struct, frozen=True):
    """A socket: options in the order in which they are set, all before bind and connect."""

    id: str
    type: str
    options: tuple[tuple[int, int | bytes], ...]
    binds: tuple[BindPlan, ...]
    connects: tuple[ConnectPlan, ...]
    where: str


class DevicePlan(msgspec.Struct, frozen=True):
    """A device: its sockets are made, used and closed in the one thread that runs it."""

    name: str
    kind: str
    frontend: SocketPlan
    backend: SocketPlan
    capture: SocketPlan | None
    prefixes: tuple[bytes, bytes]
    swap: bool
    where: str


class ProcessPlan(msgspec.Struct, frozen=True):
    """Devices that live as threads of one process and one context."""

    name: str
    devices: tuple[DevicePlan, ...]


class AppPlan(msgspec.Struct, frozen=True):
    """A command to start, once everything is bound.

    `environment` maps each variable to the addresses it holds, separated by a space.
    """

    name: str
    command: tuple[str, ...]
    folder: str
    environment: dict[str, tuple[ConnectPlan, ...]]
    where: str


class Plan(msgspec.Struct, frozen=True):
    """Everything that ztopo starts.

    `hosted` are the thread devices: a process of their own under the command line, threads of the application under the
    Python API. `sockets` are those of apps that are `run inside`.
    """

    name: str
    hosted: ProcessPlan | None
    processes: tuple[ProcessPlan, ...]
    apps: tuple[AppPlan, ...]
    sockets: tuple[SocketPlan, ...]
