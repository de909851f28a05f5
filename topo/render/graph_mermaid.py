"""The picture of a topology as a Mermaid flow chart, which many sites draw where it stands in a text.

A device is a frame around its sides, an app a rounded node, or a frame around its sockets and devices; devices that share a
process have a frame around them. Arrows point where messages go, and carry the endpoint; a crossed line carries nothing. What
ztopo does not start is dashed. Names are never written as identifiers but as quoted labels, with everything escaped that means
something to Mermaid.
"""

from __future__ import annotations

from collections import defaultdict
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
    inner: dict[str, list[tuple[str, Part]]] = defaultdict(list)
    for number, part in enumerate(picture.parts):
        inner[part.home].append((f"p{number}", part))
    apps = {part.name for part in picture.parts if not part.is_device}
    lines = ["flowchart TD"]
    for number, part in enumerate(picture.parts):
        if not part.home:
            drawn = _part(f"p{number}", part, [] if part.is_device else inner[part.name], names)
        elif part.home not in apps and inner[part.home]:
            drawn = _framed(f"g{number}", part.home, inner.pop(part.home), names)
        else:
            continue
        lines.extend("    " + line for line in drawn)
    lines.extend("    " + _wire(wire, names, ports) for wire in picture.wires)
    dashed = [_node(f"p{n}", part, inner[part.name], names) for n, part in enumerate(picture.parts) if not part.started]
    if dashed:
        lines.append("    classDef elsewhere stroke-dasharray: 5 5")
        lines.append(f"    class {','.join(dashed)} elsewhere")
    return "\n".join(lines) + "\n"


Inner = list[tuple[str, Part]]
"""Devices, each with its name in the chart."""


def _node(name: str, part: Part, devices: Inner, names: dict[str, str]) -> str:
    """What a part is called: an app with one socket and no devices is the node of that socket."""
    return names[part.ports[0].id] if not part.is_device and len(part.ports) == 1 and not devices else name


def _part(name: str, part: Part, devices: Inner, names: dict[str, str]) -> Iterator[str]:
    if not part.is_device and len(part.ports) < 2 and not devices:
        label = _label(_title(part), *(line for port in part.ports for line in _lines(port)))
        yield f"{_node(name, part, devices, names)}({label})"
        return
    yield f"subgraph {name}[{_label(_title(part))}]"
    for inner, device in devices:
        yield from ("    " + line for line in _part(inner, device, [], names))
    for port in part.ports:
        yield f"    {names[port.id]}[{_label(*_lines(port))}]"
    if part.is_device:
        yield from ("    " + line for line in _ways(part, names))
    yield "end"


def _framed(name: str, title: str, devices: Inner, names: dict[str, str]) -> Iterator[str]:
    """Devices that share a process."""
    yield f"subgraph {name}[{_label(title)}]"
    for inner, device in devices:
        yield from ("    " + line for line in _part(inner, device, [], names))
    yield "end"


def _title(part: Part) -> str:
    return " ".join([part.name, *([f"({part.kind})"] if part.is_device else []), *part.traits])


def _lines(port: Port) -> list[str]:
    return [f"{port.name} {port.type}".strip(), *port.binds, *(f"to {endpoint}" for endpoint in port.outside)]


def _label(*lines: str) -> str:
    return '"' + "<br/>".join(_escaped(line) for line in lines) + '"'


def _escaped(text: str) -> str:
    return "".join(c if c in PLAIN else f"#{ord(c)};" for c in clean(text))


def _ways(part: Part, names: dict[str, str]) -> Iterator[str]:
    """How messages go through a device."""
    sides = {port.role: port for port in part.ports}
    inward, monitor = sides.get("in"), sides.get("monitor")
    if inward is None:
        return
    outward = sides.get("out", inward)
    forward, backward = _passes(inward, outward), _passes(outward, inward)
    if backward and not forward:
        inward, outward, forward, backward = outward, inward, True, False
    if outward is not inward:
        yield f"{names[inward.id]} {_arrow(forward, backward)} {names[outward.id]}"
    if monitor is not None:
        for side in dict.fromkeys((inward, outward)):
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
