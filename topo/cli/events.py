"""`ztopo events`: what happens to a running topology, as it happens."""

from __future__ import annotations

import json

import click

from topo.cli import Exit, end_with_reader, name_argument, out, topology


@click.command()
@name_argument
@click.option("--follow/--no-follow", default=True, show_default=True, help="Go on until the topology has ended.")
def command(name: str | None, follow: bool) -> Exit:
    """Write what runs, and then what happens to it, as lines of JSON.

    The first line has a `snapshot`, as `ztopo status --format json` shows it; each one after it is a record, with its time, level,
    component, event, message and the place in the file. If they come faster than somebody reads them, a line `{"missed": 12}`
    stands where so many were left out. Ctrl-C ends it, with 0. What apps write is not among them: see `ztopo logs`.
    """
    found = topology(name)
    end_with_reader()
    try:
        for answer in found.stream("events"):
            if not out(json.dumps(answer, separators=(",", ":")) + "\n") or not follow:
                break
    except KeyboardInterrupt:  # that is how one ends it
        if not follow:
            raise
    return Exit.DONE
