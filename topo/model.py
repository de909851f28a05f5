"""The topology with every name resolved: what the checks ask about and what the plan is made from.

Made by `topo/resolve.py` from a tree, which comes from a text or from the Python API; both go the same way. Replicas are
expanded: `worker[4]` is four apps that share a declaration. Everything keeps the place that declared it.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from topo.source import Span
from topo.zeromq.transports import Address

__all__ = [
    "App",
    "Bind",
    "Company",
    "Component",
    "Connect",
    "Context",
    "Device",
    "Endpoint",
    "Model",
    "Option",
    "Origin",
    "Placement",
    "Policy",
    "Process",
    "Replica",
    "Restart",
    "Socket",
    "Target",
    "Value",
    "process_of",
]

Placement = Literal["thread", "process", "group", "app"]
"""Where a device lives: in the thread host, in a process of its own, in a process group, in the program of an app."""
Policy = Literal["never", "on-failure", "always"]
"""When something is started again."""
Company = Literal["", "rest", "all"]
"""Who ends and starts with it: nobody, those of its file declared after it, or all of its file."""
Role = Literal["in", "out", "monitor", "control", "app"]
ValueKind = Literal["int", "bool", "duration", "size", "text", "any"]
Origin = tuple[Literal["file", "env"], str]
"""The absolute path of a file, or the name of an environment variable."""

REPLICA = re.compile(r"\[(\d+|\*)\]")


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """An address as ZeroMQ takes it: params inserted, relative ipc paths made absolute."""

    text: str
    address: Address
    span: Span
    """Where it is written (with `${...}` as it stands there)."""


class Bind(msgspec.Struct, frozen=True, gc=False):
    """One endpoint that a socket binds."""

    endpoint: Endpoint
    index: int
    """Which of its socket's binds this is, from 0."""

    @property
    def span(self) -> Span:
        """Where the endpoint is written."""
        return self.endpoint.span


class Target(msgspec.Struct, frozen=True, gc=False):
    """One place that a connect goes to: bind `index` of the socket `socket`."""

    socket: str
    index: int


class Connect(msgspec.Struct, frozen=True, gc=False):
    """One `connect` to one thing named: an endpoint, or a reference that stands for one or more sockets."""

    span: Span
    """The endpoint or the reference as written."""
    endpoint: Endpoint | None = None
    """Set where an endpoint was written."""
    targets: tuple[Target, ...] = ()
    """Set where a reference was written: every replica that it names. Empty if it named nothing that binds."""
    unbound: tuple[str, ...] = ()
    """The sockets that a reference named and that bind nothing. Without targets and these it named nobody: `dc[others]` of one."""


class Value(msgspec.Struct, frozen=True, gc=False):
    """A value of an option. Durations are in milliseconds, sizes in bytes, text as bytes, true and false are 1 and 0.

    `any` is the `*` of `routing_id *`: the program chooses.
    """

    kind: ValueKind
    value: int | bytes
    span: Span
    origin: Origin | None = None
    """Where a secret comes from, which may be told while its value may not."""


class Option(msgspec.Struct, frozen=True, gc=False):
    """An option as it was written on a socket: its name is not known to be right, nor are its values."""

    name: str
    values: tuple[Value, ...]
    span: Span
    """The name."""


class Socket(msgspec.Struct, frozen=True, gc=False):
    """One socket of a device or an app."""

    id: str
    """Unique: `broker.in`, `client`, `worker[0]`, `sink.work`. An app's only socket is named by the app."""
    owner: str
    """The name of its device or app: `broker`, `worker[0]`."""
    name: str
    """`in`, `out`, `monitor`, `control`; an app's socket as declared, or the app's base name."""
    role: Role
    type: str
    type_span: Span
    """Where the type is written, or the word that stands for it where it was left out."""
    span: Span
    """The name of what was declared: the side, the socket, the app."""
    program: str = ""
    """The type that the program makes of it: REQ for `DEALER as REQ`, which adds the empty delimiter itself."""
    binds: tuple[Bind, ...] = ()
    connects: tuple[Connect, ...] = ()
    options: tuple[Option, ...] = ()

    @property
    def declared(self) -> str:
        """What the file calls it, whichever replica it is."""
        return REPLICA.sub("", self.id)

    @property
    def variable(self) -> str:
        """The environment variable in which an app that is started finds the endpoints of this socket."""
        return _variable(self.name + self.bracket)

    @property
    def bracket(self) -> str:
        """`[2]` if it is one of several of its name in its app, or nothing."""
        return self.id.removeprefix(f"{self.owner}.{self.name}") if self.id != self.owner else ""

    def option(self, *names: str) -> Option | None:
        """The last option of these names: the one that counts."""
        found = None
        for option in self.options:
            if option.name in names:
                found = option
        return found

    def on(self, name: str) -> bool:
        """Whether an option that is true or false is set to true."""
        return self.number(name) == 1

    def number(self, *names: str) -> int | None:
        """The number that the last option of these names is set to, as it counts: milliseconds, bytes, 1 for true."""
        value = _only(self.option(*names))
        return value if isinstance(value, int) else None

    def text(self, name: str) -> bytes | None:
        """The text that an option is set to."""
        value = _only(self.option(name))
        return value if isinstance(value, bytes) else None


