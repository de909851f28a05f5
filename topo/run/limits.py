"""What the system allows: how many files a process may have open, and how long the path of a socket may be."""

from __future__ import annotations

import sys

__all__ = ["LONGEST_PATH", "allow_many_files"]

LONGEST_PATH = 107 if sys.platform == "linux" else 103
"""In bytes, of a Unix socket."""


def allow_many_files() -> None:
    """Raise the soft limit of this process to the hard one: every socket takes several descriptors."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
