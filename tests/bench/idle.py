"""Measure what a device takes while it has nothing to do: `python -m tests.bench idle [--runs N] [--seconds S]`.

In every state in which a device is blocked: the CPU time of its thread over some seconds, in per cent of one core. Each run is a
process of its own; ztopo, pyzmq's monitored_queue and libzmq's proxy take turns. A state that a core cannot be in, since it has no
pause or ends by an error, is shown as "-". Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import zmq
from rich.console import Console
from rich.table import Table

from tests.bench import write_json
from tests.bench.device import capture_of, loop_of
from tests.bench.device import run as run_device

__all__ = ["run"]

CORES = ("ztopo", "python", "pyzmq", "libzmq")
SETTLE = 0.3
"""Seconds until a device has come to rest, where it ever does."""


class NoSuchState(Exception):
    """A core cannot be in a state."""


class Stage:
    """A device in a thread, and its peers, which meet over inproc."""

    def __init__(self, core: str) -> None:
        self.core = core
        self.context = zmq.Context()
        self.ended = threading.Event()
        self.peers: list[Any] = []
        self.thread: threading.Thread | None = None

    def bound(self, kind: int, name: str, hwm: int = 1000) -> Any:
        """A socket of the device."""
        socket = self.context.socket(kind)
        socket.linger, socket.hwm = 0, hwm
        socket.bind(f"inproc://{name}")
        return socket

    def peer(self, kind: int, name: str, hwm: int = 1000) -> Any:
        """A socket that is connected to one of the device's."""
        socket = self.context.socket(kind)
        socket.linger, socket.hwm = 0, hwm
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(f"inproc://{name}")
        self.peers.append(socket)  # or it would be closed
        return socket

    def device(
        self,
        frontend: int,
        backend: int,
        capture: int | None = None,
        *,
        hwm: int = 1000,
        nodrop: bool = False,
        control: Any = None,
    ) -> None:
        """Let a device run."""
        monitor = capture if capture is not None else int(getattr(zmq, capture_of(self.core)))
        sockets = [self.bound(kind, name, hwm) for kind, name in ((frontend, "front"), (backend, "back"), (monitor, "monitor"))]
        if nodrop:
            sockets[1].xpub_nodrop = 1
        self.thread = threading.Thread(target=self._run, args=(*sockets, control), daemon=True)
        self.thread.start()

    def _run(self, *sockets: Any) -> None:
        try:
            run_device(loop_of(self.core, *sockets))
        except zmq.ZMQError:
            pass  # it has ended by an error: that is shown
        finally:
            self.ended.set()

    def fill(self, source: Any) -> None:
        """Send until nothing more is taken for a while. A device that ends meanwhile takes nothing, whatever was said."""
        while source.poll(100, zmq.POLLOUT):
            with suppress(zmq.Again):
                source.send(b"waits", zmq.DONTWAIT)


def nothing_to_do(stage: Stage) -> None:
    """All peers there, no message."""
    stage.device(zmq.ROUTER, zmq.DEALER)
    stage.peer(zmq.DEALER, "front"), stage.peer(zmq.DEALER, "back"), stage.peer(zmq.SUB, "monitor")


def no_peer(stage: Stage) -> None:
    """PULL/PUSH, a message waits, nobody takes it."""
    stage.device(zmq.PULL, zmq.PUSH)
    stage.peer(zmq.PUSH, "front").send(b"waits")


def no_worker(stage: Stage) -> None:
    """ROUTER/DEALER, a request waits, no worker is there."""
    stage.device(zmq.ROUTER, zmq.DEALER)
    stage.peer(zmq.DEALER, "front").send(b"waits")


def full_peer(stage: Stage) -> None:
    """PULL/PUSH, the peer is full."""
    stage.device(zmq.PULL, zmq.PUSH, hwm=1)
    stage.peer(zmq.PULL, "back", 1)
    stage.fill(stage.peer(zmq.PUSH, "front", 1))


def both_full(stage: Stage) -> None:
    """DEALER/DEALER, both peers are full."""
    stage.device(zmq.DEALER, zmq.DEALER, hwm=1)
    for name in ("front", "back"):
        stage.peer(zmq.DEALER, name, 1)
    for name in ("front", "back"):
        stage.fill(stage.peer(zmq.DEALER, name, 1))


