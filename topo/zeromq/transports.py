"""Endpoints: the transports, how an address is written in each, and when two of them are one place.

Source: zmq_tcp(7), zmq_ipc(7), zmq_inproc(7) and libzmq's src/socket_base.cpp (`parse_uri`, `check_protocol`).
"""

from __future__ import annotations

import os.path
from pathlib import Path

import msgspec

__all__ = ["TRANSPORTS", "Address", "Transport", "absolute", "for_connecting", "parse", "same_place"]


class Transport(msgspec.Struct, frozen=True):
    """One transport. `ported` ones have an address of the form host:port."""

    name: str
    ported: bool = False
    within: str = "network"
    """How far it reaches: process, host or network."""


TRANSPORTS: dict[str, Transport] = {
    t.name: t
    for t in (
        Transport("tcp", ported=True),
        Transport("ipc", within="host"),
        Transport("inproc", within="process"),
        Transport("tipc"),
        Transport("udp", ported=True),
        Transport("pgm", ported=True),
        Transport("epgm", ported=True),
        Transport("norm", ported=True),
        Transport("ws", ported=True),
        Transport("wss", ported=True),
        Transport("vmci", ported=True),
        Transport("vsock", ported=True),
    )
}

ANY_HOST = frozenset({"*", "0.0.0.0", "[::]", "::", ""})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})


class Address(msgspec.Struct, frozen=True):
    """An endpoint taken apart. `host` and `port` are texts, and empty where the transport has none.

    For tcp with a source address (`tcp://source;host:port`) `source` holds it.
    """

    endpoint: str
    transport: str
    address: str
    host: str = ""
    port: str = ""
    source: str = ""

    @property
    def wild_port(self) -> bool:
        """Whether the system chooses the port (or, with ipc, the path) when this is bound."""
        if self.transport == "ipc":
            return self.address == "*"
        return self.port in ("*", "0")

    @property
    def wild_host(self) -> bool:
        """Whether this means all addresses of the host."""
        return self.transport in TRANSPORTS and TRANSPORTS[self.transport].ported and self.host in ANY_HOST


def parse(endpoint: str) -> Address:
    """Take an endpoint apart. Anything is accepted: whether it is right is asked by the checks."""
    transport, _, address = endpoint.partition("://")
    known = TRANSPORTS.get(transport)
    if known is None or not known.ported:
        return Address(endpoint, transport, address)
    source, semicolon, rest = address.rpartition(";")
    host, colon, port = rest.rpartition(":")
    if not colon:
        host, port = rest, ""
    return Address(endpoint, transport, address, host, port, source if semicolon else "")


def absolute(endpoint: str, folder: Path) -> str:
    """The same endpoint with a relative ipc path made absolute from `folder`. Abstract names and `*` stay."""
    if not endpoint.startswith("ipc://"):
        return endpoint
    path = endpoint[6:]
    if not path or path == "*" or path.startswith(("@", "/")):
        return endpoint
    return "ipc://" + os.path.normpath(os.path.join(folder, path))


def for_connecting(endpoint: str) -> str:
    """The endpoint by which a socket on the same host connects to one that bound `endpoint`: wildcards become loopback."""
    address = parse(endpoint)
    if not address.wild_host:
        return endpoint
    host = "[::1]" if address.host in ("[::]", "::") else "127.0.0.1"
    return f"{address.transport}://{host}:{address.port}"


def same_place(connect: Address, bind: Address) -> bool:
    """Whether a connect to the one reaches, on the same host, the other."""
    if connect.transport != bind.transport:
        return False
    if not TRANSPORTS[bind.transport].ported if bind.transport in TRANSPORTS else True:
        return connect.address == bind.address
    if connect.port != bind.port:
        return False
    if connect.host == bind.host:
        return True
    return (bind.host in ANY_HOST and connect.host in LOOPBACK | ANY_HOST) or (connect.host in LOOPBACK and bind.host in LOOPBACK)
