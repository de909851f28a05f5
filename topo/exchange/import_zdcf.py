"""From ZDCF, the device configuration of the ZeroMQ RFC 17, to a text in ztopo.

An app of ZDCF is a process with one context, and its devices are threads of that. If all of them are built in, ztopo runs it: it
becomes a `process`, or, with one device of its own name, a device that is `run process`. Else it is a program of somebody's:
it becomes an `app`, with the sockets of its own devices, and the built-in ones as devices that are part of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from topo.diagnostic import Diagnostic, has_errors, in_order
from topo.exchange import _mistakes as mistakes
from topo.exchange._zdcf import KINDS, OPTIONS, SIDES, TYPES, VERSION, Kind
from topo.exchange._zpl import read_zpl
from topo.graph import Graph
from topo.resolve import resolve
from topo.source import Source, Span
from topo.spelling import SPELLINGS, Copies, quoted, spell_text
from topo.syntax.format import format
from topo.syntax.json_text import Json, Member, read_json
from topo.syntax.parse import parse
from topo.zeromq.kinds import KINDS as KINDS_HERE

__all__ = ["read"]

Members = dict[str, Member]


def read(source: Source) -> tuple[str | None, list[Diagnostic]]:
    """A text in ztopo that says what a ZDCF file says, or None if it cannot be read, and what there is to say about it."""
    document, said = read_json(source) if source.is_json else read_zpl(source)
    if document is None or said:
        return None, said
    reading = _Reading(source)
    lines = list(reading.lines(document))
    if has_errors(reading.said):
        return None, in_order(reading.said)
    usual = {kind.name: {"in": kind.in_type, "out": kind.out_type, "monitor": kind.monitor_type} for kind in KINDS_HERE.values()}
    text, wrong = format(_by_name(Source("\n".join(lines) + "\n", source.name, source.path)), usual)
    assert not wrong, "what was written is a text of the language"
    return text, in_order(reading.said)


def _by_name(source: Source) -> Source:
    """The text with names in place of the endpoints that a socket in it binds, if that means the same."""
    graph = _graph(source)
    edits: dict[int, tuple[int, str]] = {}
    for link in graph.links:
        place, transport = link.connect.span, link.bind.endpoint.address.transport
        alone = [b.endpoint.address.transport for b in link.b.binds].count(transport) == 1
        if alone and link.connect.endpoint is not None and link.connect.endpoint.text == link.endpoint:
            edits[place.start] = (place.end, link.b.id if len(link.b.binds) == 1 else f"{link.b.id}.{transport}")
    text = source.text
    for start in sorted(edits, reverse=True):
        end, name = edits[start]
        text = text[:start] + name + text[end:]
    named = Source(text, source.name, source.path)
    return named if _ends(_graph(named)) == _ends(graph) else source


def _graph(source: Source) -> Graph:
    model, _ = resolve(parse(source)[0])
    return Graph(model)


def _ends(graph: Graph) -> list[tuple[str, str, int]]:
    return sorted((link.a.id, link.b.id, link.bind.index) for link in graph.links)


class _Socket(NamedTuple):
    name: str
    key: Span
    type: str
    places: list[str]
    """`bind tcp://*:5555`"""
    options: list[str]


class _Device(NamedTuple):
    name: str
    key: Span
    kind: Kind | None
    """None for one that a program is itself."""
    sockets: list[_Socket]


class _Names:
    """Names that the language can write, each given once."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}
        """How often each was wanted."""

    def give(self, wanted: str, instead: str = "") -> str:
        """The name that is wanted, made one of the language; or one with more in front, or a number behind."""
        name = _name(wanted)
        if name in self._given and instead:
            name = _name(f"{instead}-{wanted}")
        found = name
        while found in self._given:
            self._given[name] += 1
            found = f"{name}-{self._given[name]}"
        self._given[found] = 1
        return found


def _name(text: str) -> str:
    found = re.sub(r"[^A-Za-z0-9_]+", "-", text, flags=re.ASCII).strip("-")
    return found if re.match(r"[A-Za-z_]", found) else f"_{found}"


