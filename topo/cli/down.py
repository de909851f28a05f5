"""`ztopo down`: stop a running topology, and wait until nothing of it is left."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from topo.cli import Exit, say, topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topo.run.client import Topology

WORTH_SAYING = ("busy", "finding", "missed", "undrained")
"""The events that are shown, as they happen."""
DRAINING = 0.8
"""The part of a given time in which it drains; the rest is for the end itself."""


@click.command(short_help="Stop running topologies, and wait until nothing of them is left.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Kill what has not ended by then.")
def command(names: tuple[str, ...], timeout: float | None) -> Exit:
    """Stop running topologies in order, sources first, and wait until nothing of them is left.

    NAME may be left out where only one runs; of several each is stopped after the one before, and none if one of them does not run.

    It drains first, and says who loses something; if that takes more than a moment, it says who is still busy. Without --timeout it
    drains as long as `up` was told, and each device and app has its own time to end.
    Ends with 0 when nothing is left, with 1 if something had to be killed because of --timeout, with 3 if there is no such topology.
    Ctrl-C ends the waiting only.
    """
    code = Exit.DONE
    for found in {found.id: found for found in map(topology, names or (None,))}.values():
        forced = not _stop(found, timeout)
        say(f"{found.id} has stopped" + (f"; what had not ended after {timeout:g} s was killed" if forced else ""))
        code = Exit.FINDINGS if forced else code
    return code


def _stop(found: Topology, timeout: float | None) -> bool:
    """Stop it, and say whether that came about without force."""
    from topo.run.client import NotRunning

    until = None if timeout is None else time.monotonic() + timeout
    in_time = True
    try:
        with closing(found.stream("events", until=until)) as stream:
            next(stream)  # what is told from now on is seen
            say(f"stopping {found.id}")
            found.ask("stop", by="ztopo down", drain=None if timeout is None else DRAINING * timeout)
            in_time = _watch(stream)
        if not in_time:
            found.ask("stop", by=f"ztopo down --timeout {timeout:g}", force=True)
    except NotRunning:
        pass  # it has ended in between
    found.wait_until_gone()
    return in_time


def _watch(stream: Iterator[dict[str, Any]]) -> bool:
    """Show what is worth it until the end, and say whether that came in time."""
    try:
        for answer in stream:
            if answer.get("event") in WORTH_SAYING:
                where = f"{answer['where']}: " if answer.get("where") else ""
                say(f"{where}{answer['message']}")
    except TimeoutError:
        return False
    return True
