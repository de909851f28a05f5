"""From a model back to a tree, each replica by itself, as JSON has it; and from a networkx graph to the model that it shows.

A networkx graph is one that `Topology.graph` made, perhaps with nodes and edges taken away: what is left of it is a
topology too. The places stay those of what it was made from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from topo.graph import Link
from topo.model import App, Component, Connect, Context, Device, Model, Option, Process, Restart, Socket
from topo.source import Source, Span
from topo.syntax import tree

if TYPE_CHECKING:
    import networkx

__all__ = ["model_of", "tree_of"]


def tree_of(model: Model) -> tree.File:
    """A tree that resolves to the same model."""
    return tree.File(model.span.source, (tree.Topology(model.span, tree.Name(model.span, model.name)), *_Way(model).statements()))


class _Way:
    """The way back of one model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._parts: dict[str, list[Device]] = defaultdict(list)
        for device in model.devices:
            self._parts[device.home].append(device)

    def statements(self) -> Iterator[tree.Statement]:
        left = {process.name: process for process in self._model.processes}
        for component in self._model.components:
            if isinstance(component, App):
                yield self._app(component)
            elif not component.home:
                yield _device(component)
            while isinstance(component, Device) and component.home in left:  # after those before it, which have no devices
                yield self._process(left.pop(next(iter(left))))
        for process in left.values():
            yield self._process(process)

    def _process(self, process: Process) -> tree.Process:
        devices = [_device(device) for device in self._parts[process.name]]
        block = tree.Block(process.span, (*_context(process.span, process.context), *devices))
        return tree.Process(process.span, _name(process), _bracket(process), block)

    def _app(self, app: App) -> tree.App:
        items: list[tree.Item] = [*_context(app.span, app.context)]
        if app.run is not None:
            items.append(tree.Run(app.run_span or app.span, None, _exact(app.run_span or app.span, app.run)))
        if app.inside:
            span = app.run_span or app.span
            items.append(tree.Run(span, tree.Name(span, "inside"), None))
        items += _restart(app.restart)
        for part in self._parts[app.name]:
            device = _device(part)
            items.append(replace(device, name=tree.Name(part.span, device.name.text[len(app.name) + 1 :])))
        several: dict[str, int] = defaultdict(int)
        for socket in app.sockets:
            several[socket.name] += 1
        for socket in app.sockets:
            bracket = tree.Numbered(socket.span, int(socket.bracket[1:-1]), several[socket.name]) if socket.bracket else None
            items.append(tree.Socket(socket.span, tree.Name(socket.span, socket.name), bracket, _spec(socket), _options(socket)))
        block = tree.Block(app.span, tuple(items))
        return tree.App(app.span, _name(app), _bracket(app), None, block, app.doc, app.folder)


def _device(device: Device) -> tree.Device:
    items: list[tree.Item] = []
    if device.placement == "process":
        items.append(tree.Run(device.span, tree.Name(device.span, "process"), None))
    items += _restart(device.restart)
    for side in device.sockets:
        items.append(tree.Side(side.span, tree.Name(side.span, side.name), _spec(side), _options(side)))
    if device.side("out") is None:
        same = tree.SocketSpec(None, None, (tree.Same(device.span),))
        items.append(tree.Side(device.span, tree.Name(device.span, "out"), same, None))
    swap = tree.Name(device.swap, "swap") if device.swap is not None else None
    kind = tree.Name(device.kind_span, device.kind)
    return tree.Device(
        device.span, _name(device), _bracket(device), kind, swap, tree.Block(device.span, tuple(items)), device.doc
    )


def _name(thing: Component | Process) -> tree.Name:
    return tree.Name(thing.span, thing.replica.base if thing.replica else thing.name)


def _bracket(thing: Component | Process) -> tree.Bracket | tree.Numbered | None:
    replica = thing.replica
    if replica is None:
        return None
    return tree.Bracket(thing.span, "*") if replica.count is None else tree.Numbered(thing.span, replica.index, replica.count)


def _restart(restart: Restart | None) -> Iterator[tree.Restart]:
    if restart is None:
        return
    span = restart.span
    policy = tree.Name(span, restart.policy)
    if restart.policy == "never" and restart.useless is None:
        yield tree.Restart(span, policy, None, None, None, None, None)
        return
    most = tree.Exact(span, "int", restart.limit)
    period, backoff, longest = (tree.Exact(span, "duration", t) for t in (restart.period, restart.backoff, restart.longest))
    company = tree.Name(span, restart.company) if restart.company else None
    yield tree.Restart(span, policy, most, period, backoff, longest, company)


def _context(span: Span, context: Context) -> Iterator[tree.Context]:
    options = tuple(
        tree.Option(span, tree.Name(span, name), (tree.Exact(span, "int", value),))
        for name in context.__struct_fields__
        if (value := getattr(context, name)) is not None
    )
    if options:
        yield tree.Context(span, tree.Block(span, options))


