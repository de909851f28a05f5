"""Topologies to prove the model with: one device or two between ends of every type."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from hypothesis import assume
from hypothesis import strategies as st

from topo.zeromq.sockets import PEERS, SOCKETS

SPEAKING = [t.name for t in SOCKETS.values() if not t.draft and t.name != "STREAM"]
NAMED = frozenset({"REQ", "DEALER", "ROUTER"})
AS = {"REQ": ("DEALER as REQ", "ROUTER as REQ"), "REP": ("DEALER as REP", "ROUTER as REP")}

Pair = tuple[str, str]
"""Two ends of a text, from where and to where."""


def end(name: str, kind: str, to: str, *, count: int = 1, named: bool = True, topics: str = '""') -> str:
    """An app with one socket."""
    brackets = "" if count == 1 else f"[{count}]"
    number = "" if count == 1 else "${index}"
    options = ["run inside"]
    if named and kind.split()[0] in NAMED:
        options.append(f'routing_id "{name}{number}"')
    if kind == "SUB":
        options.append(f"subscribe {topics}")
    return f"app {name}{brackets}: {kind} connect {to} {{ {'; '.join(options)} }}"


def side(name: str, kind: str, where: str, *, named: bool = True) -> str:
    """A side of a device."""
    options = [f'routing_id "{where.split()[1]}"'] if named and kind in NAMED else []
    if kind == "SUB":
        options.append('subscribe ""')
    return f"    {name} {kind} {where} {{ {'; '.join(options)} }}"


def one_device(in_type: str, out_type: str, client: str, worker: str, *, swap: bool = False) -> str:
    """One device that is watched, an end before it and an end behind it."""
    return "\n".join(
        [
            f"device d: proxy{' swap' if swap else ''} {{",
            side("in", in_type, "bind inproc://in"),
            side("out", out_type, "bind inproc://out"),
            "    monitor PUB bind inproc://monitor",
            "}",
            end("client", client, "d.in"),
            end("worker", worker, "d.out"),
            'app watcher: SUB connect d.monitor { subscribe ""; run inside }',
        ]
    )


def every_device() -> Iterator[tuple[str, list[str]]]:
    """Every pair of sides, as `ROUTER/DEALER swap`, and a text for every pair of ends."""
    for in_type, out_type, swap in product(SPEAKING, SPEAKING, (False, True)):
        if swap and not in_type == out_type == "ROUTER":
            continue
        ends = product(sorted(PEERS[in_type]), sorted(PEERS[out_type]))
        texts = [one_device(in_type, out_type, client, worker, swap=swap) for client, worker in ends]
        yield f"{in_type}/{out_type}{' swap' if swap else ''}", texts


USEFUL = [
    (a, b) for a, b in product(SPEAKING, SPEAKING) if any(SOCKETS[s].receives and SOCKETS[t].sends for s, t in ((a, b), (b, a)))
]
BOTH_WAYS = [pair for pair in USEFUL if set(pair) <= {"DEALER", "ROUTER", "PAIR"}]
SIDES = [*USEFUL, *BOTH_WAYS * 12]
"""Pairs of sides through which something goes. Those are most frequent through which the most can happen."""
often = st.sampled_from([True, True, True, False])


def _peer(draw: st.DrawFn, kind: str) -> str:
    """A type that talks to this one; perhaps one whose program makes another of it."""
    peer = draw(st.sampled_from(sorted(PEERS[kind])))
    instead = [name for names in AS.values() for name in names if name.split()[0] == peer]
    return draw(st.sampled_from([peer, *instead])) if instead and draw(often) else peer


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, Pair]:
    """One or two devices in a row, several ends on either side, and one of the ways between two ends.

    None has an XPUB and a REQ among its sides: a subscription is a message, too, and takes turns.
    """
    length = draw(st.integers(1, 2))
    sides = [draw(st.sampled_from(SIDES))]
    for _ in range(length - 1):
        sides.append(draw(st.sampled_from([pair for pair in SIDES if pair[0] in PEERS[sides[-1][1]]])))
    assume(not {"XPUB", "REQ"} <= {kind for pair in sides for kind in pair})
    lines, ends = [], []
    for number, (in_type, out_type) in enumerate(sides):
        swap = " swap" if in_type == out_type == "ROUTER" and draw(often) else ""
        lines.append(f"device d{number}: proxy{swap} {{")
        lines.append(side("in", in_type, f"bind inproc://in{number}", named=draw(often)))
        onward = f"connect d{number + 1}.in" if number + 1 < length else f"bind inproc://out{number}"
        lines.append(side("out", out_type, onward, named=draw(often)))
        if draw(st.booleans()):
            prefixes = draw(st.sampled_from(['"in", "out"', '"", ">"']))
            lines.append(
                f"    monitor {draw(st.sampled_from(['PUB', 'XPUB']))} bind inproc://monitor{number} {{ prefix {prefixes} }}"
            )
            ends.append(
                (f"watcher{number}", "SUB", f"d{number}.monitor", draw(st.sampled_from(['""', '"in"', '">"', '"out", "x"'])))
            )
        lines.append("}")
    ends.insert(0, ("client", _peer(draw, sides[0][0]), "d0.in", draw(st.sampled_from(['""', '"the"', '"x"', '"x", "the q"']))))
    ends.insert(1, ("worker", _peer(draw, sides[-1][1]), f"d{length - 1}.out", draw(st.sampled_from(['""', '"the"', '"x"']))))
    places = []
    for name, kind, to, topics in ends:
        count = draw(st.integers(1, 2)) if kind != "PAIR" else 1
        lines.append(end(name, kind, to, count=count, named=draw(often), topics=topics))
        places.append([name] if count == 1 else [f"{name}[{n}]" for n in range(count)])
    start, last = draw(st.sampled_from([(0, 1), (1, 0), *((n, m) for n in (0, 1) for m in range(2, len(places)))]))
    return "\n".join(lines), (draw(st.sampled_from(places[start])), draw(st.sampled_from(places[last])))
