"""Start and stop devices many times, and say what they left behind: `python -m tests.leakcheck [TIMES]`, or `make leakcheck`.

Each device is stopped with a message in hand and with copies waiting for its monitor. Compared are memory, descriptors and
threads after the first tenth and at the end; then, where valgrind is installed, it looks for blocks that the core lost. The exit
status is 1 if there is a leak.
"""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import zmq

from topo.devcore import Proxy, core_name

MOST_GROWTH = 4096
"""KiB that the memory may grow by in nine tenths of the runs: the noise of allocators, less than one byte of each message."""


def once(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """One life of a device."""
    front, back, monitor, near, far = (context.socket(kind) for kind in (zmq.PULL, zmq.PUSH, zmq.PUSH, zmq.PUSH, zmq.PULL))
    sockets = (front, back, monitor, near, far)
    for socket in sockets:
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = 2
    for bound, peer, name in ((front, near, "front"), (back, far, "back")):
        bound.bind(f"inproc://{name}")
        peer.connect(f"inproc://{name}")
    monitor.bind("inproc://monitor")
    proxy = Proxy(front, back, monitor, prefixes=(b"in", b"out"))
    thread = threading.Thread(target=proxy.run)
    thread.start()
    while proxy.statistics().capture.dropped == 0 or near.poll(0, zmq.POLLOUT):
        if near.poll(0, zmq.POLLOUT):
            near.send_multipart([bytes(50), bytes(5000)])
        elif proxy.statistics().capture.dropped == 0:
            far.recv_multipart()
    proxy.terminate()
    thread.join()
    for socket in sockets:
        socket.close()


def measure() -> tuple[int, int, int]:
    """Memory in KiB, descriptors, threads."""
    gc.collect()
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]), len(os.listdir("/proc/self/fd")), threading.active_count()


def lives(times: int) -> bool:
    """Start and stop, and say whether nothing was left behind."""
    before = (0, 0, 0)
    for n in range(times):
        with zmq.Context() as context:
            once(context)
        if n == times // 10:
            before = measure()
    after = measure()
    print(f"{core_name()}, {times} devices: KiB, descriptors and threads were {before}, are {after}")
    return after[0] - before[0] < MOST_GROWTH and after[1:] == before[1:]


def without_lost_blocks(times: int) -> bool:
    """Let valgrind look; True if no lost block was allocated by or for the core."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        print("valgrind is not installed")
        return True
    command = [
        valgrind,
        "--leak-check=full",
        "--show-leak-kinds=definite",
        sys.executable,
        "-m",
        "tests.leakcheck",
        "--lives",
        str(times),
    ]
    done = subprocess.run(command, env={**os.environ, "PYTHONMALLOC": "malloc"}, stderr=subprocess.PIPE, text=True)
    records = [record for record in re.split(r"==\d+== \n", done.stderr) if "lost in loss record" in record and "_core" in record]
    print(f"valgrind, {times} devices: {len(records)} blocks lost by the core", *records, sep="\n")
    return not records and done.returncode == 0


def main(arguments: list[str]) -> int:
    """Run all, or only the lives."""
    if arguments[:1] == ["--lives"]:
        return 0 if lives(int(arguments[1])) or int(arguments[1]) < 1000 else 1
    times = int(arguments[0]) if arguments else 10_000
    return 0 if lives(times) and without_lost_blocks(50) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
