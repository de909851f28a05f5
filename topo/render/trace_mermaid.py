"""The way of a message as a Mermaid sequence diagram: a line for each socket, an arrow wherever the message goes.

What a socket does to the parts is a note; the sides of a device stand in a box. Names are quoted by escaping everything that
means something to Mermaid.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from topo.envelope import Journey, Leg, Part, label, sentence, telling
from topo.model import Socket
from topo.render import Style
from topo.text import clean
from topo.trace import Trace

__all__ = ["render"]

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 /.,[]()")


def render(trace: Trace, style: Style) -> str:
    """The diagram of the shortest way, or of none. The style does not matter to it."""
    lines = ["sequenceDiagram"]
    for journey in trace.journeys[:1]:
        lines.extend(f"    {line}" for line in _journey(journey))
    return "\n".join(lines) + "\n"


def _journey(journey: Journey) -> Iterator[str]:
    titled = (("subscription", journey.before), ("there", journey.there), ("back", journey.back))
    legs = [(title, leg) for title, leg in titled if leg is not None and leg.hops]
    order = [hop.socket for _, leg in legs[journey.before is not None :] for hop in leg.hops]
    ahead = [] if journey.before is None else [hop.socket for hop in reversed(journey.before.hops)]
    sockets = {socket.id: socket for socket in (*order, *ahead)}
    names = {id: f"p{n}" for n, id in enumerate(sockets)}
    yield from _participants(sockets, names)
    for title, leg in legs:
        yield f"Note over {names[leg.hops[0].socket.id]}: {title}"
        yield from _leg(leg, names)


def _participants(sockets: dict[str, Socket], names: dict[str, str]) -> Iterator[str]:
    """Sides of one device, which follow each other, in a box."""
    inside = ""
    for socket in sockets.values():
        device = socket.owner if socket.role != "app" else ""
        if device != inside:
            if inside:
                yield "end"
            if device:
                yield f"box transparent {_escaped(device)}"  # a first word that is a colour would be taken for one
            inside = device
        yield f"participant {names[socket.id]} as {_escaped(f'{socket.id} {socket.type}')}"
    if inside:
        yield "end"


def _leg(leg: Leg, names: dict[str, str]) -> Iterator[str]:
    hops = telling(leg)
    for before, hop in pairwise([None, *hops]):
        assert hop is not None
        if before is not None and before.socket.id != hop.socket.id:
            arrow = "-)" if hop.link is not None else "--)"
            yield f"{names[before.socket.id]}{arrow}{names[hop.socket.id]}: {_parts(before.parts)}"
        yield f"Note over {names[hop.socket.id]}: {_escaped(sentence(hop))}<br/>{_parts(hop.parts)}"
    if leg.why:
        yield f"Note over {names[hops[-1].socket.id]}: {_escaped(leg.why)}"


def _parts(parts: tuple[Part, ...]) -> str:
    return " #124; ".join(_escaped(label(part)) for part in parts)


def _escaped(text: str) -> str:
    return "".join(c if c in PLAIN else f"#{ord(c)};" for c in clean(text))
