"""A file with another text: what that changes, and how the file gets it without anybody ever finding half of it."""

from __future__ import annotations

import codecs
import difflib
import os
import re
import tempfile
from contextlib import suppress
from errno import EACCES
from pathlib import Path

from topo.source import Source

__all__ = ["difference", "rewrite"]

LINE = re.compile(r"[^\n]*\n|[^\n]+")


def difference(source: Source, text: str, how: str) -> str:
    """What another text changes, as a unified diff; `how` says what made it, as `formatted`."""
    before, after = (LINE.findall(t) for t in (source.text, text))
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n"
        for line in difflib.unified_diff(before, after, source.name, f"{source.name} ({how})")
    )


def rewrite(path: Path, text: str) -> None:
    """Put a new text in a file's place at once. A byte order mark stays.

    A file that has several names, or an owner that the new one cannot have, is written over instead: it stays that file.
    Raises OSError if it cannot be written.
    """
    status = path.stat()
    if not status.st_mode & 0o222:
        raise PermissionError(EACCES, "it is read-only")
    with path.open("rb") as stream:
        mark = stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    data = text.encode("utf-8-sig" if mark else "utf-8")
    if status.st_nlink > 1 or not _put_beside(path, data, status):
        path.write_bytes(data)


def _put_beside(path: Path, data: bytes, status: os.stat_result) -> bool:
    """Write a new file and give it the place of the old one; False if it cannot have the same owner."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, status.st_mode & 0o7777)
        made = os.stat(temporary)
        if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
            return False
        os.replace(temporary, path)
        return True
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
