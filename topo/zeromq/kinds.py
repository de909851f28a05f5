"""Device kinds and the socket types that they usually have.

Source: zmq_device(3) of libzmq 2.x named QUEUE, FORWARDER and STREAMER; today's libzmq ignores the kind and forwards
whatever the two sockets are.
"""

from __future__ import annotations

import msgspec

__all__ = ["KINDS", "MONITOR_TYPES", "Kind"]


class Kind(msgspec.Struct, frozen=True):
    """A kind of device; an empty default means that the type must be written."""

    name: str
    in_type: str
    out_type: str
    family: frozenset[str] = frozenset()
    """The types that belong to its pattern; empty for all."""
    monitor_type: str = "PUB"


KINDS: dict[str, Kind] = {
    k.name: k
    for k in (
        Kind("queue", "ROUTER", "DEALER", frozenset({"REQ", "REP", "DEALER", "ROUTER"})),
        Kind("forwarder", "XSUB", "XPUB", frozenset({"PUB", "SUB", "XPUB", "XSUB"})),
        Kind("streamer", "PULL", "PUSH", frozenset({"PULL", "PUSH"})),
        Kind("proxy", "", ""),
    )
}

MONITOR_TYPES = frozenset({"PUB", "XPUB", "PUSH", "DEALER", "PAIR"})
"""The socket types that can send copies: a prefix and any number of parts, to nobody in particular, one after the other.

Those that zmq_proxy(3) names, and XPUB, which is a PUB whose subscriptions can be read.
"""
