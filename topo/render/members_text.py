"""The devices and apps that run, for people: a line each.

detector is running: process 4702

NAME    KIND   STATE   PID  RESTARTS  SINCE
frames  queue  ready  4711         0  5 min

Where several topologies are shown, the first column says whose each is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from topo.render import Style, said
from topo.run.client import Seen
from topo.run.snapshot import AppSnapshot, DeviceSnapshot
from topo.text import ago, table

__all__ = ["render"]

HEAD = ("NAME", "KIND", "STATE", "PID", "RESTARTS", "SINCE")
NUMBERS = (3, 4, 5)


def render(found: Sequence[Seen], style: Style) -> str:
    """A table of devices and apps."""
    now = time.time()
    if len(found) == 1:
        lines = table([HEAD, *_rows(found[0], now)], style.width, right=NUMBERS, cuttable=(0,))
        return "\n".join((_said(found[0], style), "", style.paint(lines[0], "dim"), *lines[1:])) + "\n"
    rows = [("TOPOLOGY", *HEAD), *((seen.topology.id, *row) for seen in found for row in _rows(seen, now))]
    head, *lines = table(rows, style.width, right=[column + 1 for column in NUMBERS], cuttable=(0, 1))
    return "\n".join((style.paint(head, "dim"), *lines)) + "\n"


def _said(seen: Seen, style: Style) -> str:
    assert seen.snapshot is not None
    rest = f" is {seen.snapshot.phase}: process {seen.snapshot.pid}"
    lines = said(seen.topology.id + rest, style)
    return "\n".join(lines) if len(lines) > 1 else style.paint(seen.topology.id, "bold") + rest


def _rows(seen: Seen, now: float) -> Iterator[tuple[str, ...]]:
    assert seen.snapshot is not None
    for device in seen.snapshot.devices:
        yield (device.name, device.kind, device.standing, *_common(device, now))
    for app in seen.snapshot.apps:
        yield (app.name, "app", app.standing, *_common(app, now))


def _common(member: DeviceSnapshot | AppSnapshot, now: float) -> tuple[str, ...]:
    return (str(member.pid or "-"), str(member.restarts), ago(now - member.since) if member.since is not None else "-")
