"""The process that starts all others, and sees to it that none of them is left.

It has one thread and never a ZeroMQ context, so that it may fork: a worker is a copy of it that goes on in `worker.py`, with all
that it needs imported already; an app is a copy that executes a command. It has a session of its own, as has each that it
starts, so that Ctrl-C reaches none of them. It adopts what its children leave behind (as a subreaper, on Linux), reports who has
ended, and passes signals on to a process and all that it started.

When its own control socket closes, the supervisor is gone, however that came about: then everything ends, asked first, killed
soon after. Should the starter itself be killed, the kernel kills its children (on Linux).

    supervisor -> starter   RunCommand, RunWorker (with the descriptors for output and channel), Signal
    starter -> supervisor   Started or Refused, Exited, Gone
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

if __name__ == "__main__":  # run by its path: see that the package is found, wherever it lies
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import msgspec

from topo.run.events import Exited, FromStarter, Gone, Refused, Started

__all__ = ["Request", "RunCommand", "RunWorker", "Signal", "main"]

PATIENCE = 0.5
"""How many seconds those who are left have to end when the supervisor is gone."""
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
CHANGED_SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)
OUR_MISTAKE = 70


class RunCommand(msgspec.Struct, frozen=True, tag=True):
    """Start a command. One descriptor comes with it: where its output goes."""

    name: str
    command: tuple[str, ...]
    folder: str
    environment: dict[str, str]


class RunWorker(msgspec.Struct, frozen=True, tag=True):
    """Start a worker. Two descriptors come with it: for its output, and its channel."""

    name: str


class Signal(msgspec.Struct, frozen=True, tag=True):
    """Send a signal to a process and all that it has started."""

    name: str
    number: int


Request = RunCommand | RunWorker | Signal


def main(handle: int) -> None:
    """Serve the supervisor at the other end of the socket `handle`."""
    Starter(socket.socket(fileno=handle)).serve()


class Starter:
    """What runs, by name, and the loop that serves."""

    def __init__(self, control: socket.socket) -> None:
        self.pid = os.getpid()
        self.prctl = _prctl()
        self.control = control
        self.wake, self.waker = os.pipe()
        self.groups: dict[str, int] = {}
        """The process groups that still have members, by name; each has the number of the process that leads it."""
        self.leading: dict[int, str] = {}
        """Whose leader has not ended, by number."""
        self.received: deque[int] = deque()
        """Descriptors that came with requests that are not yet carried out."""
        self.ending = False
        self.decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)

    # The loop

    def serve(self) -> None:
        """Carry out requests and report until the supervisor is gone; then end everything."""
        self._prepare()
        rest = b""
        while not self.ending:
            readable, _, _ = select.select([self.control.fileno(), self.wake], [], [])
            if self.wake in readable:
                os.read(self.wake, 4096)
            if self.control.fileno() in readable:
                data = self._receive()
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._carry_out(self.decoder.decode(line))
            self._reap()
        self._end_everything()

    def _prepare(self) -> None:
        self.prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        self.prctl_name("ztopo starter")
        os.set_blocking(self.waker, False)
        signal.set_wakeup_fd(self.waker, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *_: object) -> None:
        self.ending = True

    def _receive(self) -> bytes:
        try:
            data, handles, _, _ = socket.recv_fds(self.control, 65536, 16)
        except ConnectionResetError:
            return b""
        for handle in handles:
            os.set_inheritable(handle, False)
        self.received.extend(handles)
        return data

    def _report(self, event: FromStarter) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the supervisor is gone: the loop sees that next
            self.control.sendall(msgspec.json.encode(event) + b"\n")

    def _carry_out(self, request: Request) -> None:
        match request:
            case RunCommand():
                self._run_command(request)
            case RunWorker(name):
                self._run_worker(name)
            case Signal(name, number):
                if name in self.groups:
                    with suppress(ProcessLookupError):
                        os.killpg(self.groups[name], number)

    # Starting

    def _run_command(self, request: RunCommand) -> None:
        def execute(report: int) -> None:
            what = request.folder
            try:
                os.chdir(request.folder)
                what = request.command[0]
                os.execvpe(request.command[0], request.command, request.environment)  # closes `report`
            except OSError as error:
                os.write(report, struct.pack("i", error.errno or 0) + os.fsencode(what))

        self._fork(request.name, execute, self.received.popleft())

    def _run_worker(self, name: str) -> None:
        from topo.run import worker  # by the first one; the others find it loaded

        gc.freeze()
        output, channel = self.received.popleft(), self.received.popleft()

        def work(report: int) -> None:
            self.prctl_name(f"ztopo {name}")
            os.close(report)
            worker.main(channel)

        self._fork(name, work, output)
        os.close(channel)

    def _fork(self, name: str, run: Callable[[int], None], output: int) -> None:
        """Run something in a process of its own, with its output going to `output`, and report how that went.

        `run` gets a pipe to say that it could not; it closes it once it is on its way.
        """
        report, refusal = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            self._report(Refused(name, error.errno or 0, "a process"))
        else:
            if pid == 0:
                os.close(report)
                self._be_child(run, refusal, output)
            os.close(refusal)
            refused = _read_all(report)
            if refused:
                os.waitpid(pid, 0)
                self._report(Refused(name, struct.unpack("i", refused[:4])[0], os.fsdecode(refused[4:])))
            else:
                self.groups[name] = pid
                self.leading[pid] = name
                self._report(Started(name, pid))
        finally:
            os.close(output)
            os.close(report)

    def _be_child(self, run: Callable[[int], None], refusal: int, output: int) -> NoReturn:
        status = OUR_MISTAKE
        try:
            os.setsid()
            self.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == self.pid:
                self._leave_all_behind(output)
                run(refusal)
                status = 0
        except BaseException:  # it is reported as far as the output goes, and ends this process and no other
            sys.excepthook(*sys.exc_info())
        finally:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(status)  # flushes nothing, closes nothing, and runs nothing that is the starter's

    def _leave_all_behind(self, output: int) -> None:
        """Keep nothing that is the starter's."""
        signal.set_wakeup_fd(-1)
        for number in CHANGED_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        self.control.close()
        for handle in (nothing, self.wake, self.waker, *self.received):
            os.close(handle)

    def prctl_name(self, name: str) -> None:
        """What ps and top call this process, as far as it fits."""
        self.prctl(PR_SET_NAME, name.encode()[:15])

    # Ending

    def _reap(self) -> None:
        """Take note of everybody who has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self.leading:
                self._report(Exited(self.leading.pop(pid), os.waitstatus_to_exitcode(status)))
        for name, group in list(self.groups.items()):
            if group not in self.leading and _is_empty(group):
                del self.groups[name]
                self._report(Gone(name))

    def _end_everything(self) -> None:
        self._signal_all(signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        self._reap()
        while self.groups and (left := end - time.monotonic()) > 0:
            if select.select([self.wake], [], [], left)[0]:
                os.read(self.wake, 4096)
            self._reap()
        self._signal_all(signal.SIGKILL)
        while True:
            for pid in _children():  # those who have left their group
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break

    def _signal_all(self, number: int) -> None:
        for group in self.groups.values():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)


def _is_empty(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _children() -> list[int]:
    """Every child, adopted ones too; nothing where the system does not tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


def _read_all(handle: int) -> bytes:
    data = b""
    while part := os.read(handle, 4096):
        data += part
    return data


def _prctl() -> Callable[[int, int | bytes], None]:
    """Linux's prctl, as far as it is used here; elsewhere something that does nothing."""
    if sys.platform != "linux":
        return lambda option, value: None
    import ctypes

    call = ctypes.CDLL(None).prctl

    def prctl(option: int, value: int | bytes) -> None:
        call(option, value if isinstance(value, bytes) else ctypes.c_ulong(value), 0, 0, 0)

    return prctl


if __name__ == "__main__":
    from topo.run import starter  # by its own name, so that what it exchanges with others is the same classes

    starter.main(int(sys.argv[1]))
