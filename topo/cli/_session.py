"""What `ztopo up` does once a file is right: from its folder in the runtime directory to its end.

What is shown of that is the business of a `Face`. What happens, and what apps write, also goes into the journal: to the log, and to
those who follow at the control socket.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from topo.cli import Exit, Refusal, say
from topo.compile import Compilation, make_plan
from topo.plan import Plan, sources
from topo.run.children import Children
from topo.run.control import Control
from topo.run.events import Said, StopAsked, Told
from topo.run.folder import Home, Refused, claim
from topo.run.journal import Journal
from topo.run.log import Log, log_of
from topo.run.machine import Limits
from topo.run.mistakes import log_unwritable
from topo.run.notify import Notifier
from topo.run.supervisor import Supervisor
from topo.run.upkeep import Upkeep

__all__ = ["Face", "Show", "Way", "run"]

GONE = (errno.EPIPE, errno.EIO)
"""How a pipe or a terminal says that nobody is at the other end any more."""


class Face(Protocol):
    """Shows what happens. It is told in several threads."""

    def tell(self, event: Told) -> None:
        """Show an event, if it is worth it."""
        ...

    def wrote(self, name: str, line: str, goes_on: bool) -> None:
        """Show a line that a process has written."""
        ...


class Wishes(Protocol):
    """What signals ask for."""

    def listen(self) -> None:
        """From now on a wish to stop ends it with an exception."""
        ...

    def hold_back(self) -> None:
        """From now on wishes wait."""
        ...

    def go_to(self, supervisor: Supervisor) -> None:
        """From now on wishes are events of the supervisor."""
        ...


Show = Callable[[Plan, Journal, Callable[[OSError], None]], AbstractContextManager[Face]]
"""Makes a face. The last argument is to be called when standard output takes nothing any more."""


class Way(NamedTuple):
    """How it is to run."""

    show: Show
    agreed: Callable[[], bool]
    """Says whether it can run on this host."""
    limits: Limits
    params: dict[str, str]
    """The params of the file that were set."""
    beside: Callable[[Supervisor], AbstractContextManager[None]]
    """What goes on beside the supervisor, from its start to its end."""


def run(file: str, compilation: Compilation, way: Way, wishes: Wishes) -> Exit:
    """Run a topology, if nobody else does. `file` is what it is called by the user."""
    return _Session(file, compilation, way, wishes).run()


class _Session:
    """One run of a topology."""

    def __init__(self, file: str, compilation: Compilation, way: Way, wishes: Wishes) -> None:
        assert compilation.graph is not None
        self._graph = compilation.graph
        self._shown = file
        self._path = os.path.abspath(compilation.source.path) if compilation.source.path else compilation.source.name
        self._plan = make_plan(compilation)
        self._way = way
        self._wishes = wishes
        self._output = Output()
        self._journal = Journal(self._plan)
        self._log = log_of(self._plan.name)

    def run(self) -> Exit:
        """From its folder to its end."""
        self._wishes.hold_back()
        with self._way.show(self._plan, self._journal, self._output.fail) as face:
            try:
                place = self._graph.model.span
                log, params = os.fspath(self._log or ""), self._way.params
                with claim(self._plan.name, self._path, place, log=log, params=params) as home:
                    if not self._can_run():
                        say(f"{self._shown} is not started")
                        return Exit.INVALID
                    code = self._supervise(home, face)
            except Refused as refused:
                face.tell(Said(refused.diagnostic))
                return Exit.FINDINGS
        self._output.check()
        return Exit(code)

    def _can_run(self) -> bool:
        self._wishes.listen()  # the host may take its time to answer
        agreed = self._way.agreed()
        self._wishes.hold_back()
        return agreed

    def _supervise(self, home: Home, face: Face) -> int:
        journal = self._journal

        def tell(event: Told) -> None:
            face.tell(event)
            journal.tell(event)

        def wrote(name: str, line: str, goes_on: bool) -> None:
            journal.wrote(name, line, goes_on)
            face.wrote(name, line, goes_on)

        supervisor = Supervisor(
            self._plan,
            sources=sources(self._graph),
            tell=tell,
            on_output=wrote,
            limits=self._way.limits,
            starter=partial(Children, scratch=os.fspath(home.folder), hold=(home.lock,), own=True),
            file=self._path,
            folder=home.folder,
        )
        self._output.stop_by(supervisor.post)
        with ExitStack() as beside:
            beside.enter_context(self._way.beside(supervisor))
            beside.enter_context(_logged(self._log, journal, tell))
            beside.enter_context(Notifier(supervisor, journal))
            beside.enter_context(Control(home, supervisor, journal, on_look=Upkeep(supervisor, journal).look))
            journal.note("info", "begun", f"{self._plan.name} is starting, from {self._path}", data={"file": self._path})
            self._wishes.go_to(supervisor)
            return supervisor.run().code


@contextmanager
def _logged(path: Path | None, journal: Journal, tell: Callable[[Told], None]) -> Iterator[None]:
    """Have a log written within the block. Where that cannot be it is said, and all goes on without."""

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
        self._why = why
        if self._post is not None:
            self._post(StopAsked(why, insists=False))

    def check(self) -> None:
        """Raise what was a failure."""
        if self._error is not None:
            raise Refusal(f"cannot write to standard output: {self._error.strerror}") from self._error
