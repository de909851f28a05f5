"""What the tests run in processes of their own: functions of a module, as that is how a child finds them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import zmq


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


def leave(status: object) -> None:
    sys.exit(status)  # type: ignore[arg-type]  # as sys.exit has it


def fail() -> None:
    raise ValueError("as it was meant to")


def count_threads_and_files(handle: int) -> None:
    files = len(list(Path("/proc/self/fd").iterdir()))
    os.write(handle, f"{len(list(Path('/proc/self/task').iterdir()))} {files}".encode())


def two_io_threads() -> zmq.Context[zmq.Socket[bytes]]:
    return zmq.Context(2)
