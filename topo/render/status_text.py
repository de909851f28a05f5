"""How a running topology is, for people: what it has, in which state, at which addresses.

pipeline is running: process 4711, for 5 min
from /srv/pipeline.ztopo

NAME     KIND      STATE     PID  SINCE  DECLARED
batches  streamer  ready    4715  5 min  pipeline.ztopo:8
  in  PULL  bound  tcp://127.0.0.1:40001
source   app       ready    4720  5 min  pipeline.ztopo:19
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from topo.render import Style, here, said
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot
from topo.text import ago, nearest, table, width

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
    rest = f": process {snapshot.pid}, for {ago(now - snapshot.started)}"
    first, *more = said(f"{snapshot.name} is {snapshot.phase}{rest}", style)
    yield first if more else f"{style.paint(snapshot.name, 'bold')} is {phase}{rest}"
    yield from more
    yield f"from {_file(snapshot.file, style.width - 5)}"
    members: tuple[DeviceSnapshot | AppSnapshot, ...] = (*snapshot.devices, *snapshot.apps)
    if not members:
        return
    folder = os.path.dirname(snapshot.file)
    head, *rows = table([HEAD, *(_row(m, folder, now) for m in members)], style.width, right=NUMBERS, cuttable=(6, 0))
    yield ""
    yield style.paint(head, "dim")
    for member, row in zip(members, rows, strict=True):
        yield row
        if isinstance(member, DeviceSnapshot):
            yield from _sockets(member, style)


def _file(path: str, cells: int) -> str:
    """The whole path, or if that has no room and we are near it, what it is called here."""
    return path if width(path) <= cells else nearest(path, here())


def _row(member: DeviceSnapshot | AppSnapshot, folder: str, now: float) -> tuple[str, ...]:
    kind = member.kind if isinstance(member, DeviceSnapshot) else "app"
    since = ago(now - member.since) if member.since is not None else "-"
    return (
        member.name,
        kind,
        member.standing,
        str(member.pid or "-"),
        str(member.restarts),
        since,
        nearest(member.where, folder),
    )


def _sockets(device: DeviceSnapshot, style: Style) -> Iterator[str]:
    rows = []
    for socket in device.sockets:
        for word, addresses in (("bound", socket.bound), ("connect", socket.connected)):
            rows += [("", socket.id.rpartition(".")[2], socket.type, word, address) for address in addresses]
    for line in table(rows, style.width):
        yield style.paint(line, "dim")
