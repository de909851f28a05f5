"""Seeing that a file has been written, by what the system tells of its folder: inotify on Linux, through watchdog.

Editors write a file in many ways: in place, or a new one beside it that takes its name, so that it is gone for a moment. So it is
the folders that are watched, and what counts is that a file is there after a moment of silence and says something else than before.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

__all__ = ["Watching"]

SILENCE = 0.1
"""Seconds after which nothing more is expected of who is writing."""
TELLING = ("created", "modified", "moved", "closed")
"""The events after which a file may say something else."""


class Watching(FileSystemEventHandler):
    """Within its block, `tell` is called in a thread of its own with the name of a file that says something else than before."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._seen: dict[Path, bytes] = {}
        """What each file said last."""
        self._folders: set[Path] = set()
        self._news = threading.Event()
        self._over = threading.Event()
        self._observer = Observer()
        self._thread = threading.Thread(target=self._run, name="ztopo watch", daemon=True)

    def __enter__(self) -> Self:
        self._observer.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._news.set()
        self._thread.join()
        self._observer.stop()
        self._observer.join()

    def watch(self, files: Iterable[Path]) -> None:
        """Watch these from now on, as they are now."""
        with self._lock:
            self._seen = {file: self._seen.get(file) or _content(file) for file in files}
            for folder in {file.parent for file in self._seen} - self._folders:
                self._folders.add(folder)
                self._observer.schedule(self, str(folder))

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Something has happened in a folder."""
        if event.event_type in TELLING:
            self._news.set()

    def _run(self) -> None:
        while self._news.wait() and not self._over.is_set():
            self._news.clear()
            while self._news.wait(SILENCE) and not self._over.is_set():
                self._news.clear()
            if changed := self._changed():
                self._tell(changed)

    def _changed(self) -> str:
        """The name of a file that says something else than before; nothing if none does. One that is gone says nothing yet."""
        with self._lock:
            now = {file: _content(file) for file in self._seen}
            changed = [file for file, content in now.items() if content and content != self._seen[file]]
            self._seen |= {file: now[file] for file in changed}
        return changed[0].name if changed else ""


def _content(file: Path) -> bytes:
    try:
        return hashlib.blake2b(file.read_bytes()).digest()
    except OSError:
        return b""
