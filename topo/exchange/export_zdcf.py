"""From a topology to ZDCF, the device configuration of the ZeroMQ RFC 17, as JSON or as ZPL.

An app of ZDCF is a process with one context. So there is one for each app, for each process of several devices, for each device
that is `run process`, and one, named for the topology, for all devices that are threads of the thread host. What is connected to
by name is written as the endpoint that this stands for.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from topo.diagnostic import Diagnostic, in_order
from topo.exchange import _mistakes as mistakes
from topo.exchange._zdcf import KINDS, OPTIONS, SIDES, TYPES
from topo.exchange._zpl import is_writable, write_zpl
from topo.graph import Graph, Link
from topo.model import App, Component, Context, Device, Option, Process, Socket, Value
from topo.source import Span
from topo.zeromq.sockets import SOCKETS

__all__ = ["FORMATS", "write"]

FORMATS = ("json", "zpl")
KINDS_THERE = {kind.name: name for name, kind in KINDS.items()}
SIDES_THERE = {side: name for name, side in SIDES.items()}
OPTIONS_THERE = {today: name for name, today in OPTIONS.items() if today}
TYPES_THERE = {today: name for name, today in TYPES.items() if name == today.lower()}
YOUNGER = ("XPUB", "XSUB")
"""Types that are younger than the RFC, which says that there may be more than it names."""

Document = dict[str, Any]


def write(graph: Graph, format: str, params: Mapping[str, str] | None = None) -> tuple[str, list[Diagnostic]]:
    """The topology as ZDCF, and what of it that has nothing for. What was set from outside stands in the graph already."""
    writing = _Writing(graph, is_writable if format == "zpl" else _is_text)
    document = writing.document()
    text = write_zpl(document) if format == "zpl" else json.dumps(document, indent=4) + "\n"
    return text, in_order(writing.said)


def _is_text(text: str) -> bool:
    return re.search("[\ud800-\udfff]", text) is None


class _Writing:
    """A topology, being written. `writable` says whether a text can be."""

    def __init__(self, graph: Graph, writable: Callable[[str], bool]) -> None:
        self.said: list[Diagnostic] = []
        self._graph = graph
        self._writable = writable
        self._seen: set[tuple[int, int, str]] = set()
        self._taken: set[str] = set()
        self._apps: dict[str, Document] = {}
        self._homes: dict[str, Document] = {}
        """The apps of ZDCF by what lives in them here: an app, a process, or nothing for the thread host."""
        self._processes = {process.name: process for process in graph.model.processes}
        self._links: dict[tuple[str, int], list[Link]] = defaultdict(list)
        for link in graph.links:
            self._links[link.a.id, id(link.connect)].append(link)

    def _behind(self, span: Span, message: str, why: str = "", *, lost: bool = True) -> None:
        """Say what is left behind, once for all replicas of it."""
        place = (id(span.source), span.start, message)
        if place not in self._seen:
            self._seen.add(place)
            self.said.append(mistakes.left_behind(span, message, why, lost=lost))

    def document(self) -> Document:
        model = self._graph.model
        for component in model.components:
            if isinstance(component, App):
                self._homes[component.name] = self._new(component.name, component.span, self._app(component))
            else:
                self._place(component)
        for process in model.processes:
            self._process(process)
        if model.span.end > model.span.start and "" not in self._homes:
            self._behind(model.span, "the name of the topology is not carried over")
        return {"version": 1.0, "apps": self._apps} if self._apps else {}

    def _new(self, name: str, span: Span, document: Document) -> Document:
        self._apps[self._name(name, span)] = document
        return document

    def _process(self, process: Process) -> Document:
        if process.name not in self._homes:
            self._homes[process.name] = self._new(process.name, process.span, self._context(process.context, process.span))
        return self._homes[process.name]

    def _place(self, device: Device) -> None:
        """Put a device where it lives."""
        written = self._device(device)
        if written is None:
            return
        match device.placement:
            case "app":
                home = self._homes[device.home]
            case "group":
                home = self._process(self._processes[device.home])
            case "process":
                home = self._new(device.name, device.span, {})
            case _:
                home = self._homes.get("") or self._homes.setdefault("", self._new(self._graph.model.name, device.span, {}))
        name = device.name.removeprefix(f"{device.home}.") if device.placement == "app" else device.name
        devices = home.setdefault("devices", {})
        own = _plain(name)
        while own in devices:
            own += "-2"
        devices[own] = written
        if own != name:
            self._renamed(device.name, device.span)

    # Names

    def _name(self, name: str, span: Span) -> str:
        found = self._free(name)
        if found != name:
            self._renamed(name, span)
        return found

    def _renamed(self, name: str, span: Span) -> None:
        base = re.sub(r"\[[^\]]*\]", "", name)
        if base == name:
            self._behind(span, f"`{name}` is written as `{_plain(name)}`", lost=False)
        elif not name.endswith("[*]"):
            self._behind(span, f"the replicas of `{base}` are written one by one, with `-` before their numbers", lost=False)

    def _free(self, name: str) -> str:
        found = wanted = _plain(name)
        number = 2
        while found in self._taken:
            found = f"{wanted}-{number}"
            number += 1
        self._taken.add(found)
        return found

    # Apps and devices

    def _app(self, app: App) -> Document:
        if app.run is not None:
            self._behind(
                app.run_span or app.span,
                "the command of an app is not carried over",
                "ZDCF does not say how a process is started",
            )
        if app.inside:
            self._behind(app.run_span or app.span, "`run inside` is not carried over")
        if app.replica is not None and app.replica.count is None:
            self._behind(app.span, f"`{app.name}` is any number, and is written once")
        self._common(app)
        sockets = {name: written for s in app.sockets if (written := self._socket(s)) for name in [_plain(s.name + s.bracket)]}
        document = self._context(app.context, app.span)
        if sockets:
            parts = {d.name for d in self._graph.model.devices if d.home == app.name}
            name = next(name for name in ("main", "program", "sockets") if f"{app.name}.{name}" not in parts)
            document["devices"] = {name: {"sockets": sockets}}
        return document

    def _context(self, context: Context, span: Span) -> Document:
        if context.max_sockets is not None:
            self._behind(span, "`max_sockets` is not carried over")
        return {} if context.io_threads is None else {"context": {"iothreads": context.io_threads}}

    def _device(self, device: Device) -> Document | None:
        self._common(device)
        if device.swap is not None:
            self._behind(device.swap, "`swap` is not carried over", "a device of ZDCF passes messages on as they are")
        if device.side("out") is None:
            self._behind(device.span, "a device of one socket is not carried over")
            return None
        if device.kind not in KINDS_THERE:
            self._behind(device.kind_span, f"a {device.kind} is written as a zmq_queue, with its types", lost=False)
        sockets = {}
        for side in device.sockets:
            if side.role not in SIDES_THERE:
                self._behind(side.span, f"the {side.role} of a device is not carried over")
                continue
            written = self._socket(side)
            if written is None:
                return None
            sockets[SIDES_THERE[side.role]] = written
        return {"type": KINDS_THERE.get(device.kind, "zmq_queue"), "sockets": sockets}

    def _common(self, component: Component) -> None:
        if component.doc:
            self._behind(component.span, "a doc comment is not carried over")
        if component.restart is not None:
            self._behind(component.restart.span, "`restart` is not carried over", "ZDCF says nothing of ends")

    # Sockets

    def _socket(self, socket: Socket) -> Document | None:
        if socket.type not in TYPES_THERE:
            self._behind(
                socket.type_span, f"a socket of type {socket.type} is not carried over", "ZDCF knows the types of libzmq 2"
            )
            return None
        if socket.type in YOUNGER:
            self._behind(socket.type_span, f"`{socket.type}` is written as such, which is younger than ZDCF", lost=False)
        if socket.program:
            self._behind(socket.type_span, f"`as {socket.program}` is not carried over")
        document: Document = {"type": TYPES_THERE[socket.type]}
        binds = [(bind.span, bind.endpoint.text) for bind in socket.binds]
        for verb, places in (("bind", binds), ("connect", list(self._connects(socket)))):
            endpoints = [text for span, text in places if self._can_be_written(span, text)]
            if endpoints:
                document[verb] = endpoints if len(endpoints) > 1 else endpoints[0]
        options = self._options(socket)
        if options:
            document["option"] = options
        return document

    def _connects(self, socket: Socket) -> Iterator[tuple[Span, str]]:
        for connect in socket.connects:
            if connect.endpoint is not None:
                yield connect.span, connect.endpoint.text
                continue
            for link in self._links[socket.id, id(connect)]:
                if link.bind.endpoint.address.wild_port:
                    why = "which port it is, the system says at the start"
                    self._behind(connect.span, f"a connect to `{link.bind.endpoint.text}` is not carried over", why)
                else:
                    yield connect.span, link.endpoint

    def _can_be_written(self, span: Span, text: str) -> bool:
        if self._writable(text):
            return True
        self._behind(span, "this text is not carried over", "it cannot be written in this form")
        return False

    # Options

    def _options(self, socket: Socket) -> Document:
        found: Document = {}
        for option in _one_hwm(socket):
            name = OPTIONS_THERE.get(option.name)
            values = [self._value(option.name, value) for value in option.values] if name else []
            if name is None or None in values or not (name == "subscribe" or len(values) == 1):
                self._behind(option.span, f"the option `{option.name}` is not carried over")
            elif name == "subscribe":
                found[name] = [*found.get(name, []), *values]
            else:
                found[name] = values[0]
        if len(found.get("subscribe", ())) == 1:
            found["subscribe"] = found["subscribe"][0]
        return found

    def _value(self, option: str, value: Value) -> Any:
        """A value as ZDCF has it; None if it has nothing for it."""
        if isinstance(value.value, bytes):
            text = value.value.decode("utf-8", "surrogateescape")
            return text if option in ("routing_id", "subscribe") and self._writable(text) else None
        if option in ("routing_id", "subscribe") or value.value < 0:
            return None
        if option == "multicast_loop":
            return bool(value.value)
        if option == "recovery_ivl":
            return value.value // 1000 if value.value % 1000 == 0 else None
        return value.value


def _one_hwm(socket: Socket) -> Iterable[Option]:
    """The options of a socket, with `hwm` for the one or two that mean the same on it."""
    both = [o for o in (socket.option("sndhwm"), socket.option("rcvhwm")) if o is not None]
    kind = SOCKETS[socket.type]
    needed = {name for name, used in (("sndhwm", kind.sends), ("rcvhwm", kind.receives)) if used}
    alike = len({tuple(v.value for v in option.values) for option in both}) == 1
    if not both or not alike or {o.name for o in both} != needed or socket.option("hwm") is not None:
        return socket.options
    hwm = Option("hwm", both[0].values, both[0].span)
    return [*(o for o in socket.options if o.name not in ("sndhwm", "rcvhwm")), hwm]


def _plain(name: str) -> str:
    """A name that ZDCF can have in every form, and the language too."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name, flags=re.ASCII).strip("-") or "_"
