"""`ztopo trace`: the parts of a message on its way, there and back."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, Refusal, color_option, compiled, formats, only_file, out, set_option, style_for

if TYPE_CHECKING:
    from topo.graph import Graph
    from topo.model import Socket

MOST = 3
"""So many ways are shown."""


@click.command(short_help="Show a message on its way, socket by socket.")
@click.argument("names", nargs=-1, metavar="[FILE] FROM TO")
@set_option
@click.option("--format", type=click.Choice(formats("trace")), default="text", show_default=True, help="How the way is written.")
@color_option
def command(names: tuple[str, ...], params: dict[str, str], format: str, color: str) -> Exit:
    """Show a message on its way, socket by socket: its parts there and back.

    FROM and TO are apps, sockets of apps or sides of devices, as `client`, `sink.work`, `broker.out`. A name that stands for
    several is the first of them. Of several ways the shortest are shown.

    Ends with 0 if the message arrives, and its answer where the sender waits for one; with 1 if not, or if the file has errors.
    """
    from msgspec.structs import replace

    from topo.trace import trace

    if not 2 <= len(names) <= 3:
        raise click.UsageError("from where, and to where? As in `ztopo trace broker.ztopo client worker`")
    *files, start, end = names
    compilation = compiled(files[0] if files else only_file(), params, color)
    graph = compilation.graph
    starts, ends = _named(graph, start), _named(graph, end)
    if starts == ends and len(ends) > 1:
        ends = ends[1:]  # from one replica to another
    found = trace(graph, starts[0], ends[0], MOST)
    several = tuple((name, group[0][0], _count(graph, group)) for name, group in ((start, starts), (end, ends)))
    found = replace(found, start=start, end=end, stands=tuple(s for s in several if s[2] != 1))
    out(import_module(f"topo.render.trace_{format}").render(found, style_for(sys.stdout, color)))
    arrives = any(journey.verdict in ("answered", "one way") for journey in found.journeys)
    return Exit.DONE if arrives and compilation.valid else Exit.FINDINGS


def _named(graph: Graph, name: str) -> list[tuple[Socket, ...]]:
    """What a name stands for: the sockets of each replica. A step without brackets is each of several."""
    steps = (re.escape(step) if step.endswith("]") else rf"{re.escape(step)}(?:\[[^]]*\])?" for step in name.split("."))
    pattern = re.compile(r"\.".join(steps))
    sockets: list[tuple[Socket, ...]] = [(s,) for s in graph.sockets.values() if pattern.fullmatch(s.id)]
    if sockets:
        return sockets
    owners = [c for c in graph.model.components if pattern.fullmatch(c.name)]
    groups = [tuple(s for s in owner.sockets if s.role != "monitor") for owner in owners]
    if owners and not any(groups):
        raise Refusal(f"`{name}` has no sockets")
    if not owners:
        raise Refusal(f"there is no app, device or socket `{name}`{_nearest(graph, name)}")
    return groups


def _nearest(graph: Graph, name: str) -> str:
    from topo.diagnostic import did_you_mean
    from topo.model import REPLICA

    components = (REPLICA.sub("", component.name) for component in graph.model.components)
    known = dict.fromkeys([*components, *(socket.declared for socket in graph.sockets.values())])
    return "".join(f", {note}" for note in did_you_mean(name, known))


def _count(graph: Graph, group: list[tuple[Socket, ...]]) -> int:
    """How many a name stands for; 0 is any number."""
    return 0 if graph.any_number(group[0][0]) else len(group)
