"""`ztopo replay`: what was recorded is sent again, at its times, to whoever takes it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from tests.processes import PATIENCE, Lines
from tests.run.conftest import ZTOPO, World
from topo.recording import Header, Record, Recorder
from topo.run.replaying import Replay, due, feeder
from topo.zeromq.sockets import SOCKETS

Socket = zmq.Socket[bytes]


# When


def record(offset: int, *parts: bytes, side: str = "in") -> Record:
    return Record(offset, "a", side, parts or (b"x",))


def test_times_are_kept_relative_and_scaled() -> None:
    records = [record(5_000_000_000), record(5_500_000_000), record(7_000_000_000)]
    assert [d.at for d in due(records, 1.0)] == [0.0, 0.5, 2.0]
    assert [d.at for d in due(records, 4.0)] == [0.0, 0.125, 0.5]
    assert [d.at for d in due(records, None)] == [0.0, 0.0, 0.0]
    assert [d.record for d in due(records, 1.0)] == records


def test_a_loop_goes_on_where_it_ended() -> None:
    records = [record(0), record(1_000_000_000)]
    assert [d.at for d in islice(due(records, 2.0, loop=True), 6)] == [0.0, 0.5, 0.5, 1.0, 1.0, 1.5]
    assert list(due([], 1.0, loop=True)) == []


@given(st.lists(st.integers(0, 2**62)), st.none() | st.floats(0.001, 1000), st.integers(1, 3))
def test_nothing_is_due_before_what_came_first(offsets: list[int], speed: float | None, rounds: int) -> None:
    records = [record(offset) for offset in offsets]
    times = [d.at for d in islice(due(records, speed, loop=True), rounds * len(records))]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("type", "sender"),
    [("PULL", "PUSH"), ("SUB", "PUB"), ("XSUB", "PUB"), ("ROUTER", "DEALER"), ("DEALER", "DEALER"), ("PAIR", "PAIR"), ("REP", "DEALER"),
     ("PUSH", None), ("PUB", None), ("XPUB", None), ("STREAM", None)],
)  # fmt: skip
def test_who_sends_to_whom(type: str, sender: str | None) -> None:
    assert feeder(type) == sender


def test_whoever_sends_is_a_peer_that_may_always_send() -> None:
    for type, row in SOCKETS.items():
        sender = feeder(type)
        assert sender is None or (sender in row.peers and SOCKETS[sender].sends and not SOCKETS[sender].turns)


class Clock:
    """A clock that goes on by as much each time it is asked, and jumps as a slow receiver would make it."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_being_late_once_puts_nothing_off() -> None:
    """Each is due from the beginning on: a clock that had jumped by ten seconds finds the next ten messages due at once."""
    context: zmq.Context[Socket] = zmq.Context()
    sink = context.socket(zmq.PULL)
    port = sink.bind_to_random_port("tcp://127.0.0.1")
    clock = Clock(0.0001)
    replay = Replay("PUSH", f"tcp://127.0.0.1:{port}", clock)
    replay.wait_until_taken(lambda: True)
    clock.step = 10.0
    replay.send(due([record(n * 1_000_000_000) for n in range(10)], 1.0), lambda _: 0, lambda: True)
    assert replay.sent == 10
    assert clock.now < 10 * 40, "it did not wait for any of them"
    replay.close()
    sink.close(0)
    context.term()


# The command


