"""Running topologies as a user does, and seeing to it that nothing of them is left."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.processes import PATIENCE, Lines, wait_until
from topo.run import client
from topo.run.snapshot import DeviceSnapshot

ZTOPO = (sys.executable, "-P", "-m", "topo")
MARK = "ZTOPO_TEST_MARK"
MOST_LINES = 1000


class World:
    """A folder with files of its own, a runtime folder of its own, and a mark by which every process started in it is known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files"
        self.folder.mkdir()
        self.runtime = folder / "runtime"
        self.runtime.mkdir(mode=0o700)
        self.state = folder / "state"
        self.mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(self.state),
            MARK: self.mark,
        }
        self.ups: list[Verb] = []
        self.fifos: list[Fifo] = []

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def topology(self, text: str, name: str = "t.ztopo") -> Path:
        return self.write(name, f"ztopo 1\ntopology t\n\n{text}")

    def up(self, *arguments: str, **settings: object) -> Up:
        """`ztopo up`, started in the folder."""
        up = Up(self, arguments, **settings)
        self.ups.append(up)
        return up

    def verb(self, *arguments: str) -> Verb:
        """Any verb, to be followed."""
        verb = Verb(self, arguments, stdin=subprocess.DEVNULL)
        self.ups.append(verb)
        return verb

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Any verb, to its end."""
        return subprocess.run(
            [*ZTOPO, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False,
        )  # fmt: skip

    def popen(self, *arguments: str, shell: str = "", **settings: object) -> subprocess.Popen[bytes]:
        """`ztopo up`, for a test that has its own ideas of its standard streams. `shell` is what a shell makes of them."""
        command = [*ZTOPO, "up", *arguments]
        if shell:
            command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **settings)  # type: ignore[call-overload, no-any-return]  # as above

    def is_clean(self) -> bool:
        """Whether nothing is left: no process, no socket file, no runtime folder."""
        assert self.processes() == []
        assert [p for p in self.folder.rglob("*") if p.is_socket()] == []
        assert [p for p in self.runtime.rglob("*") if p != self.runtime / "ztopo"] == []
        return True

    def fifo(self, name: str) -> Fifo:
        """A named pipe in the folder."""
        fifo = Fifo(self.folder / name)
        self.fifos.append(fifo)
        return fifo

    def processes(self) -> list[int]:
        """Every process that was started in this world and lives."""
        wanted = f"{MARK}={self.mark}".encode()
        return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal() and wanted in _environment(p)]

    def wait_for_state(self, holds: Callable[[DeviceSnapshot], bool]) -> None:
        """Look at what runs here until something holds of its first device: it counts a moment after a message has come out."""
        wait_until(lambda: holds(client.find(environment=self.environment).snapshot().devices[0]), "such a state")

    def kill(self, device: str) -> None:
        """Kill the process of a device of what runs here."""
        (found,) = (d for d in client.find(environment=self.environment).snapshot().devices if d.name == device)
        assert found.pid is not None
        os.kill(found.pid, signal.SIGKILL)

    def wait_until_empty(self) -> None:
        """Wait until every process of this world has ended."""
        for pid in self.processes():
            wait_for_end(pid)
        assert self.processes() == []

    def close(self) -> None:
        for up in self.ups:
            up.close()
        for fifo in self.fifos:
            fifo.close()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_for_end(pid)


def _environment(process: Path) -> bytes:
    try:
        if (process / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
            return b""
        return (process / "environ").read_bytes()
    except OSError:
        return b""


class Fifo:
    """A named pipe into which somebody writes lines."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._handle = os.open(path, os.O_RDWR)  # so that it has no end while nobody writes

    def next(self) -> str:
        """The lines that come next."""
        assert select.select([self._handle], [], [], PATIENCE)[0], "nobody writes anything"
        return os.read(self._handle, 65536).decode()

    def write(self, line: str) -> None:
        """Let somebody who reads a line go on."""
        os.write(self._handle, f"{line}\n".encode())

    def close(self) -> None:
        os.close(self._handle)


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended that may be somebody else's child."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([handle], [], [], PATIENCE)
    finally:
        os.close(handle)
    assert ended, f"process {pid} does not end"


class Verb:
    """A verb that goes on, such as `events`; what it says on standard output and standard error is in `lines`."""

    def __init__(self, world: World, arguments: tuple[str, ...], **settings: object) -> None:
        self.process: subprocess.Popen[str] = subprocess.Popen(
            [*ZTOPO, *arguments],
            **{"cwd": world.folder, **settings},  # type: ignore[call-overload]  # tests hand over what Popen takes
            env=world.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self.lines = Lines(self.process)

    def end(self) -> int:
        """Wait for its end, and return what it ended with."""
        self.lines.wait_for_end()
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.lines.close()


class Up(Verb):
    """A running `ztopo up`."""

    def __init__(self, world: World, arguments: tuple[str, ...], **settings: object) -> None:
        super().__init__(world, ("up", *arguments), **settings)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read on until a line has the pattern; what runs may talk without an end."""
        for _ in range(MOST_LINES):
            line = self.lines.next()
            assert line is not None, f"it ended before {pattern!r} came:\n{self.text}"
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"{pattern!r} did not come:\n{self.text}")

    def wait_for_all(self, *patterns: str) -> None:
        """Read on until each pattern has been in a line."""
        left = list(patterns)
        while left:
            found = self.wait_for("|".join(f"(?:{p})" for p in left)).string
            left = [p for p in left if not re.search(p, found)]

    def pid_of(self, name: str) -> int:
        """The process of a device or an app, once that is said."""
        return int(self.wait_for(rf"^{re.escape(name)} .*process (\d+)")[1])

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    @property
    def text(self) -> str:
        return self.lines.text


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    try:
        yield world
    finally:
        world.close()


@pytest.fixture
def ends_well(world: World) -> Callable[[Up, int], None]:
    """Wait for the end of `up` and see that nothing is left: no process, no socket file, no runtime folder."""

    def check(up: Up, code: int) -> None:
        assert up.end() == code, up.text
        assert world.is_clean()

    return check
