"""What is started again under `ztopo up`, with real processes, real sockets and real signals."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import zmq

from tests.processes import PATIENCE
from tests.run.conftest import Up, World
from tests.run.test_up import SLEEPER, app

Ends = Callable[[Up, int], None]

STREAMER = """device jobs: streamer {{
    run process
    restart {}
    in  PULL bind tcp://127.0.0.1:*
    out PUSH bind tcp://127.0.0.1:*
}}
"""


def kill_next(up: Up, name: str, number: int = signal.SIGKILL) -> None:
    """Kill a process device as soon as it is said to be ready."""
    os.kill(up.pid_of(name), number)


def addresses(up: Up) -> tuple[str, str]:
    """Those of the device that is being said to be ready."""
    return up.wait_for(r"^ +in +(tcp://\S+)$")[1], up.wait_for(r"^ +out +(tcp://\S+)$")[1]


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


@contextmanager
def peer(type: int, address: str) -> Iterator[zmq.Socket[bytes]]:
    """Somebody from outside, who knows nothing of ztopo."""
    with zmq.Context() as context, context.socket(type) as made:
        made.linger = 0
        made.rcvtimeo = made.sndtimeo = int(PATIENCE * 1000)
        made.connect(address)
        yield made


def arrives(source: zmq.Socket[bytes], sink: zmq.Socket[bytes], what: bytes) -> bool:
    """Send it again and again until it arrives: what was on its way when a process was killed is lost."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if source.poll(0, zmq.POLLOUT):
            source.send(what)
        if sink.poll(20) and sink.recv() == what:
            return True
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_plain_peers_go_on_through_a_device_that_was_killed(world: World, ends_well: Ends, number: signal.Signals) -> None:
    """SIGABRT is what a failed assertion inside libzmq ends a process with."""
    world.topology(STREAMER.format("on-failure"))
    up = world.up("t.ztopo")
    pid = up.pid_of("jobs")
    way_in, way_out = addresses(up)
    with peer(zmq.PUSH, way_in) as source, peer(zmq.PULL, way_out) as sink:
        assert arrives(source, sink, b"before")
        os.kill(pid, number)
        up.wait_for(rf"^warning\[ZT904\]: the process of `jobs` was killed by {number.name}")
        up.wait_for(r"^jobs +restarts +at once, restart 1$")
        assert int(up.wait_for(r"^jobs +ready +process (\d+)")[1]) != pid
        assert addresses(up) == (way_in, way_out)
        assert arrives(source, sink, b"after")
    up.interrupt()
    ends_well(up, 0)


def test_one_restart_too_many_ends_the_topology_and_says_why(world: World, ends_well: Ends) -> None:
    world.topology(STREAMER.format("on-failure max 2 in 1h backoff 1ms") + app("other", SLEEPER))
    up = world.up("t.ztopo")
    kill_next(up, "jobs")
    up.wait_for(r"^jobs +restarts +at once, restart 1$")
    kill_next(up, "jobs", signal.SIGSEGV)
    up.wait_for(r"^jobs +restarts +in 0\.001 s, restart 2$")
    pid = up.pid_of("jobs")
    way_in, way_out = addresses(up)
    with peer(zmq.PUSH, way_in) as source, peer(zmq.PULL, way_out) as sink:
        assert arrives(source, sink, b"counted")
        # it counts at the end of a turn, which may come after the message has arrived
        assert any(re.search(r'"messages": [1-9]', world.run("status", "t", "--format", "json").stdout) for _ in range(100))
        os.kill(pid, signal.SIGABRT)
        up.wait_for(r"^error\[ZT904\]: the process of `jobs` was killed by SIGABRT")
    up.wait_for(rf"lived in process {pid}")
    up.wait_for(r"= note: `jobs` had received [1-9]\d* messages, sent [1-9]\d* and held 0")
    up.wait_for(r"= note: `jobs` was started again 2 times within 3600 s, as often as it may be$")
    ends_well(up, 1)
    assert len(re.findall(r"^warning\[ZT904\]", up.text, re.MULTILINE)) == 2
    logged = world.run("logs", "t").stdout
    assert re.search(r"^ +note: `jobs` had received [1-9]\d* messages, sent [1-9]\d* and held 0$", logged, re.MULTILINE)
    assert re.search(r"^ +note: `jobs` was started again 2 times within 3600 s", logged, re.MULTILINE)


