"""What is removed under a topology that runs, and is made again: the files of the sockets that devices bind as `ipc://*`.

They lie in the runtime folder, where somebody may clean up. Those who are connected do not notice, but nobody new gets there. So every
few seconds it is seen whether the files are there, and what has gone is bound once more, at the address that it had: connections stay.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from topo.run.events import BindTo
from topo.run.journal import Journal
from topo.run.lives import Life

if TYPE_CHECKING:
    from topo.run.supervisor import Supervisor

__all__ = ["Upkeep"]

WILD = "ipc://*"
PATIENCE = 1.0
"""Seconds that the loop has to answer, or a device to bind. The next look is not far."""


class Gone(NamedTuple):
    """An address that nobody new gets to."""

    device: str
    socket: str
    address: str


class Upkeep:
    """Looks after one topology."""

    def __init__(self, supervisor: Supervisor, journal: Journal) -> None:
        self._supervisor = supervisor
        self._journal = journal
        self._binding: threading.Thread | None = None
        self._said: set[Gone] = set()
        """What could not be bound again, and is tried further on."""

    def look(self) -> None:
        """See whether something has gone; if so, it is bound again in a thread of its own. Not for the thread of the loop."""
        if self._binding is not None and self._binding.is_alive():
            return
        try:
            gone = self._supervisor.call(_gone, PATIENCE)
        except (RuntimeError, TimeoutError):  # the end of the topology, or its loop is stuck, which others notice
            return
        if gone:
            self._binding = threading.Thread(target=self._bind, args=(gone,), name="ztopo upkeep", daemon=True)
            self._binding.start()

    def _bind(self, gone: list[Gone]) -> None:
        """Bind these again, unless somebody is just changing something: then the next look comes in time."""
        if not self._supervisor.changer.turn.acquire(blocking=False):
            return
        try:
            for each in gone:
                self._bind_one(each)
        finally:
            self._supervisor.changer.turn.release()

    def _bind_one(self, gone: Gone) -> None:
        try:
            self._supervisor.command(gone.device, BindTo(gone.socket, WILD, gone.address), PATIENCE)
        except (OSError, RuntimeError, TimeoutError) as error:
            if gone not in self._said:
                self._said.add(gone)
                self._say("unreachable", f"{gone.address} was removed, and {gone.socket} cannot bind it again: {error}", gone)
            return
        self._said.discard(gone)
        self._say("reachable again", f"{gone.address} was removed, and {gone.socket} has bound it again", gone)

    def _say(self, event: str, message: str, gone: Gone) -> None:
        self._journal.note("warning", event, message, component=gone.device)


def _gone(supervisor: Supervisor) -> list[Gone]:
    """In the thread of the loop."""
    sight, machine = supervisor.sight, supervisor.machine
    bound = [
        Gone(supervisor.ledger.links.owners[id], id, address)
        for id, wanted in sight.bound_as.items()
        if WILD in wanted and id in sight.sockets
        for endpoint, address in zip(wanted, machine.addresses.get(id, ()), strict=False)
        if endpoint == WILD and not os.path.lexists(address.removeprefix("ipc://"))
    ]
    return [gone for gone in bound if machine.phase == "running" and machine.life(gone.device) == Life.READY]
