"""`ztopo up`: check a topology, start it, and stay until it has ended."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, Refusal, color_option, compiled, file_argument, host_says, report, say, set_option
from topo.cli._wishes import Unwanted, Wishes

if TYPE_CHECKING:
    from topo.cli._session import Show
    from topo.compile import Compilation
    from topo.diagnostic import Diagnostic
    from topo.run.supervisor import Supervisor

hears_signals = True


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Host and port, without a host this one alone. What is needed to serve metrics has to be installed."""
    if value is None:
        return None
    try:
        from topo.metrics import address_of

        address_of(value)
    except ImportError as error:
        raise Refusal("--metrics needs prometheus_client: pip install 'ztopo[metrics]'") from error
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


@click.command()
@file_argument
@set_option
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=5.0, show_default=True, metavar="SECONDS",
    help="For how long it drains at most once it is to stop; 0 ends it as it is.",
)  # fmt: skip
@click.option(
    "--metrics", metavar="ADDRESS", callback=_address,
    help="Serve metrics for Prometheus there, as 127.0.0.1:9100; with port 0 the system chooses one.",
)  # fmt: skip
@click.option(
    "--watch", is_flag=True, help="Whenever the file, or one that it uses, is written: change what runs to what it says."
)
@click.option("-d", "--detach", is_flag=True, help="Run it in the background, and end as soon as it has started.")
@click.option("--wait", is_flag=True, help="With -d: end when it is ready.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="json writes what happens to standard output, with the output of the apps, as lines of JSON.",
)  # fmt: skip
@click.option("--behind", hidden=True, metavar="HANDLES", help="What `up -d` starts `up` with.")
@color_option
def command(
    file: str,
    params: dict[str, str],
    timeout: float,
    metrics: str | None,
    watch: bool,
    detach: bool,
    wait: bool,
    log_format: str,
    behind: str | None,
    color: str,
) -> Exit:
    """Check a topology, start it, and stay with it until it has ended.

    Devices bind first, then connect; when all are ready, it says so with the real addresses, and starts the apps that have a
    command. Their output goes to standard output, behind their names, and to the log: see `ztopo logs`.

    Ctrl-C or SIGTERM stops everything, from where messages come to where they go, each once it has passed on what there was
    for it, and ends with 0; a second one stops it at once, and ends with 130. Ends with 1 if something could not start or has
    failed, with 78 if the file is invalid, or this host does not have what it wants, and nothing was started. With -d it ends in
    the same way as long as it waits, and with 0 if it has started, or with --wait if it is ready.
    """
    if watch:
        _can_watch(file)
    if wait and not detach:
        raise click.UsageError("--wait goes with -d: without it, `up` stays until everything has ended")
    _can_run(color)
    with Wishes() as wishes:
        try:
            if detach and behind is None:
                from topo.cli._background import start

                return start(wishes.listen)
            with ExitStack() as background:
                show = SHOWS[log_format](file, color) if behind is None else _behind(file, behind, wait, color, background)
                return _check_and_run(file, params, timeout, metrics, watch, color, show, wishes)
        except Unwanted as wish:
            say(f"{file} is not started: {wish}")
            return Exit.FORCED if detach else Exit.DONE


def _as_text(file: str, color: str) -> Show:
    from topo.cli._progress import Progress

    return lambda plan, _, fail: Progress(plan, color, fail, sys.stdout, sys.stderr, os.path.dirname(os.path.abspath(file)))


def _as_json(file: str, color: str) -> Show:
    from topo.cli._progress import Lines

    return lambda _, journal, fail: Lines(journal, fail, sys.stdout, sys.stderr)


def _behind(file: str, handles: str, wait: bool, color: str, block: ExitStack) -> Show:
    from topo.cli._background import Background

    return block.enter_context(Background(handles, wait)).show(_as_text(file, color))


SHOWS = {"text": _as_text, "json": _as_json}
"""How to show what happens to those who have started it."""


def _check_and_run(
    file: str, params: dict[str, str], timeout: float, metrics: str | None, watch: bool, color: str, show: Show, wishes: Wishes
) -> Exit:
    from topo.cli._session import Way, run
    from topo.run.machine import Limits

    wishes.listen()
    compilation = compiled(file, params, color, invalid=Exit.INVALID)
    if not compilation.valid or _needs_application(compilation, color):
        say(f"{file} is not started")
        return Exit.INVALID

    @contextmanager
    def beside(supervisor: Supervisor) -> Iterator[None]:
        with _measured(metrics, supervisor), _reloaded(file, params, compilation, watch, supervisor):
            yield

    way = Way(
        show=show,
        agreed=lambda: _host_agrees(compilation, color),
        limits=Limits(drain=timeout),
        params=params,
        beside=beside,
    )
    try:
        return run(file, compilation, way, wishes)
    except Unservable as unservable:
        report([unservable.diagnostic], color)
        say(f"{file} is not started")
        return Exit.INVALID


def _can_watch(file: str) -> None:
    """End the program if a file cannot be watched."""
    if file == "-":
        raise click.UsageError("--watch needs a file: standard input is read once")
    try:
        import_module("watchdog")
    except ImportError as error:
        raise Refusal("--watch needs watchdog: pip install 'ztopo[watch]'") from error


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


def _host_agrees(compilation: Compilation, color: str) -> bool:
    """Whether this host has what the topology wants. What there is to say of that is said."""
    from topo.diagnostic import counted, has_errors

    said = counted(host_says(compilation))
    report(said, color)
    return not has_errors(said)


@contextmanager
def _reloaded(file: str, params: dict[str, str], compilation: Compilation, watch: bool, supervisor: Supervisor) -> Iterator[None]:
    """Have the file read again within the block whenever somebody asks for that, or (`watch`) it is written."""
    from topo.cli._reload import Reloading, files_of
    from topo.run.events import ReloadAsked

    with ExitStack() as beside:
        if not watch:
            beside.enter_context(Reloading(supervisor, file, params))
        else:
            from topo.cli._watching import Watching

            watching = beside.enter_context(Watching(lambda name: supervisor.post(ReloadAsked(f"{name} was written"))))
            watching.watch(files_of(compilation))
            beside.enter_context(Reloading(supervisor, file, params, watching.watch))
        yield


class Unservable(Exception):
    """Metrics cannot be served where they should be; `diagnostic` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@contextmanager
def _measured(address: str | None, supervisor: Supervisor) -> Iterator[None]:
    """Have metrics served within the block, if they are to be, and say where. Raises Unservable if that cannot be."""
    if address is None:
        yield
        return
    from topo.metrics import Metrics, served
    from topo.run.claims import holder
    from topo.run.mistakes import metrics_unservable

    with ExitStack() as serving:
        try:
            url = serving.enter_context(served(address, Metrics(supervisor.plan.name, supervisor.snapshot)))
        except OSError as error:
            who = holder(f"tcp://{address}") if error.errno == errno.EADDRINUSE else None
            raise Unservable(metrics_unservable(address, error.strerror or str(error), who)) from error
        say(f"metrics at {url}")
        yield
