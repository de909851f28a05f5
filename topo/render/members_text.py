"""The devices and apps that run, for people: a line each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from topo.render import Style
from topo.run.client import Seen
from topo.run.snapshot import AppSnapshot, DeviceSnapshot
from topo.text import ago, table

__all__ = ["render"]

HEAD = ("TOPOLOGY", "NAME", "KIND", "STATE", "PID", "RESTARTS", "SINCE")
NUMBERS = (4, 5, 6)


def render(found: Sequence[Seen], style: Style) -> str:
    """A table of devices and apps."""
    now = time.time()
    head, *lines = table([HEAD, *(row for seen in found for row in _rows(seen, now))], style.width, right=NUMBERS, cuttable=1)
    return "\n".join((style.paint(head, "dim"), *lines)) + "\n"


def _rows(seen: Seen, now: float) -> Iterator[tuple[str, ...]]:
    assert seen.snapshot is not None
    for device in seen.snapshot.devices:
        yield (seen.topology.id, device.name, device.kind, device.life, *_common(device, now))
    for app in seen.snapshot.apps:
        yield (seen.topology.id, app.name, "app", app.standing, *_common(app, now))


def _common(member: DeviceSnapshot | AppSnapshot, now: float) -> tuple[str, ...]:
    return (str(member.pid or "-"), str(member.restarts), ago(now - member.since) if member.since is not None else "-")
