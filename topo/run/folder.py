"""The folder that a running topology has under its user's runtime directory, and the lock that makes it the only one.

The lock is the kernel's, on a file in the folder: it is gone with the processes that held it, however they ended, so a folder
that is left over is no obstacle. The file says who holds it. It is shared with those who end everything should ztopo be killed; so
whoever comes then waits until nothing of it is left, and cleans up what it could not.

Some systems remove the folder while it is in use, as when the user's last session ends. Then `restore` makes it again, with a lock
on the new file; those who are left after a kill hold the old one.

The sockets of devices that bind `ipc://*` lie in this folder, and `control`, at which it can be asked: see `control.py`.

There is one `ztopo up` of each name. Of topologies that programs run there may be several: the folder of such a one is called
`NAME@PID`, and the next one of that name in the same program `NAME@PID.2`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from topo.diagnostic import Diagnostic
from topo.run import mistakes, wire
from topo.run.limits import LONGEST_PATH
from topo.run.tally import PREFIX
from topo.source import Span

__all__ = [
    "CONTROL",
    "Home",
    "Owner",
    "Refused",
    "base",
    "claim",
    "clear",
    "control_path",
    "folder_of",
    "is_there",
    "owner_of",
    "restore",
    "topology_of",
]

CONTROL = "control"
"""The socket in the folder at which a topology can be asked."""

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
    name: str = ""
    """Of the topology."""
    started: float = 0.0
    """When, in seconds since the epoch."""
    program: bool = False
    """Whether it is part of a program that does more than run it."""
    log: str = ""
    """The path of its log, if it has one."""
    born: str = ""
    """When the process was started, as the kernel tells it: others may get its number later."""
    params: dict[str, str] = {}
    """The params of the file that were set."""


def folder_of(name: str, environment: Mapping[str, str] = os.environ, mark: str = "") -> Path:
    """The folder of the topology of that name; with a `mark`, of one of several."""
    encoded = name.encode("utf-8", "surrogateescape")
    room = LONGEST_NAME - len(mark)
    if len(encoded) > room or not name.replace("_", "").replace("-", "").isalnum():
        start = "".join(c for c in name if c.isascii() and c.isalnum())[: room - 9]
        name = f"{start}-{hashlib.sha256(encoded).hexdigest()[:8]}"
    return base(environment) / f"{name}{mark}"


def base(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the folders of all of a user's topologies are."""
    for candidate in (
        environment.get("XDG_RUNTIME_DIR", ""),
        environment.get("RUNTIME_DIRECTORY", "").partition(":")[0],
        f"/run/user/{os.getuid()}",
    ):
        if os.path.isabs(candidate) and os.path.isdir(candidate):
            return Path(candidate, "ztopo")
    return Path(f"/tmp/ztopo-{os.getuid()}")


@contextmanager
def control_path(folder: Path) -> Iterator[str]:
    """A path of the folder's control socket that is short enough for the system, within the block."""
    path = os.fspath(folder / CONTROL)
    if len(os.fsencode(path)) <= LONGEST_PATH or sys.platform != "linux":
        yield path
        return
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/{CONTROL}"
    finally:
        os.close(handle)


@contextmanager
def claim(
    name: str,
    file: str,
    place: Span | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    program: bool = False,
    log: str = "",
    params: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Home]:
    """Have the folder of a topology to oneself within the block. Raises Refused if somebody else has it.

    A `program` gets a folder of its own, whoever else runs a topology of that name. `log` is the path of its log,
    `params` are those of its file that were set.
    """
    with ExitStack() as release:
        try:
            folder, handle = _lock_any(name, environment) if program else _lock(folder_of(name, environment), name, place)
            release.callback(_release, folder, handle)
            _sweep(folder)
            os.ftruncate(handle, 0)
            owner = Owner(os.getpid(), file, name, time.time(), program, log, _process(os.getpid())[1], dict(params))
            os.pwrite(handle, wire.written(owner), 0)
        except OSError as error:
            folder = folder_of(name, environment)
            raise Refused(mistakes.folder_unusable(str(folder), error.strerror or str(error))) from error
        yield Home(folder, handle)


