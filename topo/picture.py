"""The topology as a picture has it: replicas are one part, and links between the same two sockets are one wire.

Made from a graph by `picture`, and drawn by what lies in `topo/render/`; where things stand in a drawing is worked out by
`topo/layout.py`. Everything is in the order of the declarations, so the same topology gives the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from topo.graph import Graph, flows
from topo.model import App, Component, Device, Endpoint, Process, Role, Socket
from topo.source import Span
from topo.zeromq.sockets import SOCKETS

__all__ = ["Part", "Picture", "Port", "Wire", "lean", "picture", "upper_first"]


class Port(msgspec.Struct, frozen=True):
    """A socket, or all the replicas of it."""

    id: str
    """Unique in the picture: `broker.in`, `worker`, `sink.work`."""
    name: str
    """`in`, `monitor`, `work[5]`; empty for the only socket of an app, which is called like the app."""
    role: Role
    type: str
    binds: tuple[str, ...] = ()
    """The endpoints it binds; those of replicas as a range."""
    outside: tuple[str, ...] = ()
    """The endpoints it connects to that nobody in the topology binds."""


class Part(msgspec.Struct, frozen=True):
    """A device or an app, or all the replicas of it."""

    name: str
    """As declared: `broker`, `worker[4]`, `client[*]`; a device in an app `server[3].clients`."""
    is_device: bool
    kind: str
    """Of a device; `app` for others."""
    traits: tuple[str, ...] = ()
    """What else to say beside the kind: `swap`, `out same`, `process`, `process gateway`, `inside`."""
    ports: tuple[Port, ...] = ()
    started: bool = False
    """Whether ztopo starts it: devices, and apps that are run, with the devices in them."""
    doc: str = ""
    home: str = ""
    """What a device stands in: the name of an app's part, or `process gateway`."""


class Wire(msgspec.Struct, frozen=True):
    """Links from one port to another: `a` connects to what `b` binds. Both may be the same, if replicas link to each other."""

    a: str
    b: str
    forward: bool
    """Messages go from a to b."""
    backward: bool
    """Messages go from b to a."""
    endpoint: str
    """As b binds it."""
    talks: bool = True
    """Whether ZeroMQ lets the two talk."""


class Picture(msgspec.Struct, frozen=True):
    """What there is to draw."""

    name: str
    parts: tuple[Part, ...]
    wires: tuple[Wire, ...]


def picture(graph: Graph) -> Picture:
    """The picture of a graph."""
    groups: dict[str, list[Component]] = {}
    for component in graph.model.components:
        groups.setdefault(declared(graph, component), []).append(component)
    linked = {link.connect.span for link in graph.links}
    homes = {process.name: f"process {_title(process)}" for process in graph.model.processes}
    parts = tuple(_part(graph, group, linked, homes) for group in groups.values())
    return Picture(graph.model.name, parts, _wires(graph, {port.id: port for part in parts for port in part.ports}))


def declared(graph: Graph, component: Component) -> str:
    """The name that the replicas of a component share, those of the app that it stands in among them."""
    if isinstance(component, Device) and component.placement == "app":
        home = graph.components[component.home]
        return f"{_base(home)}{_base(component)[len(home.name) :]}"
    return _base(component)


def _base(thing: Component | Process) -> str:
    return thing.replica.base if thing.replica else thing.name


def _title(thing: Component | Process) -> str:
    """As declared: `worker[4]`."""
    return _counted(thing.replica.base, thing.replica.count) if thing.replica else thing.name


def _part(graph: Graph, group: list[Component], linked: set[Span], homes: Mapping[str, str]) -> Part:
    first = group[0]
    sockets: dict[str, list[Socket]] = {}
    for socket in (s for c in group for s in c.sockets):
        sockets.setdefault(port_id(graph, socket), []).append(socket)
    ports = tuple(_port(id, several, len(group), linked) for id, several in sockets.items())
    if isinstance(first, App):
        traits = ("inside",) if first.inside else ()
        return Part(_title(first), False, "app", traits, ports, _is_started(first), first.doc)
    swap = (*(("swap",) if first.swap else ()), *(("out same",) if first.side("out") is None else ()))
    if first.placement == "app":
        app = graph.components[first.home]
        name = _title(app) + _title(first)[len(app.name) :]
        return Part(name, True, first.kind, (*swap, "in the app"), ports, _is_started(app), first.doc, _title(app))
    home = homes.get(first.home, "")
    where = ("process",) if first.placement == "process" else (home,) if home else ()
    return Part(_title(first), True, first.kind, (*swap, *where), ports, True, first.doc, home)


