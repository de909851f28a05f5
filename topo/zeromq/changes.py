"""What becomes of messages when a socket is connected, disconnected, bound, unbound or closed while it lives.

A row for each socket type and operation, as libzmq 4.3.5 does it; `tests/facts/test_changes.py` proves each of them on real
sockets, over tcp, ipc and inproc. REQ and REP are not there, for a device has none as a side, nor is STREAM, which has no peers.

Source: `term_endpoint` in src/socket_base.cpp, `process_term` in src/session_base.cpp, `terminate` in src/pipe.cpp. A socket that
disconnects ends its pipe without delay: what it has received and nobody has read is gone, what it was given to send is passed on
to the io thread, which goes on for as long as LINGER says. What was accepted over a listener ends with it, whatever LINGER says.
Over inproc the two pipes are one, and a name that is given up ends no connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from topo.zeromq.sockets import SOCKETS

__all__ = ["CHANGES", "OPERATIONS", "TYPES", "Change", "Fate", "Operation", "change"]

Operation = Literal["connect", "bind", "disconnect", "unbind", "close", "overlap", "rewire", "rewire when empty"]
"""`overlap` connects to the new and then disconnects from the old; `rewire` does it the other way round, at once. `rewire when
empty` does so after the senders were paused and everything on the way has arrived, and lets them go on once they have noticed that the
old connection is gone. All three are about one peer that is reached at two addresses, which is the worst there is."""

OPERATIONS: tuple[Operation, ...] = ("connect", "bind", "disconnect", "unbind", "close", "overlap", "rewire", "rewire when empty")

Fate = Literal["kept", "lingers", "lost", ""]
"""`kept`: all arrive. `lingers`: all arrive if LINGER leaves the time for it and, over ipc, if the peer takes them in before it
reaches its RCVHWM: it throws away what it has not yet taken when the other hangs up. `lost`: any of them may be lost. Empty: this type
has no such messages."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one operation does to a socket of one type, which has peers that know nothing of it."""

    type: str
    operation: Operation
    sent: Fate
    """What it was given to send over the connections concerned, and has not yet arrived."""
    coming: Fate
    """What its peers were given to send to it over these, and it has not yet been asked for."""
    sent_inproc: Fate
    """The same over inproc."""
    coming_inproc: Fate
    doubled: bool = False
    """Messages may come twice: over both connections."""
    reordered: bool = False
    """Messages that are sent later may arrive earlier, for the old connection still passes on what it has."""
    misses: bool = False
    """What is published before the subscriptions have arrived at the new peer is for nobody."""
    aborts: bool = False
    """libzmq ends the process if the socket has looked at a message in parts, as poll makes it do, and has not read all of them:
    the first is read already, the others are gone."""
    forgotten: bool = False
    """Unless it, or the peer, has a fixed routing_id, it gets another address: answers to what was asked before find nobody."""
    unheard: Literal["", "identified", "always"] = ""
    """While the old connection is not gone at the peer, the new one is connected and not heard, for ever: `identified` if the peer
    is a ROUTER without ROUTER_HANDOVER and knows it by a fixed routing_id."""


OUT, IN, BOTH = ("PUSH", "PUB", "XPUB"), ("PULL", "SUB", "XSUB"), ("DEALER", "ROUTER", "PAIR")
TYPES = OUT + IN + BOTH
ROUTED = ("DEALER", "ROUTER")
SUBSCRIBED = ("PUB", "XPUB", "SUB", "XSUB")
SUBSCRIBING = ("SUB", "XSUB")
LOOKING = ("SUB", "XSUB", "ROUTER")
"""Those that read the first part of a message to say whether there is one."""


def _rows(
    operation: Operation, sent: Fate, coming: Fate, sent_inproc: Fate, coming_inproc: Fate, **where: tuple[str, ...]
) -> Iterator[Change]:
    """A row for each type. `where` are the types for which something is true besides."""
    for type in TYPES:
        sends, receives = SOCKETS[type].sends, SOCKETS[type].receives
        yield Change(
            type=type,
            operation=operation,
            sent=sent if sends else "",
            sent_inproc=sent_inproc if sends else "",
            coming=coming if receives else "",
            coming_inproc=coming_inproc if receives else "",
            unheard="always" if type in where.get("unheard", ()) else "identified" if type in where.get("identified", ()) else "",
            **{name: type in types for name, types in where.items() if name not in ("unheard", "identified")},
        )


CHANGES: dict[tuple[str, Operation], Change] = {
    (row.type, row.operation): row
    for rows in (
        _rows("connect", "kept", "kept", "kept", "kept", misses=SUBSCRIBING),
        _rows("bind", "kept", "kept", "kept", "kept"),
        _rows("disconnect", "lingers", "lost", "kept", "lost", aborts=LOOKING, forgotten=ROUTED),
        _rows("unbind", "lost", "lost", "kept", "kept", forgotten=ROUTED),
        _rows("close", "lingers", "lost", "kept", "lost", forgotten=ROUTED),
        _rows(
            "overlap",
            *("lingers", "lost", "kept", "lost"),
            doubled=SUBSCRIBED,
            aborts=LOOKING,
            reordered=("PUSH", "DEALER"),
            forgotten=ROUTED,
            identified=ROUTED,
            unheard=("PAIR",),
        ),
        _rows(
            "rewire",
            *("lingers", "lost", "kept", "lost"),
            aborts=LOOKING,
            reordered=("PUSH", "DEALER"),
            misses=SUBSCRIBED,
            forgotten=ROUTED,
            identified=ROUTED,
            unheard=("PAIR",),
        ),
        _rows(
            "rewire when empty",
            "kept",
            "kept",
            "kept",
            "kept",
            misses=SUBSCRIBED,
            forgotten=ROUTED,
            identified=ROUTED,
            unheard=("PAIR",),
        ),
    )
    for row in rows
}


def change(type: str, operation: Operation) -> Change | None:
    """The row of a type and operation; None where there is none, and nothing may be promised."""
    return CHANGES.get((type, operation))
