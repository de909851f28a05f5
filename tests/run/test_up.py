"""`ztopo up`, with real processes and real sockets. Each test waits for what is said, never for time."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from tests.processes import PATIENCE
from tests.run.conftest import ZTOPO, Up, World

Ends = Callable[[Up, int], None]

QUEUE = """
device broker: queue {{
    run {placement}
    in      ROUTER bind tcp://127.0.0.1:*
    out     DEALER bind tcp://*:*
    monitor PUB    bind ipc://broker.monitor {{ prefix "<", ">" }}
}}
app client: REQ connect broker.in {{ run "python client.py" }}
app worker: REP connect broker.out {{ run "python worker.py" }}
app watcher: SUB connect broker.monitor {{ subscribe ""; run "python watcher.py" }}
"""

CLIENT = """
import itertools, os, threading, zmq
socket = zmq.Context.instance().socket(zmq.REQ)
socket.connect(os.environ["ZTOPO_CLIENT"])
for number in itertools.count():
    socket.send_string(str(number))
    print("answer", socket.recv_string())
    threading.Event().wait(0.01)
"""

WORKER = """
import os, zmq
socket = zmq.Context.instance().socket(zmq.REP)
socket.connect(os.environ["ZTOPO_WORKER"])
while True:
    socket.send_string(str(int(socket.recv_string()) * 2))
"""

WATCHER = """
import os, zmq
socket = zmq.Context.instance().socket(zmq.SUB)
socket.subscribe("")
socket.connect(os.environ["ZTOPO_WATCHER"])
while True:
    print("seen", socket.recv_multipart()[0].decode())
"""

SLEEPER = "python -c 'import signal; print(\"there\"); signal.pause()'"
"""An app that does nothing until it is told to end."""

STUBBORN = "python -c 'import signal; signal.signal(15, signal.SIG_IGN); print(\"there\"); [signal.pause() for _ in range(99)]'"
"""An app that does not end when it is told to."""


def app(name: str, command: str) -> str:
    escaped = command.replace('"', '\\"')
    return f'app {name} {{ run "{escaped}" }}\n'


def queue(world: World, placement: str = "process") -> None:
    world.write("client.py", CLIENT)
    world.write("worker.py", WORKER)
    world.write("watcher.py", WATCHER)
    world.topology(QUEUE.format(placement=placement))


@contextmanager
def listener(family: int, address: str | tuple[str, int]) -> Iterator[socket.socket]:
    """Somebody else who listens."""
    with socket.socket(family) as held:
        held.bind(address)
        held.listen()
        yield held


# What runs


@pytest.mark.parametrize("placement", ["thread", "process"])
def test_requests_are_answered_through_a_device_and_seen_by_its_monitor(world: World, ends_well: Ends, placement: str) -> None:
    queue(world, placement)
    up = world.up("t.ztopo")
    up.wait_for(r"^broker +ready +process \d+, t\.ztopo:5$")
    up.wait_for(r"^ +in +tcp://127\.0\.0\.1:[1-9]\d*$")
    up.wait_for(r"^ +out +tcp://0\.0\.0\.0:[1-9]\d*$")
    up.wait_for(rf"^ +monitor +ipc://{world.folder}/broker\.monitor$")
    up.wait_for(r"^t is ready: 1 device, 3 apps; Ctrl-C stops it$")
    seen = {"client", "watcher <", "watcher >"}
    while seen:
        line = up.lines.next()
        assert line is not None, up.text
        name, _, said = line.partition("|")
        seen -= {name.strip() if "answer" in said else f"{name.strip()} {said[-1:]}"}
    up.interrupt()
    ends_well(up, 0)


def test_it_is_ready_before_any_app_starts(world: World, ends_well: Ends) -> None:
    queue(world)
    up = world.up("t.ztopo")
    up.wait_for("is ready")
    assert "started" not in up.text
    up.wait_for("^client +started")
    up.interrupt()
    ends_well(up, 0)


def test_devices_reach_each_other_whatever_their_processes_and_ports(world: World, ends_well: Ends) -> None:
    world.write(
        "push.py",
        "import os, zmq\nc = zmq.Context()\ns = c.socket(zmq.PUSH)\ns.connect(os.environ['ZTOPO_SOURCE'])\ns.send(b'x')\n"
        "s.close()\nc.term()  # an interpreter that just ends does not wait until it is sent\n",
    )
    world.write(
        "pull.py",
        "import os, zmq\ns = zmq.Context().socket(zmq.PULL)\ns.connect(os.environ['ZTOPO_SINK'])\nprint('got', s.recv())\n",
    )
    world.topology(
        """
