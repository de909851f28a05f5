"""The command as a command: a process in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

ZTOPO = Path(sys.executable).parent / "ztopo"
ROOT = Path(__file__).parents[2]

GOOD = "ztopo 1\napp jobs: PUSH bind tcp://127.0.0.1:5555\napp work: PULL connect jobs\n"
BAD = 'ztopo 1\napp jobs: PUSH bind tcp://127.0.0.1:5555\napp seen: SUB  connect jobs { subscribe "" }\n'
BROKER = """\
ztopo 1
topology broker
param port: port = 5555

## Clients ask here.
device broker: queue {
    run process
    in  ROUTER bind tcp://127.0.0.1:${port}
    out DEALER bind tcp://127.0.0.1:${port + 1}
    monitor PUB bind ipc://broker.monitor
}
app client[*]: REQ connect broker.in
app worker[3]: REP connect broker.out { run "python worker.py" }
app watcher: SUB connect broker.monitor { subscribe "" }
"""


class Ran(Protocol):
    returncode: int
    stdout: str
    stderr: str


class Ztopo(Protocol):
    def __call__(self, *arguments: str | Path, **environment: str) -> Ran: ...


@pytest.fixture
def ztopo(tmp_path: Path) -> Ztopo:
    """Run the command in the test's folder. No traceback comes out of it, whatever it is given."""

    def run(*arguments: str | Path, **environment: str) -> Ran:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ZTOPO_") and k not in ("NO_COLOR", "COLUMNS", "TERM")}
        done = subprocess.run(
            [ZTOPO, *arguments], cwd=tmp_path, env=clean | environment, capture_output=True, text=True, errors="replace", timeout=120, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def write(tmp_path: Path) -> Path:
    """The test's folder with three topologies in folders of their own: good, bad and broker."""
    for name, text in (("good", GOOD), ("bad", BAD), ("broker", BROKER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.ztopo").write_text(text)
    return tmp_path
