"""`ztopo logs`: what has happened to a topology, and what its apps have written."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from topo.cli import (
    Exit,
    Refusal,
    color_option,
    end_with_reader,
    formats,
    must_run_here,
    name_argument,
    out,
    past_of,
    say,
    style_for,
    topology,
)

if TYPE_CHECKING:
    from topo.run.client import Topology
    from topo.run.log import Tail

Records = Iterable[dict[str, Any]]

SHOWN = 10
"""How many members are named to whoever names another one."""
STEP = 0.1
"""Seconds from look to look, where the log is followed."""


@click.command(short_help="Show what has happened, and what apps have written.")
@name_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the topology has ended.")
@click.option("-n", "--lines", type=click.IntRange(0), metavar="COUNT", help="The last so many records, of whichever run.")
@click.option(
    "--only", "names", multiple=True, metavar="NAME", help="Only this device or app, or all its replicas. May be repeated."
)
@click.option("--format", type=click.Choice(formats("log")), default="text", show_default=True, help="How they are written.")
@color_option
def command(name: str | None, follow: bool, lines: int | None, names: tuple[str, ...], format: str, color: str) -> Exit:
    """Show what has happened to a topology, the output of its apps included, from its last start on.

    The log survives the topology. As jsonl each record is a line, with its time, level, component, event, message, the place in the
    file, the process, and more data. Without NAME, and if nothing runs, it is the log of the last one that ran. Ctrl-C ends -f, with 0.
    """
    must_run_here()
    from topo.run.log import Tail

    path, running = _find(name)
    members: set[str] = set()
    render = import_module(f"topo.render.log_{format}").render
    style = style_for(sys.stdout, color)
    tail = Tail(path)
    if follow:
        end_with_reader()

    def wanted(record: dict[str, Any]) -> bool:
        members.add(str(record.get("component", "")))
        for_people = format != "text" or record.get("level") != "debug"
        return for_people and (not names or _is_one_of(str(record.get("component", "")), names))

    before: dict[str, Any] | None = None
    near = Near()
    there = _before(near.seen(tail.read()), lines, wanted)
    _must_know(names, members, running)
    after = filter(wanted, near.seen(_after(tail, running))) if follow else ()
    try:
        for record in chain(there, after):
            if not out(render(near.called(record) if format == "text" else record, style, before)):
                break
            before = record
    except KeyboardInterrupt:  # that is how one ends it
        if not follow:
            raise
    return Exit.DONE


def _must_know(names: tuple[str, ...], members: set[str], running: Topology | None) -> None:
    """End the program with 2 if there is nobody of one of these names, neither in the log nor among those that run."""
    from topo.diagnostic import did_you_mean

    known = members - {""}
    if running is not None and not _all_known(names, known):
        snapshot = running.snapshot()
        known |= {device.name for device in snapshot.devices} | {app.name for app in snapshot.apps}
    for name in names:
        if not _all_known((name,), known):
            called = sorted({member.partition("[")[0] for member in known})
            there = f"there are {', '.join(called[:SHOWN])}" + (", …" if len(called) > SHOWN else "")
            raise Refusal("; ".join((f"there is no member `{name}`", *(did_you_mean(name, called) or (there,)))))


def _all_known(names: tuple[str, ...], known: set[str]) -> bool:
    """Whether there is somebody of each of these names."""
    return all(any(_is_one_of(member, (name,)) for member in known) for name in names)


def _find(name: str | None) -> tuple[Path, Topology | None]:
    """The log of a topology, and that itself if it runs."""
    from topo.run.client import NotRunning

    try:
        running = topology(name)
    except NotRunning as trouble:
        past = past_of(name)
        if past is None:
            raise NotRunning(f"there is no log{f' of {name}' if name else ''}: {trouble}") from trouble
        if name is None:
            say(f"no topology is running; the last one was {past.name}")
        return past.log, None
    if not running.owner.log:
        raise Refusal(f"{running.id} has no log: the program that runs it, process {running.owner.pid}, keeps its own")
    return Path(running.owner.log), running


class Near:
    """Calls places as they are called from here, or from the folder of the file that the topology was started from."""

    def __init__(self) -> None:
        from topo.render import here

        self._folders = [here(), ""]

    def seen(self, records: Records) -> Records:
        """The same records, of which those that tell of a file are taken note of."""
        for record in records:
            if record.get("event") == "begun":
                self._folders[1] = os.path.dirname(str((record.get("data") or {}).get("file", "")))
            yield record

    def called(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with its place as short as it can be."""
        from topo.text import nearest

        return {**record, "where": nearest(str(record.get("where") or ""), *self._folders)}


def _before(records: Records, count: int | None, wanted: Callable[[dict[str, Any]], bool]) -> Records:
    """What there is already and is wanted: the last so many, or all since the last start."""
    if count is not None:
        return deque(filter(wanted, records), count)
    last: list[dict[str, Any]] = []
    for record in records:
        if record.get("event") == "begun":
            last.clear()
        if wanted(record):
            last.append(record)
    return last


def _after(tail: Tail, running: Topology | None) -> Iterator[dict[str, Any]]:
    """What comes, until the topology has ended."""
    while running is not None:
        gone = running.is_gone()  # asked first: then there is no more than what is read now
        yield from tail.read()
        if gone:
            return
        time.sleep(STEP)


def _is_one_of(component: str, names: tuple[str, ...]) -> bool:
    return any(component == name or component.startswith(f"{name}[") for name in names)
