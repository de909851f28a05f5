"""Recordings: what is written can be read, whatever happened to who wrote it."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processes import Lines
from topo.recording import Header, NoRecording, Record, Recorder, Recording

HEADER = Header("t", "t.ztopo", 123, {"a.in": "ROUTER"})
RECORDS = [Record(n, "a", "in", (b"id", b"", b"%d" % n)) for n in range(100)]

records = st.lists(
    st.builds(Record, st.integers(0, 2**62), st.text(), st.sampled_from(["in", "out", ""]), st.lists(st.binary()).map(tuple))
)


def record(path: Path, *what: Record) -> Path:
    with Recorder(str(path), HEADER) as recorder:
        for each in what:
            recorder.add(each)
    return path


@given(what=records)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, what: list[Record]) -> None:
    recording = Recording(str(record(tmp_path_factory.mktemp("r") / "r", *what)))
    assert recording.header == HEADER
    assert list(recording) == what
    assert list(recording) == what, "and once more"
    assert recording.torn == 0


def test_it_is_what_its_description_says(tmp_path: Path) -> None:
    data = record(tmp_path / "r", RECORDS[7]).read_bytes()
    assert data[:8] == b"ZTOPOREC"
    length = int.from_bytes(data[8:12], "big")
    header = msgspec.msgpack.decode(data[12 : 12 + length])
    assert header == {"version": 1, "topology": "t", "file": "t.ztopo", "started": 123, "sockets": {"a.in": "ROUTER"}}
    rest = data[12 + length :]
    assert int.from_bytes(rest[:4], "big") == len(rest) - 4
    assert msgspec.msgpack.decode(rest[4:]) == [7, "a", "in", [b"id", b"", b"7"]]


def test_cut_off_anywhere_it_has_the_records_that_are_whole(tmp_path: Path) -> None:
    whole = record(tmp_path / "r", *RECORDS[:3]).read_bytes()
    without = record(tmp_path / "none").read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(without), len(whole) + 1):
        cut.write_bytes(whole[:length])
        recording = Recording(str(cut))
        found = list(recording)
        assert found == RECORDS[: len(found)]
        assert recording.torn == length - len(record(tmp_path / f"{length}", *found).read_bytes())
    for length in range(len(without)):
        cut.write_bytes(whole[:length])
        with pytest.raises(NoRecording, match=r"is no recording|without a header"):
            Recording(str(cut))


@pytest.mark.parametrize(
    "data", [b"", b"hello, this is a text", b"ZTOPOREC\x00\x00\x00\x01\xc0", b"ZTOPOREC\x00\x00\x00\x01\x80"]
)
def test_what_is_no_recording_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r").write_bytes(data)
    with pytest.raises(NoRecording):
        Recording(str(tmp_path / "r"))


def test_what_is_damaged_is_said_with_the_place(tmp_path: Path) -> None:
    path = record(tmp_path / "r", *RECORDS[:2])
    data = path.read_bytes()
    start = len(record(tmp_path / "one", RECORDS[0]).read_bytes())
    path.write_bytes(data[: start + 4] + b"\xc1" + data[start + 5 :])
    found = iter(Recording(str(path)))
    assert next(found) == RECORDS[0]
    with pytest.raises(NoRecording, match=f"damaged at byte {start}"):
        next(found)


def test_another_version_is_refused_and_more_in_this_one_passed_over(tmp_path: Path) -> None:
    def write(version: int) -> str:
        header = msgspec.msgpack.encode({"version": version, "topology": "t", "file": "", "started": 1, "new": 5})
        line = msgspec.msgpack.encode([1, "a", "in", [b"x"], "new"])
        frames = b"".join(len(data).to_bytes(4, "big") + data for data in (header, line))
        (tmp_path / "r").write_bytes(b"ZTOPOREC" + frames)
        return str(tmp_path / "r")

    with pytest.raises(NoRecording, match="of version 2, and here only 1"):
        Recording(write(2))
    assert list(Recording(write(1))) == [Record(1, "a", "in", (b"x",))]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = record(tmp_path / "r", *RECORDS)
    with pytest.raises(FileExistsError):
        Recorder(str(path), HEADER)
    assert list(Recording(str(path))) == RECORDS


WRITER = """
import sys
from topo.recording import Header, Record, Recorder
recorder = Recorder(sys.argv[1], Header("t", "t.ztopo", 123, {"a.in": "ROUTER"}))
for n in range(100):
    recorder.add(Record(n, "a", "in", (b"id", b"", b"%d" % n)))
    recorder.flush()
print("written", flush=True)
sys.stdin.read()
"""


def test_after_sigkill_all_that_was_written_is_there(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "r")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    lines = Lines(process)
    try:
        lines.wait_for("written")
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
        lines.close()
    assert list(Recording(str(tmp_path / "r"))) == RECORDS


def test_a_full_disk_is_an_error_and_what_is_there_is_whole(tmp_path: Path) -> None:
    """The limit on the size of files stands for the end of the disk: the system writes what fits, then refuses."""
    room = len(record(tmp_path / "fits", *RECORDS[:10]).read_bytes()) + 5
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    recorder = Recorder(str(tmp_path / "r"), HEADER)
    try:
        for each in RECORDS:
            recorder.add(each)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        with pytest.raises(OSError, match="File too large"):
            recorder.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)
    recorder.close()
    assert recorder.records == 10
    recording = Recording(str(tmp_path / "r"))
    assert list(recording) == RECORDS[:10]
    assert recording.torn == 0


def test_a_device_that_is_full_is_an_error_and_what_was_there_is_whole(tmp_path: Path) -> None:
    """Here the system itself says that there is no room: from the fourth record on it is written to the device that has none."""
    recorder = Recorder(str(tmp_path / "r"), HEADER)
    for each in RECORDS[:3]:
        recorder.add(each)
    recorder.flush()
    with open("/dev/full", "wb", buffering=0) as full:
        os.dup2(full.fileno(), recorder._handle)
    recorder.add(RECORDS[3])
    with pytest.raises(OSError, match="No space left on device") as refused:
        recorder.flush()
    recorder.close()
    assert refused.value.errno == errno.ENOSPC
    assert recorder.records == 3
    recording = Recording(str(tmp_path / "r"))
    assert list(recording) == RECORDS[:3]
    assert recording.torn == 0


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Messages may be secret."""
    assert os.stat(record(tmp_path / "r")).st_mode & 0o777 == 0o600
