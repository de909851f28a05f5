"""Who has an address already.

libzmq binds an ipc path by removing whatever file is there, so that a second bind steals the address from the first without
a word, and a file that is no socket is lost. So the path is looked at before: by connecting to it, as anybody would. Two
who do so at one time are kept apart by a lock on the folder.

Who holds an address is found in /proc, as far as the system lets us look.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import socket
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from topo.host import Holder
from topo.zeromq.transports import ANY_HOST, parse

__all__ = ["answers", "claimed", "holder", "identity", "remove", "remove_dead"]

LISTENING = "0A"
SHOWN = 60
"""How much of a command is shown, in characters."""
PATIENCE = 1.0
"""How many seconds to wait for somebody else's lock on a folder."""


def ipc_path(endpoint: str) -> Path | None:
    """The file of an ipc endpoint, or None if it has none."""
    path = endpoint.removeprefix("ipc://")
    return Path(path) if path != endpoint and not path.startswith("@") and path != "*" else None


@contextmanager
def claimed(endpoint: str) -> Iterator[None]:
    """Make sure that an endpoint is free to be bound within the block; OSError if it is not. A dead socket file is removed."""
    path = ipc_path(endpoint)
    if path is None:
        yield
        return
    with _locked(path.parent):
        _make_free(path)
        yield


def identity(endpoint: str) -> tuple[int, int] | None:
    """Which file an ipc endpoint is, so that it is known again."""
    path = ipc_path(endpoint)
    if path is None:
        return None
    found = path.lstat()
    return found.st_dev, found.st_ino


def remove(endpoint: str, known: tuple[int, int], wild: bool) -> None:
    """Remove the file of an ipc endpoint that was bound here, if it is still that file: libzmq leaves it behind.

    With it goes the folder that libzmq has made for `ipc://*`, which it removes only if it has removed the file itself.
    """
    path = ipc_path(endpoint)
    assert path is not None
    with suppress(FileNotFoundError), _locked(path.parent):
        if identity(endpoint) == known:
            path.unlink()
    if wild:
        with suppress(FileNotFoundError):
            path.parent.rmdir()


def remove_dead(endpoint: str, wild: bool) -> None:
    """Remove the file of an ipc endpoint whose process has died, and the folder too that libzmq made for `ipc://*`."""
    path = ipc_path(endpoint)
    if path is None:
        return
    with suppress(OSError):  # gone already, or somebody else's by now: nothing of ours is left either way
        _make_free(path)
        if wild:
            path.parent.rmdir()


def _make_free(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "a file that is no socket is there")
    if answers(path):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    path.unlink(missing_ok=True)


def answers(path: Path | str) -> bool:
    """Whether somebody listens on a socket file, or on an abstract name."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        code = probe.connect_ex(os.fspath(path))
    return code not in (errno.ECONNREFUSED, errno.ENOENT)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder for a moment. Where it cannot be had, go on without: it only keeps two starts apart."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield  # bind will say what is wrong with the folder
        return
    try:
        _try_to_lock(handle)
        yield
    finally:
        os.close(handle)


def _try_to_lock(handle: int) -> None:
    """Anybody who may read a folder can lock it, so nobody is waited for without an end."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PATIENCE / 100)
        except OSError:
            return  # a file system without locks
        else:
            return


# Who


def holder(endpoint: str) -> Holder | None:
    """Who holds an endpoint that cannot be bound, where that can be found."""
    try:
        return _of_ipc(endpoint) if endpoint.startswith("ipc://") else _of_tcp(endpoint)
    except (OSError, ValueError):
        return None  # the system does not tell: the message does without


def _of_ipc(endpoint: str) -> Holder | None:
    path = endpoint.removeprefix("ipc://")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        probe.connect("\0" + path[1:] if path.startswith("@") else path)
        if not hasattr(socket, "SO_PEERCRED"):
            return None
        pid, uid, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return _process(pid, _user(uid))


def _of_tcp(endpoint: str) -> Holder | None:
    address = parse(endpoint)
    if not address.port.isdecimal():
        return None
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text("ascii").splitlines()[1:]:
            fields = line.split()
            host, port = fields[1].rsplit(":", 1)
            if fields[3] == LISTENING and int(port, 16) == int(address.port) and _collide(_shown(host), address.host):
                return _of_inode(fields[9]) or Holder(user=_user(int(fields[7])))
    return None


def _shown(host: str) -> str:
    """An address as /proc writes it, in hexadecimal words of this machine's byte order."""
    raw = b"".join(struct.pack("=I", int(host[n : n + 8], 16)) for n in range(0, len(host), 8))
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    return socket.inet_ntop(socket.AF_INET6, raw).removeprefix("::ffff:")


def _collide(held: str, wanted: str) -> bool:
    everywhere = ANY_HOST | {"::"}
    return held in everywhere or wanted in everywhere or held == wanted.strip("[]") or not wanted[:1].isdecimal()


def _of_inode(inode: str) -> Holder | None:
    wanted = f"socket:[{inode}]"
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and _has_open(process, wanted):
            return _process(int(process.name))
    return None


def _process(pid: int, user: str = "") -> Holder:
    from topo.run.folder import topology_of  # not before: each process of devices imports this module

    return Holder(pid, _command(pid), user, topology_of(pid))


def _has_open(process: Path, wanted: str) -> bool:
    try:
        handles = os.listdir(process / "fd")
    except OSError:
        return False  # somebody else's, or gone by now
    for handle in handles:
        with suppress(OSError):  # closed by now
            if os.readlink(process / "fd" / handle) == wanted:
                return True
    return False


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "backslashreplace")
    except OSError:
        return ""
    return words if len(words) <= SHOWN else words[: SHOWN - 1] + "…"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
