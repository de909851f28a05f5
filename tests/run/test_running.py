"""The Python API: a topology in the process of its application."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

import topo
from tests.ports import kept_port
from tests.processes import PATIENCE
from topo.diagnostic import Diagnostic
from topo.plan import DevicePlan, Plan
from topo.run.events import Bound, Phased, Ready, Started, Stopped, Told
from topo.run.machine import Limits
from topo.run.running import RunError, Running, start
from topo.run.supervisor import Supervisor

RELAY = """
device relay: queue {
    in      ROUTER bind inproc://asked
    out     DEALER bind tcp://127.0.0.1:*
    monitor PUB    bind ipc://seen { prefix "in", "out" }
}
app client: REQ connect relay.in { run inside; linger 0 }
app worker: REP connect relay.out { run inside; linger 0 }
app watcher: SUB connect relay.monitor { run inside; subscribe "" }
app answers[2]: PULL bind inproc://answers${index} { run inside }
"""


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        yield context
    finally:
        context.destroy(linger=0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short folder to be in: ipc paths are short."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


others: set[threading.Thread] = set()
"""The threads that there were before the test: an application may have a starter for devices of its own."""


@pytest.fixture(autouse=True)
def _know_others() -> None:
    others.clear()
    others.update(threading.enumerate())


def ztopo_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("ztopo") and t not in others]


def plan_of(text: str) -> Plan:
    from topo.compile import compile, make_plan
    from topo.source import Source

    compilation = compile(Source(text), fragment=True)
    assert compilation.valid, compilation.diagnostics
    return make_plan(compilation)


def test_devices_share_the_applications_context(here: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    before = {n: signal.getsignal(n) for n in signal.valid_signals() if n not in (signal.SIGKILL, signal.SIGSTOP)}
    with topo.loads(RELAY_FILE).up(context=context) as running:
        assert running.name == "t"
        assert running.addresses["relay.in"] == ("inproc://asked",)
        assert running.addresses["relay.out"][0].startswith("tcp://127.0.0.1:")
        assert running.addresses["relay.monitor"] == (f"ipc://{here}/seen",)
        watcher = running.socket("watcher")
        client, worker = running.socket("client"), running.socket("worker")
        assert client.type == zmq.REQ
        assert client.getsockopt(zmq.LINGER) == 0
        client.send(b"question")
        assert worker.recv() == b"question"
        worker.send(b"answer")
        assert client.recv() == b"answer"
        assert running.statistics()["relay"].state == "running"
        assert not running.wait(0)
        assert {n: signal.getsignal(n) for n in before} == before
    assert running.ended
    assert running.wait()
    assert (client.closed, worker.closed, watcher.closed) == (True, True, True)
    assert ztopo_threads() == []
    assert not (here / "seen").exists()


RELAY_FILE = "ztopo 1\ntopology t\n" + RELAY


def test_it_works_outside_the_main_thread(here: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    answers: list[bytes] = []

    def use() -> None:
        with topo.loads(RELAY_FILE).up(context=context) as running:
            client, worker = running.socket("client"), running.socket("worker")
            client.send(b"x")
            worker.recv()
            worker.send(b"y")
            answers.append(client.recv())

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(30)
    assert answers == [b"y"]


def test_several_run_side_by_side(here: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    text = "ztopo 1\ndevice relay: streamer {{ in PULL bind inproc://{0}; out PUSH bind inproc://{0}out }}\n"
    with topo.loads(text.format("a")).up(context=context), topo.loads(text.format("b")).up(context=context) as second:
        assert second.addresses["relay.in"] == ("inproc://b",)
    assert ztopo_threads() == []


def test_a_socket_is_asked_for_by_its_name(here: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with topo.loads(RELAY_FILE).up(context=context) as running:
        running.socket("answers[1]").close()
        with pytest.raises(KeyError, match="there is no socket 'nobody' for this program; there is client, worker"):
            running.socket("nobody")


def test_a_socket_of_any_number_is_one_more_each_time(here: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    text = RELAY_FILE.replace("app client:", "app client[*]:")
    with topo.loads(text).up(context=context) as running:
        assert running.socket("client") is not running.socket("client")


@pytest.mark.parametrize(("code", "comment"), [("ZT601", ""), ("ZT901", '  # ztopo: allow ZT601 "as if it were free"')])
def test_a_failed_bind_is_raised_with_its_place(
    here: Path, context: zmq.Context[zmq.Socket[bytes]], code: str, comment: str
) -> None:
    """Whether that is known before anything starts, or comes in between."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        text = f"ztopo 1\ndevice relay: streamer {{\n    in PULL bind inproc://a\n    out PUSH bind tcp://127.0.0.1:{port}{comment}\n}}\n"
        with pytest.raises(topo.TopologyError) as raised:
            topo.loads(text, name="mine.ztopo").up(context=context)
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.span is not None
    assert diagnostic.span.where == "mine.ztopo:4"
    assert ztopo_threads() == []


def test_an_option_that_is_refused_is_raised(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    import msgspec

    plan = plan_of("device relay: streamer { in PULL bind inproc://a { rcvhwm 5 }; out PUSH bind inproc://b }")
    document = msgspec.json.encode(plan).replace(b'"value":5', b'"value":-5')
    with pytest.raises(RunError) as raised:
        start(msgspec.json.decode(document, type=Plan), context=context)
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.code == "ZT902"
    assert diagnostic.message == "`relay.in` cannot have the option rcvhwm: Invalid argument"
    assert diagnostic.notes == ("declared at <text>:1",)


def test_a_context_that_is_terminated_is_a_failure(here: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    running = topo.loads(RELAY_FILE).up(context=context)
    try:
        context.term()
        with pytest.raises(topo.TopologyError, match="`relay` has ended by itself: context terminated"):
            running.wait(30)
    finally:
        running.stop()


def test_what_fails_later_is_raised_at_the_end(here: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    told: list[Told] = []
    started = threading.Event()

    def hear(event: Told) -> None:
        told.append(event)
        if isinstance(event, Started) and event.name == "sleeper":
            started.set()

    plan = plan_of("""app sleeper { run "python -c 'import signal; signal.pause()'" }""")
    running = start(plan, context=context, on_event=hear)
    try:
        assert started.wait(30)
        os.kill(next(e.pid for e in told if isinstance(e, Started)), signal.SIGKILL)
        with pytest.raises(RunError, match="`sleeper` was killed by SIGKILL"):
            running.wait(30)
        with pytest.raises(RunError, match="`sleeper` was killed by SIGKILL"):
            running.__exit__(None, None, None)
    finally:
        running.stop()


def test_a_failure_is_told_to_a_program_that_waits_for_a_message(
    here: Path, context: zmq.Context[zmq.Socket[bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    text = RELAY_FILE.replace("    in ", "    run process\n    restart never\n    in ").replace(
        "inproc://asked", "tcp://127.0.0.1:*"
    )

    def wake(diagnostic: Diagnostic) -> None:
        told.append(diagnostic)
        assert not running.stop()  # at once, though nothing has ended yet
        with context.socket(zmq.PUSH) as other:
            other.connect("inproc://answers0")
            other.send(b"failed")

    told: list[Diagnostic] = []
    running = topo.loads(text).up(context=context, on_failure=wake)
    try:
        assert not running.stopping
        answers = running.socket("answers[0]")
        answers.rcvtimeo = 30_000
        os.kill(pid_of(running), signal.SIGKILL)
        assert answers.recv() == b"failed"
        assert running.stopping
        assert running.failures == tuple(told)
        with pytest.raises(topo.TopologyError, match="the process of `relay` was killed by SIGKILL"):
            running.socket("client")
    finally:
        running.stop()
    assert [d.code for d in told] == ["ZT904"]
    (record,) = (r for r in caplog.records if r.name == "ztopo")
    assert record.levelname == "ERROR"
    assert record.getMessage() == "t: <text>:4: the process of `relay` was killed by SIGKILL [ZT904]"


def pid_of(running: Running) -> int:
    return running._supervisor.sight.pids["relay"]


def test_a_topology_that_was_stopped_makes_no_sockets(here: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with topo.loads(RELAY_FILE).up(context=context) as running:
        pass
    with pytest.raises(RuntimeError, match="t has ended: it makes no sockets any more"):
        running.socket("client")
    assert running.failures == ()


def test_an_error_inside_the_block_stops_everything_and_goes_on(here: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with pytest.raises(ZeroDivisionError), topo.loads(RELAY_FILE).up(context=context):
        raise ZeroDivisionError
    assert ztopo_threads() == []


@pytest.mark.parametrize("in_process", [True, False])
def test_what_happens_is_told_in_order(context: zmq.Context[zmq.Socket[bytes]], in_process: bool) -> None:
    told: list[Told] = []
    plan = plan_of("device relay: streamer { in PULL bind inproc://a; out PUSH bind inproc://b }")
    with start(plan, in_process=in_process, context=context, on_event=told.append):
        pass
    kinds = [type(e).__name__ if not isinstance(e, Phased) else e.phase for e in told]
    assert kinds == [
        *("Started", "Bound", "connecting", "Ready", "running"),
        *("stopping", "Stopping", "Stopped", "Exited", "Gone", "ended"),
    ]
    bound = next(e for e in told if isinstance(e, Bound))
    assert bound.addresses == {"relay.in": ("inproc://a",), "relay.out": ("inproc://b",)}
    started = next(e for e in told if isinstance(e, Started))
    assert (started.pid == os.getpid()) == in_process
    stopped = next(e for e in told if isinstance(e, Stopped))
    assert stopped.reason == "terminated"
    assert any(isinstance(e, Ready) for e in told)


@pytest.mark.parametrize(
    ("thread", "said"),
    [
        ("ztopo relay", "`relay` has failed at `relay.in`: can't start new thread"),
        ("ztopo output of there", "`there` cannot be started: what ztopo needs to start it: "),
    ],
)
def test_a_system_without_threads_is_a_failure_and_leaves_nothing(
    context: zmq.Context[zmq.Socket[bytes]], monkeypatch: pytest.MonkeyPatch, thread: str, said: str
) -> None:
    starts = threading.Thread.start

    def start_all_but_one(self: threading.Thread) -> None:
        if self.name == thread:
            raise RuntimeError("can't start new thread")
        starts(self)

    monkeypatch.setattr(threading.Thread, "start", start_all_but_one)
    device = "device relay: streamer { in PULL bind inproc://a; out PUSH bind inproc://b }\n"
    plan = plan_of(device + 'app there { run "sleep 600" }\n')
    with pytest.raises(RunError) as raised, start(plan, context=context) as running:
        running.wait(PATIENCE)
    (found,) = raised.value.diagnostics
    assert found.message.startswith(said)
    assert any("ulimit -u" in note for note in found.notes)
    assert ztopo_threads() == []


def test_output_that_cannot_be_printed_is_said_once_and_holds_no_app_up(
    context: zmq.Context[zmq.Socket[bytes]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plan = plan_of("app loud { run \"python -c 'for n in range(20000): print(n)'\" }\n")  # more than a pipe takes
    with open(os.devnull, encoding="utf-8") as closed:
        closed.close()
        monkeypatch.setattr(sys, "stdout", closed)
        with start(plan, context=context) as running:
            assert running.wait(PATIENCE)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{plan.name}: the output of loud goes nowhere: I/O operation on closed file")


def test_a_program_that_forgets_to_stop_it_ends_all_the_same(tmp_path: Path) -> None:
    program = f"""
import topo
text = {RELAY_FILE!r} + '''app sleeper {{ run "python -c 'import os, signal; print(os.getpid(), flush=True); signal.pause()'" }}'''
running = topo.loads(text).up()
import time, sys
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "seen").exists()


def test_those_who_never_answer_are_killed_and_given_up() -> None:
    """A starter whose processes neither say anything nor end."""
    done: list[tuple[str, object]] = []

    class Mute:
        def __init__(self, *_: object) -> None:
            pass

        def start_worker(self, plan: object, counters: object) -> Mute:
            done.append(("start", "thread host"))
            return self

        def begin(self, devices: tuple[DevicePlan, ...], handles: object) -> None:
            done.append(("begin", tuple(device.name for device in devices)))

        def start_app(self, name: str, *_: object) -> None:
            raise AssertionError("nothing is ready")

        def signal(self, name: str, number: int) -> None:
            done.append((name, signal.Signals(number).name))

        def stop(self, devices: tuple[str, ...], drain: object) -> None:
            done.append(("stop", devices))

        def close(self) -> None:
            done.append(("close", "starter" if ("close", "thread host") in done else "thread host"))

    plan = plan_of("device relay: streamer { in PULL bind inproc://a; out PUSH bind inproc://b }")
    limits = Limits(start=0.01, stop=0.01, kill=0.01)
    outcome = Supervisor(plan, starter=Mute, limits=limits).run()  # type: ignore[arg-type]  # as much of a starter as is needed here
    assert done == [
        ("start", "thread host"),
        ("begin", ("relay",)),
        ("stop", ("relay",)),
        ("thread host", "SIGKILL"),
        ("close", "thread host"),
        ("close", "starter"),
    ]
    assert outcome.code == 1
    assert [(d.severity, d.message) for d in outcome.diagnostics] == [
        ("error", "not ready within 0.01 s: `relay`"),
        ("warning", "`thread host` did not end within 0.01 s and is killed"),
        ("error", "`thread host` did not end 0.01 s after it was killed"),
    ]


def test_a_worker_imports_no_more_than_it_needs() -> None:
    program = (
        "import sys, topo.run.worker; print(sorted({'click', 'rich', 'lark', 'networkx', 'topo.compile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_addresses_are_free_again_when_it_has_ended(here: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with kept_port() as port:
        topology = topo.loads(
            "ztopo 1\ndevice relay: queue { in ROUTER bind inproc://a; out DEALER bind ipc://b; "
            f"monitor PUB bind tcp://127.0.0.1:{port} }}\n"
        )
        for _ in range(50):
            with topology.up(context=context) as running:
                assert running.addresses["relay.monitor"] == (f"tcp://127.0.0.1:{port}",)
