"""Writing for readers that do not read. What a test waits for is what is read, or that nothing holds the writer up."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes import PATIENCE
from topo.cli._writer import PIECE, Queue, Writer

LINE = b"x" * 99 + b"\n"
ROOM = 100 * len(LINE)


class Pipe:
    """A pipe that holds one page, so that a reader who does not read is soon noticed."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        fcntl.fcntl(self.write, fcntl.F_SETPIPE_SZ, PIECE)

    def wait_until_full(self) -> None:
        waiting = bytearray(4)
        while int.from_bytes(waiting, sys.byteorder) < PIECE:
            fcntl.ioctl(self.read, termios.FIONREAD, waiting)

    def all(self) -> bytes:
        """All that is written until the other end is closed."""
        with os.fdopen(os.dup(self.read), "rb") as stream:
            return stream.read()

    def close(self) -> None:
        os.close(self.read)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def never(handle: int, error: OSError) -> None:
    raise AssertionError(error)


def in_thread(target: object, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]  # called as it is given
    thread.start()
    return thread


def close_when_written(queue: Queue, pipe: Pipe) -> None:
    def close() -> None:
        queue.close(PATIENCE)
        os.close(pipe.write)

    in_thread(close)


def test_everything_is_written_in_order_to_a_reader_however_slow(pipe: Pipe) -> None:
    queue = Queue(never, room=ROOM, patience=PATIENCE)
    lines = [b"%d\n" % n * 50 for n in range(2000)]
    wanted = b"".join(lines)

    def offer_all() -> None:
        for line in lines:
            queue.offer(pipe.write, line)
        queue.close(PATIENCE)
        os.close(pipe.write)

    in_thread(offer_all)
    assert pipe.all() == wanted


def test_one_who_does_not_read_holds_up_output_for_a_while_only(pipe: Pipe) -> None:
    queue = Queue(never, room=ROOM, patience=0.01)
    for _ in range(1000):
        queue.offer(pipe.write, LINE)
    queue.put(pipe.write, b"what happens is never dropped\n")
    close_when_written(queue, pipe)
    *lines, note, last = pipe.all().splitlines(keepends=True)
    assert set(lines) == {LINE}
    assert note.decode() == f"[{1000 - len(lines)} lines of output dropped here: nobody read]\n"
    assert 100 <= len(lines) < 400
    assert last == b"what happens is never dropped\n"


def test_once_they_read_again_output_is_held_back_as_before(pipe: Pipe) -> None:
    queue = Queue(never, room=ROOM, patience=0.01)
    for _ in range(1000):
        queue.offer(pipe.write, LINE)
    queue._patience = PATIENCE
    seen = b""
    while b"dropped here" not in seen:
        seen += os.read(pipe.read, PIECE)
    for _ in range(50):
        queue.offer(pipe.write, b"again\n")
    close_when_written(queue, pipe)
    assert (seen + pipe.all()).endswith(b"again\n" * 50)


def test_what_never_waits_does_not_wait(pipe: Pipe) -> None:
    queue = Queue(never, room=ROOM, patience=PATIENCE)
    for _ in range(1000):
        queue.put(pipe.write, LINE)
    close_when_written(queue, pipe)
    assert pipe.all() == LINE * 1000


def test_the_end_does_not_wait_for_one_who_does_not_read(pipe: Pipe) -> None:
    queue = Queue(never, room=ROOM, patience=0.01)
    for _ in range(1000):
        queue.put(pipe.write, LINE)
    pipe.wait_until_full()
    assert not queue.close(0.01)
    close_when_written(queue, pipe)
    assert pipe.all() == LINE * 1000


def test_a_file_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.write, False)
    queue = Queue(never, room=ROOM, patience=PATIENCE)
    for _ in range(1000):
        queue.put(pipe.write, LINE)
    pipe.wait_until_full()
    close_when_written(queue, pipe)
    assert pipe.all() == LINE * 1000


def test_streams_that_are_one_file_keep_their_order(tmp_path: Path) -> None:
    with (
        open(tmp_path / "both", "w", encoding="utf-8") as out,
        open(os.dup(out.fileno()), "w", encoding="utf-8") as err,
        closing(Writer(out, err, never_fails)) as writer,
    ):
        for n in range(500):
            writer.offer(f"out {n}\n")
            writer.say(f"err {n}")
    assert (tmp_path / "both").read_text() == "".join(f"out {n}\nerr {n}\n" for n in range(500))


def test_a_reader_of_output_who_does_not_read_keeps_no_word_from_others(pipe: Pipe, tmp_path: Path) -> None:
    with open(pipe.write, "w", encoding="utf-8") as out, open(tmp_path / "err", "w", encoding="utf-8") as err:
        writer = Writer(out, err, never_fails)
        writer.write("x" * 100 * PIECE)
        pipe.wait_until_full()
        writer.hurry()
        writer.say("stopping")
        assert writer._err_queue.close(PATIENCE)
        assert (tmp_path / "err").read_text() == "stopping\n"
        reader = in_thread(os.read, pipe.read, 1 << 20)
        reader.join(PATIENCE)
        drain = in_thread(pipe.all)
        assert writer._out_queue.close(PATIENCE)
    drain.join(PATIENCE)


def never_fails(error: OSError) -> None:
    raise AssertionError(error)


def test_what_cannot_be_written_is_told_once_and_goes_nowhere(tmp_path: Path) -> None:
    failures: list[OSError] = []
    with (
        open("/dev/full", "w", encoding="utf-8") as out,
        open(tmp_path / "err", "w", encoding="utf-8") as err,
        closing(Writer(out, err, failures.append)) as writer,
    ):
        for _ in range(100):
            writer.offer("x" * PIECE)
    assert [error.errno for error in failures] == [errno.ENOSPC]
