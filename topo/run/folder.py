"""The folder that a running topology has under its user's runtime directory, and the lock that makes it the only one.

The lock is the kernel's, on a file in the folder: it is gone with the processes that held it, however they ended, so a folder
that is left over is no obstacle. The file says who holds it. It is shared with those who end everything should ztopo be killed; so
whoever comes then waits until nothing of it is left, and cleans up what it could not.

The sockets of devices that bind `ipc://*` lie in this folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from topo.diagnostic import Diagnostic
from topo.run import mistakes, wire
from topo.source import Span

__all__ = ["Home", "Refused", "claim", "folder_of"]

LEAVING = 10.0
"""Seconds that may pass from the end of a ztopo that was killed until nothing of it is left."""
LONGEST_NAME = 32
"""Of a folder, in bytes: the paths of sockets in it must stay short."""


class Refused(Exception):
    """The folder cannot be had; `diagnostic` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Home(NamedTuple):
    """The folder of a topology that runs, and the descriptor that holds its lock."""

    folder: Path
    lock: int


class Owner(msgspec.Struct, frozen=True):
    """What the lock's file says: whose it is."""

    pid: int = 0
    file: str = ""


def folder_of(name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the topology of that name."""
    encoded = name.encode("utf-8", "surrogateescape")
    if len(encoded) > LONGEST_NAME or not name.replace("_", "").replace("-", "").isalnum():
        start = "".join(c for c in name if c.isascii() and c.isalnum())[: LONGEST_NAME - 9]
        name = f"{start}-{hashlib.sha256(encoded).hexdigest()[:8]}"
    return _base(environment) / name


def _base(environment: Mapping[str, str]) -> Path:
    for candidate in (
        environment.get("XDG_RUNTIME_DIR", ""),
        environment.get("RUNTIME_DIRECTORY", "").partition(":")[0],
        f"/run/user/{os.getuid()}",
    ):
        if os.path.isabs(candidate) and os.path.isdir(candidate):
            return Path(candidate, "ztopo")
    return Path(f"/tmp/ztopo-{os.getuid()}")


@contextmanager
def claim(name: str, file: str, place: Span | None = None, environment: Mapping[str, str] = os.environ) -> Iterator[Home]:
    """Have the folder of a topology to oneself within the block. Raises Refused if somebody else has it."""
    folder = folder_of(name, environment)
    with ExitStack() as release:
        try:
            handle = _lock(folder, name, place)
            release.callback(_release, folder, handle)
            _sweep(folder)
            os.ftruncate(handle, 0)
            os.pwrite(handle, wire.written(Owner(os.getpid(), file)), 0)
        except OSError as error:
            raise Refused(mistakes.folder_unusable(str(folder), error.strerror or str(error))) from error
        yield Home(folder, handle)


def _release(folder: Path, handle: int) -> None:
    _sweep(folder)
    with suppress(FileNotFoundError):
        os.unlink(folder / "lock")
    with suppress(OSError):  # somebody has put something there: it is theirs
        folder.rmdir()
    os.close(handle)


def _lock(folder: Path, name: str, place: Span | None) -> int:
    while True:
        _own(folder.parent)
        _own(folder)
        try:
            handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # whoever had it removed it just now
        try:
            _take(handle)
        except BlockingIOError as taken:
            owner = _owner(handle)
            os.close(handle)
            raise Refused(mistakes.runs_already(name, owner.pid, owner.file, place)) from taken
        if _is_still(folder / "lock", handle):
            return handle
        os.close(handle)


def _take(handle: int) -> None:
    """Lock it; if its owner has been killed, wait until nothing is left of what they ran."""
    end = time.monotonic() + LEAVING
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if _is_there(_owner(handle).pid) or time.monotonic() > end:
                raise
        time.sleep(LEAVING / 200)


def _is_there(pid: int) -> bool:
    """Whether there is such a process; also if nobody knows which."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sweep(folder: Path) -> None:
    """Remove the sockets, and their folders, that libzmq has made for `ipc://*`; those who die by force leave them behind."""
    for made in folder.glob("tmp??????"):
        with suppress(OSError):  # it is something else, and somebody else's
            (made / "socket").unlink(missing_ok=True)
            made.rmdir()


def _own(folder: Path) -> None:
    """Make a folder that is ours alone, or see that it is."""
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(0, f"{folder} is no folder")
    if found.st_uid != os.getuid():
        raise PermissionError(0, f"{folder} belongs to somebody else")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def _owner(handle: int) -> Owner:
    try:
        owner: Owner = wire.read(os.pread(handle, 65536, 0), Owner)
    except ValueError:
        return Owner()  # it is writing just now
    return owner


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
