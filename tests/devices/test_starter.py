"""The starter process: it forks for an application that must not, and leaves nothing behind."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.devices import work
from tests.processes import PATIENCE, Lines
from topo.devcore import starter as module
from topo.devcore.starter import Child, Continued, Exited, Gone, Report, Started, Starter, StarterLost, Stopped, default_starter

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell")


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    with Starter() as starter:
        yield starter


class Pipe:
    """What children say."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    def next(self) -> str:
        assert select.select([self.read], [], [], PATIENCE)[0], "nobody says anything"
        return os.read(self.read, 65536).decode()

    def rest(self) -> str:
        os.close(self.write)
        self.write = -1
        data = b""
        while more := os.read(self.read, 65536):
            data += more
        return data.decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.read)
    if pipe.write >= 0:
        os.close(pipe.write)


def ended(child: Child) -> int | None:
    child.join(PATIENCE)
    return child.exitcode


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# Targets


def test_a_target_is_called_with_arguments_and_descriptors(starter: Starter, pipe: Pipe) -> None:
    child = starter.start(work.say, ("hello",), fds=(pipe.write,))
    assert ended(child) == 0
    assert pipe.next() == "hello"


def test_a_child_has_the_face_of_a_process(starter: Starter, pipe: Pipe) -> None:
    child = starter.start(work.wait_for_signal, name="waiting", fds=(pipe.write,))
    pipe.next()
    assert (child.name, child.exitcode, child.is_alive(), child.daemon) == ("waiting", None, True, True)
    assert child.pid == child.ident
    assert is_there(child.pid or 0)
    assert not select.select([child.sentinel], [], [], 0)[0]
    child.join(0)
    assert child.is_alive()
    child.terminate()
    assert ended(child) == -signal.SIGTERM
    assert not child.is_alive()
    assert select.select([child.sentinel], [], [], 0)[0]


def test_the_sentinel_of_one_that_has_ended_is_readable_at_once(starter: Starter) -> None:
    child = starter.start(work.leave, (0,))
    child.join(PATIENCE)
    assert select.select([child.sentinel], [], [], 0)[0]


def test_kill(starter: Starter, pipe: Pipe) -> None:
    child = starter.start(work.ignore_sigterm, fds=(pipe.write,))
    pipe.next()
    child.terminate()
    child.kill()
    assert ended(child) == -signal.SIGKILL


@pytest.mark.parametrize(("status", "exitcode"), [(None, 0), (0, 0), (3, 3), ("a last word", 1)])
def test_the_exit_status_is_that_of_the_target(starter: Starter, status: object, exitcode: int, pipe: Pipe) -> None:
    assert ended(starter.start(work.leave, (status,), stderr=pipe.write)) == exitcode


def test_an_exception_is_told_on_standard_error(starter: Starter, pipe: Pipe) -> None:
    assert ended(starter.start(work.fail, stderr=pipe.write)) == 1
    assert "ValueError: as it was meant to" in pipe.rest()


def test_a_child_is_where_the_application_is_now(
    starter: Starter, pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZTOPO_TEST", "set after the starter was started")
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    assert ended(starter.start(work.tell_surroundings, fds=(pipe.write,))) == 0
    there = (str(tmp_path), "set after the starter was started", str(tmp_path / "modules"), repr(sys.argv), "False")
    assert pipe.next() == "\n".join(there)


def test_a_child_may_have_a_session_of_its_own(starter: Starter, pipe: Pipe) -> None:
    assert ended(starter.start(work.tell_surroundings, session=True, fds=(pipe.write,))) == 0
    assert pipe.next().endswith("\nTrue")


@linux
def test_a_child_has_one_thread_and_nothing_that_is_the_starters(starter: Starter, pipe: Pipe) -> None:
    assert ended(starter.start(work.count_threads_and_files, fds=(pipe.write,))) == 0
    assert pipe.next() == "1 5"  # three standard ones, the pipe, and the folder that is listed


@linux
def test_the_starter_has_one_thread_and_no_context(starter: Starter) -> None:
    starter.preload("zmq", "topo.devcore")
    assert ended(starter.start(work.leave, (0,))) == 0
    assert len(list(Path(f"/proc/{starter.pid}/task").iterdir())) == 1


def test_what_cannot_be_pickled_is_refused_at_once(starter: Starter) -> None:
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        starter.start(lambda: None)


def test_many_threads_may_start_children(starter: Starter, pipe: Pipe) -> None:
    children: list[Child] = []

    def start() -> None:
        children.extend([starter.start(work.say, ("x",), fds=(pipe.write,)) for _ in range(5)])

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ended(child) for child in children] == [0] * 20
    assert len({child.pid for child in children}) == 20
    assert pipe.rest() == "x" * 20


