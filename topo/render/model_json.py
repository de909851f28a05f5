"""The expanded topology as one JSON document, with everything that the model knows.

    {
      "format_version": 1,
      "topology": "request_broker",
      "place": {"file": ..., "start": {"line", "column", "offset"}, "end": {...}},
      "devices": [
        {
          "name": "broker", "kind": "queue", "swap": false, "prefixes": ["in", "out"],
          "run": "process",                      "thread": in the thread host; "group": in a process of several devices;
                                                 "app": in the program of an app, which runs it
          "home": null,                          the name of that process or app
          "replica": null,                       or {"base": "worker", "index": 0, "count": 4}; count is null for [*]
          "doc": "...",
          "sockets": [SOCKET],                   without "out" where one socket is both sides
          "place": PLACE, "kind_place": PLACE, "swap_place": PLACE or null
        }
      ],
      "apps": [
        {
          "name": "worker[0]", "run": "python worker.py" or null, "inside": false, "folder": "/where/it/runs",
          "context": CONTEXT,
          "replica": ..., "doc": ..., "sockets": [SOCKET], "place": PLACE, "run_place": PLACE or null
        }
      ],
      "processes": [{"name": "gateway", "context": CONTEXT, "replica": ..., "place": PLACE}]
    }

    SOCKET: {
      "id": "broker.in", "name": "in", "role": "in", "type": "ROUTER",
      "program": null,                           the type that the program makes of it: "REQ" for DEALER as REQ
      "binds": [{"endpoint": "tcp://*:5555", "place": PLACE}],
      "connects": [
        {
          "endpoint": null,                      the endpoint, if one was written and not a name
          "to": [{"socket": "broker.in", "bind": 0, "endpoint": "tcp://127.0.0.1:5555"}],
          "unbound": [],                         the sockets that it names and that bind nothing
          "place": PLACE
        }
      ],
      "options": [{"name": "linger", "values": [{"kind": "int", "value": 0, "place": PLACE}], "place": PLACE}],
      "place": PLACE, "type_place": PLACE
    }

    CONTEXT: {"io_threads": 4, "max_sockets": null}, null where libzmq's default counts

What comes from a module has the module's name in front of its own: `pool.worker[0]`, `dc[1].broker`. `to` is every socket that
the connect reaches, by name or by address, and which of its binds. Durations are in milliseconds, sizes in bytes, true and
false are 1 and 0. Texts are bytes: where they are not UTF-8 they hold `\\xNN`, and a backslash is `\\\\`, as between quotes in
a .ztopo file. A secret option has `"values": null`: secrets are never printed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from topo.graph import Graph, Link
from topo.model import App, Component, Connect, Context, Device, Option, Process, Replica, Socket
from topo.render import Style, place, shown_bytes, to_json
from topo.source import Span
from topo.zeromq.options import OPTIONS

__all__ = ["render"]


def render(graph: Graph, style: Style) -> str:
    """The whole topology."""
    model = graph.model
    reached: dict[tuple[str, Span], list[Link]] = defaultdict(list)
    for link in graph.links:
        reached[link.a.id, link.connect.span].append(link)
    document = {
        "topology": model.name,
        "place": place(model.span),
        "devices": [_device(device, reached) for device in model.devices],
        "apps": [_app(app, reached) for app in model.apps],
        "processes": [_process(process) for process in model.processes],
    }
    return to_json(document)


Reached = dict[tuple[str, Span], list[Link]]


def _device(device: Device, reached: Reached) -> dict[str, Any]:
    return {
        "name": device.name,
        "kind": device.kind,
        "run": device.placement,
        "home": device.home or None,
        "swap": device.swap is not None,
        "prefixes": [shown_bytes(prefix) for prefix in device.prefixes],
        **_common(device, reached),
        "kind_place": place(device.kind_span),
        "swap_place": _maybe(device.swap),
    }


def _app(app: App, reached: Reached) -> dict[str, Any]:
    return {
        "name": app.name,
        "run": app.run,
        "inside": app.inside,
        "folder": app.folder,
        "context": _context(app.context),
        **_common(app, reached),
        "run_place": _maybe(app.run_span),
    }


def _process(process: Process) -> dict[str, Any]:
    return {
        "name": process.name,
        "context": _context(process.context),
        "replica": _replica(process.replica),
        "place": place(process.span),
    }


def _context(context: Context) -> dict[str, Any]:
    return {"io_threads": context.io_threads, "max_sockets": context.max_sockets}


def _common(component: Component, reached: Reached) -> dict[str, Any]:
    return {
        "replica": _replica(component.replica),
        "doc": component.doc,
        "sockets": [_socket(socket, reached) for socket in component.sockets],
        "place": place(component.span),
    }


def _replica(replica: Replica | None) -> dict[str, Any] | None:
    return {"base": replica.base, "index": replica.index, "count": replica.count} if replica else None


def _maybe(span: Span | None) -> dict[str, Any] | None:
    return place(span) if span else None


def _socket(socket: Socket, reached: Reached) -> dict[str, Any]:
    return {
        "id": socket.id,
        "name": socket.name,
        "role": socket.role,
        "type": socket.type,
        "program": socket.program or None,
        "binds": [{"endpoint": bind.endpoint.text, "place": place(bind.span)} for bind in socket.binds],
        "connects": [_connect(connect, reached.get((socket.id, connect.span), [])) for connect in socket.connects],
        "options": [_option(option) for option in socket.options],
        "place": place(socket.span),
        "type_place": place(socket.type_span),
    }


def _connect(connect: Connect, links: list[Link]) -> dict[str, Any]:
    to = [{"socket": link.b.id, "bind": link.bind.index, "endpoint": link.endpoint} for link in links]
    return {
        "endpoint": connect.endpoint.text if connect.endpoint else None,
        "to": to,
        "unbound": list(connect.unbound),
        "place": place(connect.span),
    }


def _option(option: Option) -> dict[str, Any]:
    known = OPTIONS.get(option.name)
    return {
        "name": option.name,
        "values": None if known and known.secret else [_value(v) for v in option.values],
        "place": place(option.span),
    }


def _value(value: Any) -> dict[str, Any]:
    shown = shown_bytes(value.value) if isinstance(value.value, bytes) else value.value
    return {"kind": value.kind, "value": "*" if value.kind == "any" else shown, "place": place(value.span)}
