"""`ztopo restart`: start devices of a running topology again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, Refusal, say, topology

if TYPE_CHECKING:
    from topo.run.snapshot import Snapshot

PATIENCE = 120.0
"""Seconds until all of them are ready again."""


@click.command(short_help="Start devices of a running topology again.")
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...")
@click.option("-t", "--topology", "name", metavar="NAME", help="The topology; it may be left out where only one runs.")
def command(devices: tuple[str, ...], name: str | None) -> Exit:
    """Start devices of a running topology again, at the addresses that they have, and wait until they are ready.

    DEVICE is a device, as `broker`, or all replicas of one. Who sends to them is paused meanwhile, as far as that can be: devices, and apps that use topo.socket. Over links between those
    nothing is lost. Where others send something may be, and it is said how much at most. Ends with 0 when they are ready, with 1 if
    they could not be started again, with 3 if there is no such topology.
    """
    from topo.run.events import Undrained
    from topo.run.journal import what_it_loses

    found = topology(name)
    devices = _meant(found.snapshot(), devices)
    for answer in found.ask("restart", PATIENCE, devices=devices):
        for lost in answer["lost"]:
            left = Undrained(**lost)
            say(f"{left.name} loses {what_it_loses(left)}")
    say(f"started again: {', '.join(devices)}")
    return Exit.DONE


def _meant(snapshot: Snapshot, names: Iterable[str]) -> tuple[str, ...]:
    """The devices that are meant, each once."""
    from topo.diagnostic import did_you_mean
    from topo.watch import named

    meant: dict[str, None] = {}
    for name in names:
        found = [device.name for device in snapshot.devices if named(name, device.name)]
        if not found and any(named(name, app.name) for app in snapshot.apps):
            raise Refusal(f"{name} is an app: only devices are started again")
        if not found:
            notes = did_you_mean(name, (device.name for device in snapshot.devices))
            raise Refusal("; ".join((f"there is no device `{name}` in {snapshot.name}", *notes)))
        meant |= dict.fromkeys(found)
    return tuple(meant)