def _only(option: Option | None) -> int | bytes | None:
    """The value of an option that has one, as it should. That of `routing_id *` nobody knows."""
    if option is None or len(option.values) != 1 or option.values[0].kind == "any":
        return None
    return option.values[0].value


def _variable(name: str) -> str:
    return "ZTOPO_" + name.upper().replace("-", "_").replace("[", "_").replace("]", "")


class Replica(msgspec.Struct, frozen=True, gc=False):
    """Which of several a device or an app is. `count` is None for `[*]`, which stands in the model once, with index 0."""

    base: str
    index: int
    count: int | None


class Context(msgspec.Struct, frozen=True, gc=False):
    """The options of a ZeroMQ context; None is libzmq's default."""

    io_threads: int | None = None
    max_sockets: int | None = None


class Restart(msgspec.Struct, frozen=True, gc=False):
    """When something is started again, as it was declared; what was left out has its usual value. Durations are in milliseconds."""

    span: Span
    """The statement."""
    policy: Policy
    limit: int = 5
    """How many restarts there are at most within the period."""
    period: int = 60_000
    backoff: int = 100
    """What the second restart of a row waits; the first waits for nothing."""
    longest: int = 5_000
    """What a restart waits at most."""
    company: Company = ""
    useless: Span | None = None
    """Where something is written behind `never`."""


class Device(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A device: messages go between its sides, copies to its monitor."""

    name: str
    span: Span
    kind: str
    kind_span: Span
    placement: Placement = "thread"
    home: str = ""
    """The process group or the app that it lives in, where its placement is one of these."""
    swap: Span | None = None
    """Where `swap` is written."""
    sockets: tuple[Socket, ...]
    prefixes: tuple[bytes, bytes] = (b"in", b"out")
    restart: Restart | None = None
    replica: Replica | None = None
    doc: str = ""

    @property
    def ours(self) -> bool:
        """Whether ztopo runs it; otherwise an app's own program does."""
        return self.placement != "app"

    def variable(self, side: Socket) -> str:
        """The environment variable in which the app that it is part of finds the endpoints of a side."""
        return _variable(f"{self.name[len(self.home) + 1 :]}_{side.name}")

    def side(self, name: Role) -> Socket | None:
        """The socket of a side."""
        for socket in self.sockets:
            if socket.role == name:
                return socket
        return None


class App(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A program around the devices: started by us (`run`), by the Python program that runs the topology (`inside`), or by somebody else."""

    name: str
    span: Span
    sockets: tuple[Socket, ...] = ()
    run: str | None = None
    """The command, as written."""
    run_span: Span | None = None
    inside: bool = False
    folder: str = ""
    """The absolute folder that the command runs in."""
    restart: Restart | None = None
    replica: Replica | None = None
    doc: str = ""

    context: Context = Context()

    @property
    def started(self) -> bool:
        """Whether ztopo starts it."""
        return self.run is not None


Component = Device | App


class Process(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A process of devices that share a context."""

    name: str
    span: Span
    context: Context = Context()
    replica: Replica | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The whole topology, in the order of its declarations."""

    name: str
    span: Span
    components: tuple[Component, ...] = ()
    """Devices and apps. A device that is part of an app follows it."""
    devices: tuple[Device, ...] = ()
    apps: tuple[App, ...] = ()
    processes: tuple[Process, ...] = ()
    doubtful: tuple[Span, ...] = ()
    """Declarations of which something is already known to be wrong: nobody judges them further."""


def process_of(component: Component, inside: bool) -> str:
    """A name for the process that a component lives in: equal names, one process and one context.

    `inside` says that an application runs the topology, and thread devices with it.
    """
    if isinstance(component, App):
        return "the application" if component.inside else f"app {component.name}"
    match component.placement:
        case "process":
            return f"process {component.name}"
        case "group":
            return f"process group {component.home}"
        case "app":
            return f"app {component.home}"
    return "the application" if inside else "the thread host"