def test_an_assertion_in_libzmq_ends_that_device_alone_which_starts_again(world: World, ends_well: Ends) -> None:
    """A PLAIN server that enforces a domain and has none aborts when somebody connects. ztopo and the other devices live on."""
    world.topology(
        """device broken: streamer { run process; restart on-failure max 1000 in 60s
    # ztopo: allow ZT709 "it is to abort"
    in PULL bind tcp://127.0.0.1:* { plain_server true; zap_enforce_domain true }; out PUSH bind tcp://127.0.0.1:* }
"""
        + STREAMER.format("never")
    )
    up = world.up("t.ztopo")
    broken = addresses(up)[0]
    way_in, way_out = addresses(up)
    up.wait_for("is ready")
    with zmq.Context() as context, context.socket(zmq.PUSH) as client:
        client.linger = 0
        client.plain_username = b"somebody"
        client.connect(broken)
        up.wait_for(r"^broken +\| Assertion failed: .*\(src/.*cpp:\d+\)$")
        up.wait_for(r"^warning\[ZT904\]: the process of `broken` was killed by SIGABRT$")
    up.wait_for(r"^broken +ready")
    with peer(zmq.PUSH, way_in) as source, peer(zmq.PULL, way_out) as sink:
        assert arrives(source, sink, b"lives")
    up.interrupt()
    ends_well(up, 0)


def test_what_is_never_started_again_takes_the_rest_along(world: World, ends_well: Ends) -> None:
    world.topology(STREAMER.format("never") + app("other", SLEEPER))
    up = world.up("t.ztopo")
    kill_next(up, "jobs")
    up.wait_for(r"^error\[ZT904\]: the process of `jobs` was killed by SIGKILL")
    ends_well(up, 1)
    assert "restarts" not in up.text
    assert "as often as it may be" not in up.text


def test_the_port_of_a_device_that_waits_for_its_restart_stays_its_own(world: World, ends_well: Ends) -> None:
    """Nobody else can bind it, and who connects meanwhile waits for the device that is to come."""
    world.topology(STREAMER.format("on-failure backoff 2s"))
    up = world.up("t.ztopo")
    kill_next(up, "jobs")
    up.wait_for(r"^jobs +restarts +at once")
    pid = up.pid_of("jobs")
    way_in, way_out = addresses(up)
    os.kill(pid, signal.SIGKILL)
    up.wait_for(r"^jobs +restarts +in 2 s, restart 2$")
    for address in (way_in, way_out):
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use") as refused:
                thief.bind(("127.0.0.1", port_of(address)))
            assert refused.value.errno == errno.EADDRINUSE
    with peer(zmq.PUSH, way_in) as source, peer(zmq.PULL, way_out) as sink:
        source.send(b"meanwhile")
        up.wait_for(r"^jobs +ready")
        assert addresses(up) == (way_in, way_out)
        assert sink.recv() == b"meanwhile"
    up.interrupt()
    ends_well(up, 0)


def test_an_ipc_device_binds_its_paths_again(world: World, ends_well: Ends) -> None:
    world.topology("device jobs: streamer { run process; in PULL bind ipc://*; out PUSH bind ipc://jobs.out }\n")
    up = world.up("t.ztopo")
    pid = up.pid_of("jobs")
    wild = up.wait_for(r"^ +in +(ipc://\S+)$")[1]
    with peer(zmq.PUSH, wild) as source, peer(zmq.PULL, f"ipc://{world.folder}/jobs.out") as sink:
        assert arrives(source, sink, b"before")
        os.kill(pid, signal.SIGKILL)
        up.wait_for(r"^jobs +restarts +at once")
        up.wait_for(r"^jobs +ready")
        assert up.wait_for(r"^ +in +(ipc://\S+)$")[1] == wild
        assert arrives(source, sink, b"after")
    up.interrupt()
    ends_well(up, 0)


def test_an_app_that_failed_is_started_again_until_it_is_done(world: World, ends_well: Ends) -> None:
    world.write(
        "tries.py",
        """
import pathlib, sys
tried = pathlib.Path("tried")
count = len(tried.read_text()) if tried.exists() else 0
tried.write_text("x" * (count + 1))
print("try", count)
sys.exit(3 if count < 2 else 0)
""",
    )
    world.topology('app work { run "python tries.py"; restart on-failure backoff 1ms }\n')
    up = world.up("t.ztopo")
    for attempt, when in enumerate(("at once", r"in 0\.001 s")):
        up.wait_for(rf"^work +\| try {attempt}$")
        up.wait_for(r"^warning\[ZT906\]: `work` ended with exit code 3$")
        up.wait_for(rf"^work +restarts +{when}, restart {attempt + 1}$")
    up.wait_for(r"^work +\| try 2$")
    ends_well(up, 0)


