"""What matters when something starts."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.facts.sockets import Open


def test_a_publisher_keeps_nothing_for_those_who_come_later(make: Open) -> None:
    """H4, ZT317: what was sent before is not there; what a PUSH that connects has sent is."""
    publisher, subscriber = make("XPUB"), make("SUB")
    publisher.bind("inproc://news")
    publisher.send(b"before")
    subscriber.subscribe(b"")
    subscriber.connect("inproc://news")
    assert publisher.recv() == b"\1"
    publisher.send(b"after")
    assert subscriber.recv() == b"after"

    pushing, pulling = make("PUSH"), make("PULL")
    pushing.connect("inproc://jobs")
    pushing.send(b"before")
    pulling.bind("inproc://jobs")
    assert pulling.recv() == b"before"


def test_the_file_of_a_dead_process_stays_and_is_taken_over(make: Open, tmp_path: Path) -> None:
    """H5, ZT606."""
    path = tmp_path / "jobs"
    script = f"import os, signal, zmq\nzmq.Context().socket(zmq.PULL).bind('ipc://{path}')\nos.kill(os.getpid(), signal.SIGKILL)"
    dead = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert dead.returncode == -signal.SIGKILL
    assert path.is_socket()
    server, client = make("PULL"), make("PUSH")
    server.bind(f"ipc://{path}")
    client.connect(f"ipc://{path}")
    client.send(b"here")
    assert server.recv() == b"here"
