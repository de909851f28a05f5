"""Socket types: what each can do, and whom it can talk to.

Source: RFC 23 (ZMTP 3.0) and RFC 37 (ZMTP 3.1) for the peers, `check_socket_type` in libzmq's src/mechanism.cpp; RFC 28
to 31 and zmq_socket(3) for what each does.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["SOCKETS", "SocketType", "compatible"]


class SocketType(msgspec.Struct, frozen=True):
    """One type of socket.

    `receives` and `sends` are about messages of the application: an XPUB that reads subscriptions does not receive, an XSUB
    that writes them does not send. `mute` is what a send does when it cannot go anywhere.
    """

    name: str
    peers: frozenset[str]
    receives: bool
    sends: bool
    mute: Literal["block", "drop", ""]
    pairs_with_turns: bool = False
    """REQ and REP: send and receive must alternate."""


def _type(name: str, peers: str, receives: bool, sends: bool, mute: Literal["block", "drop", ""], turns: bool = False) -> SocketType:
    return SocketType(name, frozenset(peers.split()), receives, sends, mute, turns)


SOCKETS: dict[str, SocketType] = {
    t.name: t
    for t in (
        _type("PAIR", "PAIR", True, True, "block"),
        _type("PUB", "SUB XSUB", False, True, "drop"),
        _type("SUB", "PUB XPUB", True, False, ""),
        _type("REQ", "REP ROUTER", True, True, "block", turns=True),
        _type("REP", "REQ DEALER", True, True, "drop", turns=True),
        _type("DEALER", "REP DEALER ROUTER", True, True, "block"),
        _type("ROUTER", "REQ DEALER ROUTER", True, True, "drop"),
        _type("PULL", "PUSH", True, False, ""),
        _type("PUSH", "PULL", False, True, "block"),
        _type("XPUB", "SUB XSUB", False, True, "drop"),
        _type("XSUB", "PUB XPUB", True, False, ""),
        _type("STREAM", "", True, True, "block"),
    )
}


def compatible(a: str, b: str) -> bool:
    """Whether a socket of type `a` completes a handshake with one of type `b`."""
    return b in SOCKETS[a].peers
