"""What runs where, as plain data: all that a worker or an app gets told.

`make` turns a checked graph into a plan and has no other effect. A plan can be written as JSON and read in another process.
Addresses that are known only once they are bound stand in it as `Origin`, the bind that they come from. Everything keeps the
place that declared it, so that whatever goes wrong later can be said where it was asked for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

import msgspec

from topo.graph import Graph, Link, flows
from topo.model import App, Company, Component, Connect, Device, Policy, Restart, Socket, Target
from topo.source import Source, Span
from topo.zeromq.options import OPTIONS
from topo.zeromq.sockets import SOCKETS
from topo.zeromq.transports import for_connecting

__all__ = [
    "THREAD_HOST",
    "AppPlan",
    "BindPlan",
    "ConnectPlan",
    "DevicePlan",
    "LinkPlan",
    "OptionPlan",
    "Origin",
    "Place",
    "Plan",
    "ProcessPlan",
    "RestartPlan",
    "SocketPlan",
    "make",
    "sources",
]

THREAD_HOST = "thread host"
"""The process of the thread devices. No device can be called so, for it holds a blank."""
LINGER = 1000
"""How many milliseconds a device's socket waits at its end for what is not yet sent, where the file does not say."""


class Place(msgspec.Struct, frozen=True):
    """Where something is declared: a file as messages show it, the line, and the range of characters."""

    file: str
    line: int
    start: int
    end: int

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


class Origin(msgspec.Struct, frozen=True):
    """The bind `index` of the socket `socket`: where an address comes from."""

    socket: str
    index: int


class OptionPlan(msgspec.Struct, frozen=True):
    """An option of libzmq, by number, and its value as libzmq takes it."""

    name: str
    number: int
    value: int | bytes
    place: Place


class BindPlan(msgspec.Struct, frozen=True):
    """Bind this."""

    endpoint: str
    place: Place
    address: str = ""
    """What it was bound to when its device lived before: it is to have that again."""


class ConnectPlan(msgspec.Struct, frozen=True):
    """Connect to this: `endpoint`, unless `origin` is bound by a device of this plan, whose real address then counts."""

    endpoint: str
    place: Place
    origin: Origin | None = None


class SocketPlan(msgspec.Struct, frozen=True):
    """A socket: options in the order in which they are set, all before bind and connect."""

    id: str
    type: str
    options: tuple[OptionPlan, ...]
    binds: tuple[BindPlan, ...]
    connects: tuple[ConnectPlan, ...]
    place: Place


class RestartPlan(msgspec.Struct, frozen=True):
    """When something is started again after it has ended, with the meaning that Erlang's supervisors give it.

    At most `limit` times within `period` seconds; more often, and it has failed for good. The first restart is immediate, the
    second waits `backoff` seconds, each further one twice as long, up to `longest`. `also` says who ends and starts with it:
    nobody, or of its file or module `rest` (those declared after it) or `all`.
    """

    policy: Policy
    limit: int = 5
    period: float = 60.0
    backoff: float = 0.1
    longest: float = 5.0
    also: Company = ""


class DevicePlan(msgspec.Struct, frozen=True):
    """A device: its sockets are made, used and closed in the one thread that runs it.

    Without a backend both sides are one socket.
    """

    name: str
    kind: str
    frontend: SocketPlan
    backend: SocketPlan | None
    capture: SocketPlan | None
    prefixes: tuple[bytes, bytes]
    swap: bool
    place: Place
    restart: RestartPlan = RestartPlan("on-failure")

    @property
    def sockets(self) -> tuple[SocketPlan, ...]:
        """Its sockets: frontend, backend, capture."""
        return tuple(s for s in (self.frontend, self.backend, self.capture) if s is not None)


class ProcessPlan(msgspec.Struct, frozen=True):
    """Devices that live as threads of one process and one context."""

    name: str
    devices: tuple[DevicePlan, ...]
    io_threads: int | None = None
    max_sockets: int | None = None


class AppPlan(msgspec.Struct, frozen=True):
    """A command to start, once everything is bound.

    `environment` maps each variable to the addresses it holds, separated by a space: what the app is to bind as it is
    written, what it is to connect to as it is known then.
    """

    name: str
    command: tuple[str, ...]
    folder: str
    environment: dict[str, tuple[ConnectPlan, ...]]
    place: Place
    binds: tuple[str, ...] = ()
    """What the app is to bind."""
    restart: RestartPlan = RestartPlan("never")
    sockets: tuple[SocketPlan, ...] = ()
    """Its sockets as they are declared, for `topo.socket`."""


class LinkPlan(msgspec.Struct, frozen=True):
    """Over a link messages go from one socket to another, both by id; over one that goes both ways that is two of these.

    It is `counted` if a message that was sent is received, and by one receiver: not so where it goes to all who listen.
    """

    sender: str
    receiver: str
    counted: bool = True


