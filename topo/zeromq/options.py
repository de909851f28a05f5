"""Socket options: number, kind of value, range, and the socket types that take them.

Source: zmq_setsockopt(3), libzmq's src/options.cpp and the `xsetsockopt` of each socket type, version 4.3.5. The tests set
every row on real sockets. Where this table refuses what libzmq would take, the row says why (`stricter`); where libzmq
takes an option on a type that does nothing with it, the type stands in `idle`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from topo.zeromq.libzmq import Libzmq
from topo.zeromq.sockets import SOCKETS

__all__ = ["ALIASES", "INT_MAX", "OPTIONS", "PSEUDO", "Option", "fits", "in_range", "is_secret", "known", "lacking", "native"]

ValueKind = Literal["int", "bool", "duration", "size", "bytes", "text", "key"]

INT_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One socket option, named as in libzmq in lower case."""

    name: str
    number: int
    kind: ValueKind
    """What a person writes: duration and size take a unit, bool takes true and false (or 1 and 0), the others text.

    A key is a CURVE key, 32 bytes as they are or 40 characters of Z85.
    """
    low: int = 0
    high: int | None = INT_MAX
    """The values allowed, for numbers, in what libzmq counts in; the lengths in bytes, for text. None: no end."""
    infinite: bool = False
    """-1 is allowed, and means without end, never, or as the system has it."""
    form: str = ""
    """A regular expression that the whole text must match."""
    unit: Literal["", "ms", "s", "kB"] = ""
    """What libzmq counts a duration or a size in, if not in bytes."""
    types: frozenset[str] | None = None
    """The socket types that do something with it; None for all."""
    idle: frozenset[str] = frozenset()
    """The socket types on which libzmq takes it, and nothing comes of it."""
    over: frozenset[str] | None = None
    """The transports over which it does something; None for all."""
    draft: bool = False
    """Only in a draft build of libzmq."""
    needs: str = ""
    """What must be compiled into libzmq, in the words of zmq_has(3)."""
    readonly: bool = False
    deprecated: str = ""
    """What to write instead."""
    live: bool = False
    """It acts at once, on what is connected already; the others act on later binds and connects."""
    secret: bool = False
    """Its value is never shown."""
    many: bool = False
    """It may be given several times, or with several values: each adds one."""
    stricter: str = ""
    """Why values that libzmq takes are refused here."""
    sides: frozenset[str] | None = None
    """The sides of a device that take it, if not all sockets do."""
    values: int = 1
    """How many values belong to it, unless `many`."""
    stands_for: tuple[str, ...] = ()
    """The options of libzmq that a word of ours sets."""
    doc: str = ""


ALL = frozenset(SOCKETS)


