"""A terminal for a command: keys go in, and what its screen shows is waited for."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence

import pyte

from tests.processes import PATIENCE

__all__ = ["Terminal"]


class Terminal:
    """A terminal of so many columns and lines, and a command that runs in it."""

    def __init__(
        self, command: Sequence[str | os.PathLike[str]], environment: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self.handle, theirs = pty.openpty()
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()
        self.raw = b""
        self._resize(columns, lines)
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env={"TERM": "linux", "LC_ALL": "C.UTF-8", **environment},
            preexec_fn=self._take_terminal, start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _take_terminal(self) -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.handle, 65536)
            except OSError:  # nobody has the other side open any more
                return
            with self._changed:
                self.raw += data
                self._stream.feed(data)
                self._changed.notify_all()

    def _resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.handle, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        """Give it another size."""
        with self._changed:
            self._screen.resize(lines, columns)
        self._resize(columns, lines)

    def press(self, keys: str) -> None:
        os.write(self.handle, keys.encode())

    @property
    def lines(self) -> list[str]:
        """What the screen shows."""
        with self._changed:
            return self._shown()

    def _shown(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def wait_for(self, shows: Callable[[list[str]], bool], what: str = "") -> list[str]:
        """Wait until the screen shows that, and return what it shows then."""
        with self._changed:
            came = self._changed.wait_for(lambda: shows(self._shown()), PATIENCE)
            lines = self._shown()
        assert came, f"{what or 'it'} did not come:\n" + "\n".join(lines)
        return lines

    def end(self) -> int:
        """Wait for the end of the command, and return what it ended with."""
        return self.process.wait(PATIENCE)

    def finish(self) -> None:
        """Read the rest of what the command has written, which has ended."""
        os.write(self._theirs, b"\0")
        with self._changed:
            assert self._changed.wait_for(lambda: self.raw.endswith(b"\0"), PATIENCE)
            self.raw = self.raw[:-1]

    @property
    def after(self) -> list[object]:
        """The terminal's settings now."""
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._theirs)
        self._reader.join(PATIENCE)
        os.close(self.handle)
