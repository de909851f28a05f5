"""Socket types: what each can do, and whom it can talk to.

Source: RFC 23 (ZMTP 3.0) and RFC 37 (ZMTP 3.1) for the peers, `check_socket_type` in libzmq's src/mechanism.cpp; RFC 28
to 31 and zmq_socket(3) for what each does. RFC 41, 48, 49, 51 and 52 for the draft types; where zmq_socket(3) pairs SCATTER
with SCATTER, the source and RFC 49 say GATHER.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["OLD_NAMES", "PEERS", "SOCKETS", "SocketType", "compatible", "with_article"]

Mute = Literal["block", "drop", "refuse", ""]


class SocketType(msgspec.Struct, frozen=True):
    """One type of socket.

    `receives` and `sends` are about messages of the application: an XPUB that reads subscriptions does not receive, an XSUB
    that writes them does not send. `mute` is what a send does when it cannot go anywhere: it blocks, drops the message, or
    returns EAGAIN though it was willing to wait.
    """

    name: str
    peers: frozenset[str]
    receives: bool
    sends: bool
    mute: Mute
    turns: bool = False
    """REQ and REP: send and receive must alternate."""
    routed: bool = False
    """The first part of a message that it sends says to whom."""
    exclusive: bool = False
    """It has one peer at a time."""
    copies: bool = False
    """What it sends goes to all who want it, what it receives has gone to others as well."""
    draft: bool = False
    """Only in a draft build of libzmq: in any other the first handshake aborts the process."""


def _type(
    name: str,
    peers: str,
    way: Literal["both", "in", "out"],
    mute: Mute = "",
    *,
    turns: bool = False,
    routed: bool = False,
    exclusive: bool = False,
    copies: bool = False,
    draft: bool = False,
) -> SocketType:
    return SocketType(name, frozenset(peers.split()), way != "out", way != "in", mute, turns, routed, exclusive, copies, draft)


SOCKETS: dict[str, SocketType] = {
    t.name: t
    for t in (
        _type("PAIR", "PAIR", "both", "block", exclusive=True),
        _type("PUB", "SUB XSUB", "out", "drop", copies=True),
        _type("SUB", "PUB XPUB", "in", copies=True),
        _type("REQ", "REP ROUTER", "both", "block", turns=True),
        _type("REP", "REQ DEALER", "both", "drop", turns=True),
        _type("DEALER", "REP DEALER ROUTER", "both", "block"),
        _type("ROUTER", "REQ DEALER ROUTER", "both", "drop", routed=True),
        _type("PULL", "PUSH", "in"),
        _type("PUSH", "PULL", "out", "block"),
        _type("XPUB", "SUB XSUB", "out", "drop", copies=True),
        _type("XSUB", "PUB XPUB", "in", copies=True),
        _type("STREAM", "", "both", "refuse", routed=True),
        _type("SERVER", "CLIENT", "both", "refuse", routed=True, draft=True),
        _type("CLIENT", "SERVER", "both", "block", draft=True),
        _type("RADIO", "DISH", "out", "drop", copies=True, draft=True),
        _type("DISH", "RADIO", "in", copies=True, draft=True),
        _type("GATHER", "SCATTER", "in", draft=True),
        _type("SCATTER", "GATHER", "out", "block", draft=True),
        _type("DGRAM", "DGRAM", "both", "drop", draft=True),
        _type("PEER", "PEER", "both", "refuse", routed=True, draft=True),
        _type("CHANNEL", "CHANNEL", "both", "block", exclusive=True, draft=True),
    )
}

PEERS: dict[str, frozenset[str]] = {t.name: t.peers for t in SOCKETS.values()}
"""With whom each type completes a handshake. A STREAM speaks raw TCP, so with nobody."""

OLD_NAMES: dict[str, str] = {"XREQ": "DEALER", "XREP": "ROUTER"}
"""What libzmq 2 called them; in zmq.h still."""


def compatible(a: str, b: str) -> bool:
    """Whether a socket of type `a` completes a handshake with one of type `b`."""
    return b in PEERS[a]


def with_article(name: str) -> str:
    """`a PUB`, `an XPUB`: a type in a sentence."""
    return f"{'an' if name.startswith('X') else 'a'} {name}"