def paused(stage: Stage) -> None:
    """Paused by the control socket, with input waiting."""
    if stage.core == "pyzmq":
        raise NoSuchState
    control = stage.bound(zmq.PAIR, "control")
    commander = stage.peer(zmq.PAIR, "control")
    stage.device(zmq.PULL, zmq.PUSH, control=control)
    stage.peer(zmq.PULL, "back")
    commander.send(b"RESUME" if stage.core == "libzmq" and zmq.zmq_version_info() == (4, 3, 5) else b"PAUSE")  # exchanged there
    time.sleep(SETTLE)
    stage.peer(zmq.PUSH, "front").send(b"waits")


def receive_only(stage: Stage) -> None:
    """PULL/PULL, a message waits."""
    stage.device(zmq.PULL, zmq.PULL)
    stage.peer(zmq.PUSH, "front").send(b"waits")


def send_only(stage: Stage) -> None:
    """PUSH/PUSH."""
    stage.device(zmq.PUSH, zmq.PUSH)
    stage.peer(zmq.PULL, "front")


def subscription_for_sub(stage: Stage) -> None:
    """SUB/XPUB, a subscription comes that a SUB cannot send."""
    stage.device(zmq.SUB, zmq.XPUB)
    stage.peer(zmq.SUB, "back")


def monitor_without_peer(stage: Stage) -> None:
    """PULL/PUSH with a PUSH as monitor that nobody reads."""
    stage.device(zmq.PULL, zmq.PUSH, zmq.PUSH)
    stage.peer(zmq.PULL, "back")
    stage.peer(zmq.PUSH, "front").send(b"waits")


def refusing_xpub(stage: Stage) -> None:
    """PULL/XPUB with NODROP, a subscriber is full: it says that it is ready, and refuses."""
    stage.device(zmq.PULL, zmq.XPUB, hwm=1, nodrop=True)
    stage.peer(zmq.SUB, "back", 1)
    stage.fill(stage.peer(zmq.PUSH, "front", 1))


STATES: tuple[Callable[[Stage], None], ...] = (
    nothing_to_do,
    no_peer,
    no_worker,
    full_peer,
    both_full,
    paused,
    receive_only,
    send_only,
    subscription_for_sub,
    monitor_without_peer,
    refusing_xpub,
)


def _one_run(core: str, state: str, seconds: float) -> None:
    stage = Stage(core)
    bring_about = next(s for s in STATES if s.__name__ == state)
    try:
        bring_about(stage)
    except NoSuchState:
        print(json.dumps(None), flush=True)
        return
    assert stage.thread is not None
    if stage.ended.wait(SETTLE):
        print(json.dumps(None), flush=True)
        return
    clock = time.pthread_getcpuclockid(stage.thread.ident or 0)
    before = time.clock_gettime(clock)
    alive = not stage.ended.wait(seconds)
    print(json.dumps((time.clock_gettime(clock) - before) / seconds if alive else None), flush=True)


def run(arguments: Sequence[str] = ()) -> None:
    """Measure, show, and write a file."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench idle", description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", type=Path, default=Path("build/bench-idle.json"), help="the file that all figures go to")
    chosen = parser.parse_args(arguments)
    figures: dict[str, dict[str, list[float | None]]] = {s.__name__: {core: [] for core in CORES} for s in STATES}
    for _ in range(chosen.runs):
        for state, cores in figures.items():
            for core, done in cores.items():
                command = [sys.executable, "-m", "tests.bench.idle", core, state, str(chosen.seconds)]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                done.append(json.loads(output))
    table = Table(
        title=f"CPU while there is nothing to do, % of a core, medians of {chosen.runs} (largest)", title_justify="left"
    )
    table.add_column("state")
    for core in CORES:
        table.add_column(core, justify="right")
    for state, cores in figures.items():
        table.add_row(_said(state), *(_cell(done) for done in cores.values()))
    console = Console(width=150)
    console.print(table)
    write_json(chosen.json, {"states": figures})
    console.print(f"all figures: {chosen.json}")


def _said(state: str) -> str:
    return next(s.__doc__ or "" for s in STATES if s.__name__ == state).rstrip(".")


def _cell(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return f"{statistics.median(known):.1%} ({max(known):.1%})" if known else "-"


if __name__ == "__main__":
    _one_run(sys.argv[1], sys.argv[2], float(sys.argv[3]))
