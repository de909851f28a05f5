"""Processes for an application that must not fork itself: a starter process of its own forks them.

    starter = default_starter("some.module")
    child = starter.start(some.module.work, (1, 2), name="worker")
    child.join()

A child costs a fork and no import. What runs in it is found by name, so the main script is not run again, may lack a main guard,
and may come from standard input. Only where the target itself lives in the main module is that loaded, under another name, as
multiprocessing does; then it needs its guard.

Whatever happens to the application, nothing that it started is left: `starter_process.py` tells how, and what it cannot do
elsewhere than on Linux. An application that forks itself leaves its starter with the parent; the child makes another one.
"""

from __future__ import annotations

import ast
import atexit
import fcntl
import io
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any, Self

import msgspec

from topo.devcore.starter_process import (
    FROM_MAIN,
    LOADING,
    Begun,
    Continued,
    Exited,
    Gone,
    Main,
    Preload,
    Refused,
    Report,
    Request,
    RunCommand,
    RunTarget,
    Setup,
    Signal,
    Started,
    Stopped,
    packed,
    unpacked,
)

__all__ = [
    "Child",
    "Continued",
    "Exited",
    "Gone",
    "Refused",
    "Report",
    "Started",
    "Starter",
    "StarterLost",
    "Stopped",
    "default_starter",
]

BOOT = "import sys; held, *sys.path[:] = sys.argv[1:]; from topo.devcore.starter_process import main; main(held)"
PATIENCE = 0.5
"""Seconds that those who are left have to end when the application is gone, once they were asked."""

OnReport = Callable[["Child", Report], None]


class StarterLost(RuntimeError):
    """The starter process has ended, and so has everything that it had started."""


class Child:
    """A process that a starter has started, with the face of a `multiprocessing.Process`. Made by `Starter.start`."""

    def __init__(self, starter: Starter, key: int, name: str, daemon: bool, session: bool, on_report: OnReport | None) -> None:
        self.name = name
        self.daemon = daemon
        """Whether the process is ended, or waited for, when the application ends."""
        self.asked: set[int] = set()
        """The signals that it was sent by this object."""
        self._starter = starter
        self._key = key
        self._session = session
        self._on_report = on_report
        self._application = os.getpid()
        self._changed = threading.Condition()
        self._pid: int | None = None
        self._exitcode: int | None = None
        self._refused: Refused | None = None
        self._stopped = False
        self._gone = False
        self._sentinel: tuple[int, int] | None = None

    @property
    def pid(self) -> int | None:
        """Its number, or None before it runs."""
        return self._pid

    ident = pid

    @property
    def exitcode(self) -> int | None:
        """None as long as it runs; the status that it ended with, or the negative number of the signal that ended it."""
        return self._exitcode

    @property
    def stopped(self) -> bool:
        """Whether a signal (SIGSTOP, say) holds it up at present."""
        return self._stopped

    @property
    def sentinel(self) -> int:
        """A descriptor that becomes readable when it ends."""
        with self._changed:
            if self._sentinel is None:
                self._sentinel = os.pipe()
                weakref.finalize(self, os.close, self._sentinel[0])
                if self._ended:
                    os.close(self._sentinel[1])
            return self._sentinel[0]

    @property
    def _ended(self) -> bool:
        return self._exitcode is not None or self._refused is not None

    def is_alive(self) -> bool:
        """Whether it has been started and has not ended."""
        self._check_ours()
        return not self._ended

    def wait_started(self) -> None:
        """Wait until it runs; raise what the system said if it cannot."""
        self._check_ours()
        with self._changed:
            self._changed.wait_for(lambda: self._pid is not None or self._ended)
        if self._refused is not None:
            what = os.fsdecode(self._refused.what)
            if not self._refused.errno:
                raise StarterLost(what)
            raise OSError(self._refused.errno, os.strerror(self._refused.errno), what)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        self._check_ours()
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout)

    def wait_gone(self, timeout: float | None = None) -> bool:
        """Of one with a session of its own: wait for the end of all that it started there, and say whether that has come."""
        self._check_ours()
        with self._changed:
            return self._changed.wait_for(lambda: self._gone, timeout)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int, *, group: bool = False) -> None:
        """Send it a signal; with `group`, and a session of its own, also to all that it has started there."""
        self._check_ours()
        self.asked.add(number)
        self._starter._send(Signal(self._key, number, group))

    def __repr__(self) -> str:
        state = f"exitcode={self._exitcode}" if self._ended else "stopped" if self._stopped else "running"
        return f"<Child {self.name!r} pid={self._pid} {state}>"

    def _check_ours(self) -> None:
        if os.getpid() != self._application:
            raise RuntimeError(f"{self.name} was started by another process than this one")

    # In the thread that reads reports

    def _heard(self, report: Report) -> None:
        if self._on_report is not None:
            try:
                self._on_report(self, report)
            except Exception:  # a mistake of whoever listens must not end the thread that all children depend on
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
        with self._changed:
            self._note(report)
            self._changed.notify_all()

    def _note(self, report: Report) -> None:
        match report:
            case Started(_, pid):
                self._pid = pid
            case Stopped() | Continued():
                self._stopped = isinstance(report, Stopped)
            case Gone():
                self._gone = True
            case Exited(_, status):
                self._exitcode = status
                self._gone = self._gone or not self._session
                self._end()
            case Refused():
                self._refused = report
                self._gone = True
                self._end()

    def _end(self) -> None:
        self._stopped = False
        if self._sentinel is not None:
            os.close(self._sentinel[1])


