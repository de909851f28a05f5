"""A process in which devices live, as its threads. Its main thread only listens to the supervisor.

It gets a plan as the first line of its channel, then commands, and writes what its devices say; all of it JSON. It ends when
its devices have ended, and when the channel closes, for then there is nobody left to supervise it. SIGINT, SIGHUP and SIGTERM
are the supervisor's business. An abort inside libzmq ends this process and no other.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from typing import BinaryIO

import zmq

from topo.plan import ProcessPlan
from topo.run import wire
from topo.run.events import Connect, FromDevice, Stop, ToWorker
from topo.run.host import Host

__all__ = ["main"]

PATIENCE = 2.0
"""How many seconds the devices have to end when the supervisor is gone."""
SWITCH_INTERVAL = 0.5
"""Seconds after which a thread that waits for the interpreter asks for it. Each of thousands of devices that begin or end together
would ask two hundred times a second, and nothing else would be done; here none of them holds the interpreter for long."""
MADE_FOR_IPC = "/tmpXXXXXX/socket"
"""What libzmq makes there."""
LONGEST_PATH = 107 if sys.platform == "linux" else 103
"""In bytes, of a socket."""
SOCKETS_ELSEWHERE = 64
"""Room in the context beside the devices' own sockets."""


def main(scratch: str, handle: int) -> None:
    """Run the devices of the plan that comes over the socket `handle`, until they have ended.

    Their sockets that bind `ipc://*` lie in the folder `scratch`, if there is one and its path is not too long for that.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if scratch and len(os.fsencode(scratch)) + len(MADE_FOR_IPC) <= LONGEST_PATH:
        os.environ["TMPDIR"] = scratch  # where libzmq makes the folder of ipc://*
    os.environ.setdefault("TMPDIR", tempfile.gettempdir())
    sys.setswitchinterval(SWITCH_INTERVAL)
    _allow_many_files()
    with socket.socket(fileno=handle) as stream, stream.makefile("rb") as lines:
        _run(Channel(stream, lines))


def _run(channel: Channel) -> None:
    plan = channel.plan()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, plan.max_sockets or sum(len(d.sockets) for d in plan.devices) + SOCKETS_ELSEWHERE)
    if plan.io_threads is not None:
        context.set(zmq.IO_THREADS, plan.io_threads)
    host = Host(plan, context, channel.post, channel.close)
    host.start()
    channel.obey(host)
    host.stop(host.devices)
    if host.join(PATIENCE):
        context.term()


class Channel:
    """The way to the supervisor and back."""

    def __init__(self, stream: socket.socket, lines: BinaryIO) -> None:
        self._stream = stream
        self._lines = lines
        self._lock = threading.Lock()

    def plan(self) -> ProcessPlan:
        """The first line."""
        plan: ProcessPlan = wire.read(self._lines.readline(), ProcessPlan)
        return plan

    def obey(self, host: Host) -> None:
        """Pass on what the supervisor says, until it says no more."""
        for line in self._lines:
            message: ToWorker = wire.read(line, ToWorker)
            match message:
                case Connect(addresses):
                    host.connect(addresses)
                case Stop(devices):
                    host.stop(devices)

    def post(self, event: FromDevice) -> None:
        """Tell the supervisor. If it is gone, the main thread sees it too, and ends everything."""
        line = wire.written(event)
        with self._lock:
            try:
                self._stream.sendall(line)
            except (BrokenPipeError, ConnectionResetError):
                return

    def close(self) -> None:
        """Listen no more."""
        self._stream.shutdown(socket.SHUT_RD)


def _allow_many_files() -> None:
    """Every socket takes several descriptors: use what the system allows, not what is usual for a shell."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
