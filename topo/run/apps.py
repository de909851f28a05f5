"""What an app finds when it starts: its sockets' addresses in its environment, and the right Python in PATH."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from topo.plan import AppPlan
from topo.run.events import Addresses
from topo.run.sockets import connect_to

__all__ = ["environment", "search_path"]


def environment(app: AppPlan, addresses: Addresses, base: Mapping[str, str]) -> dict[str, str]:
    """The environment of an app, now that it is known what the devices have bound."""
    endpoints = {name: " ".join(connect_to(e, addresses) for e in wanted) for name, wanted in app.environment.items()}
    return {**base, "PATH": search_path(base), "PYTHONUNBUFFERED": "1", **endpoints}


def search_path(base: Mapping[str, str]) -> str:
    """Where the programs of commands are looked for: beside the Python that runs ztopo first."""
    return f"{os.path.dirname(sys.executable)}{os.pathsep}{base.get('PATH', os.defpath)}"
