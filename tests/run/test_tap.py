"""`ztopo tap` on topologies that run: what it shows, what it misses, and that a device never notices."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.processes import PATIENCE, wait_until
from tests.run.conftest import ZTOPO, Up, Verb, World
from topo.recording import Recording
from topo.run.client import Topology, find
from topo.run.tapping import Seen, Tapping

Socket = zmq.Socket[bytes]

STREAMER = "device jobs: streamer {{ {more} in PULL bind ipc://in; out PUSH bind ipc://out {monitor} }}\n"
OPEN = "; monitor PUB bind ipc://copies"


class Rig:
    """A streamer that runs, a socket at either end, and taps."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._context: zmq.Context[Socket] = zmq.Context()
        self._taps: list[Tap] = []
        self._through = 0
        """How many messages have come out."""
        self._sockets: list[Socket] = []

    def start(self, monitor: str = "", more: str = "run process;") -> Up:
        up = self.world.up(str(self.world.topology(STREAMER.format(monitor=monitor, more=more))))
        up.wait_for("t is ready")
        self.source = self._connect(zmq.PUSH, "in")
        self.sink = self._connect(zmq.PULL, "out")
        return up

    def _connect(self, type: int, name: str) -> Socket:
        socket = self._context.socket(type)
        socket.linger = socket.rcvhwm = 0
        socket.rcvtimeo = socket.sndtimeo = int(PATIENCE * 1000)
        socket.connect(f"ipc://{self.world.folder}/{name}")
        self._sockets.append(socket)
        return socket

    def subscriber(self) -> Socket:
        """Somebody else who reads the monitor."""
        socket = self._connect(zmq.SUB, "copies")
        socket.subscribe(b"")
        return socket

    def pass_on(self, *messages: list[bytes]) -> None:
        """Send messages, and see that each comes out."""
        for message in messages:
            self.source.send_multipart(message)
        for message in messages:
            assert self.sink.recv_multipart() == message
        self._through += len(messages)

    @property
    def topology(self) -> Topology:
        return find("t", self.world.environment)

    @property
    def passed(self) -> int:
        """How many copies the device has passed to a monitor, of all that has come out of it: it counts that a moment later."""
        found: list[int] = []

        def counted() -> bool:
            (device,) = self.topology.snapshot().devices
            assert device.statistics is not None
            found.append(device.statistics.capture.passed)
            return device.statistics.backend.sent.messages == self._through

        wait_until(counted, "the count")
        return found[-1]

    def copies(self) -> bool:
        """Whether a message that is passed on is copied for a monitor."""
        before = self.passed
        self.pass_on([b"-"])
        return self.passed > before

    def tap(self, *arguments: str, **settings: object) -> Tap:
        """A tap that listens."""
        tap = Tap(self, arguments, **settings)
        self._taps.append(tap)
        return tap

    def close(self) -> None:
        for tap in self._taps:
            tap.close()
        self._context.destroy(linger=0)


