"""What the tests run in processes of their own: functions of a module, as that is how a child finds them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import zmq

from topo import devices


def say(text: str, handle: int) -> None:
    os.write(handle, text.encode())


def tell_surroundings(handle: int) -> None:
    lines = (os.getcwd(), os.environ.get("ZTOPO_TEST", ""), sys.path[0], repr(sys.argv), str(os.getsid(0) == os.getpid()))
    os.write(handle, "\n".join(lines).encode())


def wait_for_signal(handle: int) -> None:
    os.write(handle, b".")
    while True:
        signal.pause()


def ignore_sigterm(handle: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait_for_signal(handle)


def leave_others_behind(handle: int) -> None:
    """Start one that waits, one in a session of its own, and one that is stopped; then go, and leave them orphans."""
    waiting = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    elsewhere = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    stopped = subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"])
    os.waitpid(stopped.pid, os.WUNTRACED)
    os.write(handle, f"{waiting.pid} {elsewhere.pid} {stopped.pid}\n".encode())


def tell_streams(handle: int) -> None:
    """Which standard descriptors are open, and what they are."""
    os.write(handle, " ".join(os.readlink(f"/proc/self/fd/{number}") for number in range(3)).encode())


def leave(status: object) -> None:
    sys.exit(status)  # type: ignore[arg-type]  # as sys.exit has it


def fail() -> None:
    raise ValueError("as it was meant to")


def count_threads_and_files(handle: int) -> None:
    files = len(list(Path("/proc/self/fd").iterdir()))
    os.write(handle, f"{len(list(Path('/proc/self/task').iterdir()))} {files}".encode())


def two_io_threads() -> zmq.Context[zmq.Socket[bytes]]:
    return zmq.Context(2)


KEPT: list[object] = []


def guarded_context() -> zmq.Context[zmq.Socket[bytes]]:
    """A context with a ZAP handler, which lets in whoever knows the password."""
    from zmq.auth.thread import ThreadAuthenticator

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_plain("global", passwords={"known": "secret"})
    KEPT.append(authenticator)
    return context


def failing_context() -> zmq.Context[zmq.Socket[bytes]]:
    raise LookupError("no context today")


class ThreadGreeting(devices.ThreadMonitoredQueue):
    """A subclass that makes its sockets itself: it binds one more address, and sends a message."""

    more: str

    def _setup_sockets(self) -> tuple[Any, ...]:
        ins, outs, mons = super()._setup_sockets()
        ins.bind(self.more)
        outs.send(b"made")
        return ins, outs, mons


class ProcessGreeting(devices.ProcessMonitoredQueue):
    """The same, elsewhere."""

    more: str

    def _setup_sockets(self) -> tuple[Any, ...]:
        ins, outs, mons = super()._setup_sockets()
        ins.bind(self.more)
        outs.send(b"made")
        return ins, outs, mons


class ThreadEcho(devices.ThreadDevice):
    """A subclass with a loop of its own: it answers each message twice, until it is told to end."""

    def run_device(self) -> None:
        ins, _ = self._setup_sockets()
        while (parts := ins.recv_multipart())[-1] != b"end":
            ins.send_multipart(parts)
            ins.send_multipart(parts)


class ProcessEcho(devices.ProcessDevice):
    run_device = ThreadEcho.run_device  # the same, elsewhere


class ThreadCalling(devices.ThreadMonitoredQueue):
    """A subclass that calls the function itself, with other prefixes."""

    def run_device(self) -> None:
        ins, outs, mons = self._setup_sockets()
        assert mons.type == zmq.PUB
        devices.monitored_queue(ins, outs, mons, "from the left", "from the right")


class ThreadFailing(devices.ThreadDevice):
    def run_device(self) -> None:
        ins, _ = self._setup_sockets()
        ins.recv()
        raise LookupError("as it was meant to")


class ProcessFailing(devices.ProcessDevice):
    run_device = ThreadFailing.run_device  # the same, elsewhere


class ThreadDeaf(devices.ThreadDevice):
    """A subclass that cannot be asked to end."""

    def run_device(self) -> None:
        ins, _ = self._setup_sockets()
        ins.recv()


class ProcessDeaf(devices.ProcessDevice):
    run_device = ThreadDeaf.run_device  # the same, elsewhere


class ProcessLeaving(devices.ProcessDevice):
    """A subclass whose process ends at the first message, without a word."""

    def run_device(self) -> None:
        ins, _ = self._setup_sockets()
        ins.recv()
        os._exit(3)


class Unlucky:
    """Something that gets lost on the way."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, ()


def _arrive() -> None:
    raise ValueError("it does not like to be unpickled")
