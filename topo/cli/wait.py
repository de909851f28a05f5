"""`ztopo wait`: wait until a topology is ready, or has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, must_run_here, name_argument, past_of, say, topology

if TYPE_CHECKING:
    from topo.run.client import Topology

NEVER = {"ready": ("stopping", "killing", "ended"), "ended": ()}
"""The phases after which it does not come any more."""
PHASE = {"ready": "running", "ended": "ended"}


@click.command(short_help="Wait until a topology is ready, or has ended.")
@name_argument
@click.option(
    "--for", "what", type=click.Choice(["ready", "ended"]), default="ready", show_default=True, help="What to wait for."
)
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="How long, at most.")
def command(name: str | None, what: str, timeout: float | None) -> Exit:
    """Wait until a running topology is ready, or until nothing of it is left.

    Ends with 0 when it is so, with 1 if it does not come to that, or not in time, and with 3 if it does not run; one that does
    not run has ended.
    """
    must_run_here()
    from topo.run.client import NotRunning

    until = None if timeout is None else time.monotonic() + timeout
    try:
        found = topology(name)
    except NotRunning as trouble:
        if what != "ended":
            raise
        if (past := past_of(name)) is not None and past.trouble:
            say(str(trouble))
        return Exit.DONE
    try:
        came = _comes(found, what, until)
    except TimeoutError:
        say(f"{found.id} {'is not ready' if what == 'ready' else 'has not ended'} after {timeout:g} s")
        return Exit.FINDINGS
    if not came:
        say(f"{found.id} has stopped before it was ready")
    return Exit.DONE if came else Exit.FINDINGS


def _comes(found: Topology, what: str, until: float | None) -> bool:
    """Whether it comes to that. TimeoutError if not in time."""
    from topo.run.client import NotRunning

    try:
        for answer in found.stream("events", until=until):
            phase = answer["snapshot"]["phase"] if "snapshot" in answer else answer.get("data", {}).get("phase")
            if phase in NEVER[what]:
                return False
            if phase == PHASE[what]:
                break
    except NotRunning:
        if what == "ready":
            return False
    if what == "ended" and not found.wait_until_gone(until):
        raise TimeoutError
    return True