class Tap(Verb):
    """A `ztopo tap`."""

    def __init__(self, rig: Rig, arguments: tuple[str, ...], **settings: object) -> None:
        super().__init__(rig.world, ("tap", *arguments), **settings)
        self._rig = rig

    def shows(self) -> Tap:
        """Pass on messages until one of them is shown."""
        self.lines.wait_for("listening to jobs")
        while not self.lines.came():
            self._rig.pass_on([b"hello"])
        return self

    def listens(self) -> Tap:
        """Wait until it says so, and pass on messages until they are copied for it, shown or not. Nobody else may listen."""
        self.lines.wait_for("listening to jobs")
        wait_until(self._rig.copies, "a subscription")
        return self

    def interrupt(self, number: int = signal.SIGINT) -> str:
        """Let it end, if it has not, and return all that it has said."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.end()
        return self.lines.text


@pytest.fixture
def rig(world: World) -> Iterator[Rig]:
    rig = Rig(world)
    try:
        yield rig
    finally:
        rig.close()


BOTH = pytest.mark.parametrize("monitor", ["", OPEN], ids=["without a monitor", "with one"])


@BOTH
@pytest.mark.parametrize("more", ["run process;", ""], ids=["process", "thread"])
def test_it_shows_what_flows(rig: Rig, monitor: str, more: str) -> None:
    rig.start(monitor, more)
    tap = rig.tap("jobs").shows()
    rig.pass_on([b"topic", b'{"a": 1}', b"\x00\xff", b""])
    line = tap.lines.wait_for("topic")[0]
    assert line
    shown = tap.lines.seen[-1]
    assert re.fullmatch(r'\d\d:\d\d:\d\d\.\d{6} jobs\.in 4 parts 15 B: topic \| \{"a":1\} \| 00ff \| ""', shown), shown
    text = tap.interrupt()
    count = len(re.findall("^[0-9:.]+ jobs", text, re.MULTILINE))
    assert text.splitlines()[-1] == f"{count} messages shown"
    assert tap.process.returncode == 0


def test_nobody_watches_and_nothing_is_copied(rig: Rig) -> None:
    rig.start(OPEN)
    rig.pass_on(*[[b"x"]] * 100)
    assert rig.passed == 0
    rig.tap("jobs").shows().interrupt()
    wait_until(lambda: not rig.copies(), "an end of the copies")


@BOTH
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_however_it_ends_the_device_is_as_before(rig: Rig, monitor: str, number: int) -> None:
    rig.start(monitor)
    rig.tap("jobs").shows().interrupt(number)
    wait_until(lambda: not rig.copies(), "an end of the copies")
    found = [p for p in rig.world.runtime.rglob("*") if p.is_socket() and p.name != "control"]
    wait_until(lambda: not any(p.exists() for p in found), "the removal of the socket")


@BOTH
def test_two_taps_share_what_is_there_for_them(rig: Rig, monitor: str) -> None:
    rig.start(monitor)
    one = rig.tap("jobs").shows()
    other = rig.tap("jobs").shows()
    one.interrupt(signal.SIGKILL)
    rig.pass_on([b"the last one"])
    other.lines.wait_for("the last one")


def test_who_reads_the_monitor_already_notices_nothing(rig: Rig) -> None:
    rig.start(OPEN)
    reader = rig.subscriber()
    wait_until(rig.copies, "a subscription")
    tap = rig.tap("jobs").shows()
    tap.interrupt()
    rig.pass_on([b"end"])
    seen = 1
    while (message := reader.recv_multipart()) != [b"in", b"end"]:
        assert message[0] == b"in"
        seen += 1
    assert rig.passed == seen, "each once, and none is missing"


@BOTH
def test_a_tap_that_does_not_read_holds_nothing_up_and_says_what_it_missed(rig: Rig, monitor: str) -> None:
    rig.start(monitor)
    tap = rig.tap("jobs", "--grep", "end of it").listens()
    base = rig.passed
    tap.process.send_signal(signal.SIGSTOP)
    for _ in range(200):
        rig.pass_on(*[[b"x" * 1000]] * 100)
    assert rig.passed - base == 20000
    tap.process.send_signal(signal.SIGCONT)
    text = tap.interrupt()
    missed = int(re.search(r"(\d+) missed: they were not read here in time", text)[1])  # type: ignore[index]  # or the test fails
    assert 10000 < missed < 20000


def test_a_device_that_was_started_again_is_tapped_on(rig: Rig) -> None:
    up = rig.start()
    tap = rig.tap("jobs").shows()
    (before,) = rig.topology.snapshot().devices
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    wait_until(
        lambda: rig.topology.snapshot().devices[0].restarts == 1 and rig.topology.snapshot().devices[0].life == "ready",
        "it again",
    )
    assert up.process.poll() is None

    def is_seen_again() -> bool:
        rig.source.send_multipart([b"again"])
        if rig.sink.poll(10):
            rig.sink.recv_multipart()
        tap.lines.came()
        return "again" in tap.lines.text

    wait_until(is_seen_again, "a copy")
    tap.interrupt()
    assert tap.process.returncode == 0


def test_the_end_of_the_topology_ends_it(rig: Rig) -> None:
    up = rig.start()
    tap = rig.tap("jobs").shows()
    up.interrupt()
    tap.lines.wait_for_end()
    assert tap.process.wait(PATIENCE) == 0
    assert "t has ended: " in tap.lines.seen[-1]
    assert up.end() == 0
    assert rig.world.is_clean()


def test_a_reader_who_goes_away_ends_it(rig: Rig) -> None:
    rig.start()
    process = subprocess.Popen(
        [*ZTOPO, "tap", "jobs"], cwd=rig.world.folder, env=rig.world.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert b"0 messages shown" in said


# What is asked for


def run(rig: Rig, *arguments: str) -> subprocess.CompletedProcess[str]:
    return rig.world.run("tap", *arguments)


def test_count_time_and_filters(rig: Rig) -> None:
    rig.start(OPEN)
    tap = rig.tap("jobs.monitor", "--topic", "b", "--size", "2..3", "--prefix", "in", "--count", "2").listens()
    rig.pass_on([b"b"], [b"bb"], [b"a", b"bb"], [b"b", b"cc"], [b"bbbb"], [b"bb"])
    tap.lines.wait_for_end()
    assert [line.partition("B: ")[2] for line in tap.lines.seen[1:-1]] == ["bb", "b | cc"]
    assert tap.process.wait(PATIENCE) == 0
    assert run(rig, "jobs", "--for", "10ms").stderr == "listening to jobs\n0 messages shown\n"


def test_lines_of_json(rig: Rig) -> None:
    rig.start()
    tap = rig.tap("jobs.in", "--format", "jsonl", "--count", "1", "--grep", "x$").listens()
    rig.pass_on([b"{}", b"\xff", b"x"])
    tap.lines.wait_for_end()
    document = json.loads(tap.lines.seen[1])
    assert abs(document.pop("time") - os.stat("/proc/self").st_ctime) < 86400
    assert document == {"device": "jobs", "side": "in", "size": 4, "parts": [{"json": {}}, {"hex": "ff"}, {"text": "x"}]}


def test_what_is_beyond_the_rate_is_counted(rig: Rig) -> None:
    rig.start()
    tap = rig.tap("jobs", "--rate", "1", "--grep", "number").listens()
    rig.pass_on(*([b"number %d" % n] for n in range(50)))
    while len(re.findall(": number", tap.lines.text)) + sum(map(int, re.findall(r"\[(\d+) messages? not", tap.lines.text))) < 50:
        assert tap.lines.next() is not None
    text = tap.interrupt()
    shown, left_out = re.search(r"(\d+) messages? shown, (\d+) not shown: more than 1 in a second", text).groups()  # type: ignore[union-attr]  # as above
    assert int(shown) + int(left_out) == 50
    assert len(re.findall(": number", text)) == int(shown) < 50


def test_parts_are_shown_as_is_wished(rig: Rig) -> None:
    rig.start(OPEN)
    tap = rig.tap("jobs", "--as", "hex", "--bytes", "2", "--topic", "b", "--count", "1").listens()
    rig.pass_on([b"bcd", b"e"])
    tap.lines.wait_for_end()
    assert re.search(r"jobs\.in 2 parts 4 B: 6263… \(3 B\) \| 65$", tap.lines.text, re.MULTILINE)


def test_a_side_that_only_sends_is_refused(rig: Rig) -> None:
    rig.start()
    done = run(rig, "jobs.out")
    assert done.returncode == 2
    assert done.stderr == "error: jobs.out is a PUSH: nothing comes in there, and what it sends has come in at the other side\n"


def test_what_cannot_be_tapped_is_refused(rig: Rig) -> None:
    rig.start("; monitor PUSH bind ipc://copies")
    for name in ("jobs", "jobs.in"):
        done = run(rig, name)
        assert done.returncode == 2
        assert done.stderr == (
            "error: jobs.monitor is a PUSH: it shares its copies among its readers, so a tap would take them away from the others\n"
        )
    done = run(rig)
    assert done.returncode == 2
    assert "jobs is left out: jobs.monitor is a PUSH" in done.stderr
    assert "t has no device to tap" in done.stderr
    assert "there is no device or side `jbos`, did you mean `jobs`?" in run(rig, "jbos").stderr
    assert "there is no device or side `x`, there are jobs" in run(rig, "x").stderr
    assert run(rig, "-t", "other").returncode == 3


@pytest.mark.parametrize(
    "wrong",
    [
        ("--size", "x"),
        ("--size", ".."),
        ("--grep", "("),
        ("--for", "10"),
        ("--rate", "0"),
        ("--rate", "1", "--record", "f"),
        ("--as", "hex", "--record", "f"),
    ],
)
def test_wrong_usage(rig: Rig, wrong: tuple[str, ...]) -> None:
    done = run(rig, "jobs", *wrong)
    assert done.returncode == 2
    assert "Usage: " in done.stderr


# Recordings


def test_a_recording_has_what_flowed_with_its_times(rig: Rig) -> None:
    rig.start()
    tap = rig.tap("jobs", "--record", "r", "--grep", "number", "--count", "10").listens()
    messages = [[b"number", b"%d" % n] for n in range(10)]
    rig.pass_on(*messages)
    tap.lines.wait_for_end()
    assert tap.lines.seen == ["listening to jobs", "10 messages recorded in r"]
    recording = Recording(str(rig.world.folder / "r"))
    assert recording.header.topology == "t"
    assert recording.header.file.endswith("t.ztopo")
    assert recording.header.sockets == {"jobs.in": "PULL", "jobs.out": "PUSH"}
    records = list(recording)
    assert [list(record.parts) for record in records] == messages
    assert {(record.device, record.side) for record in records} == {("jobs", "in")}
    assert [r.offset for r in records] == sorted(r.offset for r in records)
    done = run(rig, "jobs", "--record", "r")
    assert (done.returncode, done.stderr) == (2, "error: r is there already, and is not written over\n")


def test_after_sigkill_a_recording_can_be_read(rig: Rig) -> None:
    rig.start()
    tap = rig.tap("jobs", "--record", "r").listens()
    rig.pass_on([b"the last one"])
    path = rig.world.folder / "r"
    wait_until(lambda: any(record.parts == (b"the last one",) for record in Recording(str(path))), "it on the disk")
    tap.interrupt(signal.SIGKILL)
    assert list(Recording(str(path)))[-1].parts == (b"the last one",)


def test_a_full_disk_ends_the_recording_and_not_the_device(rig: Rig) -> None:
    rig.start()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    tap = rig.tap("jobs", "--record", "r", preexec_fn=limit).listens()
    for _ in range(40):
        rig.pass_on([b"x" * 1000])
    tap.lines.wait_for_end()
    assert tap.process.wait(PATIENCE) == 2
    assert re.fullmatch(r"error: cannot write r: File too large; it ends here, with \d+ messages", tap.lines.seen[-1])
    assert len(list(Recording(str(rig.world.folder / "r")))) == int(tap.lines.seen[-1].split()[-2])
    rig.pass_on([b"as before"])


def test_a_path_that_cannot_be_written_is_said(rig: Rig) -> None:
    rig.start()
    done = run(rig, "jobs", "--record", str(Path("nowhere") / "r"))
    assert (done.returncode, done.stderr) == (2, "error: cannot write nowhere/r: No such file or directory\n")


def test_from_python_it_is_known_exactly_what_was_missed(rig: Rig) -> None:
    rig.start()
    with Tapping(rig.topology, ["jobs"]) as tapping:
        base = None
        while base is None:
            rig.pass_on([b"hello"])
            if tapping.read(0.01):
                base = rig.passed
        while tapping.read(0.05):
            pass
        for _ in range(50):
            rig.pass_on(*[[b"x" * 1000]] * 100)
        assert tapping.settle()
        assert 0 < tapping.missed < 5000
        seen = tapping.lines["jobs"]._seen
        assert seen + tapping.missed == rig.passed


def test_what_is_on_its_way_is_not_taken_for_missed_by_one_who_is_woken(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.start()
    with Tapping(rig.topology, ["jobs"]) as tapping:
        while not tapping.read(0.01):
            rig.pass_on([b"hello"])
        rig.pass_on(*[[b"x"]] * 100)
        assert rig.passed > 100, "the device has counted them"
        read, waits = tapping.read, list[float]()

        def woken_at_first(timeout: float) -> list[Seen]:
            waits.append(timeout)
            return read(timeout) if len(waits) > 1 else []

        monkeypatch.setattr(tapping, "read", woken_at_first)
        assert tapping.settle()
        assert tapping.missed == 0
