"""What an app finds when it starts: its sockets' addresses in its environment, and the right Python in PATH."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from topo.plan import AppPlan
from topo.run.events import Addresses
from topo.run.sockets import connect_to

__all__ = ["environment"]


def environment(app: AppPlan, addresses: Addresses, base: Mapping[str, str]) -> dict[str, str]:
    """The environment of an app, now that it is known what the devices have bound."""
    ours = os.path.dirname(sys.executable)
    path = base.get("PATH", os.defpath)
    endpoints = {name: " ".join(connect_to(e, addresses) for e in wanted) for name, wanted in app.environment.items()}
    return {**base, "PATH": f"{ours}{os.pathsep}{path}", "PYTHONUNBUFFERED": "1", **endpoints}
