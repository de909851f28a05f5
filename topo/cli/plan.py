"""`ztopo plan`: what a change of what runs would do."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

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
    from topo.steps import ChangePlan

FOR_ITS_OWNER = 0o600
"""The mode of a plan that is saved, since the secrets of what it starts are in it."""


@click.command(short_help="Say what a change of what runs would do.")
@changed_argument
@set_option
@click.option("--format", type=click.Choice(formats("change")), default="text", show_default=True, help="How it is written.")
@click.option("-o", "--output", metavar="PLAN", help="Save the plan as well, for `ztopo apply PLAN`.")
@click.option("--exit-code", is_flag=True, help="End with 1 if something would change.")
@color_option
def command(file: str, params: dict[str, str], format: str, output: str | None, exit_code: bool, color: str) -> Exit:
    """Say what would change if the topology in FILE ran instead of what runs by its name, and what that means for messages.

    NAME is that of a topology that runs, and stands for the file that it was started from, with the params that were set then.
    Nothing is changed. What is saved holds for this moment: once something has started, ended or changed, it is refused.
    """
    from topo.change import plan_change
    from topo.compile import make_plan
    from topo.run.client import NotRunning

    compilation = compiled(file, as_started(params), color, Exit.INVALID)
    if not compilation.valid:
        return Exit.INVALID
    wanted = make_plan(compilation)
    try:
        there = topology(wanted.name).present()
    except NotRunning:
        say(f"{wanted.name} is not running, so there is nothing to change; `ztopo up {file}` starts it")
        return Exit.NOT_RUNNING
    plan = plan_change(there.plan, there.snapshot, wanted, there.joined)
    if output is not None:
        _save(plan, output)
    out(import_module(f"topo.render.change_{format}").render(plan, style_for(sys.stdout, color)))
    return Exit.FINDINGS if exit_code and plan.changes else Exit.DONE


def _save(plan: ChangePlan, path: str) -> None:
    from topo.run import wire

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags, FOR_ITS_OWNER)

    try:
        with open(path, "wb", opener=opener) as file:
            os.fchmod(file.fileno(), FOR_ITS_OWNER)
            file.write(wire.written(plan))
    except OSError as error:
        raise Refusal(f"cannot write {path}: {error.strerror}") from error
