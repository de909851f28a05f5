"""Reading the file of a running topology again, and changing what runs to what it says by then.

Somebody asks for that by SIGHUP, at the control socket, or with `--watch` by writing the file. It is read in a thread of its own; who
asks while that is busy is heard afterwards, all of them at once, for the file says the same to each. What is invalid is refused with
its findings, and what runs goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import click

from topo.change import plan_change
from topo.cli import source_of
from topo.compile import Compilation, make_plan
from topo.compile import compile as compile_source
from topo.diagnostic import Diagnostic, counted
from topo.plan import sources
from topo.run.changing import Moved
from topo.run.events import ReloadAsked, ReloadRefused, Told
from topo.run.mistakes import needs_application
from topo.run.supervisor import Supervisor

__all__ = ["Reloading", "files_of"]

TRIES = 20
"""So often a change is planned anew because something else has happened meanwhile."""


class Untaken(Exception):
    """What the file says cannot be taken up, for what is `said` of it."""

    def __init__(self, why: str, said: Iterable[Diagnostic] = ()) -> None:
        super().__init__(why)
        self.said = tuple(said)


class Reloading:
    """Within its block the file is read again whenever that is asked for."""

    def __init__(
        self, supervisor: Supervisor, file: str, params: dict[str, str], on_read: Callable[[set[Path]], None] = lambda _: None
    ) -> None:
        """`on_read` is called with the files that were read, each time."""
        self._supervisor = supervisor
        self._file = file
        self._params = params
        self._on_read = on_read
        self._asked: SimpleQueue[str | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ztopo reload", daemon=True)

    def __enter__(self) -> Self:
        self._supervisor.subscribe(self._hear)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.put(None)
        self._thread.join()

    def _hear(self, event: Told) -> None:
        if isinstance(event, ReloadAsked):
            self._asked.put(event.by)

    # In the thread

    def _run(self) -> None:
        while (by := self._next()) is not None:
            try:
                self._reload()
            except Untaken as why:
                self._refuse(by, str(why), why.said)
            except RuntimeError:  # the topology has ended
                continue
            except Exception as error:
                self._refuse(by, f"a mistake in ztopo, please report it: {error!r}")

    def _refuse(self, by: str, why: str, said: tuple[Diagnostic, ...] = ()) -> None:
        self._supervisor.post(ReloadRefused(by, why, said))

    def _next(self) -> str | None:
        """Who asks next; what others ask meanwhile is the same."""
        by = self._asked.get()
        while by is not None and not self._asked.empty():
            by = self._asked.get()
        return by

    def _reload(self) -> None:
        compilation = self._read()
        self._supervisor.wait_until(lambda machine: machine.phase not in ("binding", "connecting"))
        wanted, texts = make_plan(compilation), sources(compilation.graph)
        for _ in range(TRIES):
            present = self._supervisor.present()
            try:
                self._supervisor.changer.begin(
                    plan_change(present.plan, present.snapshot, wanted, present.joined), texts
                ).result()
            except Moved:
                continue
            return
        raise Untaken("something else changes all the time")

    def _read(self) -> Compilation:
        """What the file says."""
        try:
            source = source_of(self._file)
        except click.ClickException as error:
            raise Untaken(error.format_message()) from error
        if isinstance(source, Diagnostic):
            raise Untaken(f"{self._file} is invalid", [source])
        compilation = compile_source(source, self._params)
        self._on_read(files_of(compilation))
        if not compilation.valid:
            raise Untaken(f"{self._file} is invalid", counted(compilation.diagnostics))
        inside = [needs_application(a.name, a.run_span or a.span) for a in compilation.graph.model.apps if a.inside]
        if inside:
            raise Untaken(f"{self._file} cannot run here", inside)
        if compilation.graph.model.name != self._supervisor.plan.name:
            raise Untaken(f"{self._file} declares {compilation.graph.model.name}, another topology")
        return compilation


def files_of(compilation: Compilation) -> set[Path]:
    """The files that a topology is written in."""
    texts = (compilation.source, *sources(compilation.graph).values())
    return {text.path for text in texts if text.path is not None}
