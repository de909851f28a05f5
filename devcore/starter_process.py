"""The process that starts others for an application, and sees to it that none of them is left.

It has one thread and never a ZeroMQ context, so it may fork: a child is a copy of it, with all that it needs imported already.
It has a session of its own, so that Ctrl-C reaches neither it nor its children. It adopts what its children leave behind, tells
who was started, has stopped, goes on and has ended, and passes signals on.

When its control socket closes, or the application ends in whatever way, it ends everything that descends from it: asked first,
killed soon after, stopped ones and those in sessions of their own too. Should it be killed itself, the kernel kills its children,
and its parent does the rest: a keeper stands between it and the application, which adopts and ends what such a starter leaves, lets
no signal halt it, and kills it should it hang. If the keeper is killed, the starter ends everything. So any one of the three may be
killed, and application and starter at once, and nothing is left. Of starter and keeper at once it is their grandchildren.

    application -> starter   Setup, then Preload, Signal, and with descriptors (standard input, output, error, and others) RunTarget, RunCommand
    starter -> application   Started or Refused, Stopped, Continued, Exited, Gone

What the kernel must know for all of this only Linux knows. Elsewhere (macOS) grandchildren that made a session of their own are
not found, children outlive a starter that was killed, and a process that the application forked keeps the starter alive as long
as it holds the control socket.
"""

from __future__ import annotations

import errno
import gc
import os
import pickle
import runpy
import select
import signal
import socket
import struct
import sys
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from itertools import chain
from typing import NoReturn

import msgspec

__all__ = [
    "FROM_MAIN",
    "LOADING",
    "Begun",
    "Continued",
    "Exited",
    "Gone",
    "Main",
    "Preload",
    "Refused",
    "Report",
    "Request",
    "Run",
    "RunCommand",
    "RunTarget",
    "Setup",
    "Signal",
    "Started",
    "Stopped",
    "main",
    "packed",
    "unpacked",
]

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
CHANGED_SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)
OUR_MISTAKE = 70
MOST_HANDLES = 253
"""How many descriptors the kernel passes on at once."""
PATIENCE = 0.5
"""Seconds that those have to end whom the keeper asks."""
HANGS = 10.0
"""Seconds after which a starter that has not ended everything when its application has ended will not do so any more."""
UNKILLABLE = 5.0
"""Seconds after which those are given up that even SIGKILL does not end: they belong to another user, or hang in the kernel."""
LOOK_AGAIN = 0.1
"""Seconds. Where orphans are not adopted, nobody tells of their end."""
FROM_MAIN = "__mp_main__"
"""What the main module of the application is called where it is loaded again, as multiprocessing calls it."""

LOADING = "__ztopo_loading__"
"""In that module: whether it is still being loaded, and must not start anything."""


class Setup(msgspec.Struct, frozen=True, tag=True):
    """The first that is said: the number and the arguments of the application, and how long those who are asked to end may take."""

    parent: int
    arguments: tuple[bytes, ...]
    patience: float


class Preload(msgspec.Struct, frozen=True, tag=True):
    """Import modules, so that those who start from now on find them."""

    modules: tuple[str, ...]


class Main(msgspec.Struct, frozen=True):
    """Where the main module of the application can be found again: by the name of a module, or by a path."""

    module: str = ""
    path: str = ""


class Run(msgspec.Struct, frozen=True):
    """Start something. What is None is as it was when the application started the starter."""

    key: int
    name: str
    session: bool
    handles: int
    folder: bytes | None
    environment: dict[bytes, bytes] | None


class RunTarget(Run, frozen=True, tag=True):
    """Call something that was pickled with its arguments; further descriptors become further arguments."""

    target: bytes
    path: tuple[bytes, ...] | None
    main: Main | None


class RunCommand(Run, frozen=True, tag=True):
    """Execute a command; further descriptors get the numbers from 3 on."""

    command: tuple[bytes, ...]


class Signal(msgspec.Struct, frozen=True, tag=True):
    """Send a signal to a process, or to its group if it has a session of its own."""

    key: int
    number: int
    group: bool


