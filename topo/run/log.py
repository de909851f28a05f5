"""The log of a topology: its records as lines of JSON, in a file that does not grow for ever and survives the topology.

A thread writes it, so a disk that is slow holds nobody up; what does not wait its turn is left out and counted. A disk that is
full stops nothing either: that is said once, every record after it is tried again, and when there is room the log says how many are
missing. So the writing is done here, on the descriptor itself: a buffered file would keep what it could not write, and write half
of it later.

When the file has its full size it becomes `log.jsonl.1`, that one `log.jsonl.2`, and so on. A `Tail` follows it through that.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

from topo.run import folder, wire
from topo.run.feed import Missed
from topo.run.journal import Journal, Record

__all__ = ["Log", "Tail", "home_of_logs", "log_of", "pieces"]

SIZE = 8 << 20
"""Bytes of one file."""
OLDER = 3
"""How many of them are kept besides the present one."""
WAITING = 20_000
"""How many records may wait to be written."""
AT_ONCE = 500
"""How many are written in one go."""
LAST_PATIENCE = 2.0
"""Seconds that the disk has at the end for what is left."""


def home_of_logs(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the folders with logs are: in XDG_STATE_HOME, else STATE_DIRECTORY, else ~/.local/state; None without a home."""
    for state in (environment.get("XDG_STATE_HOME", ""), environment.get("STATE_DIRECTORY", "").partition(":")[0]):
        if os.path.isabs(state):
            break
    else:
        home = environment.get("HOME", "") or os.path.expanduser("~")
        state = os.path.join(home, ".local", "state")
    return Path(state, "ztopo") if os.path.isabs(state) else None


def log_of(name: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The log of the topology of that name; None without a home."""
    home = home_of_logs(environment)
    return home / folder.folder_of(name, environment).name / "log.jsonl" if home is not None else None


def pieces(path: Path) -> list[Path]:
    """The files that a log is in, the oldest first."""
    older = [path.with_name(f"{path.name}.{number}") for number in range(OLDER, 0, -1)]
    return [piece for piece in (*older, path) if piece.exists()]


class Log:
    """Writes the records of a journal within its block, output included."""

    def __init__(self, path: Path, journal: Journal, complain: Callable[[OSError], None], size: int = SIZE) -> None:
        """OSError if there can be no such file. `complain` is called once, in a thread of its own, if it cannot be written."""
        self._path = path
        self._journal = journal
        self._complain = complain
        self._complained = False
        self._size = size
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._handle = _open(path)
        self._written = os.fstat(self._handle).st_size
        self._torn = _is_torn(path)
        self._lost = 0
        """How many records could not be written since one could."""
        self._changed = threading.Condition()
        self._waiting: deque[Record | Missed] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ztopo log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._unsubscribe = self._journal.subscribe(self._put, output=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left, if that can be done in a moment."""
        self._unsubscribe()
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(LAST_PATIENCE)

    def _put(self, record: Record) -> None:
        """Have a record written, unless too many wait already. From any thread; nobody waits here."""
        with self._changed:
            if len(self._waiting) < WAITING:
                self._waiting.append(record)
                self._changed.notify()
                return
            last = self._waiting[-1]
            if not isinstance(last, Missed):
                last = Missed()
                self._waiting.append(last)
            last.count += 1

    # In the thread

    def _run(self) -> None:
        while records := self._take():
            try:
                self._write(records)
                self._lost = 0
            except OSError as error:
                self._lost += sum(record.count if isinstance(record, Missed) else 1 for record in records)
                if not self._complained:
                    self._complained = True
                    self._complain(error)
        os.close(self._handle)

    def _take(self) -> list[Record | Missed]:
        """What comes next; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]

    def _write(self, records: list[Record | Missed]) -> None:
        """Write records, and before them how many are missing. Either all of them, or OSError."""
        gap = [self._gap(self._lost)] if self._lost else []
        data = b"".join(wire.quickly(self._gap(r.count) if isinstance(r, Missed) else r) for r in (*gap, *records))
        if self._written and self._written + len(data) > self._size:
            self._rotate()
        if self._torn:
            self._append(b"\n")
            self._torn = False
        self._append(data)

    def _append(self, data: bytes) -> None:
        """Write at the end of the file; if not all of it can be, nothing of it stays there."""
        before = self._written
        try:
            while data:
                count = os.write(self._handle, data)
                self._written += count
                data = data[count:]
        except OSError:
            if self._written > before:
                os.ftruncate(self._handle, before)
                self._written = before
            raise

    def _gap(self, count: int) -> Record:
        """What stands where records are missing."""
        message = "1 record is missing here" if count == 1 else f"{count} records are missing here"
        return self._journal.record("warning", "missed", message, data={"count": count})

    def _rotate(self) -> None:
        files = [self._path, *(self._path.with_name(f"{self._path.name}.{n + 1}") for n in range(OLDER))]
        for younger, older in zip(files[-2::-1], files[:0:-1], strict=True):
            with suppress(FileNotFoundError):
                younger.rename(older)
        handle = _open(self._path)
        os.close(self._handle)
        self._handle, self._written = handle, 0


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_torn(path: Path) -> bool:
    """Whether the last line of a file has no end, since somebody was killed who wrote it."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read(1) not in (b"", b"\n")  # a device may have no end


class Tail:
    """Reads a log on and on, from one of its files to the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def read(self) -> Iterator[dict[str, Any]]:
        """The records that have come since the last time. What is no record, as half a line of one who was killed, is left out."""
        if self._file is None:
            self._file = self._next()
        while self._file is not None:
            is_last = _is(self._file, self._path)  # asked first: what is written from then on comes the next time
            yield from self._records(self._file.read())
            younger = None if is_last else self._next()
            if younger is None:
                return
            self.close()
            self._file, self._rest = younger, b""

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()

    def _records(self, data: bytes) -> Iterator[dict[str, Any]]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            with suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict):
                    yield record

    def _next(self) -> BinaryIO | None:
        """The file after the one that is open, or None if there is none yet."""
        while (path := self._younger()) is not None:
            with suppress(FileNotFoundError):
                file = open(path, "rb")  # noqa: SIM115  # it stays open
                if _is(file, self._younger()):
                    return file
                file.close()  # it was given another name in between
        return None

    def _younger(self) -> Path | None:
        """Where the file after the one that is open lies; the oldest, if none is open or that one is gone by now."""
        there = pieces(self._path)
        for number, piece in enumerate(there, 1):
            if self._file is not None and _is(self._file, piece):
                return there[number] if number < len(there) else None
        return there[0] if there else None


def _is(file: BinaryIO, path: Path | None) -> bool:
    """Whether an open file lies there."""
    with suppress(FileNotFoundError):
        return path is not None and os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    return False
