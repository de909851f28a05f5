"""Socket options: number, kind of value, range, and the socket types that take them.

Source: zmq_setsockopt(3), libzmq's src/options.cpp and the `xsetsockopt` of each socket type, version 4.3.5; what was found to
differ from the manual by running it is said at the row.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["OPTIONS", "Option"]

ValueKind = Literal["int", "bool", "duration", "size", "bytes", "text"]


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One socket option, named as in libzmq in lower case."""

    name: str
    number: int
    kind: ValueKind
    """What a person writes: duration and size take a unit, bool takes true and false (or 1 and 0)."""
    low: int | None = None
    high: int | None = None
    """The values allowed, for numbers; the lengths in bytes allowed, for text and bytes."""
    infinite: bool = False
    """-1 is allowed, and means without end or as the system has it."""
    unit: Literal["", "ms", "s"] = ""
    """What libzmq counts a duration in."""
    types: frozenset[str] | None = None
    """The socket types that take it; None for all."""
    draft: bool = False
    """Only in a draft build of libzmq."""
    absent: bool = False
    """Not compiled into usual builds of libzmq (GSSAPI, VMCI, NORM, WSS)."""
    deprecated: str = ""
    """What to write instead."""
    readonly: bool = False
    live: bool = False
    """It acts at once, on what is connected already; the others act on later binds and connects."""
    secret: bool = False
    """Its value is never shown."""
    many: bool = False
    """It may be given several times, or with several values: each adds one."""


def _rows(*rows: Option) -> dict[str, Option]:
    return {row.name: row for row in rows}


OPTIONS: dict[str, Option] = _rows(
    Option(name="sndhwm", number=23, kind="int", low=0, live=True),
    Option(name="rcvhwm", number=24, kind="int", low=0, live=True),
    Option(name="linger", number=17, kind="duration", low=0, infinite=True, unit="ms", live=True),
    Option(name="subscribe", number=6, kind="bytes", types=frozenset({"SUB"}), live=True, many=True),
    Option(name="routing_id", number=5, kind="bytes", low=1, high=255),
    Option(name="router_mandatory", number=33, kind="bool", types=frozenset({"ROUTER"}), live=True),
)
