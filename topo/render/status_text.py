"""How a running topology is, for people: what it has, in which state, at which addresses.

pipeline is running: process 4711, for 5 min
from /srv/pipeline.ztopo

NAME     KIND      STATE     PID  SINCE  DECLARED
batches  streamer  ready    4715  5 min  pipeline.ztopo:8
  in  PULL  bound  tcp://127.0.0.1:40001
source   app       ready    4720  5 min  pipeline.ztopo:19
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from topo.render import Style
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot
from topo.text import ago, table

__all__ = ["render"]

HEAD = ("NAME", "KIND", "STATE", "PID", "RESTARTS", "SINCE", "DECLARED")
NUMBERS = (3, 4, 5)
"""The columns that end at the same cell."""
GOOD = {"running": "green", "stopping": "yellow", "killing": "red"}


def render(snapshot: Snapshot, style: Style) -> str:
    """A running topology, as a text."""
    return "\n".join(_lines(snapshot, style, time.time())) + "\n"


def _lines(snapshot: Snapshot, style: Style, now: float) -> Iterator[str]:
    phase = style.paint(snapshot.phase, GOOD.get(snapshot.phase, "yellow"))
    yield f"{style.paint(snapshot.name, 'bold')} is {phase}: process {snapshot.pid}, for {ago(now - snapshot.started)}"
    yield f"from {snapshot.file}"
    members: tuple[DeviceSnapshot | AppSnapshot, ...] = (*snapshot.devices, *snapshot.apps)
    if not members:
        return
    head, *rows = table([HEAD, *(_row(m, now) for m in members)], style.width, right=NUMBERS)
    yield ""
    yield style.paint(head, "dim")
    for member, row in zip(members, rows, strict=True):
        yield row
        if isinstance(member, DeviceSnapshot):
            yield from _sockets(member, style)


def _row(member: DeviceSnapshot | AppSnapshot, now: float) -> tuple[str, ...]:
    kind, life = (member.kind, member.life) if isinstance(member, DeviceSnapshot) else ("app", member.standing)
    since = ago(now - member.since) if member.since is not None else "-"
    return (member.name, kind, life, str(member.pid or "-"), str(member.restarts), since, member.where)


def _sockets(device: DeviceSnapshot, style: Style) -> Iterator[str]:
    rows = []
    for socket in device.sockets:
        for word, addresses in (("bound", socket.bound), ("connect", socket.connected)):
            rows += [("", socket.id.rpartition(".")[2], socket.type, word, address) for address in addresses]
    for line in table(rows, style.width):
        yield style.paint(line, "dim")