Request = Setup | Preload | RunTarget | RunCommand | Signal


class Started(msgspec.Struct, frozen=True, tag=True):
    """A process runs."""

    key: int
    pid: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A process could not be started: `what` is what the system refused."""

    key: int
    errno: int
    what: bytes


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """A process was stopped by this signal."""

    key: int
    number: int


class Continued(msgspec.Struct, frozen=True, tag=True):
    """A process that was stopped goes on."""

    key: int


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A process has ended, by itself (0 and up) or by a signal (its negative number)."""

    key: int
    status: int


class Gone(msgspec.Struct, frozen=True, tag=True):
    """Nothing is left of a process with a session of its own, and of what it had started there."""

    key: int


class Begun(msgspec.Struct, frozen=True, tag=True):
    """The first that is reported: the number of the starter."""

    pid: int


Report = Begun | Started | Refused | Stopped | Continued | Exited | Gone

LENGTH = struct.Struct("=I")


def packed(message: Request | Report) -> bytes:
    """A message as it goes over the control socket."""
    data = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(data)) + data


def unpacked(buffer: bytearray) -> Iterator[bytes]:
    """Take the messages out of the buffer that are there as a whole."""
    while len(buffer) >= LENGTH.size:
        end = LENGTH.size + LENGTH.unpack_from(buffer)[0]
        if len(buffer) < end:
            return
        yield bytes(buffer[LENGTH.size : end])
        del buffer[:end]


def main(held: str) -> None:
    """Serve the application, which is at the other end of the socket that is standard input; hold these descriptors."""
    application = os.getppid()
    holding = tuple(map(int, filter(None, held.split(","))))
    for handle in holding:
        os.set_inheritable(handle, False)
    try:
        with socket.socket(fileno=os.dup(0)) as control:
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.close(nothing)
            keeper = _become_child_of_keeper(application, control) if sys.platform == "linux" else 0
            StarterProcess(application, keeper, control, holding).serve()
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN):
            raise
        sys.exit(f"ztopo's starter: {error.strerror}: see `ulimit -a`")


def _become_child_of_keeper(application: int, control: socket.socket) -> int:
    """Return in a child of this process, with the number of the latter, which is its keeper from now on."""
    prctl = _prctl()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != keeper:
            os._exit(OUR_MISTAKE)
        return keeper
    prctl(PR_SET_NAME, b"ztopo keeper")
    control.close()
    os._exit(Keeper(application, pid).keep())


class Keeper:
    """The parent of the starter."""

    def __init__(self, application: int, starter: int) -> None:
        self.starter = starter
        self.status = OUR_MISTAKE
        """What the starter has ended with."""
        self.wake, _ = _wake_pipe()
        self.poll = select.poll()
        self.poll.register(self.wake, select.POLLIN)
        self.application = _watch(application)
        if self.application >= 0:
            self.poll.register(self.application, select.POLLIN)

    def keep(self) -> int:
        """Wait for the end of the starter, then end what it has left; return what it ended with."""
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._pass_on)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        end = None
        self._reap()
        while self.starter:
            left = None if end is None else max(0.0, end - time.monotonic())
            readable = {handle for handle, _ in self.poll.poll(None if left is None else left * 1000)}
            if self.wake in readable:
                os.read(self.wake, 4096)
            if self.application in readable:
                self.poll.unregister(self.application)
                end = time.monotonic() + HANGS
            if not readable:
                os.kill(self.starter, signal.SIGKILL)
            self._reap()
        _end_descendants(PATIENCE, self.wake, self._reap, {}, {})
        return self.status

    def _pass_on(self, number: int, frame: object) -> None:
        if self.starter:
            os.kill(self.starter, number)

    def _reap(self) -> None:
        for pid, status in _changes():
            if pid == self.starter and os.WIFSTOPPED(status):
                os.kill(pid, signal.SIGCONT)
            elif pid == self.starter and not os.WIFCONTINUED(status):
                self.starter = 0
                self.status = os.waitstatus_to_exitcode(status) & 0xFF


