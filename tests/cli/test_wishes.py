"""What signals ask of `up`, whatever its main thread is about."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.processes import PATIENCE, Lines

BUSY = """
import hashlib, os
from topo.cli._wishes import Wishes

class Supervisor:
    def post(self, event):
        print(type(event).__name__, event.by, flush=True)

with Wishes() as wishes:
    wishes.hold_back()
    wishes.go_to(Supervisor())
    print("there", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # takes an hour, in which no step of Python is made
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_wish_is_heard_even_if_the_main_thread_makes_no_step(number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True)
    lines = Lines(process)
    try:
        lines.wait_for("there")
        process.send_signal(number)
        lines.wait_for(f"^StopAsked {number.name}$")
        process.send_signal(number)
        lines.wait_for(f"^StopAsked {number.name}$")
    finally:
        process.kill()
        process.wait(PATIENCE)
        lines.close()