device one: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind inproc://between }
device two: streamer { in PULL connect one.out; out PUSH bind ipc://*}
device three: streamer { run process; in PULL connect two.out; out PUSH bind tcp://*:* }
device four: streamer { in PULL connect three.out; out PUSH bind tcp://[::]:* { ipv6 true } }
app source: PUSH connect one.in { run "python push.py" }
app sink: PULL connect four.out { run "python pull.py" }
"""
    )
    up = world.up()
    up.wait_for(r"^sink +\| got b'x'$")
    up.interrupt()
    ends_well(up, 0)


def test_nothing_left_to_run_is_a_good_end(world: World, ends_well: Ends) -> None:
    world.topology(app("one", "python -c 'print(1)'") + app("two", "python -c 'print(2)'"))
    up = world.up("t.ztopo")
    ends_well(up, 0)
    assert {"one | 1", "two | 2"} <= set(up.text.splitlines())


def test_an_app_that_ends_with_0_is_done_and_the_rest_goes_on(world: World, ends_well: Ends) -> None:
    queue(world)
    world.topology(QUEUE.format(placement="thread") + app("other", "python -c pass"))
    up = world.up("t.ztopo")
    up.wait_for_all(r"^other +done +t\.ztopo:14$", r"^client +\| answer")
    up.interrupt()
    ends_well(up, 0)


# Apps


def test_an_app_finds_its_sockets_and_its_surroundings(world: World, ends_well: Ends) -> None:
    world.write(
        "look.py",
        """
import os, shutil, sys
for name in sorted(os.environ):
    if name.startswith("ZTOPO_") and name != "ZTOPO_TEST_MARK" and name != "ZTOPO_CORE":
        print(name, os.environ[name])
print("arguments", sys.argv[1:])
print("folder", os.getcwd())
print("python", shutil.which("python"))
print("unbuffered", os.environ["PYTHONUNBUFFERED"])
print("leader", os.getsid(0) == os.getpid() == os.getpgrp())
print("input", sys.stdin.read() == "")
""",
    )
    world.topology(
        """
device relay: forwarder {
    in  XSUB bind tcp://127.0.0.1:*
    out XPUB bind tcp://127.0.0.1:*, ipc://relay.out
}
app look {
    run "python look.py 'two words' $HOME | cat"
    socket all-news: PUB connect relay.in
    socket both: SUB bind tcp://127.0.0.1:7801, ipc://both { subscribe "" }
    socket mixed: DEALER bind inproc://x connect tcp://127.0.0.1:7802
}
"""
    )
    up = world.up("t.ztopo")
    address = up.wait_for(r"^ +in +(tcp://127\.0\.0\.1:\d+)$")[1]
    up.wait_for(rf"ZTOPO_ALL_NEWS {address}$")
    up.wait_for(rf"ZTOPO_BOTH tcp://127\.0\.0\.1:7801 ipc://{world.folder}/both$")
    up.wait_for(r"ZTOPO_MIXED inproc://x tcp://127\.0\.0\.1:7802$")
    up.wait_for(r"arguments \['two words', '\$HOME', '\|', 'cat'\]$")
    up.wait_for(rf"folder {world.folder}$")
    up.wait_for(rf"python {Path(sys.executable).parent}/python$")
    up.wait_for("unbuffered 1$")
    up.wait_for("leader True$")
    up.wait_for("input True$")
    up.interrupt()
    ends_well(up, 0)


def test_output_is_passed_on_whatever_it_is(world: World, ends_well: Ends) -> None:
    world.write(
        "odd.py",
        r"""
import sys
out = sys.stdout.buffer
out.write(b"\xff caf\xc3\xa9\r\n")
out.write(b"a" * 8192 + "é".encode() * 3 + b"\n")
out.flush()
print("to stderr", file=sys.stderr)
out.write(b"no end")
""",
    )
    world.topology(app("odd", "python odd.py"))
    up = world.up("t.ztopo")
    ends_well(up, 0)
    lines = [line for line in up.text.splitlines() if line.startswith("odd ") and "process" not in line]
    assert lines[:3] == ["odd | \\xff café", "odd | " + "a" * 8192, "odd + ééé"]
    assert lines[3:5] == ["odd | to stderr", "odd | no end"]


def test_the_command_finds_its_files_beside_the_topology(world: World, ends_well: Ends) -> None:
    script = world.write("here.sh", "#!/bin/sh\necho I am here\n")
    script.chmod(0o755)
    world.topology(app("here", "./here.sh"))
    up = world.up("files/t.ztopo", cwd=world.folder.parent)
    up.wait_for(r"^here \| I am here$")
    ends_well(up, 0)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("no-such-command --at all", "`no-such-command` is not there"),
        ("./plain.txt", "`./plain.txt` may not be executed"),
    ],
)
def test_a_command_that_is_not_there_is_said_before_anything_starts(
    world: World, ends_well: Ends, command: str, why: str
) -> None:
    world.write("plain.txt", "x")
    world.topology(app("before", SLEEPER) + app("bad", command))
    up = world.up("t.ztopo")
    ends_well(up, 78)
    assert f"error[ZT610]: `bad` cannot be started: {why}" in up.text
    assert "--> t.ztopo:5:" in up.text
    assert "before" not in up.text


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("no-such-command --at all", "no-such-command: No such file or directory"),
        ("./plain.txt", "./plain.txt: Permission denied"),
        ("./headless", "./headless: Exec format error"),
    ],
)
def test_a_command_that_cannot_be_started_stops_the_start(world: World, ends_well: Ends, command: str, why: str) -> None:
    """Whatever the host was asked before: what it says may change until then."""
    world.write("plain.txt", "x")
    world.write("headless", "echo x\n").chmod(0o755)
    allow = "" if command == "./headless" else '  # ztopo: allow ZT610 "as if it had just been taken away"'
    world.topology(app("before", SLEEPER) + app("bad", command).rstrip() + f"{allow}\n")
    up = world.up("t.ztopo")
    ends_well(up, 1)
    assert f"error[ZT905]: `bad` cannot be started: {why}" in up.text
    assert "--> t.ztopo:5:" in up.text


def test_an_app_that_fails_stops_everything(world: World, ends_well: Ends) -> None:
    world.topology(app("other", SLEEPER) + app("bad", "python -c 'print(1); raise SystemExit(3)'"))
    up = world.up("t.ztopo")
    ends_well(up, 1)
    assert "error[ZT906]: `bad` ended with exit code 3" in up.text
    assert "--> t.ztopo:5:" in up.text
    assert up.text.index("bad   | 1") < up.text.index("ZT906")


def test_an_app_that_is_killed_has_failed(world: World, ends_well: Ends) -> None:
    world.topology(app("other", SLEEPER))
    up = world.up("t.ztopo")
    os.kill(up.pid_of("other"), signal.SIGKILL)
    ends_well(up, 1)
    assert "error[ZT906]: `other` was killed by SIGKILL" in up.text


def test_what_an_app_leaves_behind_is_ended(world: World, ends_well: Ends) -> None:
    world.write(
        "parent.py",
        """
import subprocess, sys
wait = [sys.executable, "-c", "import signal; print('there', flush=True); signal.pause()"]
for daemon in (False, True):
    child = subprocess.Popen(wait, stdout=subprocess.PIPE, start_new_session=daemon)
    child.stdout.readline()
    print("child", child.pid)
""",
    )
    world.topology(app("parent", "python parent.py"))
    up = world.up("t.ztopo")
    ends_well(up, 0)


def test_a_folder_need_not_be_utf_8(world: World, ends_well: Ends) -> None:
    world.folder = world.folder / os.fsdecode(b"caf\xe9")
    world.folder.mkdir()
    world.environment["ODD"] = os.fsdecode(b"\xff")
    queue(world)
    world.write("watcher.py", WATCHER.replace('os.environ["ZTOPO_WATCHER"]', 'os.environb[b"ZTOPO_WATCHER"]'))
    up = world.up("t.ztopo")
    up.wait_for_all(r"^broker +ready", r"^client +\| answer", r"^watcher +\| seen >")
    up.interrupt()
    ends_well(up, 0)


# Stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_in_order_with_0(world: World, ends_well: Ends, number: signal.Signals) -> None:
    world.write(
        "told.py",
        """
import signal, sys
def end(*_):
    print("told to end")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("there")
signal.pause()
""",
    )
    world.topology(
        """
device relay: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind tcp://127.0.0.1:* }
app last: PULL connect relay.out { run "python told.py" }
app first: PUSH connect relay.in { run "python told.py" }
"""
    )
    up = world.up("t.ztopo")
    up.wait_for_all(r"^first +\| there", r"^last +\| there")
    up.process.send_signal(number)
    up.wait_for(f"^stopping: {number.name}$")
    up.wait_for(r"^first +\| told to end")
    up.wait_for(r"^first +stopped +process \d+$")
    up.wait_for(r"^relay +stopped +0 messages received, 0 sent")
    up.wait_for(r"^last +\| told to end")
    up.wait_for(r"^last +stopped +process \d+$")
    ends_well(up, 0)


def test_a_second_signal_ends_it_at_once_with_130(world: World, ends_well: Ends) -> None:
    world.topology(app("stubborn", STUBBORN))
    up = world.up("t.ztopo")
    up.wait_for(r"\| there")
    up.interrupt()
    up.wait_for("^stopping: SIGINT$")
    up.interrupt()
    up.wait_for("^killing everything: SIGINT$")
    ends_well(up, 130)


@pytest.mark.parametrize("stderr", [subprocess.DEVNULL, subprocess.STDOUT])
def test_one_signal_stops_it_even_if_nobody_takes_its_output(world: World, stderr: int) -> None:
    world.topology(app("loud", "python -c \"while True: print('x' * 1000)\""))
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    process = world.popen("t.ztopo", stdout=write, stderr=stderr)
    try:
        while select.select([], [write], [], 0)[1]:  # until no more fits
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert world.is_clean()
    finally:
        process.kill()
        process.wait()
        os.close(read)
        os.close(write)


def test_an_app_is_not_held_up_for_good_by_one_who_does_not_read(world: World) -> None:
    """The pipe takes 64 KiB, ztopo a mebibyte: what an app writes beyond that is dropped, and the reader is told so."""
    lines = 5000
    world.topology(app("loud", f"python -c \"for n in range({lines}): print(n, 'x' * 1000)\""))
    process = world.popen("t.ztopo", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        while b"has stopped" not in process.stderr.readline():
            pass
        seen = process.stdout.read().decode().splitlines()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()
    note = re.fullmatch(r"\[(\d+) lines of output dropped here: nobody read\]", seen[-1])
    if note is None:  # its last words are more than the pipe takes, and it does not wait for one who does not read
        assert len(seen) < lines
    else:
        assert int(note[1]) + len(seen) - 1 == lines


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(world: World, closed: str) -> None:
    queue(world)
    world.topology(QUEUE.format(placement="process") + app("last", "python last.py"))
    world.write("last.py", "import sys; print('out'); print('err', file=sys.stderr); print('there', file=open('said', 'w'))\n")
    world.write("watcher.py", WATCHER.replace("print(", "print('seen', file=open('said', 'w')); print("))
    said = world.fifo("said")
    process = world.popen("t.ztopo", shell=closed)
    try:
        wanted = {"there", "seen"}
        while wanted:
            wanted -= set(said.next().split())
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert world.is_clean()
    finally:
        process.kill()
        process.wait()


def test_output_that_cannot_be_written_is_a_failure(world: World) -> None:
    world.topology(app("talker", "python -c 'while True: print(1)'"))
    with open("/dev/full", "w") as full:
        process = world.popen("t.ztopo", stdout=full, stderr=subprocess.PIPE)
        _, said = process.communicate(timeout=PATIENCE)
    assert b"stopping: the output cannot be written\n" in said
    assert said.splitlines()[-1] == b"error: cannot write to standard output: No space left on device"
    assert process.returncode == 2
    assert world.is_clean()


# Signals before anything is started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_first_stops_it_before_it_starts(world: World, number: int) -> None:
    world.topology(app("never", SLEEPER))
    pending = f"import os, signal, sys; signal.pthread_sigmask(0, {{{number:d}}}); os.kill(os.getpid(), {number:d}); "
    command = [sys.executable, "-c", pending + "os.execv(sys.executable, sys.argv[1:])", *ZTOPO, "up", "t.ztopo"]
    done = subprocess.run(command, cwd=world.folder, env=world.environment, capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode() == f"t.ztopo is not started: {signal.Signals(number).name}\n"
    assert world.is_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_file_is_read_stops_it_before_it_starts(world: World, number: int) -> None:
    os.mkfifo(world.folder / "slow.ztopo")
    process = world.popen("slow.ztopo", stderr=subprocess.PIPE)
    with open(world.folder / "slow.ztopo", "w"):  # opens when ztopo has come to read
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
    assert said.decode() == f"slow.ztopo is not started: {signal.Signals(number).name}\n"
    assert process.returncode == 0


def test_what_a_second_signal_kills_is_no_failure(world: World, ends_well: Ends) -> None:
    device = "device relay: streamer { run process; in PULL bind tcp://127.0.0.1:*; out PUSH bind tcp://127.0.0.1:* }\n"
    world.topology(device + app("stubborn", STUBBORN).replace(" {", ": PUSH connect relay.in {", 1))
    up = world.up("t.ztopo")
    up.wait_for(r"stubborn +\| there")
    up.interrupt()
    up.wait_for("^stopping: SIGINT$")
    up.interrupt()
    ends_well(up, 130)
    assert re.search(r"^stubborn +killed +process \d+, as asked$", up.text, re.MULTILINE)
    assert re.search(r"^relay +killed +process \d+, as asked$", up.text, re.MULTILINE)
    assert "error" not in up.text
    assert up.text.splitlines()[-1] == "t has stopped"


def test_who_is_still_busy_is_said_and_then_killed(world: World, ends_well: Ends) -> None:
    world.topology(app("stubborn", STUBBORN))
    up = world.up("t.ztopo")
    pid = up.pid_of("stubborn")
    up.wait_for(r"\| there")
    up.interrupt()
    up.wait_for(rf"^still busy: stubborn \(process {pid}\)$")
    ends_well(up, 0)
    assert f"warning[ZT907]: `stubborn` (process {pid}) did not end within 5 s and is killed" in up.text


def test_a_second_up_of_the_same_topology_is_refused(world: World, ends_well: Ends) -> None:
    world.topology(app("there", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for(r"\| there")
    second = world.up("t.ztopo")
    assert second.end() == 1
    assert f"error[ZT908]: `t` runs already, in process {up.process.pid}" in second.text
    assert f"started from {world.folder}/t.ztopo" in second.text
    up.interrupt()
    ends_well(up, 0)


def test_a_lock_that_is_left_over_is_no_obstacle(world: World, ends_well: Ends) -> None:
    world.topology(app("there", SLEEPER))
    up = world.up("t.ztopo")
    up.wait_for(r"\| there")
    up.process.kill()
    world.wait_until_empty()
    assert (world.runtime / "ztopo" / "t" / "lock").exists()
    again = world.up("t.ztopo")
    again.wait_for(r"\| there")
    again.interrupt()
    ends_well(again, 0)


def test_nobody_reading_its_output_is_a_reason_to_stop(world: World) -> None:
    world.topology(app("talker", "python -c 'while True: print(1)'"))
    read, write = os.pipe()
    up = subprocess.Popen(
        [*ZTOPO, "up", "t.ztopo"], cwd=world.folder, env=world.environment, stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    try:
        os.read(read, 1)
        os.close(read)
        _, said = up.communicate(timeout=PATIENCE)
    finally:
        up.kill()
        up.wait()
    assert "stopping: nobody reads the output any more" in said
    assert up.returncode == 0
    assert world.processes() == []


# What takes an address


def taken_port(world: World, port: int, comment: str = "") -> None:
    world.topology(
        f"device relay: streamer {{\n    in PULL bind tcp://127.0.0.1:*\n    out PUSH bind tcp://*:{port}{comment}\n}}\n"
        + app("never", SLEEPER)
    )


def test_a_taken_port_is_said_before_anything_starts(world: World, ends_well: Ends) -> None:
    with listener(socket.AF_INET, ("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        taken_port(world, port)
        up = world.up("t.ztopo")
        ends_well(up, 78)
    assert f"error[ZT601]: `tcp://*:{port}`, which `relay.out` binds, is taken" in up.text
    assert "--> t.ztopo:6:19" in up.text
    assert f"held by process {os.getpid()}" in up.text
    assert "t.ztopo is not started" in up.text
    assert "there" not in up.text.replace("somebody listens there", "")


def test_a_port_that_another_topology_has_is_said_to_be_held_by_that(world: World, ends_well: Ends) -> None:
    world.write(
        "first.ztopo", "ztopo 1\ntopology first\n\ndevice d: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://* }\n"
    )
    first = world.up("first.ztopo")
    port = int(first.wait_for(r"^ +in +tcp://127.0.0.1:(\d+)$")[1])
    first.wait_for("^first is ready")
    by_it = r"held by topology `first` \(process \d+\)"
    taken_port(world, port)
    second = world.up("t.ztopo")
    assert second.end() == 78
    assert re.search(by_it, second.text)
    assert " is python" not in second.text.replace(sys.executable, "python")
    taken_port(world, port, '  # ztopo: allow ZT601 "as if it had been free a moment ago"')
    third = world.up("t.ztopo")
    assert third.end() == 1
    assert re.search(rf"ZT901(.*\n)+.*{by_it}", third.text)
    world.topology(app("never", SLEEPER))
    measured = world.up("t.ztopo", f"--metrics=127.0.0.1:{port}")
    assert measured.end() == 78
    assert re.search(rf"ZT916(.*\n)+.*{by_it}", measured.text)
    first.interrupt()
    ends_well(first, 0)


def test_a_port_that_is_taken_in_the_meantime_stops_the_start(world: World, ends_well: Ends) -> None:
    with listener(socket.AF_INET, ("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        taken_port(world, port, '  # ztopo: allow ZT601 "as if it had been free a moment ago"')
        up = world.up("t.ztopo")
        ends_well(up, 1)
    assert f"error[ZT901]: `relay.out` cannot bind tcp://*:{port}: Address already in use" in up.text
    assert "--> t.ztopo:6:19" in up.text
    assert f"held by process {os.getpid()}" in up.text
    assert "t was not started: nothing of it is left" in up.text
    assert "never" not in up.text


def test_what_the_host_says_and_does_not_stop_is_said(world: World, ends_well: Ends) -> None:
    world.topology(
        "device relay: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind tcp://127.0.0.1:*\n"
        "    monitor PUB connect tcp://nobody.invalid:5 }\n" + app("one", "python -c 'print(1)'")
    )
    up = world.up("t.ztopo")
    up.wait_for(r"warning\[ZT607\]: `relay.monitor` connects to `nobody.invalid`, which nobody knows here")
    up.wait_for(r"is ready")
    up.interrupt()
    ends_well(up, 0)


def test_a_taken_ipc_path_stops_the_start_and_stays_with_its_owner(world: World) -> None:
    world.topology("device relay: streamer {\n    in PULL bind ipc://taken\n    out PUSH bind tcp://127.0.0.1:*\n}\n")
    path = str(world.folder / "taken")
    with listener(socket.AF_UNIX, path) as held:
        up = world.up("t.ztopo")
        assert up.end() == 78
        assert f"error[ZT601]: `ipc://{path}`, which `relay.in` binds, is taken" in up.text
        assert "--> t.ztopo:5:18" in up.text
        assert f"held by process {os.getpid()}" in up.text
        held.accept()[0].close()  # that was ztopo, looking
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            held.accept()[0].close()
    assert world.processes() == []


def test_a_dead_socket_file_is_removed(world: World, ends_well: Ends) -> None:
    world.topology("device relay: streamer {\n    in PULL bind ipc://dead\n    out PUSH bind tcp://127.0.0.1:*\n}\n")
    with listener(socket.AF_UNIX, str(world.folder / "dead")):
        pass
    assert (world.folder / "dead").is_socket()
    up = world.up("t.ztopo")
    up.wait_for("is ready")
    up.interrupt()
    ends_well(up, 0)


def test_a_file_that_is_no_socket_is_left_alone(world: World, ends_well: Ends) -> None:
    precious = world.write("precious", "not to be lost")
    world.topology("device relay: streamer {\n    in PULL bind ipc://precious\n    out PUSH bind tcp://127.0.0.1:*\n}\n")
    up = world.up("t.ztopo")
    ends_well(up, 78)
    assert "a file that is no socket is there" in up.text
    assert precious.read_text() == "not to be lost"


def test_a_folder_that_is_not_there_is_named(world: World, ends_well: Ends) -> None:
    world.topology("device relay: streamer {\n    in PULL bind ipc://no/such\n    out PUSH bind tcp://127.0.0.1:*\n}\n")
    up = world.up("t.ztopo")
    ends_well(up, 78)
    assert f"`relay.in` cannot make its ipc file in {world.folder}/no" in up.text


# What dies


def test_a_killed_process_device_is_said_at_once_and_started_again_where_it_was(world: World, ends_well: Ends) -> None:
    queue(world)
    up = world.up("t.ztopo")
    pid = up.pid_of("broker")
    address = up.wait_for(r"^ +in +(tcp://\S+)$")[1]
    up.wait_for(r"^client +\| answer")
    os.kill(pid, signal.SIGKILL)
    up.wait_for(r"^warning\[ZT904\]: the process of `broker` was killed by SIGKILL$")
    up.wait_for(r"--> t\.ztopo:5:8")
    up.wait_for(rf"lived in process {pid}")
    up.wait_for(r"= note: `broker` had received \d+ messages, sent \d+ and held 0")
    up.wait_for(r"^broker +restarts +at once, restart 1$")
    assert int(up.wait_for(r"^broker +ready +process (\d+)")[1]) != pid
    assert up.wait_for(r"^ +in +(tcp://\S+)$")[1] == address
    with zmq.Context() as context, context.socket(zmq.REQ) as client:
        client.linger = 0
        client.connect(address)
        client.send(b"21")
        assert client.poll(30_000), up.text
        assert client.recv() == b"42"
    up.interrupt()
    ends_well(up, 0)


def test_a_killed_thread_host_names_its_devices_and_starts_them_again(world: World, ends_well: Ends) -> None:
    streamer = "device {}: streamer {{ in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://* }}\n"
    world.topology(streamer.format("one") + streamer.format("two"))
    up = world.up("t.ztopo")
    pid = up.pid_of("one")
    up.wait_for("is ready")
    before = re.findall(r"^ +(?:in|out) +(\S+)$", up.text, re.MULTILINE)
    assert len(before) == 4
    os.kill(pid, signal.SIGSEGV)
    up.wait_for(r"warning\[ZT904\]: the process of `one`, `two` was killed by SIGSEGV")
    up.wait_for(r"two +restarts +at once, restart 1")
    after = [up.wait_for(r"^ +(?:in|out) +(\S+)$")[1] for _ in before]
    assert sorted(after) == sorted(before)
    up.interrupt()
    ends_well(up, 0)


def test_devices_leave_signals_to_their_supervisor(world: World, ends_well: Ends) -> None:
    queue(world)
    up = world.up("t.ztopo")
    pid = up.pid_of("broker")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(pid, number)
    up.wait_for(r"^client +\| answer")
    up.interrupt()
    ends_well(up, 0)


def test_nothing_outlives_a_killed_ztopo(world: World) -> None:
    queue(world)
    world.topology(
        QUEUE.format(placement="process")
        + app("stubborn", STUBBORN)
        + "device other: proxy { in PAIR bind inproc://a; out PAIR bind inproc://b }\n"
    )
    up = world.up("t.ztopo")
    up.wait_for_all(r"^client +\| answer", r"^stubborn +\| there")
    assert len(world.processes()) == 9  # ztopo, its starter, the keeper of that, two workers, four apps
    up.process.kill()
    world.wait_until_empty()


DAEMON = """
import os, signal, sys, zmq
socket = zmq.Context.instance().socket(zmq.PULL)
socket.bind(os.environ["ZTOPO_PARENT"])
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("daemon", os.getpid())
    while True:
        signal.pause()
signal.pause()
"""


@pytest.mark.parametrize("victim", ["starter", "keeper"])
def test_nothing_outlives_a_killed_starter(world: World, victim: str) -> None:
    """Not even what an app has started in a session of its own, which the kernel does not end with it; nor a file."""
    queue(world)
    world.write("daemon.py", DAEMON)
    world.topology(
        QUEUE.format(placement="process")
        + "device wild: streamer { in PULL bind ipc://*; out PUSH bind ipc://wild.out }\n"
        + 'app parent: PULL bind ipc://parent { run "python daemon.py" }\n'
    )
    up = world.up("t.ztopo")
    broker = up.pid_of("broker")
    up.wait_for_all(r"^client +\| answer", r"^parent +\| daemon")
    starter = parent_of(broker)
    keeper = parent_of(starter)
    assert parent_of(keeper) == up.process.pid
    os.kill({"starter": starter, "keeper": keeper}[victim], signal.SIGKILL)
    up.wait_for(r"^error\[ZT911\]: the process that starts all others has ended")
    assert up.end() == 1
    assert world.is_clean()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_what_is_left_of_all_that_was_killed_is_cleared_up_by_the_next(world: World, ends_well: Ends) -> None:
    world.topology("device wild: streamer { in PULL bind ipc://*; out PUSH bind ipc://wild.out }\n")
    up = world.up("t.ztopo")
    made = Path(up.wait_for(r"^ +in +ipc://(.*)$")[1])
    assert made.is_relative_to(world.runtime / "ztopo" / "t")
    up.wait_for("is ready")
    for number in (signal.SIGSTOP, signal.SIGKILL):  # so that nobody has the time to clear up after another one
        for pid in world.processes():
            os.kill(pid, number)
    world.wait_until_empty()
    assert made.is_socket()
    again = world.up("t.ztopo")
    again.wait_for("is ready")
    assert not made.exists()
    again.interrupt()
    ends_well(again, 0)


def test_the_next_one_waits_for_the_end_of_one_that_was_killed(world: World, ends_well: Ends) -> None:
    device = "device relay: streamer { run process; in PULL bind ipc://relay.in; out PUSH bind ipc://relay.out }\n"
    world.topology(device + app("stubborn", STUBBORN))
    up = world.up("t.ztopo")
    up.wait_for(r"\| there")
    up.process.kill()
    up.process.wait()
    again = world.up("t.ztopo")  # the stubborn one is given some time to end, and is there still
    again.wait_for(r"\| there")
    again.interrupt()
    again.wait_for("^stopping")
    again.interrupt()
    ends_well(again, 130)


def test_a_process_that_is_halted_is_said_and_does_not_hang_the_end(world: World, ends_well: Ends) -> None:
    queue(world)
    up = world.up("t.ztopo")
    broker = up.pid_of("broker")
    up.wait_for(r"^client +\| answer")
    os.kill(broker, signal.SIGSTOP)
    up.wait_for(rf"^broker +halted +by SIGSTOP, process {broker}$")
    os.kill(broker, signal.SIGCONT)
    up.wait_for(rf"^broker +resumed +process {broker}$")
    os.kill(broker, signal.SIGSTOP)
    up.wait_for("^broker +halted")
    up.interrupt()
    up.wait_for("^broker +stopped +\\d+ messages received")  # it goes on, and ends itself
    ends_well(up, 0)
    assert "ZT907" not in up.text


# What is refused


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("device broker: queue { in ROUTER bind tcp://127.0.0.1:*; out ROUTER bind tcp://127.0.0.1:* }", 78, "ZT202"),
        ("device broker queue", 78, "error["),
        ("app client: PUSH connect tcp://127.0.0.1:1 { run inside }", 78, "error[ZT910]: `client` runs inside an application"),
        ("device a: streamer { control PAIR bind inproc://c; in PULL bind inproc://a; out PUSH bind inproc://b }", 78, "control"),
    ],
)
def test_an_invalid_topology_is_refused_before_anything_starts(world: World, text: str, code: int, said: str) -> None:
    world.topology(app("never", "python -c 'print(\"it runs\")'") + text + "\n")
    up = world.up("t.ztopo")
    assert up.end() == code, up.text
    assert said in up.text
    assert "t.ztopo is not started" in up.text
    assert "it runs" not in up.text
    assert not (world.runtime / "ztopo").exists()


def test_a_file_that_cannot_be_read_is_2(world: World) -> None:
    up = world.up("nothing.ztopo")
    assert up.end() == 2
    assert "cannot read nothing.ztopo: No such file or directory" in up.text


def test_params_are_set_from_outside(world: World, ends_well: Ends) -> None:
    world.topology('param what: text = "nothing"\n' + 'app one { run "echo ${what}" }\n')
    up = world.up("t.ztopo", "--set", "what=something")
    up.wait_for(r"^one \| something$")
    ends_well(up, 0)


# What there is not enough of


@pytest.mark.parametrize(("most", "code"), [(31, 1), (40, 1), (48, 1), (200, 0)])
def test_without_enough_descriptors_it_says_so_and_leaves_nothing(world: World, ends_well: Ends, most: int, code: int) -> None:
    """A device's process takes some thirty; of ztopo's own each process takes one or two."""
    world.topology(
        "device relay: streamer { run process; in PULL bind tcp://127.0.0.1:*; out PUSH bind ipc://relay }\n"
        + app("idle[40]", "sleep 600")
    )
    up = world.up("t.ztopo", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
    while (line := up.lines.next()) is not None and not line.startswith("idle[39] started"):
        pass
    if line is not None:
        up.interrupt()
    ends_well(up, code)
    assert "Traceback" not in up.text
    if code:
        assert re.search(r"^error\[ZT905\]: `idle\[\d+\]` cannot be started: .*: Too many open files$", up.text, re.MULTILINE)
        assert "see `ulimit -n`" in up.text


def test_a_full_runtime_folder_is_said(world: World) -> None:
    world.topology(app("never", SLEEPER))
    up = world.up("t.ztopo", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    assert up.end() == 1
    assert f"error[ZT909]: the runtime folder {world.runtime}/ztopo/t cannot be used: File too large" in up.text
    assert "another one can be named in XDG_RUNTIME_DIR" in up.text
    assert world.is_clean()


# Terminals

LEAD_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


class Terminal:
    """`ztopo up` at a terminal of 80 columns."""

    def __init__(self, world: World, *arguments: str) -> None:
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, b"\x18\x00\x50\x00\x00\x00\x00\x00")
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", LEAD_TERMINAL, *ZTOPO[1:], "up", *arguments],
            cwd=world.folder,
            env={**world.environment, "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def wait_for(self, text: bytes) -> None:
        while text not in self.seen:
            assert select.select([self.master], [], [], PATIENCE)[0], (
                f"nothing more came after:\n{self.seen.decode(errors='replace')}"
            )
            self.seen += os.read(self.master, 65536)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


ODD = r"""
import sys
print("10%\r20%\r30%")
print("\x1b[2J\x1b[Hwiped\x1b]0;title\x07")
print("\x1b[31mred")
print("plain \x9b2J")
"""


def test_an_apps_output_does_nothing_to_the_terminal_but_colours(world: World) -> None:
    world.write("odd.py", ODD)
    world.topology(app("odd", "python odd.py"))
    terminal = Terminal(world, "t.ztopo")
    try:
        terminal.wait_for(b"t has stopped")
        assert terminal.process.wait(PATIENCE) == 0
    finally:
        terminal.close()
        os.close(terminal.master)
    text = terminal.seen.decode()
    assert "| 10%␍20%␍30%" in re.sub("\x1b\\[[0-9;]*m", "", text)
    assert "␛[2J␛[Hwiped␛]0;title␇" in text
    assert "\x1b[31mred\x1b[0m\r\n" in text
    assert not re.search("\x1b\\[2J|\x9b|\x07", text)


def test_an_apps_output_is_as_it_is_off_a_terminal(world: World, ends_well: Ends) -> None:
    world.write("odd.py", ODD)
    world.topology(app("odd", "python odd.py"))
    arguments = [*ZTOPO, "up", "t.ztopo"]
    done = subprocess.run(arguments, cwd=world.folder, env=world.environment, capture_output=True, timeout=60, check=True)
    wanted = [b"10%\r20%\r30%", b"\x1b[2J\x1b[Hwiped\x1b]0;title\x07", b"\x1b[31mred", b"plain \xc2\x9b2J"]
    assert done.stdout.split(b"\n") == [*(b"odd | " + line for line in wanted), b""]


def test_ctrl_c_at_a_terminal_reaches_only_ztopo(world: World) -> None:
    queue(world)
    terminal = Terminal(world, "t.ztopo")
    try:
        terminal.wait_for(b"answer 2")
        os.write(terminal.master, b"\x03")
        terminal.wait_for(b"t has stopped")
        assert terminal.process.wait(PATIENCE) == 0
    finally:
        terminal.close()
        os.close(terminal.master)
    assert b"KeyboardInterrupt" not in terminal.seen
    assert b"\x1b[" in terminal.seen
    assert world.processes() == []


def test_a_terminal_that_goes_away_stops_it(world: World) -> None:
    queue(world)
    terminal = Terminal(world, "t.ztopo")
    try:
        terminal.wait_for(b"answer 2")
        os.close(terminal.master)
        assert terminal.process.wait(PATIENCE) == 0
    finally:
        terminal.close()
    assert world.processes() == []


def test_a_hangup_without_a_terminal_does_not_stop_it(world: World, ends_well: Ends) -> None:
    world.topology(app("there", SLEEPER))
    up = world.up("t.ztopo", start_new_session=True)
    up.wait_for(r"\| there")
    up.process.send_signal(signal.SIGHUP)
    up.wait_for("^t: nothing to change$")
    up.interrupt()
    ends_well(up, 0)