class StarterProcess:
    """What runs, by key, and the loop that serves."""

    def __init__(self, application: int, keeper: int, control: socket.socket, holding: tuple[int, ...]) -> None:
        self.pid = os.getpid()
        self.holding = holding
        self.application = application
        self.keeper = keeper
        self.prctl = _prctl()
        self.control = control
        self.parent = -1
        """A descriptor that becomes readable when the application ends, where the system has such."""
        self.patience = 0.0
        self.poll = select.poll()
        self.wake, self.waker = _wake_pipe()
        self.running: dict[int, int] = {}
        """The keys of the processes that have not ended, by number."""
        self.groups: dict[int, int] = {}
        """The process groups that still have members, by key; each has the number of the process that led it."""
        self.leaderless: set[int] = set()
        """The keys of those groups whose leader has ended."""
        self.numbers: dict[int, int] = {}
        """The numbers of the processes that have not ended, by key."""
        self.received: deque[list[int]] = deque()
        """The descriptors that came with each request that has some and is not yet carried out, as far as there was room for them."""
        self.ending = False
        """Whether it was told to end by somebody else than the application, which then need not hear more than that."""
        self.decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)

    # The loop

    def serve(self) -> None:
        """Carry out requests and report until the application is gone; then end everything."""
        self._prepare()
        buffer = bytearray()
        while not self.ending:
            readable = {handle for handle, _ in self.poll.poll(self._patience_of_poll())}
            if self.wake in readable:
                os.read(self.wake, 4096)
            if self.control.fileno() in readable and not self._receive(buffer):
                break
            for data in unpacked(buffer):
                self._carry_out(self.decoder.decode(data))
            if self.parent in readable:
                break
            self._reap()
        self._end_everything()

    def _prepare(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whoever started us may have blocked some
        self.prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.prctl(PR_SET_NAME, b"ztopo starter")
        for handle in (self.control.fileno(), self.wake):
            self.poll.register(handle, select.POLLIN)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._end)
        self._report(Begun(self.pid))

    def _end(self, *_: object) -> None:
        self.ending = True

    def _patience_of_poll(self) -> float | None:
        return LOOK_AGAIN * 1000 if self.leaderless and sys.platform != "linux" else None

    def _receive(self, buffer: bytearray) -> bool:
        try:
            data, handles, flags, _ = socket.recv_fds(self.control, 1 << 16, MOST_HANDLES)
        except ConnectionResetError:
            return False
        for handle in handles:
            os.set_inheritable(handle, False)
        if handles or flags & socket.MSG_CTRUNC:  # the kernel hands out those of one request at a time
            self.received.append(handles)
        buffer += data
        return bool(data)

    def _report(self, report: Report) -> None:
        if self.ending:
            return
        with suppress(BrokenPipeError, ConnectionResetError):  # the application is gone: the loop sees that next
            self.control.sendall(packed(report))

    def _carry_out(self, request: Request) -> None:
        match request:
            case Setup():
                self._set_up(request)
            case Preload(modules):
                for module in modules:
                    import_module(module)
                gc.collect()
                gc.freeze()  # children leave alone what they share with this process
            case RunCommand() | RunTarget():
                self._run(request)
            case Signal(key, number, group):
                self._signal(key, number, group)

    def _set_up(self, request: Setup) -> None:
        self.patience = request.patience
        sys.argv[:] = map(os.fsdecode, request.arguments)
        if self.application != request.parent:  # it had ended before we could see who it was
            self.ending = True
            return
        self.parent = _watch(request.parent)
        if self.parent >= 0:
            self.poll.register(self.parent, select.POLLIN)

    # Starting

    def _run(self, request: RunCommand | RunTarget) -> None:
        handles = self.received.popleft()
        try:
            if len(handles) != request.handles:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            pid, refused = self._fork(request, handles)
        except OSError as error:
            pid, refused = 0, _pack_failure(error.errno or 0, b"a process")
        finally:
            for handle in handles:
                os.close(handle)
        if refused:
            self._report(Refused(request.key, *_unpack_failure(refused)))
        else:
            self._started(request, pid)

    def _fork(self, request: RunCommand | RunTarget, handles: list[int]) -> tuple[int, bytes]:
        """Make a child, and return its number, and what it says if it cannot become the command."""
        failure, fail = os.pipe() if isinstance(request, RunCommand) else (-1, -1)
        signal.pthread_sigmask(signal.SIG_BLOCK, CHANGED_SIGNALS)  # what the child gets early is for it, not for our handlers
        try:
            pid = os.fork()
            if pid == 0:
                self._be_child(request, handles, failure, fail)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            if fail < 0:
                return pid, b""
            os.close(fail)
            fail = -1
            refused = _read_all(failure)  # nothing, once a successful exec has closed the other end
            if refused:
                os.waitpid(pid, 0)
            return pid, refused
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            for handle in (failure, fail):
                if handle >= 0:
                    os.close(handle)

    def _started(self, request: Run, pid: int) -> None:
        self.running[pid] = request.key
        self.numbers[request.key] = pid
        if request.session:
            self.groups[request.key] = pid
        self._report(Started(request.key, pid))

    def _be_child(self, request: RunCommand | RunTarget, handles: list[int], failure: int, fail: int) -> NoReturn:
        status = OUR_MISTAKE
        try:
            if request.session:
                os.setsid()
            self.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == self.pid:
                self._leave_all_behind(handles)
                if isinstance(request, RunCommand):
                    os.close(failure)
                    _execute(request, handles[3:], fail)
                else:
                    self.prctl(PR_SET_NAME, request.name.encode()[:15])
                    status = _call(request, handles[3:])
        except BaseException:  # it is told as far as standard error goes, and ends this process and no other
            sys.excepthook(*sys.exc_info())
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(status)

    def _leave_all_behind(self, handles: list[int]) -> None:
        """Keep nothing that is the starter's."""
        signal.set_wakeup_fd(-1)
        for number in CHANGED_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for target, handle in enumerate(handles[:3]):
            os.dup2(handle, target)
            os.close(handle)
        self.control.close()
        for handle in (
            self.wake,
            self.waker,
            *self.holding,
            *chain(*self.received),
            *((self.parent,) if self.parent >= 0 else ()),
        ):
            os.close(handle)

    # Signals and ends

    def _signal(self, key: int, number: int, group: bool) -> None:
        with suppress(ProcessLookupError):  # it has just ended, and that is told
            if group and key in self.groups:
                os.killpg(self.groups[key], number)
            elif key in self.numbers:
                os.kill(self.numbers[key], number)

    def _reap(self) -> None:
        """Take note of everybody who has stopped, goes on, or has ended."""
        for pid, status in _changes():
            self._note(pid, status)
        for key in [key for key in self.leaderless if _is_empty(self.groups[key])]:
            self.leaderless.remove(key)
            del self.groups[key]
            self._report(Gone(key))

    def _note(self, pid: int, status: int) -> None:
        key = self.running.get(pid)
        if key is None:
            return
        if os.WIFSTOPPED(status):
            self._report(Stopped(key, os.WSTOPSIG(status)))
        elif os.WIFCONTINUED(status):
            self._report(Continued(key))
        else:
            del self.running[pid], self.numbers[key]
            if key in self.groups:
                self.leaderless.add(key)
            self._report(Exited(key, os.waitstatus_to_exitcode(status)))

    def _end_everything(self) -> None:
        _end_descendants(self.patience, self.wake, self._reap, self.running, self.groups)
        if self.keeper and os.getppid() == self.keeper:
            with suppress(ProcessLookupError):
                os.kill(self.keeper, signal.SIGCONT)  # lest it is halted, and does not see our end


