"""What ZDCF says, in tables. Source: the ZeroMQ RFC 17/ZDCF, and the manual pages of libzmq 2.2."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KINDS", "OPTIONS", "SIDES", "TYPES", "VERSION", "Kind"]

VERSION = 1
"""Only the number before the point tells versions apart."""


class Kind(NamedTuple):
    """A built-in type of device: what it is called here, and the types of its sockets where none is given."""

    name: str
    frontend: str
    backend: str


KINDS = {
    "zmq_queue": Kind("queue", "ROUTER", "DEALER"),
    "zmq_forwarder": Kind("forwarder", "SUB", "PUB"),
    "zmq_streamer": Kind("streamer", "PULL", "PUSH"),
}

SIDES = {"frontend": "in", "backend": "out"}
"""The sockets of a built-in device. Any other two are these in their order."""

TYPES = {
    **{name.lower(): name for name in ("SUB", "PUB", "REQ", "REP", "DEALER", "ROUTER", "PUSH", "PULL", "PAIR")},
    "xreq": "DEALER",
    "xrep": "ROUTER",
    "xpub": "XPUB",
    "xsub": "XSUB",
}
"""The types of sockets; xreq and xrep are the older names of two, and the last two are younger than the RFC."""

OPTIONS = {
    "hwm": "hwm",
    "swap": "",
    "affinity": "affinity",
    "identity": "routing_id",
    "subscribe": "subscribe",
    "rate": "rate",
    "recovery_ivl": "recovery_ivl",
    "mcast_loop": "multicast_loop",
    "sndbuf": "sndbuf",
    "rcvbuf": "rcvbuf",
}
"""The socket options, and what they are called today; nothing if there is none any more."""
