"""What befalls a topology that runs, with real processes and real sockets: peers without number, and a clock that jumps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import zmq

from tests.processes import PATIENCE, wait_until
from tests.run.conftest import Up, World

Ends = Callable[[Up, int], None]

RELAY = """
device relay: streamer {
    run process
    in  PULL bind tcp://127.0.0.1:*
    out PUSH bind ipc://out
}
"""

AT_ONCE = 50
MOST_GROWTH = 4096
"""KiB that a process may grow by while 900 peers come and go: less than a fifth of what a connection that is kept takes."""

JUMPS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t jump(void) {  /* a day ahead, a day back, and so on */
    static atomic_int calls;
    return atomic_fetch_add(&calls, 1) % 2 ? 86400 : -86400;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int rc = syscall(SYS_clock_gettime, which, now);
    if (which == CLOCK_REALTIME)
        now->tv_sec += jump();
    return rc;
}

int gettimeofday(struct timeval *now, void *zone) {
    int rc = syscall(SYS_gettimeofday, now, zone);
    now->tv_sec += jump();
    return rc;
}

time_t time(time_t *where) {
    struct timeval now;
    gettimeofday(&now, 0);
    if (where)
        *where = now.tv_sec;
    return now.tv_sec;
}
"""


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def come_and_go(context: zmq.Context[zmq.Socket[bytes]], address: str, sink: zmq.Socket[bytes], count: int) -> None:
    """Let peers come, each send something that arrives, and go."""
    for _ in range(0, count, AT_ONCE):
        peers = [context.socket(zmq.PUSH) for _ in range(AT_ONCE)]
        for peer in peers:
            peer.connect(address)
            peer.send(b"here")
        for _ in peers:
            assert sink.recv() == b"here"
        for peer in peers:
            peer.close()


def wait_for_descriptors(pid: int, most: int) -> None:
    """Wait until a process has closed what it had for those who have gone."""
    wait_until(lambda: descriptors(pid) <= most, f"the {most} descriptors of the beginning")


def test_peers_that_come_and_go_leave_nothing_behind(world: World, ends_well: Ends) -> None:
    world.topology(RELAY)
    up = world.up("t.ztopo")
    pid = up.pid_of("relay")
    address = up.wait_for(r"^ +in +(tcp://\S+)$")[1]
    up.wait_for("^t is ready")
    pids = (pid, up.process.pid)
    with zmq.Context() as context, context.socket(zmq.PULL) as sink:
        sink.rcvtimeo = int(PATIENCE * 1000)
        sink.connect(f"ipc://{world.folder}/out")
        come_and_go(context, address, sink, 2 * AT_ONCE)
        with context.socket(zmq.PUSH) as one:  # who has come to know this one knows that those before have gone
            one.connect(address)
            one.send(b"there")
            assert sink.recv() == b"there"
        before = [(descriptors(p), memory(p)) for p in pids]
        come_and_go(context, address, sink, 900)
        for number, (handles, size) in zip(pids, before, strict=True):
            wait_for_descriptors(number, handles)
            assert memory(number) - size < MOST_GROWTH
    up.interrupt()
    ends_well(up, 0)


def test_a_clock_that_jumps_holds_nothing_up_and_hurries_nothing(world: World, ends_well: Ends) -> None:
    shim = world.write("jumps.c", JUMPS)
    library = shim.with_suffix(".so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(shim)], check=True)
    world.environment["LD_PRELOAD"] = str(library)
    looks = [sys.executable, "-c", "import time; print(abs(time.time() - time.time()) > 80000)"]
    assert subprocess.run(looks, env=world.environment, capture_output=True, text=True, check=True).stdout == "True\n"
    world.topology(RELAY + 'app sleeper { run "sleep 1000" }\n')
    up = world.up("t.ztopo")
    up.wait_for("^sleeper +started")
    world.kill("relay")
    up.wait_for("^relay +restarts +at once, restart 1$")
    up.wait_for("^relay +ready")
    world.kill("relay")
    up.wait_for(r"^relay +restarts +in 0\.1 s, restart 2$")
    up.wait_for("^relay +ready")
    up.interrupt()
    ends_well(up, 0)
    assert "killed" not in up.text.partition("stopping: SIGINT")[2]
