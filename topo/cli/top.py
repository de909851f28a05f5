"""`ztopo top`: what runs and how fast."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, color_option, formats, name_argument, out, style_for, topology

if TYPE_CHECKING:
    from topo.run.client import Topology
    from topo.watch import Rates, Sample

COLUMNS = (*("name", "type", "peers", "in", "out", "parts", "bytes", "unroutable", "full", "lost", "dropped", "held"),
           *("state", "cpu", "memory", "restarts"))  # fmt: skip
"""Those of `topo.board`, which is not imported for the help alone."""

FIRST = 0.5
"""Seconds after which there is something to see on a terminal."""


HEADINGS = {"in/s": "in", "out/s": "out", "parts/s": "parts", "bytes/s": "bytes", "cpu%": "cpu"}
"""Those that are not called as the column is."""


def _column(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A column by its heading as it is shown, in whatever case, or by as much of it as tells it from the others."""
    if value is None:
        return None
    names = {**{name: name for name in COLUMNS}, **HEADINGS}
    wanted = value.lower()
    found = (
        {names[wanted]} if wanted in names else {column for name, column in names.items() if wanted and name.startswith(wanted)}
    )
    if len(found) == 1:
        return found.pop()
    which = f"there are {', '.join(COLUMNS)}" if not found else f"it may be {', '.join(c for c in COLUMNS if c in found)}"
    raise click.BadParameter(f"{value!r} is no column: {which}" if not found else f"{value!r} is not enough: {which}")


@click.command(short_help="Show what runs and how fast.")
@name_argument
@click.option("--once", is_flag=True, help="Print one table, with the rates of one interval, and end.")
@click.option("--format", type=click.Choice(formats("top")), default="text", show_default=True, help="json is printed once.")
@click.option(
    "--interval", type=click.FloatRange(0.05, 3600), default=1.0, show_default=True, metavar="SECONDS", help="From look to look."
)
@click.option(
    "--sort", callback=_column, metavar="COLUMN", help="Sort by a column, as `in/s` or a part of it; devices stay in one piece."
)
@click.option(
    "--only", "globs", multiple=True, metavar="GLOB", help="Only devices and apps of this name, as `worker*`. May be repeated."
)
@color_option
def command(
    name: str | None, once: bool, format: str, interval: float, sort: str | None, globs: tuple[str, ...], color: str
) -> Exit:
    """Show what runs and how fast: messages, bytes, peers, what was dropped, CPU and memory.

    NAME is that of a topology, or the file that it was started from. IN/S and OUT/S are messages per second that a socket receives
    and sends, PEERS the connections that it has at this moment, CPU% is of one core, `-` is not known. A device's CPU and memory are
    those of its process; if it shares that with others, the CPU is its thread's, and the process has a line of its own.

    Of what could not be passed on, UNROUTABLE counts messages for a peer that is not there, FULL those that their peer had no room for,
    and LOST those of which a part was sent when their peer went away; DROPPED is all three, and of a monitor the copies that it
    dropped. HELD are messages that were received and not yet passed on. They count from the start of the device on.

    On a terminal it goes on until q or Ctrl-C. `<` and `>` sort by another column, r turns the order round, / filters, p pauses.
    """
    from topo.watch import only

    looks = Looks(topology(name))
    if not once and format == "text" and sys.stdout.isatty() and sys.stdin.isatty():
        from topo.cli._screen import View, show

        time.sleep(min(interval, FIRST))
        show(lambda: only(looks.rates(), *globs), View(sort), interval)
        return Exit.DONE
    time.sleep(interval)
    rates = only(looks.rates(), *globs)
    out(import_module(f"topo.render.top_{format}").render(rates, style_for(sys.stdout, color), sort))
    return Exit.DONE


class Looks:
    """Looks at a topology again and again: each is compared with the one before."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._before = self._look()

    def _look(self) -> Sample:
        from topo.watch import look

        return look(self._topology.snapshot(), time.monotonic())

    def rates(self) -> Rates:
        """What happened since the last time."""
        from topo.watch import rates

        before, self._before = self._before, self._look()
        return rates(before, self._before)
