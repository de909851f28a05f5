"""Endpoints: the transports, how an address is written in each, what is wrong with one, and when two are one place.

Source: zmq_tcp(7), zmq_ipc(7), zmq_inproc(7) and libzmq's src/socket_base.cpp (`parse_uri`, `check_protocol`) and
src/ip_resolver.cpp; the tests run each judgment against real sockets.

libzmq says nothing about many mistakes: a port goes through `atoi` into 16 bits, so 70000 binds 4464 and `5733x` binds
5733; a connect to port 0, to `ipc://*` or to a name that does not exist is accepted and retried for ever. `flaw` finds
them all, so that a check need only say them.
"""

from __future__ import annotations

import os.path
import re
import socket
from pathlib import Path
from typing import Literal

import msgspec

__all__ = [
    "ANY_HOST",
    "LOOPBACK",
    "TRANSPORTS",
    "Address",
    "Flaw",
    "Transport",
    "Use",
    "absolute",
    "bound_keys",
    "canonical_port",
    "claims",
    "flaw",
    "for_connecting",
    "interface",
    "is_local",
    "numeric",
    "parse",
    "path_length",
    "reached_keys",
    "same_place",
]


class Transport(msgspec.Struct, frozen=True):
    """One transport. `ported` ones have an address of the form host:port."""

    name: str
    ported: bool = False
    within: Literal["process", "host", "network"] = "network"
    """How far it reaches."""
    types: frozenset[str] | None = None
    """The socket types that speak it; None for all."""


MULTICAST = frozenset({"PUB", "SUB", "XPUB", "XSUB"})

TRANSPORTS: dict[str, Transport] = {
    t.name: t
    for t in (
        Transport("tcp", ported=True),
        Transport("ipc", within="host"),
        Transport("inproc", within="process"),
        Transport("tipc"),
        Transport("udp", ported=True, types=frozenset({"RADIO", "DISH", "DGRAM"})),
        Transport("pgm", ported=True, types=MULTICAST),
        Transport("epgm", ported=True, types=MULTICAST),
        Transport("norm", ported=True, types=MULTICAST),
        Transport("ws", ported=True),
        Transport("wss", ported=True),
        Transport("vmci", ported=True),
        Transport("vsock", ported=True),
    )
}

ANY_HOST = frozenset({"*", "0.0.0.0", "[::]", "::", ""})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
"""What is usually written for this host; see `is_local` for all of them."""
WEBSOCKET = ("ws", "wss")
ADDRESSED_BY_NUMBER = ("vmci", "vsock")
"""Ported transports whose hosts and ports are numbers of their own."""

INTERFACE = re.compile(
    r"lo\d?|(?:eth|wlan|docker|br|bond|tun|tap|virbr|ib|usb|wg|ppp)\d+|en\d+|(?:en|wl|ww)(?:[opsx]\w+)|(?:br-|veth)[0-9a-f]{7,12}"
)
"""What interfaces are usually called: by the kernel, systemd.net-naming-scheme(7), macOS, Docker."""
BLANK = re.compile(r"\s")
NUMBERS = re.compile(r"[0-9.]+")

Use = Literal["bind", "connect"]


class Address(msgspec.Struct, frozen=True, gc=False):
    """An endpoint taken apart. `host` and `port` are texts, and empty where the transport has none.

    For tcp with a source address (`tcp://source;host:port`) `source` holds it.
    """

    endpoint: str
    transport: str
    address: str
    host: str = ""
    port: str = ""
    source: str | None = None

    ported: bool = False
    """Whether it has the form host:port."""
    wild_port: bool = False
    """Whether the system chooses the port (or, with ipc, the path) when this is bound."""

    @property
    def wild_host(self) -> bool:
        """Whether this means all addresses of the host."""
        return self.ported and self.host in ANY_HOST

    @property
    def ipv6(self) -> bool:
        """Whether the host is written as an IPv6 address."""
        return self.ported and ":" in self.host


class Flaw(msgspec.Struct, frozen=True, gc=False):
    """Why an endpoint cannot do. `part` is the piece of it that is wrong, `why` says what libzmq does with it."""

    kind: Literal["form", "transport", "port", "wild"]
    part: str
    why: str
    grave: bool = True
    """Not so if it may work all the same."""


def parse(endpoint: str) -> Address:
    """Take an endpoint apart. Anything is accepted: what is wrong with it, `flaw` says."""
    transport, _, address = endpoint.partition("://")
    known = TRANSPORTS.get(transport)
    if known is None or not known.ported:
        return Address(endpoint, transport, address, wild_port=transport == "ipc" and address == "*")
    source, semicolon, rest = address.rpartition(";")
    place = rest.partition("/")[0] if transport in WEBSOCKET else rest
    host, colon, port = place.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = place, ""
    return Address(endpoint, transport, address, host, port, source if semicolon else None, True, port in ("*", "0"))


