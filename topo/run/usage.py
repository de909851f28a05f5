"""What processes and threads use, as the kernel counts it: read by whoever wants to know, not by those who run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

__all__ = ["Task", "Usage", "usage_of", "usages"]

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
USER_TIME, SYSTEM_TIME, RESIDENT = 11, 12, 21
"""Fields of /proc/PID/stat, counted from the one behind the name; see proc(5)."""


class Task(NamedTuple):
    """A process, or a thread of it."""

    pid: int
    thread: int | None = None


class Usage(NamedTuple):
    """Seconds of CPU time so far, and bytes of memory at present; a thread's memory is its whole process's."""

    cpu: float
    memory: int


def usage_of(task: Task) -> Usage | None:
    """What a process or a thread uses; None if it has ended, or the system does not tell."""
    path = f"/proc/{task.pid}/stat" if task.thread is None else f"/proc/{task.pid}/task/{task.thread}/stat"
    try:
        fields = Path(path).read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return Usage((int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])) / TICKS, int(fields[RESIDENT]) * PAGE)


def usages(tasks: Iterable[Task]) -> dict[Task, Usage]:
    """What each of them uses, of which that is known."""
    return {task: usage for task in tasks if (usage := usage_of(task)) is not None}
