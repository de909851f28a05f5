"""Processes, as the supervisor sees them: it tells the starter what to run, and hears from it who has ended.

Each process has a thread here that reads its output, and each worker one that reads its channel; they only pass on. What a
process said before its end is passed on before its end is.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from topo.plan import ProcessPlan
from topo.run import starter
from topo.run.events import Addresses, Connect, Exited, FromDevice, FromStarter, StarterLost, Stop, ToWorker

__all__ = ["Children", "OnOutput", "Post", "Starter", "Worker", "lines_of"]

Post = Callable[[FromDevice | FromStarter | StarterLost], None]
OnOutput = Callable[[str, str, bool], None]
"""Gets the name of a process, a line of its output, and whether it goes on with a line that was too long."""

LONGEST_LINE = 8192
"""In bytes. What is longer is passed on in pieces."""
LAST_WORDS = 0.1
"""How many seconds to wait for the rest of the output of a process that has ended, which others may hold open."""
FULL_CHANNEL = 10
"""How many seconds a worker may take to read what it is told."""


class Starter(Protocol):
    """Starts processes and reports about them. Tests hand in their own."""

    def start_worker(self, plan: ProcessPlan) -> Worker:
        """Start a process for these devices."""
        ...

    def start_app(self, name: str, command: tuple[str, ...], folder: str, environment: Mapping[str, str]) -> None:
        """Start a command."""
        ...

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process and all that it started."""
        ...

    def close(self) -> None:
        """End whatever is left, and the starter itself."""
        ...


class Worker:
    """A process of devices: the way to it."""

    def __init__(self, name: str, channel: socket.socket) -> None:
        self.name = name
        self._channel = channel
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", FULL_CHANNEL, 0))

    def start(self, plan: ProcessPlan) -> None:
        """Hand over the plan."""
        self._send(plan)

    def connect(self, addresses: Addresses) -> None:
        """Everything is bound, there."""
        self._send(Connect(addresses))

    def stop(self, devices: tuple[str, ...]) -> None:
        """Ask devices to end."""
        self._send(Stop(devices))

    def _send(self, message: ProcessPlan | ToWorker) -> None:
        """Nothing is said here of one that cannot be told: if it has ended the starter reports it, if it hangs it is missed in time."""
        with suppress(OSError):
            self._channel.sendall(msgspec.json.encode(message) + b"\n")


class Children:
    """The starter process, from outside."""

    def __init__(self, post: Post, on_output: OnOutput) -> None:
        self._post = post
        self._on_output = on_output
        self._readers: dict[str, list[threading.Thread]] = {}
        self._closing = False
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(starter.__file__).absolute()), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._reports = self._thread("reports", self._read_reports)

    def start_worker(self, plan: ProcessPlan) -> Worker:
        """Start a worker, which tells of itself by `post`."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._start(plan.name, starter.RunWorker(plan.name), theirs.fileno())
        worker = Worker(plan.name, ours)
        self._readers[plan.name].append(self._thread(f"channel of {plan.name}", self._read_channel, ours))
        worker.start(plan)
        return worker

    def start_app(self, name: str, command: tuple[str, ...], folder: str, environment: Mapping[str, str]) -> None:
        """Start a command."""
        self._start(name, starter.RunCommand(name, command, folder, dict(environment)))

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process and all that it has started."""
        self._request(starter.Signal(name, number))

    def close(self) -> None:
        """End whatever is left."""
        self._closing = True
        with suppress(OSError):  # the other end is gone already
            self._control.shutdown(socket.SHUT_RDWR)
        self._process.wait()
        self._reports.join()
        self._control.close()
        for readers in self._readers.values():
            for reader in readers:
                reader.join(LAST_WORDS)

    def _start(self, name: str, request: starter.Request, *handles: int) -> None:
        read, write = os.pipe()
        try:
            self._request(request, write, *handles)
        finally:
            os.close(write)
        self._readers[name] = [self._thread(f"output of {name}", self._read_output, name, read)]

    def _request(self, request: starter.Request, *handles: int) -> None:
        data = msgspec.json.encode(request) + b"\n"
        with suppress(BrokenPipeError, ConnectionResetError):  # the reports have ended, too, and that is said
            sent = socket.send_fds(self._control, [data], handles)
            self._control.sendall(data[sent:])

    # Threads that read

    def _thread(self, name: str, target: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, name=f"ztopo {name}", daemon=True)
        thread.start()
        return thread

    def _read_reports(self) -> None:
        decoder: msgspec.json.Decoder[FromStarter] = msgspec.json.Decoder(FromStarter)
        with self._control.makefile("rb") as lines, suppress(ConnectionResetError):
            for line in lines:
                report = decoder.decode(line)
                if isinstance(report, Exited):
                    self._hear_out(report.name)
                self._post(report)
        if not self._closing:
            self._post(StarterLost())

    def _hear_out(self, name: str) -> None:
        for reader in self._readers[name]:
            reader.join(LAST_WORDS)

    def _read_channel(self, channel: socket.socket) -> None:
        decoder: msgspec.json.Decoder[FromDevice] = msgspec.json.Decoder(FromDevice)
        with channel, channel.makefile("rb") as lines, suppress(ConnectionResetError):
            for line in lines:
                self._post(decoder.decode(line))

    def _read_output(self, name: str, handle: int) -> None:
        with os.fdopen(handle, "rb", 0) as stream:
            for line, goes_on in lines_of(lambda: stream.read(65536) or b""):
                self._on_output(name, line, goes_on)


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
