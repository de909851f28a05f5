"""Processes, as the supervisor sees them: it wants them started and signalled, and hears who has ended.

The starter process of devcore does it. Each process has a thread here that reads its output, and each worker one that reads its
channel; they only pass on. What a process says is passed on after its start has been told, and before its end is.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from typing import Protocol

import msgspec

from topo.devcore import starter
from topo.plan import DevicePlan, Origin, ProcessPlan
from topo.run import wire, worker
from topo.run.counters import Counters
from topo.run.events import (
    Addresses,
    Begin,
    Command,
    Connect,
    Dismiss,
    Do,
    Drain,
    Exited,
    FromDevice,
    FromStarter,
    Gone,
    Halted,
    Refused,
    Resumed,
    Started,
    StarterLost,
    Stop,
)
from topo.run.limits import allow_many_files

__all__ = ["Children", "OnOutput", "Post", "Starter", "Worker", "lines_of"]

Post = Callable[[FromDevice | FromStarter | StarterLost], None]
OnOutput = Callable[[str, str, bool], None]
"""Gets the name of a process, a line of its output, and whether it goes on with a line that was too long."""

LONGEST_LINE = 8192
"""In bytes. What is longer is passed on in pieces."""
PIECE = 65536
"""How many bytes are read at once."""
LAST_WORDS = 1.0
"""How many seconds to wait for the rest of what a process has said that has ended: others may hold its output open, and go on writing."""
STEP = 0.01
"""Seconds between two looks at whether that has come."""
FULL_CHANNEL = 10
"""How many seconds a worker may take to read what it is told."""


class Starter(Protocol):
    """Starts processes and reports about them. Tests hand in their own."""

    def start_worker(self, plan: ProcessPlan, counters: Counters) -> Worker:
        """Start a process for devices, which count there."""
        ...

    def start_app(self, name: str, command: tuple[str, ...], folder: str, environment: Mapping[str, str]) -> None:
        """Start a command."""
        ...

    def begun(self, name: str) -> None:
        """It has been told that a process was started: what it says may be passed on."""
        ...

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process and all that it started."""
        ...

    def close(self) -> None:
        """End whatever is left, and the starter itself."""
        ...


class Worker:
    """A process of devices: the way to it."""

    def __init__(self, channel: socket.socket, descriptors: socket.socket, counters: Counters) -> None:
        self._channel = channel
        self._descriptors = descriptors
        self._counters = counters
        for end in (channel, descriptors):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", FULL_CHANNEL, 0))

    def start(self, plan: ProcessPlan) -> None:
        """Hand over the plan of the process, whose devices are yet to begin."""
        self._send(plan)

    def begin(self, devices: tuple[DevicePlan, ...], handles: Mapping[Origin, int]) -> None:
        """Start devices, with the descriptors that listen for them already.

        Raises OSError if the system has no memory for their counters, or lets no more descriptors be on their way.
        """
        slots = tuple(self._counters.slot(device.name) for device in devices)
        self._send(Begin(devices, slots, tuple(handles)))
        there = list(handles.values())
        with suppress(BrokenPipeError, ConnectionResetError):  # it has ended, which is reported
            for start in range(0, len(there), wire.DESCRIPTORS):
                socket.send_fds(self._descriptors, [b"."], there[start : start + wire.DESCRIPTORS])

    def connect(self, addresses: Addresses, devices: tuple[str, ...]) -> None:
        """Everything is bound, there."""
        self._send(Connect(addresses, devices))

    def stop(self, devices: tuple[str, ...], drain: Drain | None = None) -> None:
        """Ask devices to end."""
        self._send(Stop(devices, drain))

    def do(self, device: str, number: int, command: Command) -> None:
        """Let a device carry out a command."""
        self._send(Do(device, number, command))

    def dismiss(self) -> None:
        """Nothing more is wanted: it ends."""
        self._send(Dismiss())

    def close(self) -> None:
        """It has ended."""
        self._descriptors.close()

    def _send(self, message: msgspec.Struct) -> None:
        """Nothing is said here of one that cannot be told: if it has ended that is reported, if it hangs it is missed in time."""
        with suppress(OSError):
            self._channel.sendall(wire.written(message))


