"""The folder that a running topology has under its user's runtime directory, and the lock that makes it the only one.

The lock is the kernel's, on a file in the folder: it is gone with the process that held it, however that ended, so a folder
that is left over is no obstacle. The file says who holds it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from topo.diagnostic import Diagnostic
from topo.run import mistakes, wire
from topo.source import Span

__all__ = ["Refused", "claim", "folder_of"]

LONGEST_NAME = 32
"""Of a folder, in bytes: the paths of sockets in it must stay short."""


class Refused(Exception):
    """The folder cannot be had; `diagnostic` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


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
def claim(name: str, file: str, place: Span | None = None, environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Have the folder of a topology to oneself within the block. Raises Refused if somebody else has it."""
    folder = folder_of(name, environment)
    with ExitStack() as release:
        try:
            handle = _lock(folder, name, place)
            release.callback(_release, folder, handle)
            os.ftruncate(handle, 0)
            os.pwrite(handle, wire.written(Owner(os.getpid(), file)), 0)
        except OSError as error:
            raise Refused(mistakes.folder_unusable(str(folder), error.strerror or str(error))) from error
        yield folder


def _release(folder: Path, handle: int) -> None:
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
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            owner = _owner(handle)
            os.close(handle)
            raise Refused(mistakes.runs_already(name, owner.pid, owner.file, place)) from taken
        if _is_still(folder / "lock", handle):
            return handle
        os.close(handle)


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