class Plan(msgspec.Struct, frozen=True):
    """Everything that ztopo starts.

    `hosted` are the thread devices: a process of their own under the command line, threads of the application under the
    Python API. `sockets` are those of apps that are `run inside`. `stages` is the order in which devices and apps are
    stopped: those from which messages come first, whoever stands beside each other at once. `order` is that of the declarations,
    which counts for who is restarted with whom. `links` are the ways of messages from socket to socket, at one end of which at
    least is something that ztopo starts.
    """

    name: str
    hosted: ProcessPlan | None
    processes: tuple[ProcessPlan, ...]
    apps: tuple[AppPlan, ...]
    sockets: tuple[SocketPlan, ...]
    stages: tuple[tuple[str, ...], ...]
    order: tuple[str, ...] = ()
    links: tuple[LinkPlan, ...] = ()

    @property
    def hosts(self) -> tuple[ProcessPlan, ...]:
        """Every process that devices live in."""
        return ((self.hosted,) if self.hosted else ()) + self.processes

    @property
    def devices(self) -> tuple[DevicePlan, ...]:
        """Every device, wherever it lives."""
        return tuple(device for host in self.hosts for device in host.devices)


def make(graph: Graph) -> Plan:
    """Plan what a graph without errors needs to run. The same graph gives the same plan."""
    devices = graph.model.devices
    apps = graph.model.apps
    hosted = tuple(_device(graph, d) for d in devices if d.placement == "thread")
    return Plan(
        name=graph.model.name,
        hosted=ProcessPlan(THREAD_HOST, hosted) if hosted else None,
        processes=tuple(_processes(graph)),
        apps=tuple(_app(graph, a) for a in apps if a.started),
        sockets=tuple(_socket(graph, s, ()) for a in apps if a.inside for s in a.sockets),
        stages=tuple(_stages(graph)),
        order=tuple(c.name for c in graph.model.components if _starts(c)),
        links=tuple(_links(graph)),
    )


def _starts(component: Component) -> bool:
    """Whether ztopo starts it."""
    return component.ours if isinstance(component, Device) else component.started


def _links(graph: Graph) -> Iterator[LinkPlan]:
    for link in graph.links:
        if link.talks and (_starts(graph.component(link.a)) or _starts(graph.component(link.b))):
            counted = not any(s.role == "monitor" or SOCKETS[s.type].copies for s in (link.a, link.b))
            yield from (LinkPlan(sender, receiver, counted) for sender, receiver in flows(link))


def _processes(graph: Graph) -> Iterator[ProcessPlan]:
    """The devices that have a process each, and those that share one."""
    groups: dict[str, list[DevicePlan]] = {process.name: [] for process in graph.model.processes}
    for device in graph.model.devices:
        if device.placement == "process":
            yield ProcessPlan(device.name, (_device(graph, device),))
        elif device.placement == "group":
            groups[device.home].append(_device(graph, device))
    for process in graph.model.processes:
        if groups[process.name]:
            context = process.context
            yield ProcessPlan(process.name, tuple(groups[process.name]), context.io_threads, context.max_sockets)


def sources(graph: Graph) -> dict[str, Source]:
    """The texts that a plan's places are in, by the name that places have for them."""
    return {span.source.name: span.source for component in graph.model.components for span in _spans(component)}


def _spans(component: Component) -> Iterator[Span]:
    yield component.span
    if isinstance(component, App) and component.run_span is not None:
        yield component.run_span
    for socket in component.sockets:
        yield socket.span
        yield from (bind.span for bind in socket.binds)
        yield from (connect.span for connect in socket.connects)
        yield from (option.span for option in socket.options)


def _place(span: Span) -> Place:
    return Place(span.source.name, span.position.line, span.start, span.end)


def _device(graph: Graph, device: Device) -> DevicePlan:
    frontend, backend, capture = device.side("in"), device.side("out"), device.side("monitor")
    if frontend is None:
        frontend, backend = backend, None
    assert frontend is not None, f"the device {device.name} has no sides: that is not a checked graph"
    return DevicePlan(
        name=device.name,
        kind=device.kind,
        frontend=_side(graph, frontend),
        backend=_side(graph, backend) if backend else None,
        capture=_socket(graph, capture, ("linger",)) if capture else None,
        prefixes=device.prefixes,
        swap=device.swap is not None,
        place=_place(device.span),
        restart=_restart(device.restart, "on-failure"),
    )


def _restart(restart: Restart | None, usual: Policy) -> RestartPlan:
    if restart is None:
        return RestartPlan(usual)
    period, backoff, longest = (duration / 1000 for duration in (restart.period, restart.backoff, restart.longest))
    return RestartPlan(restart.policy, restart.limit, period, backoff, longest, restart.company)


def _side(graph: Graph, socket: Socket) -> SocketPlan:
    """A side's socket: a ROUTER is to say whom it cannot reach, so that the device can count it."""
    return _socket(graph, socket, ("linger", "router_mandatory") if socket.type == "ROUTER" else ("linger",))


OURS = {"linger": LINGER, "router_mandatory": 1}


