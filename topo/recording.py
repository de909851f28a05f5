"""Recordings: messages that were seen, with their times, in a file.

    ZTOPOREC                                        8 bytes
    length, header                                  4 bytes, the most significant first; then so many bytes of MessagePack
    length, record                                  again and again, to the end of the file

    header    a map: "version" 1; "topology" its name; "file" what it was read from; "started" when the recording began, in
              nanoseconds since the epoch; "sockets" the types of the sides recorded, by id, as {"broker.in": "ROUTER"}
    record    an array: nanoseconds since the beginning, on a clock that never jumps; the device; the side, "in" or "out", or ""
              where its monitor does not tell; the parts, an array of byte strings, without the monitor's prefix

A record is written whole or not at all, as far as the system lets us. What is left of one whose writer was killed, or whose disk
was full, is passed over at the end by whoever reads. A new version may add to the header's map and to the end of a record's
array; who reads passes over what it does not know. Anything else changes "version".
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

__all__ = ["VERSION", "Header", "NoRecording", "Record", "Recorder", "Recording"]

MAGIC = b"ZTOPOREC"
VERSION = 1
LENGTH = struct.Struct(">I")
ENOUGH = 1 << 18
"""So many bytes are collected before they are written."""


class NoRecording(Exception):
    """The file is no recording, or none of a version that is known here, or it is damaged before its end."""


class Header(msgspec.Struct, frozen=True):
    """What was recorded."""

    topology: str
    file: str
    started: int
    sockets: dict[str, str] = {}
    version: int = VERSION


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A message that was seen."""

    offset: int
    device: str
    side: str
    parts: tuple[bytes, ...]

    @property
    def socket(self) -> str:
        """The id of the socket that received it."""
        return f"{self.device}.{self.side}"


class Recorder:
    """Writes a recording. What is not written when it is closed is written then."""

    def __init__(self, path: str, header: Header) -> None:
        """FileExistsError if there is such a file: nothing is written over."""
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._encode = msgspec.msgpack.Encoder().encode
        self._waiting: list[bytes] = [MAGIC + _framed(self._encode(header))]
        self._size = 0
        self._whole = 0
        """The length of the file up to the end of the last record that is whole."""
        self.records = -1  # the header counts too
        """How many are in the file."""
        try:
            self.flush()
        except BaseException:
            self.close()
            raise

    def add(self, record: Record) -> None:
        """Write a record, soon. Raises OSError if it cannot be; then the file ends with the last record that could."""
        frame = _framed(self._encode(record))
        self._waiting.append(frame)
        self._size += len(frame)
        if self._size >= ENOUGH:
            self.flush()

    def flush(self) -> None:
        """Write what has not been written."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        data = memoryview(b"".join(waiting))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._handle, data[written:])
        finally:
            self._count(waiting, written)

    def _count(self, pieces: list[bytes], written: int) -> None:
        """Take note of what is whole of these, and cut off what is not."""
        for piece in pieces:
            if len(piece) > written:
                break
            written -= len(piece)
            self._whole += len(piece)
            self.records += 1
        if written:
            os.ftruncate(self._handle, self._whole)

    def close(self) -> None:
        """Write the rest."""
        if self._handle >= 0:
            try:
                self.flush()
            finally:
                os.close(self._handle)
                self._handle = -1

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Recording:
    """A recording in a file. It can be gone through several times."""

    def __init__(self, path: str) -> None:
        """Read its header. OSError if it cannot be read, NoRecording if it is none."""
        self._path = path
        self.torn = 0
        """How many bytes at the end are no whole record; known once all have been read."""
        with self._open() as file:
            self.header = self._header(file)
            self._start = file.tell()

    def _open(self) -> BinaryIO:
        return Path(self._path).open("rb")

    def _header(self, file: BinaryIO) -> Header:
        if file.read(len(MAGIC)) != MAGIC:
            raise NoRecording(f"{self._path} is no recording")
        data = _frame(file)
        try:
            known = msgspec.msgpack.decode(data or b"", type=dict[str, object])
            if known.get("version") != VERSION:
                raise NoRecording(
                    f"{self._path} is a recording of version {known.get('version')}, and here only {VERSION} is known"
                )
            return msgspec.convert(known, Header)
        except msgspec.MsgspecError:
            raise NoRecording(f"{self._path} is a recording without a header") from None

    def __iter__(self) -> Iterator[Record]:
        decode = msgspec.msgpack.Decoder(Record).decode
        with self._open() as file:
            end = os.fstat(file.fileno()).st_size
            file.seek(self._start)
            while True:
                place = file.tell()
                data = _frame(file)
                if data is None:
                    self.torn = end - place
                    return
                try:
                    record = decode(data)
                except msgspec.MsgspecError as error:
                    raise NoRecording(f"{self._path} is damaged at byte {place}: {error}") from None
                yield record


def _framed(data: bytes) -> bytes:
    return LENGTH.pack(len(data)) + data


def _frame(file: BinaryIO) -> bytes | None:
    """What comes next; None if that is not whole."""
    start = file.read(LENGTH.size)
    if len(start) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(start)
    left = os.fstat(file.fileno()).st_size - file.tell()
    return file.read(length) if length <= left else None
