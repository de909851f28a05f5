"""Security mechanisms: which one a socket speaks, in which role, and what its keys are.

Source: `options_t::setsockopt` in libzmq's src/options.cpp. Mechanism and role are not options of their own: whichever option
of one is set last decides, and which end binds means nothing. The tests set the options on real sockets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

__all__ = ["DECIDES", "OPEN", "ZAP", "ZAP_TYPES", "Mechanism", "Security", "key", "public_key", "security"]

Mechanism = Literal["NULL", "PLAIN", "CURVE"]

ZAP = "inproc://zeromq.zap.01"
"""Where libzmq asks whether a peer may connect (RFC 27), in the context of the one that is connected to."""
ZAP_TYPES = frozenset({"REP", "ROUTER", "SERVER"})
"""The types that may answer there: any other ends the process at the first question."""


class Security(msgspec.Struct, frozen=True):
    """What a socket speaks, and whether it is the server in that."""

    mechanism: Mechanism = "NULL"
    server: bool = False


OPEN = Security()
"""What a socket is of which nothing is said."""


class Decides(msgspec.Struct, frozen=True):
    """What an option makes of a socket: of the role, None is that it stays."""

    mechanism: Mechanism
    role: Literal["server", "client"] | None = None


DECIDES: dict[str, Decides] = {
    "curve_server": Decides("CURVE", "server"),
    "curve_serverkey": Decides("CURVE", "client"),
    "curve_publickey": Decides("CURVE"),
    "curve_secretkey": Decides("CURVE"),
    "plain_server": Decides("PLAIN", "server"),
    "plain_username": Decides("PLAIN", "client"),
    "plain_password": Decides("PLAIN", "client"),
}
"""The options that decide. One that makes a server and is set to false makes a client without any mechanism."""


def security(options: Iterable[tuple[str, int | bytes]]) -> Security:
    """What options, in the order in which they are set, make of a socket."""
    mechanism: Mechanism = "NULL"
    server = False
    for name, value in options:
        decides = DECIDES.get(name)
        if decides is None:
            continue
        mechanism = decides.mechanism
        if decides.role is not None:
            server = decides.role == "server" and bool(value)
        if decides.role == "server" and not value:
            mechanism = "NULL"
    return Security(mechanism, server)


def key(written: bytes) -> bytes:
    """The 32 bytes of a CURVE key: as they are, or written in Z85. Of anything else nothing."""
    if len(written) == 32:
        return written
    if len(written) != 40:
        return b""
    from zmq.utils import z85  # slow to import, and seldom needed

    try:
        return bytes(z85.decode(written))
    except (KeyError, ValueError):
        return b""


def public_key(secret: bytes) -> bytes:
    """The public key that belongs to a secret one, both as 32 bytes."""
    import zmq  # slow to import, and seldom needed
    from zmq.utils import z85

    return key(zmq.curve_public(z85.encode(secret)))
