"""ztopo: declare a ZeroMQ topology, check it, run it.

    topology = topo.load("system.ztopo")
    for finding in topology.check():
        print(finding.message)
    with topology.up() as running:
        socket = running.socket("client")

In an app that ztopo runs, `topo.socket()` makes the socket that the file declares, and `topo.aio.socket()` one to be awaited.

Names are imported when they are first used, so that `import topo` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from topo import aio
    from topo.builder import Topology, TopologyError, load, loads
    from topo.diagnostic import Diagnostic
    from topo.joined import socket
    from topo.plan import RestartPlan

__all__ = ["Diagnostic", "RestartPlan", "Topology", "TopologyError", "__version__", "aio", "load", "loads", "socket"]

__version__ = "0.1.0"

HOMES = {
    "Diagnostic": "topo.diagnostic",
    "RestartPlan": "topo.plan",
    "Topology": "topo.builder",
    "TopologyError": "topo.builder",
    "load": "topo.builder",
    "loads": "topo.builder",
    "socket": "topo.joined",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "aio":
        return import_module("topo.aio")
    if name not in HOMES:
        raise AttributeError(f"module 'topo' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
