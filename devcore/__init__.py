"""The forwarding core: passes messages between two sockets, shows copies to a third, and counts.

It exists twice: in Cython, and in plain Python (`reference`), which says what the other should do. `ZTOPO_CORE=python` in the
environment selects the latter.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from topo.devcore.report import (
    STATISTICS_SIZE,
    CaptureCounts,
    ProxyError,
    SideCounts,
    Statistics,
    Traffic,
    read_statistics,
)

__all__ = [
    "STATISTICS_SIZE",
    "CaptureCounts",
    "Proxy",
    "ProxyError",
    "SideCounts",
    "Statistics",
    "Traffic",
    "core_name",
    "read_statistics",
]

_CORE = os.environ.get("ZTOPO_CORE") or "cython"

if TYPE_CHECKING or _CORE == "cython":
    try:
        from topo.devcore._core import Proxy
    except ModuleNotFoundError as error:
        raise ImportError("ztopo's core is not built: install ztopo, or set ZTOPO_CORE=python for the slow one") from error
elif _CORE == "python":
    from topo.devcore.reference import Proxy
else:
    raise ImportError(f"ZTOPO_CORE is {_CORE!r}: it can be cython or python")


def core_name() -> str:
    """Which core runs: "cython" or "python"."""
    return _CORE
