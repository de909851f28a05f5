"""`ztopo up`: check a topology, start it, and stay until it has ended."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, Refusal, color_option, compiled, file_argument, host_says, report, say, set_option
from topo.cli._wishes import Unwanted, Wishes

if TYPE_CHECKING:
    from pathlib import Path

    from topo.cli._progress import Progress
    from topo.compile import Compilation
    from topo.diagnostic import Diagnostic
    from topo.graph import Graph
    from topo.plan import Plan
    from topo.run.events import StopAsked, Told
    from topo.run.folder import Home
    from topo.run.journal import Journal
    from topo.run.supervisor import Supervisor

hears_signals = True

GONE = (errno.EPIPE, errno.EIO)
"""How a pipe or a terminal says that nobody is at the other end any more."""


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
@color_option
def command(file: str, params: dict[str, str], timeout: float, metrics: str | None, color: str) -> Exit:
    """Check a topology, start it, and stay with it until it has ended.

    Devices bind first, then connect; when all are ready, it says so with the real addresses, and starts the apps that have a
    command. Their output goes to standard output, behind their names.

    Ctrl-C or SIGTERM stops everything, from where messages come to where they go, each once it has passed on what there was
    for it, and ends with 0; a second one stops it at once, and ends with 130. Ends with 1 if something could not start or has
    failed, with 78 if the file is invalid, or this host does not have what it wants, and nothing was started.
    """
    _can_run(color)
    with Wishes() as wishes:
        try:
            wishes.listen()
            return _check_and_run(file, params, timeout, metrics, color, wishes)
        except Unwanted as wish:
            say(f"{file} is not started: {wish}")
            return Exit.DONE


def _check_and_run(file: str, params: dict[str, str], timeout: float, metrics: str | None, color: str, wishes: Wishes) -> Exit:
    compilation = compiled(file, params, color, invalid=Exit.INVALID)
    if not compilation.valid or _needs_application(compilation, color):
        say(f"{file} is not started")
        return Exit.INVALID
    return _run(file, compilation, timeout, metrics, color, wishes)


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


def _run(shown: str, compilation: Compilation, timeout: float, metrics: str | None, color: str, wishes: Wishes) -> Exit:
    from topo.cli._progress import Progress
    from topo.compile import make_plan
    from topo.run.events import Said
    from topo.run.folder import Refused, claim
    from topo.run.log import log_of

    assert compilation.graph is not None
    plan = make_plan(compilation)
    wishes.hold_back()
    output = Output()
    with Progress(plan, color, output.fail, sys.stdout, sys.stderr) as progress:
        file = os.path.abspath(compilation.source.path) if compilation.source.path else compilation.source.name
        log = log_of(plan.name)
        try:
            with claim(plan.name, file, compilation.graph.model.span, log=os.fspath(log or "")) as home:
                wishes.listen()  # the host may take its time to answer
                agreed = _host_agrees(compilation, color)
                wishes.hold_back()
                if not agreed:
                    say(f"{shown} is not started")
                    return Exit.INVALID
                code = _supervise(plan, compilation.graph, file, home, log, timeout, metrics, progress, output, wishes)
        except Unservable as unservable:
            report([unservable.diagnostic], color)
            say(f"{shown} is not started")
            return Exit.INVALID
        except Refused as refused:
            progress.tell(Said(refused.diagnostic))
            return Exit.FINDINGS
    output.check()
    return Exit(code)


def _supervise(
    plan: Plan,
    graph: Graph,
    file: str,
    home: Home,
    log: Path | None,
    timeout: float,
    metrics: str | None,
    progress: Progress,
    output: Output,
    wishes: Wishes,
) -> int:
    """Run a topology, from its start to its end."""
    from topo.plan import sources
    from topo.run.children import Children
    from topo.run.control import Control
    from topo.run.journal import Journal
    from topo.run.machine import Limits
    from topo.run.supervisor import Supervisor

    journal = Journal(plan)

    def tell(event: Told) -> None:
        progress.tell(event)
        journal.tell(event)

    def wrote(name: str, line: str, goes_on: bool) -> None:
        journal.wrote(name, line, goes_on)
        progress.wrote(name, line, goes_on)

    supervisor = Supervisor(
        plan,
        sources=sources(graph),
        tell=tell,
        on_output=wrote,
        limits=Limits(drain=timeout),
        starter=partial(Children, scratch=os.fspath(home.folder), hold=(home.lock,), own=True),
        file=file,
    )
    output.stop_by(supervisor.post)
    with _measured(metrics, supervisor), _logged(log, journal, tell), Control(home.folder, supervisor, journal):
        journal.note("info", "begun", f"{plan.name} is starting, from {file}", data={"file": file})
        wishes.go_to(supervisor)
        return supervisor.run().code


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


@contextmanager
def _logged(path: Path | None, journal: Journal, tell: Callable[[Told], None]) -> Iterator[None]:
    """Have a log written within the block. Where that cannot be it is said, and all goes on without."""
    from topo.run.events import Said
    from topo.run.log import Log
    from topo.run.mistakes import log_unwritable

    def complain(error: OSError) -> None:
        tell(Said(log_unwritable(os.fspath(path or "of this topology"), error.strerror or str(error))))

    with ExitStack() as open_log:
        try:
            if path is None:
                raise FileNotFoundError(errno.ENOENT, "there is no home folder")
            log = Log(path, journal, complain)
        except OSError as error:
            complain(error)
        else:
            open_log.enter_context(log)
        yield


class Output:
    """What becomes of standard output: if it takes nothing any more, everything is stopped."""

    def __init__(self) -> None:
        self._post: Callable[[StopAsked], None] | None = None
        self._why = ""
        self._error: OSError | None = None

    def stop_by(self, post: Callable[[StopAsked], None]) -> None:
        """There is somebody now who can be asked to stop everything."""
        self._post = post
        if self._why:
            self._stop(self._why)

    def fail(self, error: OSError) -> None:
        """It cannot be written to. That nobody is at its other end is a reason to stop, anything else a failure too."""
        if error.errno in GONE:
            self._stop("nobody reads the output any more")
        else:
            self._error = error
            self._stop("the output cannot be written")

    def _stop(self, why: str) -> None:
        from topo.run.events import StopAsked

        self._why = why
        if self._post is not None:
            self._post(StopAsked(why, insists=False))

    def check(self) -> None:
        """Raise what was a failure."""
        if self._error is not None:
            raise Refusal(f"cannot write to standard output: {self._error.strerror}") from self._error
