"""End `ztopo up` at every moment of its life, and see that nothing is left: `python -m tests.moments [STEP]`, or `make moments`.

Every STEP milliseconds after it has begun to hear signals, one is sent: SIGINT or SIGTERM, once or twice, to ztopo, which then
ends with 0 or 130; SIGKILL to one of its processes in turn. Then no process may be left, no socket file and no runtime folder; of a
ztopo that was killed itself the folder stays, for the next one to clear up. The exit status is 1 if something was wrong.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.processes import PATIENCE
from tests.run.conftest import Up, World

LAST = 900
"""Milliseconds until everything runs, with room to spare."""
TOPOLOGY = """
device calls: queue { run process; restart never; in ROUTER bind tcp://127.0.0.1:*; out DEALER bind ipc://calls.out }
device jobs: streamer { restart never; in PULL bind ipc://*; out PUSH bind ipc://jobs.out }
app plain { run "sleep 600" }
app bound: PULL bind ipc://bound { run "python bound.py" }
"""
BOUND = "import os, signal, zmq\ns = zmq.Context().socket(zmq.PULL)\ns.bind(os.environ['ZTOPO_BOUND'])\nsignal.pause()\n"


def wait_until_it_hears(up: Up) -> None:
    """Wait until signals are held back or handled: before that, Python itself ends by them."""
    bit = 1 << (signal.SIGTERM - 1)
    while up.process.poll() is None:
        status = Path(f"/proc/{up.process.pid}/status").read_text()
        if any(int(mask, 16) & bit for mask in re.findall(r"^Sig(?:Blk|Cgt):\s*(\w+)$", status, re.MULTILINE)):
            return


def what_is_wrong(world: World, up: Up, expected: tuple[int, ...]) -> Iterator[str]:
    """What is not as it should be, now that it has been ended."""
    code = up.end()
    killed = code == -signal.SIGKILL
    if code not in expected:
        yield f"ended with {code}"
    if killed:
        world.wait_until_empty()
    left = [path for path in world.runtime.rglob("*") if path.name != "ztopo"]
    files = [path for path in world.folder.rglob("*") if path.is_socket()]
    if world.processes() or (not killed and (left or files)):
        yield f"left are {world.processes()}, {left}, {files}"
    if "Traceback" in up.text and "KeyboardInterrupt" not in up.text:
        yield "it said what it should not"


def once(folder: Path, moment: float, signals: tuple[int, ...], victim: int | None) -> tuple[str, list[str]]:
    """Start it and end it at this moment; who was ended, and what is wrong."""
    world = World(folder)
    try:
        world.topology(TOPOLOGY)
        world.write("bound.py", BOUND)
        up = world.up("t.ztopo")
        wait_until_it_hears(up)
        time.sleep(moment / 1000)
        if victim is None:
            for number in signals:
                up.process.send_signal(number)
            return "ztopo", list(what_is_wrong(world, up, (0, 130)))
        processes = sorted(world.processes())
        pid = processes[victim % len(processes)]
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        os.kill(pid, signal.SIGKILL)
        return f"{name}, killed", list(what_is_wrong(world, up, (1, -signal.SIGKILL)))
    finally:
        world.close()


def main(arguments: list[str]) -> int:
    """Go through all moments, and say what was wrong."""
    step = int(arguments[0]) if arguments else 50
    ways: list[tuple[tuple[int, ...], int | None]] = [
        ((signal.SIGINT,), None),
        ((signal.SIGTERM,), None),
        ((signal.SIGINT, signal.SIGTERM), None),
        *(((signal.SIGKILL,), victim) for victim in range(7)),
    ]
    wrong: Counter[bool] = Counter()
    for moment in range(0, LAST, step):
        for signals, victim in ways:
            with tempfile.TemporaryDirectory(prefix="moments-") as folder:
                who, found = once(Path(folder), moment, signals, victim)
            wrong[bool(found)] += 1
            if found:
                print(
                    f"{moment} ms, {', '.join(signal.Signals(s).name for s in signals)} to {who}: {'; '.join(found)}", flush=True
                )
    print(f"{wrong.total()} times, {wrong[True]} of them wrong; nothing was waited for longer than {PATIENCE:g} s")
    return 1 if wrong[True] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
