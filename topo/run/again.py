"""Starting devices again on purpose, so that nothing is lost where that can be.

Those who send to them are paused, as far as they can be: devices, and apps that count. What is on its way comes through; then the
devices end, and start at the addresses that they had. Once as many peers are there as before, everybody goes on. Where somebody sends
who cannot be paused, something may be lost, and it is said how much at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topo.run.draining import Draining
from topo.run.events import ChangeBegun, ChangeOver, CommandError, Pause, Resume, Turn, Undrained
from topo.run.lives import Life
from topo.run.peers import count_peers

if TYPE_CHECKING:
    from topo.run.supervisor import Supervisor

__all__ = ["NotAgain", "paused", "restart"]

STEP = 0.005
"""Seconds between two looks."""
REUNION = 3.0
"""Seconds that peers have to come back."""
HANDSHAKE = 0.02
"""Seconds that a connection which the kernel counts has until ZeroMQ has got to know who is there. libzmq tells nobody."""
END = 15.0
"""Seconds until what is to end has, killed if need be."""


class NotAgain(Exception):
    """It could not be done, and why. What did not end runs on."""


@dataclass(frozen=True)
class Patience:
    """How many seconds something may take."""

    drain: float = 5.0
    start: float = 40.0


def restart(supervisor: Supervisor, names: Iterable[str], patience: Patience | None = None) -> tuple[Undrained, ...]:
    """Start devices again, and return when they are ready: with what was lost, or may be, of each that lost anything.

    Blocks, and is not for the thread of the supervisor's loop. Raises NotAgain, and RuntimeError at the end of the topology.
    """
    patience = patience or Patience()
    names = tuple(dict.fromkeys(names))
    with _changing(supervisor):
        return _restart(supervisor, names, patience)


def _restart(supervisor: Supervisor, names: tuple[str, ...], patience: Patience) -> tuple[Undrained, ...]:
    _see_that_they_run(supervisor, names)
    senders, through = supervisor.call(lambda loop: loop.ledger.links.stilled(names))
    with paused(supervisor, senders, patience.drain):
        lost = _drain(supervisor, names, through, patience.drain)
        before = _peers(supervisor, names)
        if not supervisor.end(names, timeout=END):
            raise NotAgain(f"{', '.join(names)} did not end")
        if not supervisor.start(names, patience.start):
            raise NotAgain(f"{', '.join(names)} did not become ready")
        _wait(lambda: _are_back(before, _peers(supervisor, names)), REUNION)
        time.sleep(HANDSHAKE)
    return lost


@contextmanager
def _changing(supervisor: Supervisor) -> Iterator[None]:
    """Within the block that nothing runs does not mean the end."""
    supervisor.post(ChangeBegun())
    try:
        yield
    finally:
        supervisor.post(ChangeOver())


@contextmanager
def paused(supervisor: Supervisor, names: Iterable[str], timeout: float) -> Iterator[None]:
    """Within the block these devices, and those of these apps that count, send nothing. It begins when that is so.

    NotAgain if one does not pause in time.
    """
    devices, apps, halted = supervisor.call(lambda loop: _that_can_pause(loop, names))
    if halted:
        raise NotAgain(f"{', '.join(halted)} cannot pause: halted by a signal")
    try:
        for app in apps:
            supervisor.joined.want(app, "pause")
        for device in devices:
            _pause(supervisor, device, timeout)
        if not _wait(lambda: all(map(supervisor.joined.is_paused, apps)), timeout):
            raise NotAgain(f"{', '.join(a for a in apps if not supervisor.joined.is_paused(a))} did not pause")
        yield
    finally:
        for app in apps:
            supervisor.joined.want(app, "resume")
        for device in devices:
            with suppress(CommandError, TimeoutError):  # it has ended, and begins anew; or it is stopped, and does it later
                supervisor.command(device, Resume(), timeout)


def _pause(supervisor: Supervisor, device: str, timeout: float) -> None:
    try:
        supervisor.command(device, Pause(), timeout)
    except CommandError as error:
        raise NotAgain(f"{device} did not pause: {error.strerror}") from error
    except TimeoutError:
        raise NotAgain(f"{device} did not pause: it does not answer") from None


def _see_that_they_run(supervisor: Supervisor, names: Iterable[str]) -> None:
    lives = supervisor.call(lambda loop: {name: loop.machine.devices.get(name) for name in names})
    for name, life in lives.items():
        if life != Life.READY:
            raise NotAgain(
                f"there is no device {name}" if life is None else f"{name} is {life}: only who is ready is started again"
            )


def _that_can_pause(loop: Supervisor, names: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """The devices, the apps that count, and who of all of them hears nothing."""
    ready = [name for name in names if loop.machine.life(name) == Life.READY]
    devices, apps = [n for n in ready if n in loop.machine.devices], [n for n in ready if loop.joined.has(n)]
    return devices, apps, [n for n in (*devices, *apps) if loop.machine.is_halted(n)]


def _drain(supervisor: Supervisor, names: tuple[str, ...], through: tuple[str, ...], timeout: float) -> tuple[Undrained, ...]:
    """Wait until these have nothing more to do, and say what they lose if that takes too long. Who is never quiet is paused."""
    limits = supervisor.machine.limits
    seen = Draining(limits.silence, limits.patience)
    seen.begin(through, time.monotonic())

    def is_done() -> bool:
        standings = supervisor.call(lambda loop: loop.ledger.look(through))
        now = time.monotonic()
        seen.see(standings, now)
        verdicts = {name: seen.verdict(name, now) for name in through}
        if seeming_quiet := [name for name in through if verdicts[name] == "turn"]:
            supervisor.call(lambda loop: _turn(loop, seeming_quiet))
        for name in names:
            if verdicts[name] == "pause":
                seen.told_to_pause.add(name)
                _pause(supervisor, name, timeout)
        return all(verdict == "end" for verdict in verdicts.values())

    _wait(is_done, timeout)
    now = time.monotonic()
    left = {n: seen.standings[n] for n in names if seen.undrained(n, now)}
    return supervisor.call(lambda loop: tuple(loop.ledger.undrained(n, s, seen.is_quiet(n, now)) for n, s in left.items()))


def _turn(loop: Supervisor, devices: Iterable[str]) -> None:
    """Let devices go round once more."""
    for name in devices:
        if loop.machine.life(name) == Life.READY:
            loop.tell(name, Turn())


def _peers(supervisor: Supervisor, names: tuple[str, ...]) -> dict[str, int | None]:
    return count_peers(device for device in supervisor.snapshot().devices if device.name in names)


def _are_back(before: dict[str, int | None], now: dict[str, int | None]) -> bool:
    """Whether each socket has as many peers as before, as far as that is known."""
    return all((now.get(id) or 0) >= count for id, count in before.items() if count is not None)


def _wait(holds: Callable[[], bool], timeout: float) -> bool:
    """Look again and again until something holds, and say whether it does."""
    end = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(STEP)
    return True