def _socket(graph: Graph, socket: Socket, ours: Iterable[str]) -> SocketPlan:
    """Plan a socket. `ours` are the options that a device's sockets get where the file leaves them out."""
    place = _place(socket.span)
    added = (OptionPlan(n, OPTIONS[n].number, OURS[n], place) for n in ours if socket.option(n) is None)
    return SocketPlan(
        id=socket.id,
        type=socket.type,
        options=(*added, *_options(socket)),
        binds=tuple(BindPlan(b.endpoint.text, _place(b.span)) for b in socket.binds),
        connects=tuple(c for connect in socket.connects for c in _connects(graph, connect)),
        place=place,
    )


def _options(socket: Socket) -> Iterator[OptionPlan]:
    """The options as libzmq takes them. A routing id that the program chooses is left to the program."""
    for option in socket.options:
        if option.name == "prefix":
            continue  # the device's, not libzmq's
        for name in ("sndhwm", "rcvhwm") if option.name == "hwm" else (option.name,):
            row = OPTIONS[name]
            for value in option.values:
                if value.kind != "any":
                    yield OptionPlan(name, row.number, _in_unit(value.value, row.unit), _place(option.span))


def _in_unit(value: int | bytes, unit: str) -> int | bytes:
    """A duration in the unit that libzmq counts it in, rounded up; -1 stays what it is."""
    if unit != "s" or isinstance(value, bytes) or value < 0:
        return value
    return -(-value // 1000)


def _connects(graph: Graph, connect: Connect) -> Iterator[ConnectPlan]:
    if connect.endpoint is not None:
        yield ConnectPlan(connect.endpoint.text, _place(connect.span))
    for target in connect.targets:
        yield _named(graph, connect, target)


def _named(graph: Graph, connect: Connect, target: Target) -> ConnectPlan:
    other = graph.sockets[target.socket]
    endpoint = for_connecting(other.binds[target.index].endpoint.text)
    owner = graph.components[other.owner]
    known = isinstance(owner, Device) and owner.ours
    return ConnectPlan(endpoint, _place(connect.span), Origin(target.socket, target.index) if known else None)


def _app(graph: Graph, app: App) -> AppPlan:
    assert app.run is not None
    assert app.run_span is not None
    return AppPlan(
        name=app.name,
        command=tuple(shlex.split(app.run)),
        folder=app.folder,
        environment={variable: tuple(_addresses(graph, socket)) for variable, socket in graph.variables(app)},
        place=_place(app.run_span),
        binds=tuple(bind.endpoint.text for _, socket in graph.variables(app) for bind in socket.binds),
        sockets=tuple(_socket(graph, socket, ()) for socket in app.sockets),
        restart=_restart(app.restart, "never"),
    )


def _addresses(graph: Graph, socket: Socket) -> Iterator[ConnectPlan]:
    for bind in socket.binds:
        yield ConnectPlan(bind.endpoint.text, _place(bind.span))
    for connect in socket.connects:
        yield from _connects(graph, connect)


# The order of stopping


def _stages(graph: Graph) -> Iterator[tuple[str, ...]]:
    """Devices and started apps in the order in which they are to stop.

    Where messages go in a ring there is no first; then the order of the declarations decides.
    """
    after = _downstream(graph)
    order = _topological(after)
    position = {name: n for n, name in enumerate(order)}
    rank = dict.fromkeys(order, 0)
    for name in order:
        for other in after[name]:
            if position[other] > position[name]:
                rank[other] = max(rank[other], rank[name] + 1)
    stages: dict[int, list[str]] = {}
    for component in graph.model.components:
        if _starts(component):
            stages.setdefault(rank[component.name], []).append(component.name)
    for number in sorted(stages):
        yield tuple(stages[number])


def _downstream(graph: Graph) -> dict[str, list[str]]:
    """Whom each component sends to; of two that answer each other, the one that asks sends."""
    after: dict[str, dict[str, None]] = {name: {} for name in graph.components}
    for link in graph.links:
        source, target = (link.a, link.b) if _goes_to_bind(link) else (link.b, link.a)
        if source.owner != target.owner:
            after[source.owner][target.owner] = None
    return {name: list(others) for name, others in after.items()}


def _goes_to_bind(link: Link) -> bool:
    """Whether messages of a link start at the connecting side."""
    for socket, other, answer in ((link.a, link.b, True), (link.b, link.a, False)):
        one_way = not (SOCKETS[other.type].sends and SOCKETS[socket.type].receives)
        if one_way or socket.type == "REQ" or other.type == "REP" or other.role == "in" or socket.role == "out":
            return answer
    return True


def _topological(after: dict[str, list[str]]) -> list[str]:
    """Every name before those that come after it, as far as there is no ring."""
    seen: set[str] = set()
    finished: list[str] = []
    for start in after:
        if start in seen:
            continue
        seen.add(start)
        open_names = [(start, iter(after[start]))]
        while open_names:
            name, others = open_names[-1]
            following = next((o for o in others if o not in seen), None)
            if following is None:
                open_names.pop()
                finished.append(name)
            else:
                seen.add(following)
                open_names.append((following, iter(after[following])))
    return finished[::-1]