# Commands


def test_a_command_gets_folder_environment_and_descriptors(starter: Starter, pipe: Pipe, tmp_path: Path) -> None:
    script = "echo $ZTOPO_TEST in $(pwd) >&3; echo out; echo err >&2; cat"
    other = Pipe()
    environment = {"PATH": os.environ["PATH"], "ZTOPO_TEST": "here"}
    child = starter.start_command(
        ["sh", "-c", script], cwd=tmp_path, env=environment, stdout=pipe.write, stderr=pipe.write, fds=(other.write,)
    )
    assert ended(child) == 0
    assert pipe.rest() == "out\nerr\n"
    assert other.rest() == f"here in {tmp_path}\n"
    os.close(other.read)


@pytest.mark.parametrize("count", [1, 9])
def test_descriptors_do_not_get_into_each_others_way(starter: Starter, count: int) -> None:
    pipes = [Pipe() for _ in range(count)]
    script = "".join(f"echo {number} >&{number};" for number in range(3, 3 + count) if number < 10)
    assert ended(starter.start_command(["bash", "-c", script], fds=[pipe.write for pipe in reversed(pipes)])) == 0
    said = [pipe.rest() for pipe in reversed(pipes)]
    assert said == [f"{number}\n" if number < 10 else "" for number in range(3, 3 + count)]
    for pipe in pipes:
        os.close(pipe.read)