def _spec(socket: Socket) -> tree.SocketSpec:
    clauses: list[tree.Clause] = []
    if socket.binds:
        clauses.append(tree.Bind(socket.span, tuple(_exact(bind.span, bind.endpoint.text) for bind in socket.binds)))
    if socket.connects:
        clauses.append(tree.Connect(socket.span, tuple(_connect(connect) for connect in socket.connects)))
    program = tree.Name(socket.type_span, socket.program) if socket.program else None
    return tree.SocketSpec(tree.Name(socket.type_span, socket.type), program, tuple(clauses))


def _connect(connect: Connect) -> tree.Place:
    span = connect.span
    if connect.endpoint is not None:
        return _exact(span, connect.endpoint.text)
    ends = [tree.End(span, tree.Name(span, target.socket), target.index, span) for target in connect.targets]
    return tree.Ends(span, (*ends, *(tree.End(span, tree.Name(span, id), None, span) for id in connect.unbound)))


def _options(socket: Socket) -> tree.Block | None:
    options = tuple(_option(option) for option in socket.options)
    return tree.Block(socket.span, options) if options else None


def _option(option: Option) -> tree.Option:
    values: list[tree.Value] = []
    for value in option.values:
        match value.origin:
            case ("file", path):
                values.append(tree.FileText(value.span, _exact(value.span, path)))
            case ("env", name):
                values.append(tree.Call(value.span, tree.Name(value.span, "env"), (_exact(value.span, name),)))
            case _:
                values.append(tree.Exact(value.span, value.kind, value.value))
    return tree.Option(option.span, tree.Name(option.span, option.name), tuple(values))


def _exact(span: Span, text: str) -> tree.Exact:
    return tree.Exact(span, "text", text.encode("utf-8", "surrogateescape"))


# From a networkx graph


def model_of(graph: networkx.MultiDiGraph[Any]) -> Model:
    """The model that a graph shows: the devices, apps and sockets of its nodes, and those of their references whose edges are there.

    A connect to an endpoint stays, for somebody else may bind it.

    Raises ValueError for a graph that is not made of what `Graph.nx` makes, or lacks a part of what it has.
    """
    data: Iterable[dict[str, Any]] = (attributes for _, _, attributes in graph.edges(data=True))
    edges = {_ends(attributes["link"]) for attributes in data if "link" in attributes}
    shown = _shown(graph)
    _see_that_all_are_there(shown)
    parts = tuple(replace(c, sockets=tuple(_reaching(s, edges, graph) for s in c.sockets)) for c in shown)
    about: dict[str, Any] = graph.graph
    nodes: Iterable[dict[str, Any]] = (attributes for _, attributes in graph.nodes(data=True))
    beside: Iterable[Process | None] = (attributes.get("process") for attributes in nodes)
    processes = {process.name: process for process in (*about.get("processes", ()), *beside) if process is not None}
    return Model(
        name=str(about.get("name") or "topology"),
        span=about.get("span") or Span(Source("", "<graph>", program=True), 0, 0),
        components=parts,
        devices=tuple(c for c in parts if isinstance(c, Device)),
        apps=tuple(c for c in parts if isinstance(c, App)),
        processes=tuple(processes.values()),
    )


def _shown(graph: networkx.MultiDiGraph[Any]) -> tuple[Component, ...]:
    """The devices and apps of the nodes, in their order, with those sockets that have a node."""
    found: dict[str, Component] = {}
    for name, component in graph.nodes(data="component"):
        if not isinstance(component, Device | App):
            raise ValueError(f"the node {name!r} has no `component`: it is none of a graph that ztopo made")
        found[component.name] = component
    return tuple(replace(c, sockets=tuple(s for s in c.sockets if s.id in graph)) for c in found.values())


def _see_that_all_are_there(components: Iterable[Component]) -> None:
    """A graph may be a part of what was declared, but not a part of one declaration."""
    names = {c.name for c in components}
    for component in components:
        if isinstance(component, Device) and component.placement == "app" and component.home not in names:
            raise ValueError(f"{component.name} is there, and the app that it is part of is not")
        if component.replica is None or component.replica.count is None:
            continue
        before = f"{component.replica.base}[{(component.replica.index or component.replica.count) - 1}]"
        if before not in names:
            raise ValueError(f"{component.name} is there, and {before} is not")


Ends = tuple[str, str, int]


def _ends(link: Link) -> Ends:
    return link.a.id, link.b.id, link.bind.index


def _reaching(socket: Socket, edges: set[Ends], graph: networkx.MultiDiGraph[Any]) -> Socket:
    """A socket whose references reach only what there are edges to."""
    connects = []
    for connect in socket.connects:
        targets = tuple(t for t in connect.targets if (socket.id, t.socket, t.index) in edges)
        unbound = tuple(id for id in connect.unbound if id in graph)
        if targets or unbound or not (connect.targets or connect.unbound):
            connects.append(replace(connect, targets=targets, unbound=unbound))
    return replace(socket, connects=tuple(connects))
