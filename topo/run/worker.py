"""A process in which devices live, as its threads. Its main thread only listens to the supervisor.

It gets the process's plan as the first line of its channel, then what it is to do, and writes what its devices say; all of it
JSON. Descriptors that listen for a device come over a second channel, in the order in which the first names them. It ends when
it is dismissed, and when the channel closes, for then there is nobody left to supervise it. SIGINT, SIGHUP and SIGTERM are the
supervisor's business. An abort inside libzmq ends this process and no other.
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
from topo.run.counters import Slots
from topo.run.events import Begin, Connect, Dismiss, Do, FromDevice, Stop, ToWorker
from topo.run.host import Host
from topo.run.limits import LONGEST_PATH, allow_many_files

__all__ = ["main"]

PATIENCE = 2.0
"""How many seconds the devices have to end when the supervisor is gone."""
SWITCH_INTERVAL = 0.5
"""Seconds after which a thread that waits for the interpreter asks for it. Each of thousands of devices that begin or end together
would ask two hundred times a second, and nothing else would be done; here none of them holds the interpreter for long."""
MADE_FOR_IPC = "/tmpXXXXXX/socket"
"""What libzmq makes there."""
ROOM = 4096
"""How many sockets the context has room for, beside twice those that it begins with."""


def main(scratch: str, handle: int, handles: int, counters: int) -> None:
    """Run devices as the supervisor says over the socket `handle`, until it says no more.

    Their sockets that bind `ipc://*` lie in the folder `scratch`, if there is one and its path is not too long for that.
    Descriptors come over the socket `handles`; `counters` is the file that the devices count in.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if scratch and len(os.fsencode(scratch)) + len(MADE_FOR_IPC) <= LONGEST_PATH:
        os.environ["TMPDIR"] = scratch  # where libzmq makes the folder of ipc://*
    elif "TMPDIR" not in os.environ:  # to ask is to write a file there, which stays if this process is killed in the midst
        os.environ["TMPDIR"] = tempfile.gettempdir()
    sys.setswitchinterval(SWITCH_INTERVAL)
    allow_many_files()
    with socket.socket(fileno=handle) as stream, stream.makefile("rb") as lines, socket.socket(fileno=handles) as descriptors:
        _run(Channel(stream, lines, descriptors), Slots(counters))


def _run(channel: Channel, slots: Slots) -> None:
    plan = channel.plan()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, plan.max_sockets or 2 * sum(len(d.sockets) for d in plan.devices) + ROOM)
    if plan.io_threads is not None:
        context.set(zmq.IO_THREADS, plan.io_threads)
    host = Host(context, slots, channel.post, lasting=True)
    channel.obey(host)
    host.stop(host.devices)
    if host.join(PATIENCE):
        context.term()


class Channel:
    """The way to the supervisor and back."""

    def __init__(self, stream: socket.socket, lines: BinaryIO, descriptors: socket.socket) -> None:
        self._stream = stream
        self._lines = lines
        self._descriptors = descriptors
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
                case Begin(devices, slots, handles):
                    host.begin(devices, slots, dict(zip(handles, self._receive(len(handles)), strict=True)))
                case Connect(addresses, devices):
                    host.connect(addresses, devices)
                case Stop(devices, drain):
                    host.stop(devices, drain)
                case Do(device, number, command):
                    host.do(device, number, command)
                case Dismiss():
                    return

    def _receive(self, count: int) -> list[int]:
        """The descriptors that were handed over: as many as that."""
        received: list[int] = []
        while len(received) < count:
            _, handles, _, _ = socket.recv_fds(self._descriptors, 1, wire.DESCRIPTORS)
            received += handles
        return received

    def post(self, event: FromDevice) -> None:
        """Tell the supervisor. If it is gone, the main thread sees it too, and ends everything."""
        line = wire.written(event)
        with self._lock:
            try:
                self._stream.sendall(line)
            except (BrokenPipeError, ConnectionResetError):
                return
