"""The expanded topology as one JSON document: a twin of the text, which every verb reads in place of one.

`grammar/topology.schema.json` says what each key is. Nothing is said twice in it, so nothing in it can contradict itself:
which replica something is, and of how many, is said by the names. Only the keys that end with `place` are about another
thing: where it was declared. They are written, and not read; what is read from JSON has its places there.

Texts are bytes: where they are not UTF-8 they hold `\\xNN`, and a backslash is `\\\\`, as between quotes in a .ztopo file. Of a
secret only its source is written, a file or a variable of the environment; one that has none has `"values": null`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from topo.graph import Graph
from topo.model import App, Component, Connect, Context, Device, Option, Process, Restart, Socket, Value
from topo.render import Style, place, shown_bytes, to_json
from topo.source import Span
from topo.zeromq.options import is_secret

__all__ = ["render"]

LINE = 160
"""The most columns of what stands on one line. A place has room there: on lines of its own it takes eleven, and there are many."""


def render(graph: Graph, style: Style) -> str:
    """The whole topology."""
    model = graph.model
    order = {component.name: number for number, component in enumerate(model.components)}
    document = {
        "topology": model.name,
        "place": place(model.span),
        "devices": [_device(device, order) for device in model.devices],
        "apps": [_app(app, order) for app in model.apps],
        "processes": [_process(process) for process in model.processes],
    }
    return to_json(document, LINE)


def _device(device: Device, order: dict[str, int]) -> dict[str, Any]:
    return {
        "name": device.name,
        "kind": device.kind,
        "run": None if device.home else device.placement,
        "home": device.home or None,
        "swap": device.swap is not None,
        "same": device.side("out") is None,
        **_common(device, order),
        "kind_place": place(device.kind_span),
        "swap_place": _maybe(device.swap),
    }


def _app(app: App, order: dict[str, int]) -> dict[str, Any]:
    return {
        "name": app.name,
        "run": app.run,
        "inside": app.inside,
        "folder": app.folder,
        "context": _context(app.context),
        **_common(app, order),
        "run_place": _maybe(app.run_span),
    }


def _process(process: Process) -> dict[str, Any]:
    return {"name": process.name, "context": _context(process.context), "place": place(process.span)}


def _context(context: Context) -> dict[str, Any]:
    return {"io_threads": context.io_threads, "max_sockets": context.max_sockets}


def _common(component: Component, order: dict[str, int]) -> dict[str, Any]:
    return {
        "restart": _restart(component.restart),
        "doc": component.doc,
        "order": order[component.name],
        "sockets": [_socket(socket) for socket in component.sockets],
        "place": place(component.span),
    }


def _restart(restart: Restart | None) -> dict[str, Any] | None:
    """The limits are left out where nothing comes of them, and nobody wrote any."""
    if restart is None:
        return None
    bare = restart.policy == "never" and restart.useless is None
    limits = {
        "max": restart.limit,
        "in": restart.period,
        "backoff": restart.backoff,
        "longest": restart.longest,
        "with": restart.company or None,
    }
    return {"policy": restart.policy, **({} if bare else limits), "place": place(restart.span)}


def _maybe(span: Span | None) -> dict[str, Any] | None:
    return place(span) if span else None


def _socket(socket: Socket) -> dict[str, Any]:
    return {
        "name": socket.name + socket.bracket,
        "type": socket.type,
        "program": socket.program or None,
        "binds": [{"endpoint": bind.endpoint.text, "place": place(bind.span)} for bind in socket.binds],
        "connects": [_connect(connect) | {"place": place(connect.span)} for connect in socket.connects],
        "options": [_option(option) for option in socket.options],
        "place": place(socket.span),
        "type_place": place(socket.type_span),
    }


def _connect(connect: Connect) -> dict[str, Any]:
    if connect.endpoint is not None:
        return {"endpoint": connect.endpoint.text}
    unbound = [{"socket": id, "bind": None} for id in connect.unbound]
    return {"to": [*({"socket": target.socket, "bind": target.index} for target in connect.targets), *unbound]}


def _option(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "values": _origins(option.values) if is_secret(option.name) else [_value(v) for v in option.values],
        "place": place(option.span),
    }


def _value(value: Value) -> dict[str, Any]:
    shown: Any = value.value
    if isinstance(value.value, bytes):
        shown = shown_bytes(value.value)
    elif value.kind == "bool":
        shown = bool(value.value)
    elif value.kind == "any":
        shown = "*"
    return {"kind": value.kind, "value": shown, "place": place(value.span)}


def _origins(values: Iterable[Value]) -> list[dict[str, Any]] | None:
    """Where secrets come from, if that is known of all."""
    found = []
    for value in values:
        if value.origin is None:
            return None
        kind, name = value.origin
        found.append({"kind": kind, "value": name, "place": place(value.span)})
    return found
