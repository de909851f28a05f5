"""CPU and memory of processes and threads, held against what the process itself is told."""

from __future__ import annotations

import os
import threading
import time

from topo.run.usage import TICKS, Task, usage_of, usages


def burn(seconds: float) -> None:
    """Use so much of this thread's CPU time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_the_time_of_a_thread_is_its_own_and_part_of_its_process_s() -> None:
    task = Task(os.getpid(), threading.get_native_id())
    before = usages([task, Task(task.pid)])
    burn(0.1)
    after = usages([task, Task(task.pid)])
    assert after[task].cpu <= time.thread_time() + 1 / TICKS
    assert after[task].cpu - before[task].cpu >= 0.1 - 2 / TICKS
    assert after[Task(task.pid)].cpu - before[Task(task.pid)].cpu >= 0.1 - 2 / TICKS


def test_a_thread_that_does_nothing_has_no_time() -> None:
    go_on = threading.Event()
    idle = threading.Thread(target=go_on.wait)
    idle.start()
    try:
        before = usage_of(Task(os.getpid(), idle.native_id))
        burn(0.05)
        assert before is not None
        assert before.cpu <= 2 / TICKS
        assert usage_of(Task(os.getpid(), idle.native_id)) is not None
    finally:
        go_on.set()
        idle.join()


def test_memory_is_what_the_process_has_touched() -> None:
    before = usage_of(Task(os.getpid()))
    touched = b"x" * (64 << 20)
    after = usage_of(Task(os.getpid()))
    assert before is not None
    assert after is not None
    assert after.memory - before.memory > len(touched) // 2


def test_what_is_not_there_is_not_in_it() -> None:
    assert usages([Task(2**22 + 1), Task(os.getpid(), 2**22 + 1)]) == {}
