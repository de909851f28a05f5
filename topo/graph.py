"""The topology as a graph: who is linked to whom, and the questions one asks of that.

`Graph` joins connects to binds once, in one pass over a table of what is bound; every check reads the result. `Graph.nx` is
the same as a networkx directed multigraph:

- a node per socket (`broker.in`, `client`), with attributes `socket`, `component`, `type`, `role`, and `process` for one of several
  devices in a process; an app without sockets is a node of its own name;
- an edge of kind `link` for each way that messages can go over a link, from the sender to the receiver, with `link`,
  `endpoint`, `where`; a link over which nothing can go is one edge from the connecting to the binding side;
- an edge of kind `way` for each way that messages go through a device, from side to side and to the monitor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from topo.model import App, Bind, Component, Connect, Context, Device, Endpoint, Model, Option, Process, Socket, process_of
from topo.zeromq.security import DECIDES, OPEN, ZAP, Mechanism, Security, security
from topo.zeromq.sockets import SOCKETS, compatible
from topo.zeromq.transports import Flaw, Use, bound_keys, flaw, for_connecting, reached_keys

if TYPE_CHECKING:
    import networkx

T = TypeVar("T")

__all__ = ["Graph", "Link", "Written", "flows", "ipv6_on", "opposite", "passes", "ways"]


class Link(msgspec.Struct, frozen=True, gc=False):
    """A connect that meets a bind: `a` connects to what `b` binds."""

    a: Socket
    b: Socket
    connect: Connect
    bind: Bind

    @property
    def endpoint(self) -> str:
        """What `a` connects to, as far as it is known before the start."""
        return for_connecting(self.bind.endpoint.text)

    @property
    def transport(self) -> str:
        """Over what it goes."""
        return self.bind.endpoint.address.transport

    @property
    def talks(self) -> bool:
        """Whether ZeroMQ lets the two talk."""
        return compatible(self.a.type, self.b.type)

    def peer(self, socket: Socket) -> Socket:
        """The other end of it; of a socket that connects to itself, that socket."""
        return self.b if self.a.id == socket.id else self.a


class Written(msgspec.Struct, frozen=True, gc=False):
    """An endpoint that a socket binds or connects to. Where it has a flaw, no other question is asked of it."""

    socket: Socket
    endpoint: Endpoint
    use: Use
    flaw: Flaw | None


def ipv6_on(socket: Socket) -> bool:
    """Whether the option `ipv6` is set on a socket."""
    return socket.on("ipv6")


class Graph:
    """A model with its links found. Nothing in it changes."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.components: dict[str, Component] = {c.name: c for c in model.components}
        self.sockets: dict[str, Socket] = {s.id: s for c in model.components for s in c.sockets}
        self.links: tuple[Link, ...] = tuple(self._join())
        self._answers: dict[Callable[[Graph], Any], Any] = {}

    def ask(self, question: Callable[[Graph], T]) -> T:
        """The answer to a question that several ask; it is found once."""
        if question not in self._answers:
            self._answers[question] = question(self)
        answer: T = self._answers[question]
        return answer

    def component(self, socket: Socket) -> Component:
        """The device or app that a socket belongs to."""
        return self.components[socket.owner]

    def device(self, socket: Socket) -> Device | None:
        """The device that a socket belongs to, or None for an app's socket."""
        component = self.components[socket.owner]
        return component if isinstance(component, Device) else None

    def process(self, socket: Socket) -> str:
        """A name for the process that a socket lives in: equal names, one process and one context."""
        return process_of(self.components[socket.owner], self._inside)

    def makes(self, socket: Socket) -> bool:
        """Whether ztopo makes it: then the file says all of its options, and nobody adds to them."""
        component = self.components[socket.owner]
        return component.ours if isinstance(component, Device) else component.inside

    def runs(self, socket: Socket) -> bool:
        """Whether ztopo makes it, or starts the program that does: then it is on this host, and told what wildcards become."""
        if self.makes(socket):
            return True
        component = self.components[socket.owner]
        app = self.components[component.home] if isinstance(component, Device) else component
        return isinstance(app, App) and app.started

    def context(self, socket: Socket) -> Context:
        """The options of the context that a socket lives in, as far as the file says them."""
        component = self.components[socket.owner]
        if isinstance(component, Device) and component.placement == "app":
            component = self.components[component.home]
        if isinstance(component, App):
            return component.context
        return self._processes[component.home].context if component.placement == "group" else Context()

    @cached_property
    def _processes(self) -> dict[str, Process]:
        return {process.name: process for process in self.model.processes}

    def options(self, *names: str) -> Iterator[tuple[Socket, Option]]:
        """The options of these names, wherever they are set; of several on one socket the one that counts."""
        for name in names:
            yield from self._options.get(name, ())

    @cached_property
    def _options(self) -> dict[str, list[tuple[Socket, Option]]]:
        found: dict[str, list[tuple[Socket, Option]]] = defaultdict(list)
        for socket in self.sockets.values():
            for name, option in {option.name: option for option in socket.options}.items() if socket.options else ():
                found[name].append((socket, option))
        return dict(found)

    def transports(self, socket: Socket) -> frozenset[str]:
        """The transports of all endpoints that a socket binds or connects to."""
        found = {bind.endpoint.address.transport for bind in socket.binds}
        for connect in socket.connects:
            if connect.endpoint is not None:
                found.add(connect.endpoint.address.transport)
            for target in connect.targets:
                found.add(self.sockets[target.socket].binds[target.index].endpoint.address.transport)
        return frozenset(found)

    def security(self, socket: Socket) -> Security:
        """The security mechanism of a socket and its role in that, as far as the file says."""
        return self._security.get(socket.id, OPEN)

    @cached_property
    def _security(self) -> dict[str, Security]:
        named = {socket.id: socket for socket, _ in self.options(*DECIDES)}
        return {
            id: security((o.name, o.values[0].value) for o in socket.options if len(o.values) == 1)
            for id, socket in named.items()
        }

    def speaking(self, mechanism: Mechanism) -> list[Socket]:
        """The sockets that speak a security mechanism, other than none."""
        return [self.sockets[id] for id, security in self._security.items() if security.mechanism == mechanism]

    @cached_property
    def secured(self) -> tuple[Link, ...]:
        """The links over which there is a handshake, and of which one end has a security mechanism at least."""
        found = {id(link): link for key in self._security for link in self._by_socket.get(key, ())}
        return tuple(link for link in found.values() if link.talks and link.transport != "inproc")

    @cached_property
    def zap(self) -> dict[str, Written]:
        """What is bound in each process where libzmq asks who may connect, by the name of the process."""
        found: dict[str, Written] = {}
        for written in self.over.get("inproc", ()):
            if written.endpoint.text == ZAP and written.use == "bind":
                found.setdefault(self.process(written.socket), written)
        return found

    def variables(self, app: App) -> Iterator[tuple[str, Socket]]:
        """The environment variables of an app that is started, and whose endpoints each holds."""
        yield from ((socket.variable, socket) for socket in app.sockets)
        for device in self._parts.get(app.name, ()):
            yield from ((device.variable(side), side) for side in device.sockets)

    @cached_property
    def _parts(self) -> dict[str, list[Device]]:
        """The devices in each app."""
        found: dict[str, list[Device]] = defaultdict(list)
        for device in self.model.devices:
            if device.placement == "app":
                found[device.home].append(device)
        return dict(found)

    @cached_property
    def passages(self) -> tuple[tuple[Device, Socket, Socket], ...]:
        """Each device with its in and its out; with `out same` that is one socket, twice."""
        found = []
        for device in self.model.devices:
            inward = device.side("in")
            if inward is not None:
                found.append((device, inward, device.side("out") or inward))
        return tuple(found)

    def of_type(self, *types: str) -> Iterator[Socket]:
        """The sockets of some types."""
        for name in types:
            yield from self._by_type.get(name, ())

    @cached_property
    def _by_type(self) -> dict[str, list[Socket]]:
        found: dict[str, list[Socket]] = defaultdict(list)
        for socket in self.sockets.values():
            found[socket.type].append(socket)
        return dict(found)

    @cached_property
    def settings(self) -> tuple[tuple[Socket, Option], ...]:
        """Every option that is written, with its socket."""
        return tuple((socket, option) for socket in self.sockets.values() for option in socket.options)

    @cached_property
    def _inside(self) -> bool:
        return any(app.inside for app in self.model.apps)

    def any_number(self, socket: Socket) -> bool:
        """Whether a socket stands for any number of them: its owner is declared with `[*]`."""
        return socket.owner in self._countless

    @cached_property
    def _countless(self) -> frozenset[str]:
        return frozenset(c.name for c in self.model.components if c.replica is not None and c.replica.count is None)

    def links_of(self, socket: Socket) -> tuple[Link, ...]:
        """The links at a socket, whichever end it is."""
        return self._by_socket.get(socket.id, ())

    @cached_property
    def _by_socket(self) -> dict[str, tuple[Link, ...]]:
        found: dict[str, list[Link]] = defaultdict(list)
        for link in self.links:
            found[link.a.id].append(link)
            if link.b.id != link.a.id:
                found[link.b.id].append(link)
        return {key: tuple(links) for key, links in found.items()}

    @cached_property
    def bound(self) -> dict[str, list[tuple[Socket, Bind]]]:
        """Every bind under the keys of its place; see `places`. Wild ports are nowhere yet."""
        found: dict[str, list[tuple[Socket, Bind]]] = defaultdict(list)
        for socket in self.sockets.values():
            for bind in socket.binds:
                address = bind.endpoint.address
                if not address.wild_port:
                    for key in self.places(socket, bound_keys(address, address.host == "*" and ipv6_on(socket))):
                        found[key].append((socket, bind))
        return dict(found)

    def places(self, socket: Socket, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The keys of an address that a socket binds or connects to; inproc is a place within the socket's process."""
        if not keys[0].startswith("inproc:"):
            return keys
        return tuple(f"{key} in {self.process(socket)}" for key in keys)

    def _join(self) -> Iterator[Link]:
        for socket in self.sockets.values():
            for connect in socket.connects:
                if connect.endpoint is None:
                    for target in connect.targets:
                        other = self.sockets[target.socket]
                        yield Link(socket, other, connect, other.binds[target.index])
                else:
                    for key in self.places(socket, reached_keys(connect.endpoint.address)):
                        for other, bind in self.bound.get(key, ()):
                            yield Link(socket, other, connect, bind)

    @cached_property
    def linked(self) -> frozenset[int]:
        """The `id` of every connect that leads somewhere."""
        return frozenset(id(link.connect) for link in self.links)

    @cached_property
    def endpoints(self) -> tuple[Written, ...]:
        """Every endpoint that is written, with what is wrong with it."""
        found = []
        for socket in self.sockets.values():
            for bind in socket.binds:
                found.append(Written(socket, bind.endpoint, "bind", flaw(bind.endpoint.address, "bind")))
            for connect in socket.connects:
                if connect.endpoint is not None:
                    found.append(Written(socket, connect.endpoint, "connect", flaw(connect.endpoint.address, "connect")))
        return tuple(found)

    @cached_property
    def flawed(self) -> tuple[Written, ...]:
        """Those of them that have a flaw."""
        return tuple(written for written in self.endpoints if written.flaw is not None)

    @cached_property
    def over(self) -> dict[str, list[Written]]:
        """Those that have none, by their transports."""
        found: dict[str, list[Written]] = defaultdict(list)
        for written in self.endpoints:
            if written.flaw is None:
                found[written.endpoint.address.transport].append(written)
        return dict(found)

    @cached_property
    def nx(self) -> networkx.MultiDiGraph[Any]:
        """The networkx graph that the head of this module describes. Made when it is first asked for."""
        import networkx  # a tenth of a second that a plain check does not need

        processes = {process.name: process for process in self.model.processes}
        graph: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph(name=self.model.name)
        graph.graph |= {"span": self.model.span, "processes": self.model.processes}
        for component in self.model.components:
            process = processes.get(component.home) if isinstance(component, Device) else None
            for socket in component.sockets:
                graph.add_node(socket.id, socket=socket, component=component, type=socket.type, role=socket.role, process=process)
            if not component.sockets:
                graph.add_node(component.name, socket=None, component=component, type="", role="app", process=None)
        for link in self.links:
            for source, target in flows(link):
                graph.add_edge(source, target, kind="link", link=link, endpoint=link.endpoint, where=link.connect.span.where)
        for device in self.model.devices:
            for source, target in ways(device):
                graph.add_edge(source, target, kind="way", where=device.span.where)
        return graph


def flows(link: Link) -> list[tuple[str, str]]:
    """The ways that messages can go over a link, each from the sender's id to the receiver's."""
    if not link.talks:
        return [(link.a.id, link.b.id)]
    pairs = ((link.a, link.b), (link.b, link.a))
    return [(s.id, r.id) for s, r in pairs if SOCKETS[s.type].sends and SOCKETS[r.type].receives]


def opposite(device: Device, socket: Socket) -> Socket | None:
    """The side to which a device passes on what comes in at a side; with `out same` that one. None for other sockets."""
    inward, outward = device.side("in"), device.side("out")
    if inward is None or socket.role not in ("in", "out"):
        return None
    return inward if socket.role == "out" else outward or inward


def passes(device: Device) -> list[tuple[Socket, Socket]]:
    """The ways that messages go through a device, each from the side that receives to the side that sends, which may be one."""
    sides: dict[str, Socket] = {socket.role: socket for socket in device.sockets}
    inward = sides.get("in")
    outward = sides.get("out", inward)
    if inward is None or outward is None:
        return []
    pairs = ((inward, outward), (outward, inward)) if inward is not outward else ((inward, inward),)
    return [(source, target) for source, target in pairs if SOCKETS[source.type].receives and SOCKETS[target.type].sends]


def ways(device: Device) -> list[tuple[str, str]]:
    """The ways of messages and their copies, each from a side's id to another's. One socket needs no way to itself."""
    monitor = device.side("monitor")
    found = []
    for source, target in passes(device):
        if source is not target:
            found.append((source.id, target.id))
        if monitor is not None:
            found.append((source.id, monitor.id))
    return found