class Starter:
    """The starter process of an application, from outside. Any thread may use it."""

    def __init__(self, *, patience: float = PATIENCE, hold: Sequence[int] = ()) -> None:
        """Start it. The descriptors `hold` are kept open, by no child, until nothing is left of all that it has started."""
        _refuse_while_loading_main()
        self._lock = threading.Lock()
        self._keys = count(1)
        self._children: dict[int, Child] = {}
        self._lost = False
        self._begun = threading.Event()
        self._pid = 0
        self._path = _path()
        self._preloaded: set[str] = set()
        self._environment = dict(os.environb)
        self._folder = os.getcwdb()
        complaints = None if _is_open(2) else subprocess.DEVNULL
        self._control, theirs = map(_out_of_the_way, socket.socketpair())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *_interpreter_options(), "-c", BOOT, ",".join(map(str, hold)), *map(os.fsdecode, self._path)],
                pass_fds=hold,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                start_new_session=True,
            )
        STARTERS.add(self)
        self._send(Setup(os.getpid(), tuple(map(os.fsencode, sys.argv)), patience))
        self._reader = threading.Thread(target=self._read, name="ztopo starter", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The number of the starter process; 0 if it has ended before it could tell."""
        self._begun.wait()
        return self._pid

    @property
    def keeper(self) -> int:
        """The number of its parent, which ends what it leaves if it is killed; elsewhere than on Linux its own."""
        return self._process.pid

    @property
    def lost(self) -> bool:
        """Whether it has ended, or belongs to the process that this one was forked from."""
        return self._lost

    def preload(self, *modules: str) -> None:
        """Let those who start from now on find these modules imported."""
        new = tuple(module for module in modules if module not in self._preloaded)
        if new:
            self._preloaded.update(new)
            self._send(Preload(new))

    def start(
        self,
        target: Callable[..., object],
        args: Sequence[object] = (),
        *,
        name: str | None = None,
        daemon: bool = True,
        session: bool = False,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        fds: Sequence[int] = (),
        on_report: OnReport | None = None,
        wait: bool = True,
    ) -> Child:
        """Call `target` in a process of its own.

        Target and arguments are pickled, so the target is a function of some module. It is called in the present folder, with
        the present environment and `sys.path`. The descriptors `fds` become further arguments, as the numbers that they have
        there. Output goes where that of the application goes, unless descriptors are given; standard input is empty.

        `session` gives it a session of its own. `on_report` hears everything about it, in a thread of the starter's. Without
        `wait` nothing is waited for, and a start that is refused is reported like all else.
        """
        _refuse_while_loading_main()
        data, main = _pickled(target, args)
        path = _path()
        child = self._child(name or str(getattr(target, "__name__", "target")), daemon, session, on_report)
        folder, environment = self._surroundings()
        request = RunTarget(
            child._key, child.name, session, 3 + len(fds), folder, environment, data, None if path == self._path else path, main
        )
        return self._start(child, request, (stdin, stdout, stderr), fds, wait)

    def start_command(
        self,
        command: Sequence[str | bytes],
        *,
        cwd: str | bytes | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        name: str | None = None,
        daemon: bool = True,
        session: bool = True,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        fds: Sequence[int] = (),
        on_report: OnReport | None = None,
        wait: bool = True,
    ) -> Child:
        """Execute a command, found in the PATH of its environment. The descriptors `fds` get the numbers 3, 4 and so on there.

        If it cannot be executed, OSError is raised. All else is as with `start`.
        """
        _refuse_while_loading_main()
        words = tuple(os.fsencode(word) for word in command)
        child = self._child(name or os.fsdecode(words[0]), daemon, session, on_report)
        folder, environment = self._surroundings()
        if cwd is not None:
            folder = os.fsencode(os.path.abspath(cwd))
        if env is not None:
            environment = {os.fsencode(key): os.fsencode(value) for key, value in env.items()}
        request = RunCommand(child._key, child.name, session, 3 + len(fds), folder, environment, words)
        return self._start(child, request, (stdin, stdout, stderr), fds, wait)

    def join(self) -> None:
        """Wait for the end of those that are not daemons."""
        for child in list(self._children.values()):
            if not child.daemon:
                child.join()

    def close(self) -> None:
        """End whatever is left, and the starter."""
        with suppress(OSError):  # the other end is gone already
            self._control.shutdown(socket.SHUT_WR)
        self._reader.join(CLOSING)
        if self._reader.is_alive():  # it hangs: then the kernel ends its children with it, and its keeper the others
            if self._pid:
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
            self._reader.join(CLOSING)
        if self._reader.is_alive():
            self._process.kill()
            self._reader.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Asking

    def _child(self, name: str, daemon: bool, session: bool, on_report: OnReport | None) -> Child:
        return Child(self, next(self._keys), name, daemon, session, on_report)

    def _surroundings(self) -> tuple[bytes | None, dict[bytes, bytes] | None]:
        """Folder and environment, where they are others than when the starter was started."""
        folder, environment = os.getcwdb(), dict(os.environb)
        return (None if folder == self._folder else folder), (None if environment == self._environment else environment)

    def _start(
        self,
        child: Child,
        request: RunTarget | RunCommand,
        standard: tuple[int | None, int | None, int | None],
        fds: Sequence[int],
        wait: bool,
    ) -> Child:
        with ExitStack() as opened:
            handles = [*_standard(standard, opened), *fds]
            with self._lock:
                if self._lost:
                    raise StarterLost("the starter process has ended")
                self._children[child._key] = child
            self._send(request, handles)
        if wait:
            child.wait_started()
        return child

    def _send(self, request: Request, handles: Sequence[int] = ()) -> None:
        data = packed(request)
        with self._lock, suppress(BrokenPipeError, ConnectionResetError):  # the reports end as well, and that is told
            if self._lost:
                return
            sent = socket.send_fds(self._control, [data], handles)
            self._control.sendall(data[sent:])

    # The thread that reads reports

    def _read(self) -> None:
        decoder: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)
        buffer = bytearray()
        with suppress(ConnectionResetError):
            while data := self._control.recv(1 << 16):
                buffer += data
                for message in unpacked(buffer):
                    self._heard(decoder.decode(message))
        self._lose()

    def _heard(self, report: Report) -> None:
        if isinstance(report, Begun):
            self._pid = report.pid
            self._begun.set()
            return
        child = self._children[report.key]
        if isinstance(report, Refused | Gone) or (isinstance(report, Exited) and not child._session):
            del self._children[report.key]
        child._heard(report)

    def _lose(self) -> None:
        """The starter has ended: so have its children, by the kernel's hand, and none of them is told of any more."""
        self._begun.set()
        self._process.wait()
        with self._lock:
            self._lost = True
            children = list(self._children.values())
            self._children.clear()
            self._control.close()
        for child in children:
            if child._pid is None:
                child._heard(Refused(child._key, 0, b"the starter process has ended; standard error tells more"))
            elif child._exitcode is None:
                _make_sure(child._pid)
                child._heard(Exited(child._key, -signal.SIGKILL))
            if child._session:
                child._heard(Gone(child._key))

    # After a fork

    def _leave_to_parent(self) -> None:
        """Forget the starter and all that it has started: in a copy of the application they belong to the original."""
        self._lock = threading.Lock()  # the other may be held, by a thread that is not here
        self._lost = True
        self._process.returncode = 0  # not ours to wait for
        self._children = {}
        self._control.close()


CLOSING = 5.0
"""Seconds that the starter has to end everything and itself."""
STARTERS: weakref.WeakSet[Starter] = weakref.WeakSet()
"""Those of this process. They are known here because `os.register_at_fork` has no counterpart that forgets."""


class Default:
    """The starter that all share who do not bring their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starter: Starter | None = None
        self._registered = False

    def get(self) -> Starter:
        """The present one, made now if there is none."""
        with self._lock:
            if self._starter is None or self._starter.lost:
                self._starter = Starter()
            if not self._registered:
                atexit.register(self._at_exit)
                self._registered = True
            return self._starter

    def leave_to_parent(self) -> None:
        """Forget the starter: it belongs to the process that this one is a copy of."""
        self._lock = threading.Lock()
        self._starter = None

    def _at_exit(self) -> None:
        if self._starter is not None:
            self._starter.join()
            self._starter.close()


DEFAULT = Default()


def default_starter(*preload: str) -> Starter:
    """The starter of this application, made when it is first wanted; `preload` names what children are to find imported.

    When the application ends, it waits for those of its children that are not daemons, and ends the others.
    """
    starter = DEFAULT.get()
    starter.preload(*preload)
    return starter


def _after_fork_in_child() -> None:
    for starter in STARTERS:
        starter._leave_to_parent()
    STARTERS.clear()
    DEFAULT.leave_to_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)


# What crosses


class _Pickler(pickle.Pickler):
    """Takes note of what is defined in the main module."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.of_main = ""

    def reducer_override(self, obj: Any) -> Any:  # as pickle has it
        if isinstance(obj, type | types.FunctionType) and obj.__module__ in ("__main__", FROM_MAIN):
            self.of_main = obj.__qualname__
        return NotImplemented


def _pickled(target: Callable[..., object], args: Sequence[object]) -> tuple[bytes, Main | None]:
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.dump((target, tuple(args)))
    return file.getvalue(), _find_main(pickler.of_main) if pickler.of_main else None


def _find_main(wanted: str) -> Main:
    """Where the main module can be loaded again, because `wanted` is defined there."""
    module = sys.modules["__main__"]
    spec = getattr(module, "__spec__", None)
    file = getattr(module, "__file__", None)
    if file is None or not os.path.isfile(file):
        raise pickle.PicklingError(
            f"{wanted} is defined in a main script that is no file: another process finds it only in a module"
        )
    if not _is_guarded(Path(file).read_bytes()):
        raise pickle.PicklingError(
            f"{wanted} is defined in a main script without a main guard: another process finds it only in a module, "
            "or if what the script does stands under `if __name__ == '__main__':`"
        )
    if spec is not None and spec.name.rpartition(".")[2] != "__main__":
        return Main(module=spec.name)
    return Main(path=os.path.abspath(file))


def _is_guarded(source: bytes) -> bool:
    return any(
        isinstance(name, ast.Name) and name.id == "__name__"
        for statement in ast.parse(source).body
        if isinstance(statement, ast.If)
        for name in ast.walk(statement.test)
    )


def _refuse_while_loading_main() -> None:
    if getattr(sys.modules.get(FROM_MAIN), LOADING, False):
        raise RuntimeError(
            "a process is started while the main script is loaded for another one: put the start under `if __name__ == '__main__':`"
        )


def _path() -> tuple[bytes, ...]:
    return tuple(os.fsencode(os.path.abspath(entry)) for entry in sys.path if isinstance(entry, str))


def _interpreter_options() -> list[str]:
    options: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # as multiprocessing does
    return options


def _standard(given: Sequence[int | None], opened: ExitStack) -> list[int]:
    """The three standard descriptors of a child: as given, else no input, and output where ours goes."""
    nothing = os.open(os.devnull, os.O_RDWR)
    opened.callback(os.close, nothing)
    return [
        _usable(handle, nothing)
        for handle in (given[0], 1 if given[1] is None else given[1], 2 if given[2] is None else given[2])
    ]


def _usable(handle: int | None, nothing: int) -> int:
    if handle is None or (handle in (1, 2) and not _is_open(handle)):
        return nothing
    return handle


def _out_of_the_way(made: socket.socket) -> socket.socket:
    """The socket, but not as a standard descriptor, if the application has closed those: nobody is to write to it by mistake."""
    if made.fileno() > 2:
        return made
    with made:
        return socket.socket(fileno=fcntl.fcntl(made.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))


def _is_open(handle: int) -> bool:
    try:
        os.fstat(handle)
    except OSError:
        return False
    return True


def _make_sure(pid: int) -> None:
    """Where the kernel does not end the children with the starter, do so."""
    if sys.platform != "linux":
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
