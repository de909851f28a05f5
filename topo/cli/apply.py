"""`ztopo apply`: change what runs."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from topo.cli import (
    Exit,
    Refusal,
    as_started,
    changed_argument,
    color_option,
    compiled,
    formats,
    out,
    say,
    set_option,
    style_for,
    topology,
)

if TYPE_CHECKING:
    from topo.run.client import Topology
    from topo.steps import ChangePlan


@click.command(short_help="Change what runs to what a file or a saved plan says.")
@changed_argument
@set_option
@click.option(
    "--format", type=click.Choice(formats("change")), default="text", show_default=True, help="How the plan is written."
)
@color_option
def command(file: str, params: dict[str, str], format: str, color: str) -> Exit:
    """Change the topology that runs to what FILE says, or do what `ztopo plan -o FILE` has saved.

    NAME is that of a topology that runs, and stands for the file that it was started from, with the params that were set then.

    What is done is shown first, as `ztopo plan` shows it, then each step. Nothing else is touched. If a step cannot be done,
    everything goes back, and what ran still runs: that ends with 1. Ends with 78 if the file is invalid, or if something has started,
    ended or changed since the plan was made. Ctrl-C takes back what is done.
    """
    from topo.run.client import NotRunning

    saved = _saved(file)
    try:
        if saved is not None:
            there, plan, texts = topology(saved.name), saved, dict[str, str]()
        else:
            there, plan, texts = _planned(file, params, color)
    except NotRunning as error:
        say(f"{error}, so there is nothing to change")
        return Exit.NOT_RUNNING
    out(import_module(f"topo.render.change_{format}").render(plan, style_for(sys.stdout, color)))
    return _carry_out(there, plan, texts)


def _planned(file: str, params: dict[str, str], color: str) -> tuple[Topology, ChangePlan, dict[str, str]]:
    """Who runs, what is to be done, and the texts that it is said in."""
    from topo.change import plan_change
    from topo.compile import make_plan
    from topo.plan import sources

    compilation = compiled(file, as_started(params), color, Exit.INVALID)
    if not compilation.valid:
        raise click.exceptions.Exit(Exit.INVALID)
    wanted = make_plan(compilation)
    there = topology(wanted.name)
    present = there.present()
    texts = {name: source.text for name, source in sources(compilation.graph).items()}
    return there, plan_change(present.plan, present.snapshot, wanted, present.joined), texts


def _saved(file: str) -> ChangePlan | None:
    """The plan that a file is; None if it is something else."""
    from topo.run import wire
    from topo.steps import FORMAT_VERSION, ChangePlan

    if file == "-" or file.endswith(".ztopo"):
        return None
    document: Any = None
    with suppress(OSError, ValueError, RecursionError), open(file, "rb") as stream:
        document = json.load(stream)
    if not isinstance(document, dict) or not {"serial", "steps", "wanted"} <= document.keys():
        return None
    if document.get("format_version") != FORMAT_VERSION:
        raise Refusal(f"{file} was saved by another version of ztopo: plan again")
    plan: ChangePlan = wire.read(json.dumps(document).encode(), ChangePlan)
    return plan


def _carry_out(there: Topology, plan: ChangePlan, texts: dict[str, str]) -> Exit:
    """Have it done, and show what happens."""
    import msgspec

    from topo.render import here
    from topo.text import nearest

    folders = (here(), os.path.dirname(there.owner.file))
    done = False
    for answer in there.stream("apply", change=msgspec.to_builtins(plan), sources=texts):
        if "done" in answer:
            done = answer["done"]
        elif "message" in answer and plan.changes:  # else all is said already
            where = nearest(answer.get("where", ""), *folders)
            say(f"{answer['message']}" + (f"  {where}" if where else ""))
    return Exit.DONE if done else Exit.FINDINGS
