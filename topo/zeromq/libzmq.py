"""What the libzmq at hand can do: a value that is passed in, so that tests can pin it."""

from __future__ import annotations

import sys

import msgspec

__all__ = ["Libzmq", "at_hand"]


class Libzmq(msgspec.Struct, frozen=True):
    """The abilities of one libzmq. The defaults are those of pyzmq's wheel for Linux."""

    version: tuple[int, int, int] = (4, 3, 5)
    draft: bool = False
    transports: frozenset[str] = frozenset({"tcp", "ipc", "inproc", "tipc", "udp"})
    capabilities: frozenset[str] = frozenset({"curve"})
    """What else was compiled in, in the words of zmq_has(3): curve, gssapi, norm, vmci, wss."""
    ipc_path_max: int = 107
    """The longest path of an ipc endpoint, in bytes."""
    abstract: bool = True
    """Whether ipc endpoints may be names without a file, which only Linux has."""

    @property
    def name(self) -> str:
        """How to call it in a message."""
        return f"libzmq {'.'.join(map(str, self.version))}"


def at_hand() -> Libzmq:
    """What pyzmq's libzmq can do."""
    import zmq  # slow to import, and not needed where a value is pinned

    always = {"tcp", "inproc", "udp"}
    asked = {"ipc", "pgm", "epgm", "tipc", "norm", "ws", "wss", "vmci", "vsock"}
    version = zmq.zmq_version_info()
    return Libzmq(
        version=(int(version[0]), int(version[1]), int(version[2])),
        draft=bool(zmq.DRAFT_API),
        transports=frozenset(always | {t for t in asked if zmq.has("pgm" if t == "epgm" else t)}),
        capabilities=frozenset(c for c in ("curve", "gssapi", "norm", "vmci", "wss") if zmq.has(c)),
        ipc_path_max=int(zmq.IPC_PATH_MAX_LEN),
        abstract=sys.platform == "linux",
    )