def test_an_app_that_is_always_started_again_is_so_when_it_is_done(world: World, ends_well: Ends) -> None:
    world.topology("app work { run \"python -c 'print(1)'\"; restart always max 3 in 1h backoff 1ms }\n")
    up = world.up("t.ztopo")
    for attempt in (1, 2, 3):
        up.wait_for(rf"^work +restarts .*, restart {attempt}$")
    ends_well(up, 1)
    assert up.text.count("work | 1") == 4
    assert "`work` was started again 3 times within 3600 s, as often as it may be" in up.text


COMPANY = """
device first: streamer {{ run process; in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://* }}
device jobs:  streamer {{ run process; restart on-failure with {}; in PULL connect first.out; out PUSH bind ipc://* }}
device last:  streamer {{ in PULL connect jobs.out; out PUSH bind tcp://127.0.0.1:* }}
"""


@pytest.mark.parametrize(("company", "others"), [("rest", {"last", "other"}), ("all", {"first", "last", "other"})])
def test_others_end_and_start_again_with_one_that_was_killed(
    world: World, ends_well: Ends, company: str, others: set[str]
) -> None:
    world.topology(COMPANY.format(company) + app("other", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for(r"^other +\| there$")
    (pid,), (way_in,), (way_out,) = (
        re.findall(pattern, up.text, re.MULTILINE)
        for pattern in (r"^jobs +ready +process (\d+)", r"^ +in +(tcp://\S+)$", r"^ +out +(tcp://\S+)$")
    )
    os.kill(int(pid), signal.SIGKILL)
    up.wait_for(r"^jobs +restarts +at once, restart 1$")
    up.wait_for_all(*(rf"^{name} +ready" for name in {"jobs", *others} - {"other"}), r"^other +\| there$")
    with peer(zmq.PUSH, way_in) as source, peer(zmq.PULL, way_out) as sink:
        assert arrives(source, sink, b"through all three")
    assert len(re.findall("^first +ready", up.text, re.MULTILINE)) == 1 + ("first" in others)
    assert len(re.findall(r"^(?:warning|error)\[", up.text, re.MULTILINE)) == 1
    up.interrupt()
    ends_well(up, 0)


def test_a_killed_thread_host_comes_back_with_all_its_devices(world: World, ends_well: Ends) -> None:
    streamer = "device {}: streamer {{ in PULL {}; out PUSH bind {} }}\n"
    world.topology(
        streamer.format("one", "bind tcp://127.0.0.1:*", "inproc://between")
        + streamer.format("two", "connect one.out", "tcp://127.0.0.1:*")
    )
    up = world.up("t.ztopo")
    pid = up.pid_of("one")
    way_in, way_out = addresses(up)
    with peer(zmq.PUSH, way_in) as source, peer(zmq.PULL, way_out) as sink:
        assert arrives(source, sink, b"before")
        os.kill(pid, signal.SIGKILL)
        up.wait_for(r"^warning\[ZT904\]: the process of `one`, `two` was killed by SIGKILL")
        up.wait_for_all(r"^one +restarts +at once", r"^two +restarts +at once", r"^one +ready", r"^two +ready")
        assert arrives(source, sink, b"after")
    up.interrupt()
    ends_well(up, 0)


def test_a_device_that_is_halted_is_said_and_one_that_is_killed_then_comes_back(world: World, ends_well: Ends) -> None:
    world.topology(STREAMER.format("on-failure"))
    up = world.up("t.ztopo")
    pid = up.pid_of("jobs")
    up.wait_for("is ready")
    os.kill(pid, signal.SIGSTOP)
    up.wait_for(rf"^jobs +halted +by SIGSTOP, process {pid}$")
    for verb in ("ps", "status", "top --once"):
        assert re.search(r"^jobs.* halted ", world.run(*verb.split()).stdout, re.MULTILINE), verb
    os.kill(pid, signal.SIGKILL)
    up.wait_for(r"^jobs +restarts +at once")
    up.wait_for(r"^jobs +ready")
    up.interrupt()
    ends_well(up, 0)
    assert "ZT907" not in up.text


def test_a_stop_while_something_waits_for_its_restart_does_not_wait_for_that(world: World, ends_well: Ends) -> None:
    world.topology(STREAMER.format("on-failure backoff 24h") + app("other", SLEEPER))
    up = world.up("t.ztopo")
    kill_next(up, "jobs")
    up.wait_for(r"^jobs +restarts +at once, restart 1$")
    kill_next(up, "jobs")
    up.wait_for(r"^jobs +restarts +in 86400 s, restart 2$")
    up.interrupt()
    ends_well(up, 0)
