"""`ztopo up -d`: a process that starts another one, and that other one.

The other one is a new `ztopo up` in a session of its own, not a fork of a process that has threads, or may have. It gets two
descriptors beside its own standard streams, which go nowhere: the standard error of whoever started it, for what there is to say
until it has started, or is ready; and a pipe, into which it then writes a byte. So a mistake in the file is shown as always, and the
first process ends with what the second has ended with. From there on the second one talks to its log alone; what Python or libzmq
should have to say at a sudden end is in the file `errors` beside that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Protocol, Self

from topo.cli import Exit, say
from topo.plan import Plan
from topo.run.events import Phased, Told
from topo.run.journal import Journal, Record
from topo.run.log import log_of

__all__ = ["Background", "start"]


class Face(Protocol):
    """As much of what shows things as is needed here."""

    def tell(self, event: Told) -> None:
        """Show an event."""
        ...

    def wrote(self, name: str, line: str, goes_on: bool) -> None:
        """Show a line that a process has written."""
        ...


Show = Callable[[Plan, Journal, Callable[[OSError], None]], AbstractContextManager[Face]]


def start(listen: Callable[[], None]) -> Exit:
    """Start the other process with the arguments of this one, and wait until it has said that all is well, or has ended.

    `listen` lets signals interrupt the waiting with an exception; then the other process is stopped.
    """
    heard, tells = os.pipe()
    says = os.dup(sys.stderr.fileno())
    verb, *arguments = sys.argv[1:]
    command = [sys.executable, "-P", "-m", "topo", verb, f"--behind={says},{tells}", *arguments]
    with open(heard, "rb", 0) as news:
        other = subprocess.Popen(
            command,
            stdin=None if "-" in arguments else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(says, tells),
            start_new_session=True,
        )
        os.close(says)
        os.close(tells)
        try:
            listen()
            well = news.read(1)
        except BaseException:
            other.terminate()
            other.wait()
            raise
    if well:
        return Exit.DONE
    code = other.wait()
    return Exit(code) if code in set(Exit) and code != Exit.DONE else Exit.FINDINGS


class Background:
    """The other process, within its block: what it says goes to whoever started it, until it leaves them."""

    def __init__(self, handles: str, wait: bool) -> None:
        """`handles` are those of their standard error, and of the pipe. `wait` says that they wait until it is ready."""
        self._says, self._tells = map(int, handles.split(","))
        self.wait = wait
        for handle in (self._says, self._tells):
            os.set_inheritable(handle, False)

    def __enter__(self) -> Self:
        self._own = sys.stderr
        sys.stderr = open(self._says, "w", encoding=self._own.encoding, errors="backslashreplace")  # until `leave`
        return self

    def __exit__(self, *_: object) -> None:
        """If it has not left them they see that in their pipe, which ends with this process."""

    def show(self, progress: Show) -> Show:
        """How to show what happens: by `progress`, until they are left."""
        return lambda plan, journal, _: Shown(self, plan.name, journal, progress(plan, journal, lambda _: None))

    def leave(self, name: str) -> None:
        """Say that all is well, and then nothing more. From now on nobody waits for this process."""
        state = "is ready" if self.wait else "is starting"
        say(f"{name} {state} in the background, process {os.getpid()}; `ztopo down {name}` stops it")
        _keep_last_words(name)
        sys.stderr = self._own
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # a terminal that is held may still be written to by a thread
            os.dup2(nowhere.fileno(), self._says, inheritable=False)
        with suppress(BrokenPipeError):  # they have not waited
            os.write(self._tells, b"!")
        os.close(self._tells)


class Shown:
    """What is shown to whoever started it: how it becomes ready, if they wait for that, and what goes wrong until then."""

    def __init__(self, background: Background, name: str, journal: Journal, progress: AbstractContextManager[Face]) -> None:
        self._background = background
        self._name = name
        self._talking = ExitStack()
        self._progress: Face | None = self._talking.enter_context(progress)
        self._unsubscribe = journal.subscribe(self._heard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._talking.close()

    def tell(self, event: Told) -> None:
        """Show an event, if they still listen."""
        if self._progress is not None and not (isinstance(event, Phased) and event.phase == "running"):
            self._progress.tell(event)

    def wrote(self, name: str, line: str, goes_on: bool) -> None:
        """Leave what processes write to the log."""

    def _heard(self, record: Record) -> None:
        """Leave when it is time to. In the thread of the supervisor's loop, or before that begins."""
        phase = record.data.get("phase")
        if (phase == "running" if self._background.wait else record.event == "begun") and self._progress is not None:
            self._progress = None
            self._unsubscribe()
            self._talking.close()
            self._background.leave(self._name)


def _keep_last_words(name: str) -> None:
    """Let what is written to standard error from now on be in a file."""
    log = log_of(name)
    if log is None:
        return
    with suppress(OSError):  # then it goes nowhere
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(log.with_name("errors"), "w", encoding="utf-8") as errors:
            os.dup2(errors.fileno(), 2)
