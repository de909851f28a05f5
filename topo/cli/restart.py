"""`ztopo restart`: start devices of a running topology again."""

from __future__ import annotations

import click

from topo.cli import Exit, say, topology

PATIENCE = 120.0
"""Seconds until all of them are ready again."""


@click.command()
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...")
@click.option("--topology", "name", metavar="NAME", help="Of which topology, if several run.")
def command(devices: tuple[str, ...], name: str | None) -> Exit:
    """Start devices of a running topology again, at the addresses that they have, and wait until they are ready.

    Who sends to them is paused meanwhile, as far as that can be: devices, and apps that use topo.socket. Over links between those
    nothing is lost. Where others send something may be, and it is said how much at most. Ends with 0 when they are ready, with 1 if
    they could not be started again, with 3 if there is no such topology.
    """
    from topo.run.client import Refused
    from topo.run.events import Undrained
    from topo.run.journal import what_it_loses

    found = topology(name)
    try:
        answers = found.ask("restart", PATIENCE, devices=devices)
    except Refused as refused:
        say(str(refused))
        return Exit(refused.exit_code)
    for answer in answers:
        for lost in answer["lost"]:
            left = Undrained(**lost)
            say(f"{left.name} loses {what_it_loses(left)}")
    say(f"started again: {', '.join(devices)}")
    return Exit.DONE