class Children:
    """All processes of a topology."""

    def __init__(
        self, post: Post, on_output: OnOutput, *, scratch: str = "", hold: Sequence[int] = (), own: bool = False
    ) -> None:
        """Workers have the sockets of `ipc://*` in the folder `scratch`. `hold` is kept open until nothing is left.

        With `own` this process is ours, and may have as many files open as the system allows; what it starts is not to inherit that.
        """
        self._post = post
        self._on_output = on_output
        self._children: dict[str, starter.Child] = {}
        self._readers: dict[str, list[threading.Thread]] = {}
        self._outputs: dict[str, Output] = {}
        self._channels: dict[str, socket.socket] = {}
        """Of workers that are not yet said to have started; what they say comes after that."""
        self._lost = threading.Lock()
        """Taken by the first who finds that the starter has ended."""
        self._scratch = scratch
        self._starter = starter.Starter(hold=hold)
        if own:
            allow_many_files()

    def start_worker(self, plan: ProcessPlan, counters: Counters) -> Worker:
        """Start a worker, which tells of itself by `post`."""
        ours, theirs = socket.socketpair()
        giving, taking = socket.socketpair()
        self._channels[plan.name] = ours
        self._starter.preload(worker.__name__)
        with theirs, taking, ExitStack() as failed:
            failed.callback(self._forget, plan.name)
            failed.callback(giving.close)
            self._start(
                plan.name,
                lambda output, hear: self._starter.start(
                    worker.main,
                    (self._scratch,),
                    name=f"ztopo {plan.name}",
                    session=True,
                    stdout=output,
                    stderr=output,
                    fds=(theirs.fileno(), taking.fileno(), counters.handle),
                    on_report=hear,
                    wait=False,
                ),
            )
            failed.pop_all()
        started = Worker(ours, giving, counters)
        started.start(plan)
        return started

    def start_app(self, name: str, command: tuple[str, ...], folder: str, environment: Mapping[str, str]) -> None:
        """Start a command."""
        self._start(
            name,
            lambda output, hear: self._starter.start_command(
                command, cwd=folder, env=environment, name=name, stdout=output, stderr=output, on_report=hear, wait=False
            ),
        )

    def begun(self, name: str) -> None:
        """It has been told that a process was started: what it says may be passed on."""
        if name in self._outputs:
            self._outputs[name].begin()

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process and all that it has started."""
        child = self._children.get(name)
        if child is not None:
            child.send_signal(number, group=True)

    def close(self) -> None:
        """End whatever is left."""
        self._lost.acquire(blocking=False)  # what ends now is expected to
        for output in self._outputs.values():
            output.begin()
        self._starter.close()
        for channel in self._channels.values():
            channel.close()
        for readers in self._readers.values():
            for reader in readers:
                reader.join(LAST_WORDS)

    def _forget(self, name: str) -> None:
        """No process has come of this channel."""
        self._channels.pop(name).close()

    def _start(self, name: str, start: Callable[[int, starter.OnReport], starter.Child]) -> None:
        """Start a process, its output going to a pipe that is read here."""
        read, write = os.pipe()
        output = self._outputs[name] = Output(read)
        try:
            self._readers[name] = [self._thread(f"output of {name}", self._read_output, name, output)]
        except OSError:
            output.close()
            os.close(write)
            raise
        try:
            self._children[name] = start(write, lambda _, report: self._hear(name, report))
        except starter.StarterLost:
            output.begin()
            self._starter_lost()
        except BaseException:
            output.begin()  # and end: nobody writes anything
            raise
        finally:
            os.close(write)

    # In the starter's thread

    def _hear(self, name: str, report: starter.Report) -> None:
        if self._starter.lost:
            self._starter_lost()
            return
        match report:
            case starter.Started(_, pid):
                self._post(Started(name, pid))
                channel = self._channels.pop(name, None)
                if channel is not None:
                    self._readers[name].append(self._thread(f"channel of {name}", self._read_channel, channel))
            case starter.Refused(_, errno, what):
                self.begun(name)  # and has said nothing
                self._post(Refused(name, errno, os.fsdecode(what)))
            case starter.Stopped(_, number):
                self._post(Halted(name, number))
            case starter.Continued():
                self._post(Resumed(name))
            case starter.Exited(_, status):
                self._wait_for_last_words(name)
                self._post(Exited(name, status))
            case starter.Gone():
                self._post(Gone(name))

    def _wait_for_last_words(self, name: str) -> None:
        """Wait until all that a process has said is passed on, though others may hold its output open."""
        output, *others = self._readers[name]
        end = time.monotonic() + LAST_WORDS
        while not self._outputs[name].is_passed_on() and time.monotonic() < end:
            output.join(STEP)
        for reader in others:
            reader.join(LAST_WORDS)

    def _starter_lost(self) -> None:
        if self._lost.acquire(blocking=False):
            self._post(StarterLost())

    # Threads that read

    def _thread(self, name: str, target: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, name=f"ztopo {name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more; Python has no other exception for that
            raise OSError(errno.EAGAIN, str(error)) from error
        return thread

    def _read_channel(self, channel: socket.socket) -> None:
        with channel, channel.makefile("rb") as lines, suppress(ConnectionResetError):
            for line in lines:
                self._post(wire.read(line, FromDevice))

    def _read_output(self, name: str, output: Output) -> None:
        with closing(output):
            for line, goes_on in lines_of(output.read):
                self._on_output(name, line, goes_on)


class Output:
    """The end of a pipe at which a thread reads what a process writes, and passes it on."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._begun = threading.Event()
        self._idle = threading.Event()
        """Whether the thread has passed on all that it has read, and waits for more."""
        self._lock = threading.Lock()
        """Held while the pipe is closed, or looked at from outside."""
        self._closed = False

    def begin(self) -> None:
        """Let it be read from now on."""
        self._begun.set()

    def read(self) -> bytes:
        """What comes next; nothing at the end. In the thread that reads."""
        self._begun.wait()
        if not self._has_more(0):
            self._idle.set()
            self._has_more(None)
            self._idle.clear()  # before anything is taken: while it is set, what is not in the pipe is passed on
        return os.read(self._handle, PIECE)

    def is_passed_on(self) -> bool:
        """Whether all that has been written by now is. From any thread."""
        with self._lock:
            return self._closed or (not self._has_more(0) and self._idle.is_set())

    def close(self) -> None:
        """Read no more."""
        with self._lock:
            self._closed = True
            os.close(self._handle)

    def _has_more(self, timeout: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        return bool(waiting.poll(timeout))


def lines_of(read: Callable[[], bytes]) -> Iterator[tuple[str, bool]]:
    """The lines that come out of `read`, and of each whether it goes on with the one before.

    A line that is too long comes in pieces; what is not UTF-8 is shown as `\\xNN`.
    """
    rest = b""
    goes_on = False
    while data := read():
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            for piece in _pieces(line):
                yield _text(piece), goes_on
                goes_on = True
            goes_on = False
        while len(rest) > LONGEST_LINE:
            end = _boundary(rest)
            yield _text(rest[:end]), goes_on
            rest, goes_on = rest[end:], True
    if rest:
        yield _text(rest), goes_on


def _pieces(line: bytes) -> Iterator[bytes]:
    while len(line) > LONGEST_LINE:
        end = _boundary(line)
        yield line[:end]
        line = line[end:]
    yield line


def _boundary(line: bytes) -> int:
    """Where to cut a line that is too long: between two characters."""
    end = LONGEST_LINE
    while end > LONGEST_LINE - 4 and line[end] & 0xC0 == 0x80:
        end -= 1
    return end


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").removesuffix("\r")
