"""Running a plan: a supervisor, the processes and threads that it starts, and what they say.

How it works is told at the head of `machine.py`. `start` (in `running.py`) is the way in from Python, `topo/cli/up.py` the one
from the command line. All but the messages needs a system with processes and signals as Linux and macOS have them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topo.diagnostic import Diagnostic

__all__ = ["runs_here"]


def runs_here() -> Diagnostic | None:
    """Why topologies do not run on this system, or None if they do. To be asked before anything else here is imported."""
    if sys.platform != "win32":
        return None
    from topo.run.mistakes import wrong_system

    return wrong_system("Windows")