def restore(home: Home) -> bool:
    """Make the folder and its lock again if somebody has removed them, and say whether that was so.

    OSError if that cannot be now: BlockingIOError if another topology of that name has begun in the meantime.
    """
    path = home.folder / "lock"
    if _is_still(path, home.lock):
        return False
    _own(home.folder.parent)
    _own(home.folder)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, os.pread(home.lock, 65536, 0), 0)
        os.dup2(handle, home.lock, inheritable=False)
    finally:
        os.close(handle)
    return True


def _lock_any(name: str, environment: Mapping[str, str]) -> tuple[Path, int]:
    """Lock the first folder for topologies of that name in this program that is free."""
    for number in count(1):
        mark = f"@{os.getpid()}" + (f".{number}" if number > 1 else "")
        with suppress(Refused):
            return _lock(folder_of(name, environment, mark), name, None)
    raise AssertionError("there is always one more")


def _release(folder: Path, handle: int) -> None:
    if _is_still(folder / "lock", handle):  # or else the folder is another one's by now
        _sweep(folder)
        os.unlink(folder / "lock")
        with suppress(OSError):  # somebody has put something there: it is theirs
            folder.rmdir()
    os.close(handle)


def _lock(folder: Path, name: str, place: Span | None) -> tuple[Path, int]:
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
            owner = owner_of(handle)
            os.close(handle)
            raise Refused(mistakes.runs_already(name, owner.pid, owner.file, place)) from taken
        if _is_still(folder / "lock", handle):
            return folder, handle
        os.close(handle)


def _take(handle: int) -> None:
    """Lock it; if its owner has been killed, wait until nothing is left of what they ran."""
    end = time.monotonic() + LEAVING
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if is_there(owner_of(handle)) or time.monotonic() > end:
                raise
        time.sleep(LEAVING / 200)


def is_there(owner: Owner) -> bool:
    """Whether the process that has a folder lives; also if nobody knows which that is."""
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    state, born = _process(owner.pid)
    return state not in ENDED and (not owner.born or owner.born == born)


ENDED = ("Z", "X")
"""The states of a process that has ended, and whose parent has not heard of it yet."""


def _process(pid: int) -> tuple[str, str]:
    """The state of a process, and when it was started, in whatever the kernel counts; nothing where it does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]


def clear(folder: Path) -> bool:
    """Remove the folder of a topology that was killed, and say whether nothing of that is left."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    if _is_still(folder / "lock", handle):
        _release(folder, handle)
    else:
        os.close(handle)
    return True


def _sweep(folder: Path) -> None:
    """Remove the sockets, and their folders, that libzmq has made for `ipc://*`; those who die by force leave them behind."""
    (folder / CONTROL).unlink(missing_ok=True)
    for tally in folder.glob(f"{PREFIX}*"):
        tally.unlink(missing_ok=True)
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


def topology_of(pid: int, environment: Mapping[str, str] = os.environ) -> str:
    """The topology that a process is part of: it runs that, or was started for it. Nothing if there is none."""
    owners = {owner.pid: owner for owner in _owners(environment)}
    asked = pid
    while pid > 1:
        owner = owners.get(pid)
        if owner is not None and is_there(owner) and (pid == asked or not owner.program):
            return owner.name
        pid = _parent(pid)
    return ""


def _owners(environment: Mapping[str, str]) -> Iterator[Owner]:
    for lock in base(environment).glob("*/lock"):
        with suppress(OSError), open(lock, "rb") as file:
            yield owner_of(file.fileno())


def _parent(pid: int) -> int:
    """The process that has started a process, or has inherited it; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def owner_of(handle: int) -> Owner:
    """What an open lock's file says. It says nothing while it is being written."""
    try:
        owner: Owner = wire.read(os.pread(handle, 65536, 0), Owner)
    except ValueError:
        return Owner()
    return owner


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
