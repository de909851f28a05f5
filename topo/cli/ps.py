"""`ztopo ps`: the devices and apps that run."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from topo.cli import Exit, color_option, formats, must_run_here, name_argument, out, say, style_for, topology


@click.command(short_help="Say which devices and apps run.")
@name_argument
@click.option("--format", type=click.Choice(formats("members")), default="text", show_default=True, help="How they are written.")
@color_option
def command(name: str | None, format: str, color: str) -> Exit:
    """Say which devices and apps run, of the topology NAME, or of all: their state, process, restarts, and since when.

    Ends with 0; with 3 if NAME does not run, with 4 if a topology does not answer, after what the others say.
    """
    must_run_here()
    from topo.run.client import each, look_at, topologies

    found = each([topology(name)] if name else topologies(), look_at)
    answers = [seen for seen in found if seen.snapshot is not None]
    if answers or format != "text":
        out(import_module(f"topo.render.members_{format}").render(answers, style_for(sys.stdout, color)))
    elif not found:
        say("no topology is running")
    for seen in found:
        if seen.snapshot is None:
            say(f"error: {seen.trouble}")
    return Exit.DONE if len(answers) == len(found) else Exit.UNREACHABLE