def _is_started(app: Component) -> bool:
    return isinstance(app, App) and (app.started or app.inside)


def _counted(name: str, count: int | None) -> str:
    return f"{name}[{'*' if count is None else count}]"


def _port(id: str, sockets: list[Socket], owners: int, linked: set[Span]) -> Port:
    first = sockets[0]
    each = len(sockets) // owners
    return Port(
        id=id,
        name="" if first.id == first.owner else _counted(first.name, each) if each > 1 else first.name,
        role=first.role,
        type=first.type,
        binds=_ranges([[b.endpoint for b in s.binds] for s in sockets]),
        outside=_ranges([[c.endpoint for c in s.connects if c.endpoint and c.span not in linked] for s in sockets]),
    )


def port_id(graph: Graph, socket: Socket) -> str:
    """What the port of a socket is called: as the socket, without the numbers of replicas."""
    name = declared(graph, graph.component(socket))
    return name if socket.id == socket.owner else f"{name}.{socket.name}"


def _ranges(endpoints: list[list[Endpoint]]) -> tuple[str, ...]:
    """The endpoints of replicas, each with the one at its place in the others: `tcp://*:6000..6002`."""
    most = max((len(e) for e in endpoints), default=0)
    return tuple(_range([_short(e[n]) for e in endpoints if n < len(e)]) for n in range(most))


def _range(texts: list[str]) -> str:
    """The first to the last: what both have in common once, numbers whole."""
    first, last = texts[0], texts[-1]
    if first == last:
        return first
    start = _alike(first, last)
    end = min(_alike(first[::-1], last[::-1]), min(len(first), len(last)) - start)
    while first[start - 1 : start].isdigit():
        start -= 1
    while end and first[len(first) - end].isdigit():
        end -= 1
    return f"{first[: len(first) - end]}..{last[start:]}"


def _alike(a: str, b: str) -> int:
    """How many characters two different texts have in common at the start."""
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _short(endpoint: Endpoint) -> str:
    """An endpoint as people wrote it: a path in the file's folder is relative to it."""
    folder = f"ipc://{endpoint.span.source.folder}/"
    return "ipc://" + endpoint.text[len(folder) :] if endpoint.text.startswith(folder) else endpoint.text


def _wires(graph: Graph, ports: Mapping[str, Port]) -> tuple[Wire, ...]:
    found: dict[tuple[str, str], Wire] = {}
    for link in graph.links:
        a, b = port_id(graph, link.a), port_id(graph, link.b)
        ways = set(flows(link)) if link.talks else set()
        forward, backward = (link.a.id, link.b.id) in ways, (link.b.id, link.a.id) in ways
        found.setdefault((a, b), Wire(a, b, forward, backward, ports[b].binds[link.bind.index], link.talks))
    return tuple(found.values())


def lean(port: Port) -> int:
    """Whether a port would be at the lower (positive) or the higher end of its wires. Devices count more than apps."""
    if port.role != "app":
        return 4 if port.role in ("in", "control") else -4
    if port.type in ("REQ", "REP"):
        return -1 if port.type == "REQ" else 1
    kind = SOCKETS[port.type]
    return int(kind.receives) - int(kind.sends)


def upper_first(wire: Wire, ports: Mapping[str, Port]) -> tuple[str, str]:
    """The ends of a wire, first the one that stands higher where messages go downwards."""
    difference = lean(ports[wire.a]) - lean(ports[wire.b])
    a_is_higher = difference < 0 or (difference == 0 and (wire.forward or not wire.backward))
    return (wire.a, wire.b) if a_is_higher else (wire.b, wire.a)
