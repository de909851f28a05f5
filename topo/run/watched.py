"""A supervisor as those who ask at the control socket see it: it knows what it runs, and this knows from which file."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from topo.plan import Plan
from topo.run.events import Command, Done, StopAsked, Told
from topo.run.snapshot import Snapshot
from topo.run.supervisor import Supervisor

__all__ = ["Watched"]


class Watched:
    """A supervisor, and the file that it runs. Its methods may be called from any thread."""

    def __init__(self, supervisor: Supervisor, file: str) -> None:
        self._supervisor = supervisor
        self._file = file

    @property
    def plan(self) -> Plan:
        """What runs at present."""
        return self._supervisor.plan

    def subscribe(self, listener: Callable[[Told], None]) -> Callable[[], None]:
        """Tell the listener, too, until what is returned is called."""
        return self._supervisor.subscribe(listener)

    def command(self, device: str, what: Command, timeout: float) -> Done:
        """Let a device carry out a command. OSError if it cannot, TimeoutError, RuntimeError at the end of the topology."""
        return self._supervisor.command(device, what, timeout)

    def post(self, event: StopAsked) -> None:
        """Let the supervisor hear of this."""
        self._supervisor.post(event)

    def snapshot(self) -> Snapshot:
        """What runs at this moment."""
        return replace(self._supervisor.snapshot(), file=self._file)
