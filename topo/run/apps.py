"""What an app finds when it starts: its sockets' addresses in its environment, and the right Python in PATH."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from topo.plan import AppPlan
from topo.run.events import Addresses
from topo.run.sockets import connect_to

__all__ = ["OWN", "environment", "search_path"]

OWN = "ZTOPO"
"""The variable for `topo.socket`: what the program is called in the topology that runs it, `@`, and the folder of that."""


def environment(app: AppPlan, addresses: Addresses, base: Mapping[str, str], folder: str = "") -> dict[str, str]:
    """The environment of an app, now that it is known what the devices have bound.

    `folder` is that of the topology, if it has one at which it can be asked.
    """
    endpoints = {name: " ".join(connect_to(e, addresses) for e in wanted) for name, wanted in app.environment.items()}
    return {**base, "PATH": search_path(base), "PYTHONUNBUFFERED": "1", OWN: f"{app.name}@{folder}", **endpoints}


def search_path(base: Mapping[str, str]) -> str:
    """Where the programs of commands are looked for: beside the Python that runs ztopo first."""
    return f"{os.path.dirname(sys.executable)}{os.pathsep}{base.get('PATH', os.defpath)}"