class _Reading:
    """A ZDCF file, being read."""

    def __init__(self, source: Source) -> None:
        self.said: list[Diagnostic] = []
        self._source = source

    def lines(self, document: Json) -> Iterator[str]:
        yield "ztopo 1"
        top = self._object(document, document.span, "a ZDCF file")
        if not top or not self._is_known(top, document.span):
            return
        self._only(top, ("version", "apps"))
        apps = self._inner(top, "apps")
        names = _Names()
        called = {name: self._called(names.give(name), name, apps[name].key) for name in apps}
        for name, member in apps.items():
            yield ""
            yield from self._app(called[name], name, member, names)

    def _is_known(self, top: Members, whole: Span) -> bool:
        """Whether the version is one that is known here."""
        if "version" not in top:
            start = Span(self._source, whole.start, min(whole.start + 1, whole.end))
            self.said.append(mistakes.not_zdcf_version(start, "the file does not say which version of ZDCF it is written in"))
            return False
        json = top["version"].json
        version = _float(json)
        if version is None or not 0 <= version < VERSION + 1:
            message = (
                "this is no version of ZDCF"
                if version is None or version < 0
                else f"version {version:g} of ZDCF is not known here"
            )
            self.said.append(mistakes.not_zdcf_version(json.span, message))
            return False
        return True

    # Apps

    def _app(self, called: str, name: str, member: Member, names: _Names) -> Iterator[str]:
        app = self._object(member.json, member.key, "an app")
        self._only(app, ("context", "devices"))
        context = self._context(app)
        devices = [self._device(key, device) for key, device in self._inner(app, "devices").items()]
        if devices and all(device.kind for device in devices):
            if [d.name for d in devices] == [name] and not context:
                yield from self._built_in(called, devices[0], "run process")
                return
            yield f"process {called} {{"
            yield from context
            for device in devices:
                yield from self._built_in(self._called(names.give(device.name, called), device.name, device.key), device)
        else:
            program = [*context, *self._program(devices)]
            yield f"app {called} {{" if program else f"app {called}"
            yield from program
            if not program:
                return
        yield "}"

    def _program(self, devices: list[_Device]) -> Iterator[str]:
        """What a program has: its built-in devices, and the sockets of its own ones."""
        names = _Names()
        own = [device for device in devices if device.kind is None]
        for device in devices:
            if device.kind is not None:
                yield from self._built_in(self._called(names.give(device.name), device.name, device.key), device)
        for device in own:
            for socket in device.sockets:
                wanted = socket.name if len(own) == 1 else f"{device.name}-{socket.name}"
                called = self._called(names.give(wanted, device.name), socket.name, socket.key)
                yield from _socket(f"socket {called}:", socket)

    def _built_in(self, called: str, device: _Device, run: str = "") -> Iterator[str]:
        assert device.kind is not None
        yield f"device {called}: {device.kind.name} {{"
        if run:
            yield run
        for side, socket in zip(("in", "out"), device.sockets, strict=False):  # a socket that is wrong is not there
            yield from _socket(side, socket)
        yield "}"

    def _context(self, app: Members) -> list[str]:
        context = self._inner(app, "context")
        self._only(context, ("iothreads", "verbose"))
        verbose = context.get("verbose")
        if verbose is not None and self._boolean(verbose.json, "verbose"):
            self.said.append(
                mistakes.nothing_for_it(verbose.key, "`verbose` is not carried over", "that is for whoever starts it to say")
            )
        threads = context.get("iothreads")
        number = self._integer(threads.json, "iothreads") if threads is not None else 1
        return [f"context {{ io_threads {number} }}"] if number != 1 else []

    # Devices

    def _device(self, name: str, member: Member) -> _Device:
        device = self._object(member.json, member.key, "a device")
        self._only(device, ("type", "sockets"))
        kind = self._kind(device)
        found = self._inner(device, "sockets")
        sides = self._sides(found, member.key) if kind else []
        if kind and len(sides) != 2:
            kind = None
        types = dict(zip(sides, (kind.frontend, kind.backend), strict=True)) if kind else {}
        sockets = [self._socket(key, found[key], types.get(key, "")) for key in (sides if kind else found)]
        return _Device(name, member.key, kind, [s for s in sockets if s is not None])

    def _kind(self, device: Members) -> Kind | None:
        if "type" not in device:
            return None
        json = device["type"].json
        text = self._text(json, "type")
        kind = KINDS.get(text.lower()) or KINDS.get(text.lower().replace("z", "zmq_", 1))
        if kind is None:
            why = "a device that is not built in is part of a program: its sockets are those of the app"
            self.said.append(mistakes.nothing_for_it(json.span, f"`type = {text}` is not carried over", why, KINDS))
        return kind

    def _sides(self, sockets: Members, key: Span) -> list[str]:
        """Which sockets of a built-in device are its frontend and its backend."""
        named = [name for name in SIDES if name in sockets]
        if len(named) == 2:
            for name in sockets.keys() - named:
                message = f"the socket `{name}` is not carried over"
                self.said.append(mistakes.nothing_for_it(sockets[name].key, message, "a built-in device has two sockets"))
            return named
        if len(sockets) == 2:
            first, second = sockets
            why = "of two sockets that are named otherwise the first is `in`, the second `out`"
            self.said.append(
                mistakes.nothing_for_it(key, f"`{first}` is the frontend, and `{second}` the backend", why, lost=False)
            )
            return [first, second]
        why = "it is written as a program with these sockets"
        self.said.append(mistakes.nothing_for_it(key, "a built-in device has a frontend and a backend", why))
        return []

    # Sockets

    def _socket(self, name: str, member: Member, usual: str) -> _Socket | None:
        socket = self._object(member.json, member.key, "a socket")
        self._only(socket, ("type", "bind", "connect", "option"))
        type = self._type(socket, member.key, usual)
        places = []
        for verb in ("bind", "connect"):
            endpoints = self._texts(socket[verb].json, verb) if verb in socket else []
            if endpoints:
                places.append(f"{verb} {', '.join(_endpoint(e) for e in endpoints)}")
        options = self._inner(socket, "option")
        written = [text for key, option in options.items() if (text := self._option(key, option))]
        return _Socket(name, member.key, type, places, written) if type else None

    def _type(self, socket: Members, key: Span, usual: str) -> str:
        if "type" not in socket:
            if usual:
                self.said.append(mistakes.nothing_for_it(key, f"a socket without a type is a {usual} here", lost=False))
            else:
                self.said.append(mistakes.not_zdcf(key, "this socket has no type"))
            return usual
        json = socket["type"].json
        text = self._text(json, "type")
        if text.lower() not in TYPES:
            self.said.append(mistakes.not_zdcf(json.span, f"there is no socket type `{text}`"))
        return TYPES.get(text.lower(), "")

    def _option(self, name: str, member: Member) -> str:
        today = OPTIONS.get(name)
        if not today:
            why = "libzmq has had no such option since version 3" if today == "" else ""
            known = () if name in OPTIONS else OPTIONS
            self.said.append(mistakes.nothing_for_it(member.key, f"the option `{name}` is not carried over", why, known))
            return ""
        json = member.json
        match name:
            case "identity":
                return f"{today} {quoted(self._text(json, name))}"
            case "subscribe":
                topics = self._texts(json, name)
                return f"{today} {', '.join(map(quoted, topics))}" if topics else ""
            case "mcast_loop":
                return f"{today} {'true' if self._boolean(json, name) else 'false'}"
            case "recovery_ivl":
                return f"{today} {SPELLINGS['duration'](1000 * self._integer(json, name))}"
            case "sndbuf" | "rcvbuf":
                return f"{today} {SPELLINGS['size'](self._integer(json, name))}"
            case _:
                return f"{today} {self._integer(json, name)}"

    # Values; ZPL has nothing but texts

    def _only(self, members: Members, known: tuple[str, ...]) -> None:
        for name, member in members.items():
            if name not in known:
                self.said.append(
                    mistakes.nothing_for_it(member.key, f"`{name}` is not carried over", "ZDCF does not know it", known)
                )

    def _object(self, json: Json, key: Span, what: str) -> Members:
        if isinstance(json.value, dict):
            return json.value
        if json.value not in (None, ""):
            self.said.append(mistakes.not_zdcf(json.span, f"{what} is an object with properties"))
        return {}

    def _inner(self, members: Members, name: str) -> Members:
        return self._object(members[name].json, members[name].key, f"`{name}`") if name in members else {}

    def _text(self, json: Json, name: str) -> str:
        if not isinstance(json.value, str):
            self.said.append(mistakes.not_zdcf(json.span, f"`{name}` is a text"))
        return json.value if isinstance(json.value, str) else ""

    def _texts(self, json: Json, name: str) -> list[str]:
        several = json.value if isinstance(json.value, list) else [json]
        return [self._text(one, name) for one in several]

    def _integer(self, json: Json, name: str) -> int:
        value = json.value
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**15:
            self.said.append(mistakes.not_zdcf(json.span, f"`{name}` is a whole number"))
            return 0
        return value

    def _boolean(self, json: Json, name: str) -> bool:
        value = str(json.value).lower()
        if value not in ("true", "false", "1", "0"):
            self.said.append(mistakes.not_zdcf(json.span, f"`{name}` is true or false"))
        return value in ("true", "1")

    def _called(self, called: str, name: str, key: Span) -> str:
        if called != name:
            self.said.append(mistakes.nothing_for_it(key, f"`{name}` is called `{called}` here", lost=False))
        return called


def _socket(head: str, socket: _Socket) -> Iterator[str]:
    words = " ".join([head, socket.type, *socket.places])
    yield f"{words} {{ {'; '.join(socket.options)} }}" if socket.options else words


def _endpoint(text: str) -> str:
    return spell_text(Copies({(): text}, ()))


def _float(json: Json) -> float | None:
    value = json.value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        value = float(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)