# What is wrong


def flaw(address: Address, use: Use) -> Flaw | None:
    """The first thing that is wrong with an endpoint for this use, whatever libzmq says of it."""
    transport = TRANSPORTS.get(address.transport)
    if transport is None or not address.address:
        return _form_flaw(address)
    if transport.name == "ipc":
        return _path_flaw(address, use)
    if not transport.ported or transport.name in ADDRESSED_BY_NUMBER:
        return None
    return _source_flaw(address, use) or _host_flaw(address, use) or _port_flaw(address, use)


def _form_flaw(address: Address) -> Flaw:
    if "://" not in address.endpoint:
        return Flaw("form", address.endpoint, "an endpoint has the form transport://address")
    if not address.transport:
        return Flaw("form", address.endpoint, "it names no transport")
    if address.transport not in TRANSPORTS:
        return Flaw("transport", address.transport, "libzmq has no such transport")
    return Flaw("form", address.endpoint, "it has no address")


def _path_flaw(address: Address, use: Use) -> Flaw | None:
    if address.address == "@":
        return Flaw("form", "@", "an abstract socket has a name after the `@`")
    if address.address == "*" and use == "connect":
        return Flaw("wild", "*", "libzmq looks for a file that is called `*`")
    if address.address.endswith("/"):
        return Flaw("form", address.address, "a path that ends with `/` is a folder, not a file")
    return None


def _source_flaw(address: Address, use: Use) -> Flaw | None:
    source = address.source
    if source is None or address.transport != "tcp":
        return None
    if use == "bind":
        return Flaw("form", source, "a source address is for connecting; bind ignores it")
    if not source or ":" not in source.rpartition("]")[2] or source.startswith("*:"):
        return Flaw("form", source or ";", "a source address is an address of this host with a port, which may be 0")
    return None


def _host_flaw(address: Address, use: Use) -> Flaw | None:
    host = address.host
    if host.startswith("[") != host.endswith("]") or host == "[]":
        return Flaw("form", host, "brackets go around an IPv6 address")
    if host.startswith("[") and ":" not in host:
        return Flaw("form", host, "brackets go around an IPv6 address, and around nothing else", grave=False)
    if BLANK.search(host):
        return Flaw("form", host, "a host has no blanks")
    if not host:
        return Flaw("wild" if use == "connect" else "form", address.endpoint, "it names no host")
    if use == "connect" and host in ANY_HOST:
        if host == "*":
            return Flaw("wild", host, "`*` is all addresses of a host, which can be bound, not connected to")
        return Flaw("wild", host, f"{host} is an address to bind; where a connect to it goes, the system decides", grave=False)
    return None


def _port_flaw(address: Address, use: Use) -> Flaw | None:
    port = address.port
    if not port:
        return Flaw("port", address.endpoint, "it has no port")
    if port in ("*", "0"):
        return Flaw("wild", port, "a port that the system chooses can be bound, not connected to") if use == "connect" else None
    if port.isascii() and port.isdigit():
        number = int(port) if len(port) < 20 else 10**20
        if 1 <= number <= 65535:
            return None
        if number == 0:
            return Flaw("port", port, "write 0 or `*` for a port that the system chooses")
        return Flaw("port", port, f"ports go from 1 to 65535; libzmq would take {number % 65536}")
    digits = _leading_digits(port)
    if digits:
        return Flaw("port", port, f"a port is a number from 1 to 65535; libzmq would take {digits % 65536}")
    return Flaw("port", port, "a port is a number from 1 to 65535")


def _leading_digits(port: str) -> int:
    """What `atoi` makes of it."""
    digits = ""
    for character in port:
        if not (character.isascii() and character.isdigit()):
            break
        digits += character
    return int(digits[:20]) if digits else 0


def path_length(address: Address) -> int:
    """How many bytes of a socket's path an ipc endpoint takes; 0 for any other, and for one that the system chooses."""
    if address.transport != "ipc" or address.address == "*":
        return 0
    return len(os.fsencode(address.address))


# Where it is


def absolute(endpoint: str, folder: Path) -> str:
    """The same endpoint with a relative ipc path made absolute from `folder`. Abstract names and `*` stay."""
    if not endpoint.startswith("ipc://"):
        return endpoint
    path = endpoint[6:]
    if not path or path == "*" or path.startswith(("@", "/")):
        return endpoint
    return "ipc://" + os.path.normpath(os.path.join(folder, path))


