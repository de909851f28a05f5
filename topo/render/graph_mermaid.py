"""The picture of a topology as a Mermaid flow chart, which many sites draw where it stands in a text.

A device is a frame around its sides, an app a rounded node, or a frame if it has several sockets. Arrows point where messages
go, and carry the endpoint; a crossed line carries nothing. What ztopo does not start is dashed. Names are never written as
identifiers but as quoted labels, with everything escaped that means something to Mermaid.
"""

from __future__ import annotations

from collections.abc import Iterator

from topo.picture import Part, Picture, Port, Wire, upper_first
from topo.render import Style
from topo.text import clean
from topo.zeromq.sockets import SOCKETS

__all__ = ["render"]

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 :/.,-[]()")


def render(picture: Picture, style: Style) -> str:
    """The flow chart. The style does not matter to it."""
    names = {port.id: f"p{n}_{m}" for n, part in enumerate(picture.parts) for m, port in enumerate(part.ports)}
    ports = {port.id: port for part in picture.parts for port in part.ports}
    lines = ["flowchart TD"]
    for number, part in enumerate(picture.parts):
        lines.extend("    " + line for line in _part(f"p{number}", part, names))
    lines.extend("    " + _wire(wire, names, ports) for wire in picture.wires)
    dashed = [_node(f"p{n}", part, names) for n, part in enumerate(picture.parts) if not part.started]
    if dashed:
        lines.append("    classDef elsewhere stroke-dasharray: 5 5")
        lines.append(f"    class {','.join(dashed)} elsewhere")
    return "\n".join(lines) + "\n"


def _node(name: str, part: Part, names: dict[str, str]) -> str:
    """What a part is called: an app with one socket is the node of that socket."""
    return names[part.ports[0].id] if not part.is_device and len(part.ports) == 1 else name


def _part(name: str, part: Part, names: dict[str, str]) -> Iterator[str]:
    title = " ".join([part.name, *([f"({part.kind})"] if part.is_device else []), *part.traits])
    if not part.is_device and len(part.ports) < 2:
        yield f"{_node(name, part, names)}({_label(title, *(line for port in part.ports for line in _lines(port)))})"
        return
    yield f"subgraph {name}[{_label(title)}]"
    for port in part.ports:
        yield f"    {names[port.id]}[{_label(*_lines(port))}]"
    if part.is_device:
        yield from ("    " + line for line in _ways(part, names))
    yield "end"


def _lines(port: Port) -> list[str]:
    return [f"{port.name} {port.type}".strip(), *port.binds, *(f"to {endpoint}" for endpoint in port.outside)]


def _label(*lines: str) -> str:
    return '"' + "<br/>".join(_escaped(line) for line in lines) + '"'


def _escaped(text: str) -> str:
    return "".join(c if c in PLAIN else f"#{ord(c)};" for c in clean(text))


def _ways(part: Part, names: dict[str, str]) -> Iterator[str]:
    """How messages go through a device."""
    sides = {port.role: port for port in part.ports}
    inward, outward, monitor = sides.get("in"), sides.get("out"), sides.get("monitor")
    if inward is None or outward is None:
        return
    forward, backward = _passes(inward, outward), _passes(outward, inward)
    if backward and not forward:
        inward, outward, forward, backward = outward, inward, True, False
    yield f"{names[inward.id]} {_arrow(forward, backward)} {names[outward.id]}"
    if monitor is not None:
        for side in (inward, outward):
            if SOCKETS[side.type].receives:
                yield f"{names[side.id]} -.-> {names[monitor.id]}"


def _passes(source: Port, target: Port) -> bool:
    return SOCKETS[source.type].receives and SOCKETS[target.type].sends


def _arrow(forward: bool, backward: bool) -> str:
    """An arrow that points backwards only does not exist in Mermaid."""
    return "<-->" if forward and backward else "-->" if forward else "---"


def _wire(wire: Wire, names: dict[str, str], ports: dict[str, Port]) -> str:
    first, second = upper_first(wire, ports)
    forward, backward = (wire.forward, wire.backward) if first == wire.a else (wire.backward, wire.forward)
    if backward and not forward:
        first, second, forward, backward = second, first, True, False
    arrow = _arrow(forward, backward) if wire.talks else "x--x"
    return f"{names[first]} {arrow}|{_label(wire.endpoint)}| {names[second]}"
