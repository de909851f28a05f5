"""The programs of the soak: each is called by its name, and writes at its end what it has sent and got."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

import topo

PAUSE = 0.001
"""Seconds between two messages."""
WINDOW = 10
"""Requests that are under way at most."""
SIZE = 200
LONG = 30_000
"""Milliseconds until nobody is waited for any more at the end. A slow machine is no mistake."""
REST = 1000
"""Milliseconds in which nothing comes from whoever has ended."""


class Program:
    """One of them: its name in the topology, and what it has sent and got, by who has sent it."""

    def __init__(self) -> None:
        self.name = os.environ["ZTOPO"].partition("@")[0]
        self.folder = Path(os.environ["SOAK_FOLDER"])
        self.over = False
        self.sent = 0
        self.got: dict[str, list[int]] = {}
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *_: object) -> None:
        self.over = True

    def begun(self) -> None:
        """Say that messages flow."""
        (self.folder / f"{self.name}.begun").touch()

    def write(self) -> None:
        """Say what has come of it."""
        report = {"name": self.name, "sent": self.sent, "got": self.got}
        (self.folder / f"{self.name}.json").write_text(json.dumps(report))

    def message(self) -> list[bytes]:
        """The next one."""
        return [self.name.encode(), b"%d" % self.sent, bytes(SIZE)]

    def take(self, parts: list[bytes]) -> None:
        """Take note of one that has come."""
        name, number = parts[-3:-1]
        self.got.setdefault(name.decode(), []).append(int(number))

    def send_all(self, socket: zmq.Socket[Any]) -> None:
        """Send until it is over."""
        while not self.over:
            try:
                socket.send_multipart(self.message())
            except zmq.ContextTerminated:
                return
            except zmq.Again:
                continue
            self.sent += 1
            self.begun()
            time.sleep(PAUSE)

    def take_all(self, socket: zmq.Socket[Any], react: Callable[[list[bytes]], None] = lambda _: None) -> None:
        """Take what comes until it is over."""
        while not self.over:
            self.take_some(socket, 50, react)

    def take_some(self, socket: zmq.Socket[Any], timeout: int, react: Callable[[list[bytes]], None] = lambda _: None) -> None:
        """Take what is there, and wait for it no longer than that."""
        while socket.poll(timeout):
            parts = socket.recv_multipart()
            self.take(parts)
            react(parts)
            self.begun()
            timeout = 0


def feed(program: Program) -> None:
    with topo.socket() as socket:
        program.send_all(socket)


def sink(program: Program) -> None:
    with topo.socket() as socket:
        program.take_all(socket)


def client(program: Program) -> None:
    """Ask, but never wait to be allowed to."""
    with topo.socket() as socket:
        while not program.over:
            program.take_some(socket, 1)
            if program.sent - _answers(program) < WINDOW:
                try:
                    socket.send_multipart(program.message(), zmq.NOBLOCK)
                except zmq.Again:
                    continue
                except zmq.ContextTerminated:
                    return
                program.sent += 1


def eager(program: Program) -> None:
    """Ask, and wait to be allowed to, without reading what comes meanwhile."""
    with topo.socket() as socket:
        while not program.over:
            try:
                socket.send_multipart(program.message())
            except zmq.ContextTerminated:
                break
            program.sent += 1
            program.take_some(socket, 0 if program.sent - _answers(program) < WINDOW else 50)
        while _answers(program) < program.sent and socket.poll(LONG):
            program.take(socket.recv_multipart())


def _answers(program: Program) -> int:
    return len(program.got.get(program.name, ()))


def server(program: Program) -> None:
    with topo.socket() as socket:
        program.take_all(socket, socket.send_multipart)


def source(program: Program) -> None:
    """A program that knows nothing of ztopo but where to connect."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.linger, socket.sndtimeo = LONG, 2000
        socket.connect(os.environ["ZTOPO_SOURCE"])
        program.send_all(socket)


def drain(program: Program) -> None:
    """Such a one that receives."""
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.connect(os.environ["ZTOPO_DRAIN"])
        program.take_all(socket)
        program.take_some(socket, REST)  # what was on its way when it was told to end


def main() -> None:
    """Run the program of that name."""
    program = Program()
    programs: dict[str, Callable[[Program], None]] = {f.__name__: f for f in (feed, sink, client, eager, server, source, drain)}
    try:
        programs[sys.argv[1]](program)
    finally:
        program.write()


if __name__ == "__main__":
    main()
