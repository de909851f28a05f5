"""What the libzmq at hand can do: a value that is passed in, so that tests can pin it."""

from __future__ import annotations

import msgspec

__all__ = ["Libzmq", "at_hand"]


class Libzmq(msgspec.Struct, frozen=True):
    """The abilities of one libzmq."""

    version: tuple[int, int, int] = (4, 3, 5)
    draft: bool = False
    transports: frozenset[str] = frozenset({"tcp", "ipc", "inproc", "tipc", "udp"})
    curve: bool = True
    ipc_path_max: int = 107
    """The longest path of an ipc endpoint, in bytes."""


def at_hand() -> Libzmq:
    """What pyzmq's libzmq can do."""
    import zmq  # slow to import, and not needed where a value is pinned

    always = {"tcp", "inproc", "udp"}
    asked = {"ipc", "pgm", "tipc", "norm", "ws", "wss", "vmci"}
    version = zmq.zmq_version_info()
    return Libzmq(
        version=(int(version[0]), int(version[1]), int(version[2])),
        draft=bool(zmq.DRAFT_API),
        transports=frozenset(always | {t for t in asked if zmq.has(t)}),
        curve=bool(zmq.has("curve")),
        ipc_path_max=int(zmq.IPC_PATH_MAX_LEN),
    )