class Rig:
    def __init__(self, world: World) -> None:
        self.world = world
        self.context: zmq.Context[Socket] = zmq.Context()
        self._processes: list[tuple[subprocess.Popen[str], Lines]] = []
        self._sockets: list[Socket] = []

    def record(self, *records: Record, sockets: dict[str, str] | None = None) -> Path:
        path = self.world.folder / "r"
        with Recorder(str(path), Header("t", "t.ztopo", 1, sockets or {"a.in": "PULL"})) as recorder:
            for each in records:
                recorder.add(each)
        return path

    def socket(self, type: int) -> tuple[Socket, str]:
        """A socket that takes what comes, and its address."""
        socket = self.connected(type)
        return socket, f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}"

    def connected(self, type: int, address: str = "") -> Socket:
        socket = self.context.socket(type)
        self._sockets.append(socket)
        socket.linger = socket.rcvhwm = 0
        socket.rcvtimeo = int(PATIENCE * 1000)
        if address:
            socket.connect(address)
        return socket

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.world.run("replay", "r", *arguments)

    def begin(self, *arguments: str) -> tuple[subprocess.Popen[str], Lines]:
        process = subprocess.Popen(
            [*ZTOPO, "replay", "r", *arguments], cwd=self.world.folder, env=self.world.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._processes.append((process, Lines(process)))
        return self._processes[-1]

    def close(self) -> None:
        for process, lines in self._processes:
            process.kill()
            process.wait()
            lines.close()
        self.context.destroy(linger=0)


@pytest.fixture
def rig(world: World) -> Iterator[Rig]:
    rig = Rig(world)
    try:
        yield rig
    finally:
        rig.close()


def test_what_was_recorded_is_sent_again(rig: Rig) -> None:
    messages = [[b"%d" % n, b"", b"x" * n] for n in range(1000)]
    rig.record(*(record(n * 1000, *parts) for n, parts in enumerate(messages)))
    sink, address = rig.socket(zmq.PULL)
    done = rig.run("--into", address, "--type", "PUSH")
    assert [sink.recv_multipart() for _ in messages] == messages
    assert done.returncode == 0
    assert done.stderr.startswith(f"sending to {address}\n1000 messages sent in ")


def test_it_takes_as_long_as_it_took_or_as_is_wanted(rig: Rig) -> None:
    """How long at most is not said: the machine may be busy."""
    rig.record(record(0), record(300_000_000), record(600_000_000))
    sink, address = rig.socket(zmq.PULL)
    for speed, least in (("1", 0.6), ("2", 0.3), ("max", 0.0)):
        seconds = float(
            rig.run("--into", address, "--type", "PUSH", "--speed", speed).stderr.split(" sent in ")[1].split(" s")[0]
        )
        assert seconds >= least - 0.05
    assert [sink.recv_multipart() for _ in range(9)] == [[b"x"]] * 9


def test_a_publisher_waits_until_somebody_has_subscribed(rig: Rig) -> None:
    rig.record(*(record(n, b"%d" % n) for n in range(100)))
    sink, address = rig.socket(zmq.SUB)
    process, lines = rig.begin("--into", address, "--type", "PUB", "--speed", "max")
    lines.wait_for("sending to")
    assert process.poll() is None
    sink.subscribe(b"")
    assert [sink.recv_multipart() for _ in range(100)] == [[b"%d" % n] for n in range(100)]
    lines.wait_for("^100 messages sent")


def test_a_loop_ends_with_ctrl_c_and_nothing_is_torn(rig: Rig) -> None:
    rig.record(record(0, b"first", b"1"), record(1000, b"second", b"2"))
    sink, address = rig.socket(zmq.PULL)
    process, lines = rig.begin("--into", address, "--type", "PUSH", "--loop")
    seen = [sink.recv_multipart() for _ in range(101)]
    process.send_signal(signal.SIGINT)
    lines.wait_for_end()
    assert process.wait(PATIENCE) == 0
    sent = int(lines.seen[-1].split()[0])
    seen += [sink.recv_multipart() for _ in range(sent - 101)]
    assert seen == [[b"first", b"1"] if n % 2 == 0 else [b"second", b"2"] for n in range(sent)]


def test_while_nobody_takes_anything_ctrl_c_ends_it(rig: Rig) -> None:
    rig.record(record(0))
    process, lines = rig.begin("--into", "tcp://127.0.0.1:1", "--type", "PAIR")
    lines.wait_for("sending to")
    lines.wait_for("^waiting for somebody at tcp://127.0.0.1:1 who takes messages$")
    process.send_signal(signal.SIGINT)
    lines.wait_for_end()
    assert process.wait(PATIENCE) == 0
    assert lines.seen[-1].startswith("0 messages sent")


def test_what_is_left_out_is_counted_and_why(rig: Rig) -> None:
    rig.record(record(0), record(1), record(2, side="out"), sockets={"a.in": "PULL", "a.out": "PUSH"})
    sink, address = rig.socket(zmq.PULL)
    done = rig.run("--into", address, "--type", "PUSH", "--from", "a.in")
    assert done.stderr.splitlines()[-1].endswith(", 1 left out: they came in at a.out")
    assert done.stderr.splitlines()[-1].startswith("2 messages sent in ")
    assert [sink.recv_multipart() for _ in range(2)] == [[b"x"]] * 2
    assert "left out" not in rig.run("--into", address, "--type", "PUSH", "--from", "a.in", "--from", "a.out").stderr


def test_requests_that_go_into_a_pull_are_warned_of(rig: Rig) -> None:
    rig.record(record(0, b"\x00id", b"", b"one"), sockets={"a.in": "ROUTER"})
    sink, address = rig.socket(zmq.PULL)
    done = rig.run("--into", address, "--type", "PUSH")
    assert "warning: a.in is a ROUTER: a PUSH sends its ids along, as parts, and gets no answers" in done.stderr.splitlines()
    assert sink.recv_multipart() == [b"\x00id", b"", b"one"]


# Into a side


QUEUE = "device a: queue { in ROUTER bind tcp://127.0.0.1:*; out DEALER bind tcp://127.0.0.1:* }\n"


def start(rig: Rig, text: str) -> dict[str, str]:
    """A topology that runs, and the addresses of its sides."""
    up = rig.world.up(str(rig.world.topology(text)))
    found = {}
    while True:
        line = up.lines.next()
        assert line is not None
        words = line.split()
        if len(words) == 2 and "://" in words[1]:
            found[words[0]] = words[1]
        if "t is ready" in line:
            return found


def test_requests_come_back_into_a_queue_as_their_clients_had_sent_them(rig: Rig) -> None:
    addresses = start(rig, QUEUE)
    rig.record(
        record(0, b"\x00id", b"", b"one"), record(1, b"\x00id", b"", b"two"), sockets={"a.in": "ROUTER", "a.out": "DEALER"}
    )
    worker = rig.connected(zmq.REP, addresses["out"])
    process, lines = rig.begin("--into", "a.in", "--speed", "max")
    for body in (b"one", b"two"):
        assert worker.recv_multipart() == [body]
        worker.send(b"answer")
    lines.wait_for("^2 messages sent")
    assert process.wait(PATIENCE) == 0
    _, lines = rig.begin("--into", "a.in", "--keep-ids", "--speed", "max")
    assert worker.recv_multipart() == [b"one"], "the id came before the delimiter, and went with it"
    lines.wait_for("^2 messages sent")


def test_what_flowed_is_tapped_recorded_and_sent_again(rig: Rig) -> None:
    addresses = start(rig, "device a: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind tcp://127.0.0.1:* }\n")
    source, sink = rig.connected(zmq.PUSH, addresses["in"]), rig.connected(zmq.PULL, addresses["out"])
    tap = subprocess.Popen(
        [*ZTOPO, "tap", "a", "--record", "r", "--count", "5"], cwd=rig.world.folder, env=rig.world.environment,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    sent = 0
    while tap.poll() is None:
        source.send_multipart([b"n", b"%d" % sent])
        sink.recv_multipart()
        sent += 1
    assert tap.communicate()[1].endswith("5 messages recorded in r\n")
    done = rig.run("--into", "a.in")
    assert done.returncode == 0, done.stderr
    first, *rest = [int(sink.recv_multipart()[1]) for _ in range(5)]
    assert rest == [first + n for n in range(1, 5)]


def test_what_cannot_be_done_is_said(rig: Rig) -> None:
    start(
        rig,
        'device a: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH connect tcp://127.0.0.1:9 }  # ztopo: allow ZT302 "x"\n',
    )
    several = {"a.in": "PULL", "b.in": "PULL"}
    rig.record(record(0), Record(1, "b", "in", (b"x",)), sockets=several)

    def refused(*arguments: str) -> str:
        done = rig.run(*arguments)
        assert done.returncode == 2, done
        return done.stderr.splitlines()[-1]

    assert refused("--into", "a.out").endswith("name those to send with --from: a.in (1), b.in (1)")
    assert refused("--into", "a.out", "--from", "a.in") == "error: a.out is a PUSH, which receives nothing"
    assert refused("--into", "a.on", "--from", "a.in") == "error: there is no side `a.on` in t, did you mean `a.in` or `a.out`?"
    assert refused("--into", "a.in", "--from", "c.in") == "error: r has nothing that came in at c.in: there is a.in (1), b.in (1)"
    assert "Say --type, one of PUSH, PUB, DEALER, PAIR" in refused("--into", "tcp://127.0.0.1:1", "--from", "a.in")
    assert "--type is for an endpoint" in refused("--into", "a.in", "--type", "PUSH")
    assert refused("--into", "nowhere", "--type", "PUSH", "--from", "a.in").startswith("error: ")
    assert refused("--into", "xxx://a", "--type", "PUSH", "--from", "a.in").startswith("error: cannot connect to xxx://a: ")
    assert "is no speed" in refused("--into", "a.in", "--speed", "0")
    (rig.world.folder / "r").write_text("a text")
    assert refused("--into", "a.in") == "error: r is no recording"
    (rig.world.folder / "r").unlink()
    assert refused("--into", "a.in") == "error: cannot read r: No such file or directory"
    rig.record()
    assert refused("--into", "a.in") == "error: r has no messages"


def test_a_torn_end_is_said(rig: Rig) -> None:
    path = rig.record(record(0), record(1))
    path.write_bytes(path.read_bytes()[:-3])
    sink, address = rig.socket(zmq.PULL)
    done = rig.run("--into", address, "--type", "PUSH")
    assert sink.recv_multipart() == [b"x"]
    assert "1 message sent in" in done.stderr
    assert "bytes of the file are no whole message" in done.stderr
