"""How many files a process may have open: what the system allows, not what is usual for a shell."""

from __future__ import annotations

__all__ = ["allow_many_files"]


def allow_many_files() -> None:
    """Raise the soft limit of this process to the hard one: every socket takes several descriptors."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