# Ends


def _end_descendants(
    patience: float, wake: int, reap: Callable[[], None], started: Mapping[int, int], groups: Mapping[int, int]
) -> None:
    """Ask all that descend from this process to end, and those in these process groups; kill those that are left after a while.

    `started` is asked where the system does not tell who descends from us; both may change with each call of `reap`.
    """

    def send(number: int) -> None:
        for pid in _descendants(started):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        for group in groups.values():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    send(signal.SIGTERM)
    send(signal.SIGCONT)  # so that those who were stopped hear it
    end = time.monotonic() + patience
    reap()
    while _descendants(started) and (left := end - time.monotonic()) > 0:
        if select.select([wake], [], [], min(left, LOOK_AGAIN))[0]:
            os.read(wake, 4096)
        reap()
    end = time.monotonic() + UNKILLABLE
    while _descendants(started) and time.monotonic() < end:
        send(signal.SIGKILL)
        select.select([wake], [], [], 0.01)  # the next round takes those who were just born, and the orphans
        reap()


def _descendants(started: Mapping[int, int]) -> list[int]:
    """All that descend from this process; elsewhere than on Linux those that it started."""
    if sys.platform != "linux":
        return list(started)
    children = _children()
    found: list[int] = []
    look_at = [os.getpid()]
    while look_at:
        born = children.get(look_at.pop(), [])
        found += born
        look_at += born
    return found