def _types(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _kind(kind: ValueKind, **usual: Any) -> Callable[..., Option]:  # Any: any field of Option
    """What makes the rows of one kind."""

    def row(name: str, number: int, **more: Any) -> Option:  # Any: any field of Option
        return Option(name=name, number=number, kind=kind, **{**usual, **more})

    return row


LOOSE_TRUE = "libzmq takes any other number for true"
LOOSE_BITS = "libzmq takes the bits as they come"

_number = _kind("int")
_flag = _kind("bool", high=1)
_on = _kind("bool", high=1, stricter=LOOSE_TRUE)
_time = _kind("duration", unit="ms")
_size = _kind("size")
_bytes = _kind("bytes", high=None)
_text = _kind("text", high=None)
_key = _kind("key", low=32, high=40, needs="curve")
_read = _kind("int", readonly=True)

ROUTER = _types("ROUTER")
REP = _types("REP")  # a REP is made from a ROUTER and takes its options, but has nobody to route to
XPUB, PUB = _types("XPUB"), _types("PUB")  # a PUB is made from an XPUB and takes its options, but reads no subscriptions
ANNOUNCING = _types("REQ DEALER ROUTER")  # `add_basic_properties`: the types that tell their routing id to the peer
MATCHING = _types("PUB XPUB SUB")
CONFLATING = _types("PULL PUSH SUB PUB DEALER")
MULTICAST = "only for multicast transports"

WEB = _types("ws wss")
TCP = _types("tcp") | WEB
CONNECTED = TCP | _types("ipc tipc vmci vsock")
GROUPS = _types("pgm epgm norm")
WIRED = CONNECTED | GROUPS | _types("udp")  # all but inproc

OPTIONS: dict[str, Option] = {
    row.name: row
    for row in (
        # Queues and buffers
        _number("sndhwm", 23, live=True),
        _number("rcvhwm", 24, live=True),
        _size("sndbuf", 11, over=WIRED, infinite=True),
        _size("rcvbuf", 12, over=WIRED, infinite=True),
        _size(
            "maxmsgsize", 22, over=WIRED, high=INT64_MAX, infinite=True, stricter="libzmq takes any negative number for no limit"
        ),
        _flag("conflate", 54, types=CONFLATING, idle=ALL - CONFLATING),
        _flag("immediate", 39, over=CONNECTED),
        _number("backlog", 19, over=CONNECTED),
        _number("affinity", 4, high=INT64_MAX, stricter=LOOSE_BITS),
        # Times
        _time("linger", 17, infinite=True, live=True),
        _time("rcvtimeo", 27, infinite=True),
        _time("sndtimeo", 28, infinite=True),
        _time("reconnect_ivl", 18, over=CONNECTED, infinite=True),
        _time("reconnect_ivl_max", 21, over=CONNECTED),
        _time("connect_timeout", 79, over=TCP),
        _time("handshake_ivl", 66, over=CONNECTED),
        _time("heartbeat_ivl", 75, over=CONNECTED),
        _time("heartbeat_timeout", 77, over=CONNECTED),
        _time("heartbeat_ttl", 76, over=CONNECTED, high=6_553_599, stricter="libzmq divides by 100 first, so -99 to -1 become 0"),
        _number("reconnect_stop", 109, over=CONNECTED, high=7, stricter="libzmq takes bits that mean nothing"),
        # Subscriptions
        _bytes("subscribe", 6, types=_types("SUB"), live=True, many=True),
        _bytes("unsubscribe", 7, types=_types("SUB"), live=True, many=True),
        _on("invert_matching", 74, types=MATCHING, idle=ALL - MATCHING),
        _on("xpub_verbose", 40, types=XPUB, idle=PUB, live=True),
        _on("xpub_verboser", 78, types=XPUB, idle=PUB, live=True),
        _on("xpub_manual", 71, types=XPUB, idle=PUB),
        _on("xpub_manual_last_value", 98, types=XPUB, idle=PUB),
        _on("xpub_nodrop", 69, types=XPUB | PUB),
        _bytes("xpub_welcome_msg", 72, types=XPUB | PUB),
        _on("only_first_subscribe", 108, types=_types("XPUB XSUB"), idle=PUB),
        _flag("xsub_verbose_unsubscribe", 115, types=_types("XSUB"), draft=True),
        # Routing
        _bytes("routing_id", 5, low=1, high=255, types=ANNOUNCING, idle=ALL - ANNOUNCING),
        _bytes("connect_routing_id", 61, low=1, high=255, types=_types("ROUTER STREAM"), idle=REP, stricter="the manual's limit"),
        _on("router_mandatory", 33, types=ROUTER, idle=REP, live=True),
        _on("router_handover", 56, types=ROUTER, idle=REP, live=True),
        _on("router_raw", 41, types=ROUTER, idle=REP, deprecated="a STREAM socket"),
        _on("probe_router", 51, types=_types("ROUTER DEALER REQ"), idle=REP, live=True),
        _number("router_notify", 97, high=3, types=ROUTER, draft=True),
        _on("req_correlate", 52, types=_types("REQ"), live=True),
        _on("req_relaxed", 53, types=_types("REQ"), live=True),
        _flag("stream_notify", 73, types=_types("STREAM")),
        _bytes("hello_msg", 110, types=_types("ROUTER DEALER CLIENT SERVER PEER"), draft=True),
        _bytes("disconnect_msg", 111, types=_types("ROUTER SERVER PEER"), draft=True),
        _bytes("hiccup_msg", 114, types=_types("DEALER CLIENT PEER"), draft=True),
        # The network
        _flag("ipv6", 42, over=TCP | GROUPS | {"udp"}),
        _flag("ipv4only", 31, over=TCP | GROUPS | {"udp"}, deprecated="ipv6"),
        _flag("tcp_keepalive", 34, over=TCP, infinite=True),
        _number("tcp_keepalive_cnt", 35, over=TCP, infinite=True),
        _time("tcp_keepalive_idle", 36, over=TCP, unit="s", infinite=True),
        _time("tcp_keepalive_intvl", 37, over=TCP, unit="s", infinite=True),
        _time("tcp_maxrt", 80, over=TCP),
        _number("tos", 57, over=TCP | GROUPS | {"udp"}),
        _text("bindtodevice", 92, over=TCP | GROUPS | {"udp"}, low=1, high=16),
        _text(
            "tcp_accept_filter",
            38,
            over=TCP,
            low=1,
            form=r"[0-9A-Fa-f.:]+(/\d+)?",
            doc="an address, or a network as 10.0.0.0/8",
            many=True,
            deprecated="ZAP",
        ),
        _number("ipc_filter_uid", 59, over=_types("ipc"), many=True, deprecated="ZAP", stricter=LOOSE_BITS),
        _number("ipc_filter_gid", 60, over=_types("ipc"), many=True, deprecated="ZAP", stricter=LOOSE_BITS),
        _number("ipc_filter_pid", 58, over=_types("ipc"), many=True, deprecated="ZAP", stricter=LOOSE_BITS),
        _number("use_fd", 89, over=_types("tcp ipc"), infinite=True),
        _text("socks_proxy", 68, over=TCP, low=1),
        _text("socks_username", 99, over=TCP, high=255),
        _text("socks_password", 100, over=TCP, high=255, secret=True),
        _text("metadata", 95, over=CONNECTED, low=4, form=r"X-[^:]*:.+", doc="written X-name:value"),
        _on("loopback_fastpath", 94, over=TCP, doc="Windows only"),
        _number("priority", 112, draft=True),
        _number("busy_poll", 113, draft=True),
        _size("in_batch_size", 101, over=WIRED, low=1, draft=True),
        _size("out_batch_size", 102, over=WIRED, low=1, draft=True),
        # Multicast
        _number("rate", 8, over=GROUPS, low=1, doc=f"kilobits per second, {MULTICAST}"),
        _time("recovery_ivl", 9, over=GROUPS, doc=MULTICAST),
        _number("multicast_hops", 25, over=GROUPS | {"udp"}, low=1, doc=MULTICAST),
        _size("multicast_maxtpdu", 84, over=GROUPS | {"udp"}, low=1, doc=MULTICAST),
        _on("multicast_loop", 96, over=GROUPS | {"udp"}, doc=MULTICAST),
        # Security
        _flag("curve_server", 47, over=CONNECTED, needs="curve"),
        _key("curve_publickey", 48, over=CONNECTED),
        _key("curve_secretkey", 49, over=CONNECTED, secret=True),
        _key("curve_serverkey", 50, over=CONNECTED),
        _flag("plain_server", 44, over=CONNECTED),
        _text("plain_username", 45, over=CONNECTED, low=1, high=255),
        _text("plain_password", 46, over=CONNECTED, low=1, high=255, secret=True),
        _text("zap_domain", 55, over=CONNECTED, low=1, high=255),
        _on("zap_enforce_domain", 93, over=CONNECTED),
        _flag("gssapi_server", 62, needs="gssapi"),
        _flag("gssapi_plaintext", 65, needs="gssapi"),
        _text("gssapi_principal", 63, low=1, high=255, needs="gssapi"),
        _text("gssapi_service_principal", 64, low=1, high=255, needs="gssapi"),
        _number("gssapi_principal_nametype", 90, high=2, needs="gssapi"),
        _number("gssapi_service_principal_nametype", 91, high=2, needs="gssapi"),
        # Transports that are rarely compiled in
        _size("vmci_buffer_size", 85, high=INT64_MAX, needs="vmci"),
        _size("vmci_buffer_min_size", 86, high=INT64_MAX, needs="vmci"),
        _size("vmci_buffer_max_size", 87, high=INT64_MAX, needs="vmci"),
        _time("vmci_connect_timeout", 88, infinite=True, needs="vmci"),
        _text("wss_key_pem", 103, low=1, needs="wss", secret=True),
        _text("wss_cert_pem", 104, low=1, needs="wss"),
        _text("wss_trust_pem", 105, low=1, needs="wss"),
        _text("wss_hostname", 106, low=1, needs="wss"),
        _flag("wss_trust_system", 107, needs="wss"),
        _number("norm_mode", 117, high=4, draft=True, needs="norm"),
        _flag("norm_unicast_nack", 118, draft=True, needs="norm"),
        _size("norm_buffer_size", 119, low=1, unit="kB", draft=True, needs="norm"),
        _size("norm_segment_size", 120, low=1, draft=True, needs="norm"),
        _number("norm_block_size", 121, low=1, high=255, draft=True, needs="norm"),
        _number("norm_num_parity", 122, high=254, draft=True, needs="norm"),
        _number("norm_num_autoparity", 123, high=254, draft=True, needs="norm"),
        _flag("norm_push", 124, draft=True, needs="norm"),
        # To be read only
        _read("rcvmore", 13),
        _read("fd", 14),
        _read("events", 15),
        _read("type", 16),
        _text("last_endpoint", 32, readonly=True),
        _read("mechanism", 43),
        _read("thread_safe", 81),
        _read("topics_count", 116, draft=True),
    )
}

PSEUDO: dict[str, Option] = {
    row.name: row
    for row in (
        _number("hwm", 0, live=True, stands_for=("sndhwm", "rcvhwm"), doc="the high water mark of both directions"),
        _bytes("prefix", 0, sides=frozenset({"monitor"}), values=2, doc="what goes before the copies of each side"),
    )
}
"""Words of ours that stand where options stand, and are none of libzmq's."""

ALIASES: dict[str, str] = {
    "identity": "routing_id",
    "connect_rid": "connect_routing_id",
    "delay_attach_on_connect": "immediate",
    "fail_unroutable": "router_mandatory",
    "router_behavior": "router_mandatory",
}
"""Older names in zmq.h, and what they are called now."""

Z85 = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#")

WRITTEN: dict[ValueKind, frozenset[str]] = {
    "int": frozenset({"int"}),
    "bool": frozenset({"int", "bool"}),
    "duration": frozenset({"duration"}),
    "size": frozenset({"size"}),
    "bytes": frozenset({"text"}),
    "text": frozenset({"text"}),
    "key": frozenset({"text"}),
}
"""Which kinds of written value each kind of option takes."""


def known(name: str) -> Option | None:
    """The option of that name, libzmq's or ours."""
    return OPTIONS.get(name) or PSEUDO.get(name)


def is_secret(name: str) -> bool:
    """Whether the value of an option is never shown. What there is not may be a secret with a slip in its name."""
    row = known(name)
    return row is None or row.secret


def fits(option: Option, kind: str, value: int | bytes) -> bool:
    """Whether a value written as `kind` is of the kind that the option takes. 0 and -1 need no unit."""
    if kind == "any":
        return option.name == "routing_id"
    if kind == "int" and option.kind in ("duration", "size"):
        return value in (0, -1)
    return kind in WRITTEN[option.kind]


def in_range(option: Option, value: int | bytes) -> bool:
    """Whether libzmq takes the value: durations in milliseconds, sizes in bytes."""
    if isinstance(value, bytes):
        return _right_length(option, value)
    if value == -1 and option.infinite:
        return True
    if value % _step(option):
        return False
    counted = value // _step(option)
    return option.low <= counted and (option.high is None or counted <= option.high)


def _right_length(option: Option, value: bytes) -> bool:
    if option.kind == "key":
        return len(value) == 32 or (len(value) == 40 and Z85.issuperset(value))
    if option.form and not re.fullmatch(option.form.encode(), value):
        return False
    return option.low <= len(value) and (option.high is None or len(value) <= option.high)


def _step(option: Option) -> int:
    """How many milliseconds or bytes libzmq counts as one."""
    return {"": 1, "ms": 1, "s": 1000, "kB": 1000}[option.unit]


def native(option: Option, value: int | bytes) -> int | bytes:
    """The value as libzmq takes it, from milliseconds, bytes, or text."""
    if isinstance(value, bytes) or value <= 0:
        return value
    return value // _step(option)


def lacking(option: Option, libzmq: Libzmq) -> str:
    """Why an option cannot be set with this libzmq, or nothing if it can."""
    if option.readonly:
        return "it can be read, but not set"
    if option.needs and option.needs not in libzmq.capabilities:
        return f"{libzmq.name} was built without {option.needs}"
    if option.draft and not libzmq.draft:
        return f"it is a draft, and {libzmq.name} was built without drafts"
    return ""
