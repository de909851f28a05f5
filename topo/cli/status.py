"""`ztopo status`: how a running topology is."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from topo.cli import Exit, color_option, formats, name_argument, out, style_for, topology


@click.command(short_help="Say how a running topology is.")
@name_argument
@click.option("--format", type=click.Choice(formats("status")), default="text", show_default=True, help="How it is written.")
@color_option
def command(name: str | None, format: str, color: str) -> Exit:
    """Say how a running topology is: its devices, their addresses, its apps.

    NAME is that of a topology, or the file that it was started from. Ends with 0 if it runs, 3 if it does not, 4 if it runs and
    does not answer.
    """
    snapshot = topology(name).snapshot()
    out(import_module(f"topo.render.status_{format}").render(snapshot, style_for(sys.stdout, color)))
    return Exit.DONE
