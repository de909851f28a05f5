"""Let numbered messages flow through a topology while its devices are started again, killed and stopped, and count what arrives.

Over links between devices and apps that use `topo.socket` nothing may be lost, doubled or out of order for anybody. Where plain
programs send, and where a process is killed, as much may be lost as ztopo has said, and no more.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from topo.change import plan_change
from topo.compile import Compilation, compile, make_plan
from topo.plan import sources
from topo.run import again
from topo.run import running as runs
from topo.run.changing import Changer
from topo.run.events import Told, Undrained
from topo.run.hands import Patience
from topo.run.machine import Limits
from topo.source import Source

__all__ = ["Count", "Result", "one_way", "soak"]

TEXT = """ztopo 1
topology soak

device stream: streamer {{ run process; in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://{folder}/stream }}
{between}
device broker: queue {{ run process; in ROUTER bind ipc://{folder}/broker; out DEALER bind tcp://127.0.0.1:* {{ routing_id "b" }} }}
device open: streamer {{
    run process
    restart on-failure max 100 in 1s backoff 10ms..20ms
    in  PULL bind tcp://127.0.0.1:*
    out PUSH bind tcp://127.0.0.1:*
}}

app feed[2]: PUSH connect stream.in {{ run "{python} feed" }}
app sink[2]: PULL connect relay.out {{ run "{python} sink" }}
app client: DEALER connect broker.in {{ routing_id "c"; run "{python} client" }}
app eager: DEALER connect broker.in {{ routing_id "e"; run "{python} eager" }}
app server: ROUTER connect broker.out {{ run "{python} server" }}
app source: PUSH connect open.in {{ run "{python} source" }}
app drain: PULL connect open.out {{ run "{python} drain" }}
"""

BETWEEN = (
    "device relay: streamer { in PULL connect stream.out; out PUSH bind tcp://127.0.0.1:* }",
    "device more: streamer { in PULL connect stream.out; out PUSH bind tcp://127.0.0.1:* }\n"
    "device relay: streamer { in PULL connect more.out; out PUSH bind tcp://127.0.0.1:* }",
)
"""What stands between `stream` and those who take what comes through: it is rewired from one to the other, and back."""

OURS = ("stream", "relay", "broker")
"""The devices that only those who count talk to."""
PLAIN = "open"
TURN = 0.4
"""Seconds between two interventions."""
PATIENCE = 120.0
"""Seconds that anything may take. A slow machine is no mistake, and what is given up in time may lose something."""
UNHURRIED = Patience(command=PATIENCE, start=PATIENCE + 10, drain=PATIENCE, end=PATIENCE, bind=PATIENCE, empty=PATIENCE)
"""The same for a change."""
KILLS, PLAIN_RESTARTS, REWIRES = 0.12, 0.12, 0.35
"""Their shares of the interventions. The others are restarts where nothing may be lost."""


@dataclass
class Count:
    """What became of the messages of one kind."""

    name: str
    sent: int = 0
    arrived: int = 0
    doubled: int = 0
    disordered: int = 0
    allowed: int = 0
    """So many may be lost."""

    @property
    def lost(self) -> int:
        return self.sent - self.arrived + self.doubled

    @property
    def right(self) -> bool:
        return self.lost <= self.allowed and not self.doubled and not self.disordered


@dataclass
class Result:
    """What was done, and what came of it."""

    counts: list[Count]
    done: dict[str, int]
    wrong: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return not self.wrong and all(c.right and c.arrived for c in self.counts)


class Soak:
    """A topology that runs, and what is done to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.done: dict[str, int] = {"restarts": 0, "rewired": 0, "restarts of plain": 0, "kills": 0}
        self.variant = 0
        self.wrong: list[str] = []
        self.allowed = 0
        self._lock = threading.Lock()

    def hear(self, event: Told) -> None:
        """Take note of what is said to be lost."""
        if isinstance(event, Undrained):
            self._allow(event)

    def _allow(self, event: Undrained) -> None:
        """Let as much be lost as is said, if that is where it may be."""
        if event.name != PLAIN:
            self.wrong.append(f"{event.name} loses something: {event}")
            return
        assert event.at_most is not None
        with self._lock:
            self.allowed += event.held + event.coming + event.at_most

    def compiled(self) -> Compilation:
        """The topology as it is wanted now."""
        program = f"{sys.executable} {Path(__file__).with_name('apps.py')}"
        text = TEXT.format(folder=self.folder, python=program, between=BETWEEN[self.variant])
        compilation = compile(Source(text, "soak.ztopo"))
        assert compilation.valid, compilation.diagnostics
        return compilation

    def intervene(self, running: runs.Running) -> None:
        """Do something to it."""
        share = self.chance.random()
        if share < KILLS:
            self._kill(running)
        elif share < KILLS + PLAIN_RESTARTS:
            for lost in _start_again(running, PLAIN):
                self._allow(lost)
            self.done["restarts of plain"] += 1
        elif share < KILLS + PLAIN_RESTARTS + REWIRES:
            self._rewire(running)
        else:
            self._restart(running)

    def _restart(self, running: runs.Running) -> None:
        names = self.chance.sample(OURS, self.chance.randint(1, len(OURS)))
        if lost := _start_again(running, *names):
            self.wrong.append(f"the restart of {', '.join(names)} lost something: {lost}")
        self.done["restarts"] += 1

    def _rewire(self, running: runs.Running) -> None:
        self.variant = 1 - self.variant
        supervisor = running._supervisor
        change = plan_change(supervisor.plan, supervisor.snapshot(), make_plan(self.compiled()), supervisor.joined.sockets)
        if any(part.effect == "may drop" for part in change.changes):
            self.wrong.append(f"the change to {BETWEEN[self.variant]} may drop something: {change.changes}")
        failed = Changer(supervisor, UNHURRIED).begin(change).result()
        if failed is not None:
            self.wrong.append(f"the change to {BETWEEN[self.variant]} was taken back: {failed}")
        self.done["rewired"] += 1

    def _kill(self, running: runs.Running) -> None:
        (device,) = (d for d in running.status().devices if d.name == PLAIN)
        assert device.pid is not None
        os.kill(device.pid, signal.SIGKILL)
        supervisor = running._supervisor
        supervisor.wait_until(lambda machine: machine.restarts[PLAIN].total > device.restarts)
        supervisor.wait_until(lambda machine: machine.life(PLAIN) == "ready")
        self.done["kills"] += 1


def soak(folder: Path, seconds: float, seed: int = 0, say: Callable[[str], None] = lambda _: None, least: int = 0) -> Result:
    """Run it for some seconds, and at least so many interventions, in a folder for what it writes."""
    work = Soak(folder, seed)
    compilation = work.compiled()
    with _environment(SOAK_FOLDER=str(folder)):
        plan = make_plan(compilation)
        limits = Limits(start=PATIENCE, stop=PATIENCE, drain=PATIENCE)
        running = runs.start(plan, in_process=False, sources=sources(compilation.graph), on_event=work.hear, limits=limits)
        with running:
            _wait_for_traffic(folder, [a.name for a in plan.apps])
            end = time.monotonic() + seconds
            while time.monotonic() < end or sum(work.done.values()) < least:
                work.intervene(running)
                if running.stopping:
                    work.wrong.append("it has stopped by itself")
                    break
                say(f"{sum(work.done.values())} interventions, {len(work.wrong)} wrong")
                time.sleep(TURN)
            running.stop(timeout=PATIENCE)
    return Result(list(_counts(folder, work.allowed)), work.done, work.wrong)


def _start_again(running: runs.Running, *devices: str) -> tuple[Undrained, ...]:
    return again.restart(running._supervisor, devices, again.Patience(drain=PATIENCE, start=PATIENCE + 10))


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """What the apps find in their environment."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def _wait_for_traffic(folder: Path, names: list[str]) -> None:
    """Wait until everybody has begun."""
    end = time.monotonic() + PATIENCE
    while not all((folder / f"{name}.begun").exists() for name in names):
        assert time.monotonic() < end, "not everybody has begun"
        time.sleep(0.02)


def _report(folder: Path, name: str) -> dict[str, Any]:
    found = json.loads((folder / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def _counts(folder: Path, allowed: int) -> Iterator[Count]:
    def report(name: str) -> dict[str, Any]:
        return _report(folder, name)

    yield one_way(
        "PUSH - streamer - streamer - PULL", [report("feed[0]"), report("feed[1]")], [report("sink[0]"), report("sink[1]")]
    )
    for name in ("client", "eager"):
        asked, served = report(name), report("server")
        yield one_way(f"DEALER - queue - ROUTER, {name}", [asked], [served])
        yield one_way(f"the answers, {name}", [{**served, "name": name, "sent": asked["sent"]}], [asked])
    yield one_way("plain, restarted and killed", [report("source")], [report("drain")], allowed)


def one_way(name: str, senders: list[dict[str, Any]], receivers: list[dict[str, Any]], allowed: int = 0) -> Count:
    """Compare what was sent with what has arrived, and in which order it came to each."""
    count = Count(name, sum(sender["sent"] for sender in senders), allowed=allowed)
    for sender in senders:
        seen: set[int] = set()
        for receiver in receivers:
            numbers = receiver["got"].get(sender["name"], [])
            count.disordered += sum(a >= b for a, b in pairwise(numbers))
            count.doubled += len(numbers) - len(set(numbers)) + len(seen.intersection(numbers))
            seen.update(numbers)
            count.arrived += len(numbers)
    return count