def test_a_command_that_is_not_there_is_refused(starter: Starter, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        starter.start_command(["no-such-command-anywhere"])
    assert caught.value.filename == "no-such-command-anywhere"
    with pytest.raises(FileNotFoundError) as caught:
        starter.start_command(["true"], cwd=tmp_path / "nowhere")
    assert caught.value.filename == str(tmp_path / "nowhere")


@linux
@pytest.mark.parametrize("room", range(5))
def test_a_starter_without_descriptors_refuses_and_lives(starter: Starter, pipe: Pipe, room: int) -> None:
    open_now = len(os.listdir(f"/proc/{starter.pid}/fd"))
    usual = resource.prlimit(starter.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(starter.pid, resource.RLIMIT_NOFILE, (open_now + room, usual[1]))
    try:
        for start in (
            lambda: starter.start_command(["true"]),
            lambda: starter.start(work.leave, (0,), fds=(pipe.write, pipe.read)),
        ):
            with pytest.raises(OSError, match="Too many open files"):
                start()
    finally:
        resource.prlimit(starter.pid, resource.RLIMIT_NOFILE, usual)
    assert ended(starter.start(work.say, ("still there",), fds=(pipe.write,))) == 0
    assert pipe.next() == "still there"
    assert len(os.listdir(f"/proc/{starter.pid}/fd")) == open_now


def test_everything_about_a_command_is_told_in_order(starter: Starter, pipe: Pipe) -> None:
    told: SimpleQueue[Report] = SimpleQueue()
    child = starter.start_command(
        ["sh", "-c", "kill -STOP $$; read line; exit 7"], stdin=pipe.read, on_report=lambda _, report: told.put(report)
    )
    assert isinstance(told.get(timeout=PATIENCE), Started)
    assert told.get(timeout=PATIENCE) == Stopped(child._key, signal.SIGSTOP)
    child.send_signal(signal.SIGCONT)
    assert isinstance(told.get(timeout=PATIENCE), Continued)
    os.write(pipe.write, b"go on\n")
    assert told.get(timeout=PATIENCE) == Exited(child._key, 7)
    assert isinstance(told.get(timeout=PATIENCE), Gone)
    assert child.wait_gone(PATIENCE)
    assert (child.exitcode, child.stopped) == (7, False)


def test_a_session_is_gone_when_all_in_it_have_ended(starter: Starter, pipe: Pipe) -> None:
    child = starter.start_command(["sh", "-c", "sleep 600 & echo started >&3"], fds=(pipe.write,))
    assert pipe.next() == "started\n"
    assert ended(child) == 0
    assert not child.wait_gone(0)
    child.send_signal(signal.SIGTERM, group=True)
    assert child.wait_gone(PATIENCE)


def test_whoever_listens_may_fail(starter: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", heard.append)

    def hear(child: Child, report: Report) -> None:
        raise ValueError("not mine")

    assert ended(starter.start(work.leave, (2,), on_report=hear)) == 2
    assert [str(arguments.exc_value) for arguments in heard] == ["not mine", "not mine"]


# Ends


def processes_of(pipe: Pipe) -> list[int]:
    return [int(word) for word in pipe.next().split()]


@linux
def test_closing_ends_orphans_sessions_and_stopped_ones(pipe: Pipe) -> None:
    with Starter() as starter:
        assert ended(starter.start(work.leave_others_behind, fds=(pipe.write,))) == 0
        orphans = processes_of(pipe)
        assert all(map(is_there, orphans))
    assert not any(map(is_there, orphans))


def test_closing_kills_those_who_do_not_want_to_end(pipe: Pipe) -> None:
    with Starter(patience=0.05) as starter:
        child = starter.start(work.ignore_sigterm, fds=(pipe.write,))
        pipe.next()
    assert child.exitcode == -signal.SIGKILL


def test_a_starter_that_was_killed_takes_its_children_along(pipe: Pipe) -> None:
    with Starter() as starter:
        child = starter.start(work.ignore_sigterm, fds=(pipe.write,))
        pipe.next()
        os.kill(starter.pid, signal.SIGKILL)
        assert ended(child) == -signal.SIGKILL
        assert pipe.rest() == ""  # its end is closed: it is gone
        with pytest.raises(StarterLost):
            starter.start(work.leave, (0,))


@linux
@pytest.mark.parametrize("victim", ["pid", "keeper"])
def test_whichever_of_them_is_killed_takes_all_descendants_along(pipe: Pipe, victim: str) -> None:
    with Starter() as starter:
        child = starter.start(work.ignore_sigterm, session=True, fds=(pipe.write,))
        pipe.next()
        assert ended(starter.start(work.leave_others_behind, fds=(pipe.write,))) == 0
        orphans = processes_of(pipe)
        assert all(map(is_there, orphans))
        os.kill(getattr(starter, victim), signal.SIGKILL)
        assert ended(child) == -signal.SIGKILL
        assert child.wait_gone(PATIENCE)
        assert not any(map(is_there, orphans))
        with pytest.raises(StarterLost):
            starter.start(work.leave, (0,))


@linux
def test_nobody_halts_a_starter(pipe: Pipe) -> None:
    with Starter() as starter:
        os.kill(starter.pid, signal.SIGSTOP)
        assert ended(starter.start(work.say, ("I go on",), fds=(pipe.write,))) == 0
        assert pipe.next() == "I go on"


@linux
def test_a_keeper_that_is_halted_holds_nothing_up(pipe: Pipe) -> None:
    with Starter() as starter:
        child = starter.start(work.wait_for_signal, fds=(pipe.write,))
        pipe.next()
        os.kill(starter.keeper, signal.SIGSTOP)
        assert ended(starter.start(work.leave, (3,))) == 3
    assert not child.is_alive()
    assert not is_there(starter.keeper)


def test_a_module_that_fails_to_load_ends_the_starter(capfd: pytest.CaptureFixture[str]) -> None:
    with Starter() as starter:
        starter.preload("tests.no_such_module")
        with pytest.raises(StarterLost):
            starter.start(work.leave, (0,))
    assert "No module named 'tests.no_such_module'" in capfd.readouterr().err


def test_the_default_starter_is_made_again_when_it_is_lost() -> None:
    first = default_starter()
    assert default_starter() is first
    os.kill(first.pid, signal.SIGKILL)
    first.close()
    second = default_starter()
    assert second is not first
    assert ended(second.start(work.leave, (0,))) == 0


def test_a_fork_of_the_application_leaves_the_starter_alone(starter: Starter, pipe: Pipe) -> None:
    child = starter.start(work.wait_for_signal, fds=(pipe.write,))
    pipe.next()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            assert starter.lost
            with pytest.raises(StarterLost):
                starter.start(work.leave, (0,))
            with pytest.raises(RuntimeError, match="another process"):
                child.terminate()
            starter.close()
            with Starter() as own:
                assert ended(own.start(work.leave, (5,))) == 5
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert child.is_alive()
    assert ended(starter.start(work.leave, (6,))) == 6


# Applications


class Application:
    """A script in a process of its own."""

    def __init__(self, script: str, *arguments: str, stdin: bool = False, session: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *(("-",) if stdin else (script,)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=session,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self.lines = Lines(self.process)
        assert self.process.stdin is not None
        if stdin:
            self.process.stdin.write(script)
        self.process.stdin.close()

    def end(self) -> tuple[int, str]:
        status = self.process.wait(PATIENCE)
        assert self.process.stderr is not None
        return status, self.process.stderr.read()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.lines.close()
        assert self.process.stderr is not None
        self.process.stderr.close()


PLAIN = """
import os, sys
from tests.devices import work
from topo.devcore.starter import default_starter
print("the script runs", flush=True)
child = default_starter().start(work.say, ("from a child\\n",), fds=(1,))
child.join()
print("it ended with", child.exitcode)
"""


@pytest.mark.parametrize("stdin", [False, True])
def test_a_script_needs_no_main_guard_and_no_file(tmp_path: Path, stdin: bool) -> None:
    script = tmp_path / "script.py"
    script.write_text(PLAIN)
    application = Application(PLAIN if stdin else str(script), stdin=stdin)
    try:
        application.lines.wait_for_end()
        assert application.end() == (0, "")
        assert application.lines.seen == ["the script runs", "from a child", "it ended with 0"]
    finally:
        application.close()


CLOSED = """
import os, sys
from tests.devices import work
from topo.devcore.starter import default_starter
handle, *closed = map(int, sys.argv[1:])
for number in closed:
    os.close(number)
child = default_starter().start(work.tell_streams, fds=(handle,))
child.join()
os._exit(child.exitcode)
"""


@linux
@pytest.mark.parametrize("closed", ["0", "1", "2", "12", "02", "012"])
def test_an_application_may_have_closed_its_standard_streams(pipe: Pipe, tmp_path: Path, closed: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(CLOSED)
    os.set_inheritable(pipe.write, True)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, script, str(pipe.write), *closed]
    with (tmp_path / "output").open("w") as output:
        subprocess.run(command, env=environment, close_fds=False, check=True, timeout=PATIENCE, stdout=output, stderr=output)
    there = [str(tmp_path / "output") if number in "12" and number not in closed else "/dev/null" for number in "012"]
    assert pipe.next().split() == there


OF_MAIN = """
import os, sys
from topo.devcore.starter import default_starter

def work(number):
    print("work of", __name__, number, flush=True)

{guard}
child = default_starter().start(work, (7,))
child.join()
print("it ended with", child.exitcode)
"""


def test_a_target_in_a_guarded_script_is_found_there(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    guarded = OF_MAIN.format(guard="if __name__ == '__main__':")
    head, guard, tail = guarded.partition("if __name__ == '__main__':\n")
    script.write_text(head + guard + "".join(f"    {line}\n" for line in tail.splitlines()))
    application = Application(str(script))
    try:
        application.lines.wait_for_end()
        assert application.end() == (0, "")
        assert application.lines.seen == ["work of __mp_main__ 7", "it ended with 0"]
    finally:
        application.close()


@pytest.mark.parametrize(("stdin", "reason"), [(False, "without a main guard"), (True, "is no file")])
def test_a_target_in_another_script_is_refused_with_advice(tmp_path: Path, stdin: bool, reason: str) -> None:
    script = tmp_path / "script.py"
    text = OF_MAIN.format(guard="")
    script.write_text(text)
    application = Application(text if stdin else str(script), stdin=stdin)
    try:
        application.lines.wait_for_end()
        status, error = application.end()
        assert status == 1
        assert f"work is defined in a main script {'that ' if stdin else ''}{reason}" in error
        assert application.lines.seen == []
    finally:
        application.close()


def test_a_start_outside_the_guard_is_refused_while_the_script_is_loaded(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(OF_MAIN.format(guard="if __name__ == '__main__': pass"))
    application = Application(str(script))
    try:
        application.lines.wait_for_end()
        _, error = application.end()
        assert "put the start under `if __name__ == '__main__':`" in error
        assert application.lines.seen == ["it ended with 1"]
    finally:
        application.close()


ORPHANS = """
import os, signal, sys
from tests.devices import work
from topo.devcore.starter import default_starter
starter = default_starter()
starter.start(work.leave_others_behind, fds=(1,)).join()
child = starter.start(work.ignore_sigterm, daemon=sys.argv[1] == "daemon", fds=(1,))
print("", starter.pid, child.pid, starter.keeper, flush=True)
if sys.argv[2] == "wait":
    signal.pause()
"""


@linux
@pytest.mark.parametrize(
    ("number", "victims"),
    [
        (signal.SIGKILL, ()),
        (signal.SIGSEGV, ()),
        (signal.SIGINT, ()),
        pytest.param(signal.SIGKILL, (0,), id="with its starter"),
        pytest.param(signal.SIGKILL, (2,), id="with its keeper"),
    ],
)
def test_nothing_is_left_of_an_application_that_was_ended(tmp_path: Path, number: int, victims: tuple[int, ...]) -> None:
    script = tmp_path / "script.py"
    script.write_text(ORPHANS)
    application = Application(str(script), "daemon", "wait")
    try:
        orphans = application.lines.wait_for(r"^(\d+) (\d+) (\d+)$").groups()
        own = application.lines.wait_for(r"^\.? (\d+) (\d+) (\d+)$").groups()
        watched = [os.pidfd_open(int(pid)) for pid in (*orphans, *own)]
        for victim in victims:
            os.kill(int(own[victim]), signal.SIGKILL)
        application.process.send_signal(number)
        application.end()
        for handle in watched:
            assert select.select([handle], [], [], PATIENCE)[0], "somebody is left"
            os.close(handle)
    finally:
        application.close()


@linux
def test_an_application_that_ends_takes_its_daemons_along_and_waits_for_the_others(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(ORPHANS)
    application = Application(str(script), "daemon", "end")
    try:
        application.lines.wait_for_end()  # nobody holds its output any more
        assert application.end() == (0, "")
    finally:
        application.close()
    application = Application(str(script), "not", "end")
    try:
        starter, child, _ = application.lines.wait_for(r"^\.? (\d+) (\d+) (\d+)$").groups()
        assert is_there(int(starter))
        os.kill(int(child), signal.SIGKILL)
        application.lines.wait_for_end()
        assert application.end() == (0, "")
    finally:
        application.close()


CTRL_C = """
import os, signal
from tests.devices import work
from topo.devcore.starter import default_starter
child = default_starter().start(work.wait_for_signal, fds=(1,))
try:
    print(flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("interrupted", child.is_alive(), flush=True)
    child.terminate()
    child.join()
    print("ended by", child.exitcode)
"""


def test_ctrl_c_reaches_the_application_and_no_child(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(CTRL_C)
    application = Application(str(script), session=True)
    try:
        application.lines.wait_for(r"^\.?$")
        os.killpg(application.process.pid, signal.SIGINT)  # what a terminal does
        application.lines.wait_for("interrupted True")
        application.lines.wait_for("ended by -15")
        assert application.end() == (0, "")
    finally:
        application.close()


def test_no_state_is_left_in_the_module() -> None:
    with Starter() as starter:
        assert starter in module.STARTERS
    assert starter.lost
