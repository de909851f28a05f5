"""`ztopo up`: check a topology, start it, and stay until it has ended."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, Refusal, color_option, compiled, file_argument, report, say, set_option

if TYPE_CHECKING:
    from topo.compile import Compilation
    from topo.run.supervisor import Supervisor

PATIENCE = 5.0
"""Seconds from the second wish to stop until ztopo ends whatever holds it up."""


@click.command()
@file_argument
@set_option
@color_option
def command(file: str, params: dict[str, str], color: str) -> Exit:
    """Check a topology, start it, and stay with it until it has ended.

    Devices bind first, then connect; when all are ready, it says so with the real addresses, and starts the apps that have a
    command. Their output goes to standard output, behind their names.

    Ctrl-C or SIGTERM stops everything in order, and ends with 0; a second one stops it at once, and ends with 130. Ends with 1
    if something could not start or has failed, with 78 if the file is invalid and nothing was started.
    """
    _can_run(color)
    compilation = compiled(file, params, color, invalid=Exit.INVALID)
    if not compilation.valid or _needs_application(compilation, color):
        say(f"{file} is not started")
        return Exit.INVALID
    return _claim_and_run(compilation, color)


def _can_run(color: str) -> None:
    """End the program if nothing can run here."""
    from topo.run import runs_here

    wrong = runs_here()
    if wrong is not None:
        report([wrong], color)
        raise click.exceptions.Exit(Exit.USAGE)
    try:
        import_module("topo.devcore")
    except ImportError as error:
        raise Refusal(str(error)) from error


def _needs_application(compilation: Compilation, color: str) -> bool:
    """Whether an app is to run inside a program that there is not here. If so, it is said."""
    from topo.run.mistakes import needs_application

    assert compilation.graph is not None
    said = [needs_application(a.name, a.run_span or a.span) for a in compilation.graph.model.apps if a.inside]
    report(said, color)
    return bool(said)


def _claim_and_run(compilation: Compilation, color: str) -> Exit:
    from topo.run.folder import Refused, claim

    assert compilation.model is not None
    path = compilation.source.path
    try:
        with claim(compilation.model.name, str(path or compilation.source.name), compilation.model.span):
            return _run(compilation, color)
    except Refused as refused:
        report([refused.diagnostic], color)
        return Exit.FINDINGS


def _run(compilation: Compilation, color: str) -> Exit:
    from topo.cli._progress import Progress
    from topo.compile import make_plan
    from topo.plan import sources
    from topo.run.events import StopAsked
    from topo.run.supervisor import Supervisor

    assert compilation.graph is not None
    plan = make_plan(compilation)
    progress = Progress(plan, color, lambda: supervisor.post(StopAsked("nobody reads the output any more", insists=False)))
    supervisor = Supervisor(plan, sources=sources(compilation.graph), tell=progress.tell, on_output=progress.wrote)
    with _signals(supervisor):
        return Exit(supervisor.run().code)


@contextmanager
def _signals(supervisor: Supervisor) -> Iterator[None]:
    """Let signals be events for as long as the block lasts.

    The handlers only post; but where the loop does not come to hear them, because nobody takes what it has to say, the second
    wish to stop ends this process all the same, after a while. The starter then ends everything.
    """
    from topo.run.events import ReloadAsked, StopAsked

    wishes = 0

    def stop(number: int, frame: object) -> None:
        nonlocal wishes
        wishes += 1
        supervisor.post(StopAsked(signal.Signals(number).name))
        if wishes == 2:
            last = threading.Timer(PATIENCE, os._exit, (Exit.FORCED,))
            last.daemon = True
            last.start()

    def reload(number: int, frame: object) -> None:
        supervisor.post(ReloadAsked(signal.Signals(number).name))

    wanted = {signal.SIGINT: stop, signal.SIGTERM: stop}
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup wants it to be ignored
        wanted[signal.SIGHUP] = stop if _has_terminal() else reload
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal, which SIGHUP says is gone."""
    try:
        open("/dev/tty").close()
    except OSError:
        return False
    return True