def for_connecting(endpoint: str) -> str:
    """The endpoint by which a socket on the same host connects to one that bound `endpoint`: wildcards become loopback.

    That of IPv6 too becomes 127.0.0.1: libzmq binds `[::]` for both, and a socket without the option ipv6 cannot reach `[::1]`.
    """
    address = parse(endpoint)
    return f"{address.transport}://127.0.0.1:{address.port}" if address.wild_host else endpoint


def canonical_host(host: str) -> str:
    """One spelling for each host: without brackets, in lower case, `localhost` and the interface `lo` as a number."""
    host = host.removeprefix("[").removesuffix("]").lower()
    if host in ("localhost", "lo"):
        return "127.0.0.1"
    if ":" in host:
        try:
            return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host))
        except OSError:
            return host
    return host


def canonical_port(port: str) -> str:
    """One spelling for each port: without leading zeros."""
    return str(int(port)) if port[:1] == "0" and port.isascii() and port.isdigit() and len(port) < 20 else port


def interface(host: str) -> bool:
    """Whether a host is called as interfaces usually are, perhaps with a VLAN behind it: `eth0`, `enp3s0.100`."""
    name, _, vlan = host.partition(".")
    return INTERFACE.fullmatch(name) is not None and (not vlan or vlan.isdecimal())


def numeric(host: str) -> str | None:
    """The address that a host written in numbers is to the system, in its usual spelling; "" if it is none, None for a name.

    `10.1` is 10.0.0.1, a leading zero makes a number octal, and one number is the whole address.
    """
    if host.startswith("["):
        return _numeric(socket.AF_INET6, host)
    if not NUMBERS.fullmatch(host):
        return None
    return _numeric(socket.AF_INET, host)


def _numeric(family: socket.AddressFamily, host: str) -> str:
    try:
        if family == socket.AF_INET:
            return socket.inet_ntoa(socket.inet_aton(host))
        address, percent, zone = host[1:-1].partition("%")
        socket.inet_pton(family, address)
    except OSError:
        return ""
    return host if not percent or zone else ""


def is_local(address: Address) -> bool:
    """Whether it can only be a place on this host: loopback, ipc, inproc."""
    if not address.ported:
        return address.transport in TRANSPORTS and TRANSPORTS[address.transport].within != "network"
    host = canonical_host(address.host)
    return host in ("0.0.0.0", "::", "::1") or (host.startswith("127.") and host.count(".") == 3)


def families(address: Address, ipv6: bool) -> tuple[str, ...]:
    """The IP versions over which an address that is bound is reached. `ipv6` is the option of its socket."""
    if address.host == "*":
        return ("4", "6") if ipv6 else ("4",)
    if canonical_host(address.host) == "::":
        return ("4", "6")
    return ("6",) if address.ipv6 else ("4",)


def bound_keys(address: Address, ipv6: bool = False) -> tuple[str, ...]:
    """The places where one that bound this is found, on its host; for inproc, in its process."""
    if not address.ported:
        return (f"{address.transport}://{address.address}",)
    port = canonical_port(address.port)
    if address.host in ANY_HOST:
        return tuple(f"{address.transport}{family}://*:{port}" for family in families(address, ipv6))
    return (f"{address.transport}://{canonical_host(address.host)}:{port}",)


def reached_keys(address: Address) -> tuple[str, ...]:
    """The places in which a connect to this finds who bound it: the address itself, and all addresses of this host."""
    if not address.ported:
        return (f"{address.transport}://{address.address}",)
    port, host = canonical_port(address.port), canonical_host(address.host)
    if not is_local(address):
        return (f"{address.transport}://{host}:{port}",)
    family = "6" if ":" in host else "4"
    itself = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return (f"{address.transport}://{itself}:{port}", f"{address.transport}{family}://*:{port}")


def claims(address: Address, ipv6: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a bind takes, and what must not be taken by another: all addresses of a host exclude each single one."""
    keys = bound_keys(address, ipv6)
    if not address.ported:
        return keys, keys
    port, over = canonical_port(address.port), families(address, ipv6)
    some = tuple([f"{address.transport}{family}://one:{port}" for family in over])
    if address.wild_host:
        return keys, (*keys, *some)
    every = tuple([f"{address.transport}{family}://*:{port}" for family in over])
    return (*keys, *some), (*every, *keys)


def same_place(connect: Address, bind: Address, ipv6: bool = False) -> bool:
    """Whether a connect to the one reaches, on the same host, the other. `ipv6` is the option of the one that binds."""
    return not set(reached_keys(connect)).isdisjoint(bound_keys(bind, ipv6))
