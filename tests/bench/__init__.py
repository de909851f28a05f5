"""Benchmarks: side by side in one run, medians and ratios, nothing asserted. See `__main__.py`."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import zmq

__all__ = ["write_json"]


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Write figures to a file, with the machine and the versions that they are from."""
    machine = {"machine": platform.machine(), "system": platform.platform(), "python": platform.python_version()}
    versions = {"pyzmq": zmq.__version__, "libzmq": zmq.zmq_version()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**machine, **versions, **figures}, indent=1) + "\n", encoding="utf-8")
