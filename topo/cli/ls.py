"""`ztopo ls`: the topologies that run."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from topo.cli import Exit, color_option, formats, must_run_here, out, say, style_for


@click.command(short_help="Say which topologies run.")
@click.option(
    "--format", type=click.Choice(formats("topologies")), default="text", show_default=True, help="How they are written."
)
@color_option
def command(format: str, color: str) -> Exit:
    """Say which topologies run: name, phase, process, for how long, and from which file.

    What one that was killed has left in its folder is removed.
    """
    must_run_here()
    from topo.run.client import each, glance_at, topologies

    found = each(topologies(), glance_at)
    if not found and format == "text":
        say("no topology is running")
        return Exit.DONE
    out(import_module(f"topo.render.topologies_{format}").render(found, style_for(sys.stdout, color)))
    return Exit.DONE
