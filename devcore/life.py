"""What becomes of a device, from a start to its end, told to whoever started it, in this process or from another one."""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

from topo.devcore.report import STATISTICS_SIZE

if TYPE_CHECKING:
    from topo.devcore import Proxy

__all__ = ["Life", "Link", "News", "as_error", "shared_memory", "teller"]


class News(NamedTuple):
    """What is told of a device from where it runs: a stage (begun, ready), an address that was bound (bound), its end (failed)."""

    what: str
    side: str = ""
    text: str = ""
    error: bytes = b""


class Life:
    """What becomes of a device from a start to the end. Any thread may look at it or wait for it."""

    def __init__(self, memory: bytearray | mmap.mmap | None = None) -> None:
        self.changed = threading.Condition()
        self.stage = "new"
        """One of new, starting, begun, ready, ended."""
        self.bound: dict[str, list[str]] = {}
        self.error: BaseException | None = None
        self.awaited = False
        """Whether somebody waits in `start`, and will raise what goes wrong."""
        self.handed = False
        """Whether somebody waited there when it failed."""
        self.told = False
        """Whether the error has been raised to whoever started the device."""
        self.memory = bytearray(STATISTICS_SIZE) if memory is None else memory
        self.core: Proxy | None = None
        self.wishes: list[tuple[str, dict[str, Any]]] = []
        """What is wished of the core before there is one."""
        self.thread: int | None = None
        self.tell: Callable[[News], None] = _tell_nobody

    def come_to(self, stage: str) -> None:
        """Note a stage, and tell it. The end is the last."""
        with self.changed:
            self.stage = "ended" if self.stage == "ended" else stage
            self.awaited = self.awaited and stage != "ready"
            self.changed.notify_all()
        self.tell(News(stage))

    def add_bound(self, side: str, address: str) -> None:
        """Note a real address, and tell it."""
        self.bound.setdefault(side, []).append(address)
        self.tell(News("bound", side, address))

    def fail(self, error: BaseException) -> None:
        """Note what ended it; what came first counts."""
        with self.changed:
            if self.error is not None:
                return
            self.error, self.handed = error, self.awaited
        self.tell(News("failed", "", _as_text(error), _as_bytes(error)))

    def has_come_to(self, stages: tuple[str, ...], timeout: float | None) -> bool:
        """Wait for one of these stages, and say whether it has come."""
        with self.changed:
            return self.changed.wait_for(lambda: self.stage in stages, timeout)

    def wish(self, name: str, arguments: dict[str, Any]) -> None:
        """Call a method of the core, now or when there is one."""
        with self.changed:
            core = self.core
            if core is None:
                self.wishes.append((name, arguments))
                return
        getattr(core, name)(**arguments)

    def adopt(self, core: Proxy) -> None:
        """From now on there is a core."""
        with self.changed:
            self.core = core
            wishes, self.wishes = self.wishes, []
        for name, arguments in wishes:
            getattr(core, name)(**arguments)

    def raise_error(self) -> None:
        """Raise what ended it, unless that has been done."""
        with self.changed:
            error, told = self.error, self.told
            self.told = True
        if error is not None and not told:
            raise error


def _tell_nobody(news: News) -> None:
    """Tell nobody: the device runs here."""


def _as_text(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _as_bytes(error: BaseException) -> bytes:
    try:
        return pickle.dumps(error)
    except Exception:  # whatever an exception of somebody else's does when it is pickled: its text is told
        return b""


def as_error(news: News) -> BaseException:
    """The exception that ended a device in another process."""
    with suppress(Exception):  # of a class that is not known here, say
        error = pickle.loads(news.error)
        if isinstance(error, BaseException):
            error.add_note(f"in the device's process:\n{news.text}")
            return error
    return RuntimeError(f"in the device's process:\n{news.text}")


class Link:
    """The application's end of the channel to the process of a device. Any thread may use it; it is closed with the object."""

    def __init__(self, connection: Connection) -> None:
        self.over = False
        """Whether nothing more will come."""
        self._connection = connection
        self._lock = threading.Lock()
        self._application = os.getpid()

    def wait(self, timeout: float | None) -> bool:
        """Wait until there is something, or nothing more will come."""
        return self._connection.poll(timeout)

    def take(self, note: Callable[[News], None]) -> None:
        """Note all that has come. A fork of the application takes nothing away from it."""
        if os.getpid() != self._application:
            return
        with self._lock, suppress(EOFError, ConnectionResetError):
            while not self.over:
                if not self._connection.poll():
                    return
                note(News(*self._connection.recv()))
        self.over = True

    def send(self, name: str, arguments: dict[str, Any]) -> None:
        """Send a wish; one that comes too late has no effect, and a fork of the application has none: RuntimeError."""
        if os.getpid() != self._application:
            raise RuntimeError("the device was started by another process than this one")
        with self._lock, suppress(BrokenPipeError, ConnectionResetError):
            if not self.over:
                self._connection.send((name, arguments))

    def finish(self) -> None:
        """Let nothing more come: the process has ended, though others may hold its end open."""
        with socket.socket(fileno=os.dup(self._connection.fileno())) as ours:
            ours.shutdown(socket.SHUT_RD)


def teller(link: Connection) -> Callable[[News], None]:
    """What tells the application, at the other end of the link, what becomes of a device here."""

    def tell(news: News) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the application is gone, and soon this process is
            link.send(tuple(news))

    return tell


@contextmanager
def shared_memory() -> Iterator[int]:
    """A descriptor of memory for statistics, which processes can share."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("ztopo statistics")
    else:
        handle, path = tempfile.mkstemp(prefix="ztopo-")
        os.unlink(path)
    try:
        os.truncate(handle, STATISTICS_SIZE)
        yield handle
    finally:
        os.close(handle)