def _changes() -> Iterator[tuple[int, int]]:
    """The children that have stopped, go on, or have ended, and how."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def _wake_pipe() -> tuple[int, int]:
    """A pipe that can be read when a signal comes that this process handles; SIGCHLD is one of them."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wake, waker


def _watch(pid: int) -> int:
    """A descriptor that can be read when a process ends, or -1 where the system has no such thing."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or one that forbids it: the control socket closes as well
        return -1


# In children


def _execute(request: RunCommand, handles: list[int], fail: int) -> None:
    """Become the command. If that is refused, say so to `fail`, and return."""
    import fcntl

    first = 3 + len(handles)
    fail = fcntl.fcntl(fail, fcntl.F_DUPFD_CLOEXEC, first)  # this and the others: out of the way of those to come
    high = [fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, first) for handle in handles]
    for number, handle in enumerate(high, 3):
        os.dup2(handle, number)
    what = request.folder or b""
    try:
        if request.folder is not None:
            os.chdir(request.folder)
        what = request.command[0]
        environment = os.environb if request.environment is None else request.environment
        os.execvpe(request.command[0], request.command, environment)
    except OSError as error:
        os.write(fail, _pack_failure(error.errno or 0, what))


def _call(request: RunTarget, handles: list[int]) -> int:
    """Run the target as the whole program of this process, and return the status that it ends with."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # and two more, as Python itself does
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]  # a TextIOWrapper here
    try:
        _move_to(request)
        target, arguments = pickle.loads(request.target)
        target(*arguments, *handles)
    except SystemExit as end:
        return _status_of(end)
    except BaseException:  # as multiprocessing does: told on standard error, and 1
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
    return 0


def _move_to(request: RunTarget) -> None:
    """Be where the application is now: its folder, environment, path of modules, and main module if that is needed."""
    if request.folder is not None:
        os.chdir(request.folder)
    if request.environment is not None:
        os.environb.clear()
        os.environb.update(request.environment)
    if request.path is not None:
        sys.path[:] = map(os.fsdecode, request.path)
    if request.main is not None:
        _load_main(request.main)


def _status_of(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def _load_main(where: Main) -> None:
    """Load the main module of the application, whose author has put what is not to run again under a main guard."""
    module = types.ModuleType(FROM_MAIN)
    sys.modules[FROM_MAIN] = sys.modules["__main__"] = module
    run = runpy.run_module if where.module else runpy.run_path
    names = run(where.module or where.path, {LOADING: True}, FROM_MAIN)
    module.__dict__.update(names, **{LOADING: False})
    sys.modules[FROM_MAIN] = sys.modules["__main__"] = module  # runpy has put back what was there


def _pack_failure(number: int, what: bytes) -> bytes:
    return struct.pack("=i", number) + what[: select.PIPE_BUF - 4]


def _unpack_failure(data: bytes) -> tuple[int, bytes]:
    return struct.unpack("=i", data[:4])[0], data[4:]


def _is_empty(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _children() -> dict[int, list[int]]:
    """The children of every process on this machine that can be seen."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{name}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
                found.setdefault(parent, []).append(int(name))
    return found


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
