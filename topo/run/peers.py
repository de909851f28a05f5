"""How many peers the sockets of devices have at this moment, asked of the kernel by whoever wants to know.

A socket that has bound an address has the connections that were accepted there; one that connects has a connection that its
process has made to that address, or none yet. Both stand in the kernel's tables. So it costs nothing while nobody looks, it
takes no descriptor of a device, and those who connected long ago are counted too; socket monitors of libzmq fail in all three.

What a table cannot tell is None: inproc and what is neither tcp nor ipc, processes in another network, names of hosts, systems
other than Linux; and, where several sockets of a process connect to one address and not all have got there, which of them have.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from topo.run.snapshot import DeviceSnapshot
from topo.zeromq.transports import ANY_HOST, Address, canonical_host, numeric, parse

__all__ = ["Network", "count_peers"]

ESTABLISHED, CLOSE_WAIT = "01", "08"
OPEN = frozenset({ESTABLISHED, CLOSE_WAIT})
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
UNIX_DIAG_REQUEST = struct.Struct("=BBHIIIII")
UNIX_DIAG_ANSWER = struct.Struct("=BBBBIII")
NETLINK_HEADER = struct.Struct("=IHHII")
ATTRIBUTE = struct.Struct("=HH")
DUMP_REQUEST, ERROR, DONE = 0x301, 2, 3
SHOW_NAME_FILE_AND_PEER = 0b111
NAME, FILE, PEER, SHUTDOWN = 0, 1, 2, 6
LARGEST_ANSWER = 1 << 18

Place = tuple[str, int] | tuple[int, int] | bytes
"""Where a connection leads: host and port, device and inode of a file, or an abstract name."""


class Connection(NamedTuple):
    """An end of a connection: the number of its socket, and the places of this end and of the other, where they have one."""

    inode: int
    here: Place | None
    there: Place | None


class Network:
    """What the kernel knows of connections at one moment. It is asked once, for as much as is wanted."""

    def accepted(self, address: Address) -> int | None:
        """How many connections were accepted at an address that is bound on this host."""
        place = place_of(address)
        if place is None:
            return None
        if address.ported:
            return self._at_ports[int(address.port)] if address.wild_host else self._at_places[place]
        return None if self._unix is None else self._at_places[place]

    def held(self, address: Address) -> frozenset[int] | None:
        """The numbers of the connections accepted at an address that are still open here, though the other end may have gone.

        None if that is not to be known.
        """
        place = place_of(address)
        if place is None:
            return None
        if address.ported:
            port = int(address.port) if address.wild_host else None
            tcp = ((c.inode, c.here) for c in _tcp_connections(OPEN) if isinstance(c.here, tuple))
            return frozenset(inode for inode, here in tcp if here == place or here[1] == port)
        try:
            return frozenset(c.inode for c in _unix_connections(left=True) if c.here == place)
        except OSError:
            return None  # a kernel without it

    def made(self, pid: int) -> Counter[Place] | None:
        """How many connections a process has made, by the place where they lead. None if that is not to be known."""
        ours = _sockets_of(pid)
        if ours is None or self._unix is None:
            return None
        return Counter(c.there for c in (*self._tcp, *self._unix) if c.inode in ours and c.there is not None)

    @cached_property
    def _tcp(self) -> tuple[Connection, ...]:
        return tuple(_tcp_connections())

    @cached_property
    def _unix(self) -> tuple[Connection, ...] | None:
        try:
            return tuple(_unix_connections())
        except OSError:
            return None  # a kernel without it

    @cached_property
    def _at_places(self) -> Counter[Place]:
        return Counter(c.here for c in (*self._tcp, *(self._unix or ())) if c.here is not None)

    @cached_property
    def _at_ports(self) -> Counter[int]:
        return Counter(c.here[1] for c in self._tcp if isinstance(c.here, tuple))


def count_peers(devices: Iterable[DeviceSnapshot], network: Network | None = None) -> dict[str, int | None]:
    """How many peers each socket has, by its id; None where that is not to be known."""
    network = network or Network()
    by_pid: dict[int | None, list[DeviceSnapshot]] = {}
    for device in devices:
        by_pid.setdefault(device.pid, []).append(device)
    peers: dict[str, int | None] = {}
    for pid, group in by_pid.items():
        if pid is None or not _shares_network(pid):
            peers.update((s.id, None) for device in group for s in device.sockets)
        else:
            peers.update(_of_process(pid, group, network))
    return peers


def _of_process(pid: int, devices: Iterable[DeviceSnapshot], network: Network) -> Iterator[tuple[str, int | None]]:
    sockets = [s for device in devices for s in device.sockets]
    wanted = Counter(place_of(parse(endpoint)) for s in sockets for endpoint in s.connected)
    made = network.made(pid) if wanted else None
    for s in sockets:
        counts = [network.accepted(parse(endpoint)) for endpoint in s.bound]
        counts += [_reached(place_of(parse(endpoint)), wanted, made) for endpoint in s.connected]
        known = [count for count in counts if count is not None]
        yield s.id, sum(known) if len(known) == len(counts) else None


def _reached(place: Place | None, wanted: Mapping[Place | None, int], made: Counter[Place] | None) -> int | None:
    """Whether one of the sockets that connect to a place is there: all are, or none is, or nobody can say which."""
    if place is None or made is None:
        return None
    return {0: 0, wanted[place]: 1}.get(min(made[place], wanted[place]))


def place_of(address: Address) -> Place | None:
    """Where an address is, as the kernel has it; None if the kernel has it by no such name."""
    if address.transport == "tcp":
        return _place_of_port(address)
    if address.transport != "ipc":
        return None
    if address.address.startswith("@"):
        return os.fsencode(address.address[1:])
    try:
        found = os.stat(address.address)
    except OSError:
        return None
    return _file(found.st_ino, os.major(found.st_dev) << 20 | os.minor(found.st_dev))


def _place_of_port(address: Address) -> Place | None:
    host: str | None = canonical_host("127.0.0.1" if address.host in ANY_HOST else address.host).partition("%")[0]
    if host and ":" not in host:
        host = numeric(host)
    return (host, int(address.port)) if host and address.port.isdecimal() else None


def _file(inode: int, device: int) -> tuple[int, int]:
    """A file, as the kernel's tables name it: with as much of its number as there is room for."""
    return device, inode & 0xFFFFFFFF


def _shares_network(pid: int) -> bool:
    """Whether the tables here are that process's, too."""
    try:
        return sys.platform == "linux" and os.path.samefile(f"/proc/{pid}/ns/net", "/proc/self/ns/net")
    except OSError:
        return False  # it has ended, or is somebody else's


def _sockets_of(pid: int) -> set[int] | None:
    """The numbers of the sockets that a process has open."""
    found: set[int] = set()
    try:
        handles = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return None
    for handle in handles:
        with suppress(OSError):  # closed by now
            kind, _, number = os.readlink(f"/proc/{pid}/fd/{handle}").partition(":")
            if kind == "socket":
                found.add(int(number[1:-1]))
    return found


# The kernel's tables


def _tcp_connections(states: Collection[str] = (ESTABLISHED,)) -> Iterator[Connection]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(FileNotFoundError):  # a kernel without IPv6
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                fields = line.split(None, 10)
                if fields[3] in states and fields[9] != "0":  # 0: nobody has accepted it yet
                    yield Connection(int(fields[9]), _host_and_port(fields[1]), _host_and_port(fields[2]))


def _host_and_port(text: str) -> tuple[str, int]:
    """Hexadecimal words in this machine's byte order, and a port. IPv4 stays what it is when it is written as IPv6."""
    host, port = text.split(":")
    raw = b"".join(struct.pack("=I", int(host[n : n + 8], 16)) for n in range(0, len(host), 8))
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, raw).removeprefix("::ffff:"), int(port, 16)


def _unix_connections(left: bool = False) -> Iterator[Connection]:
    """Connections of Unix sockets, by sock_diag(7): /proc/net/unix neither knows who is at the other end nor which file it is.

    Those that the other end has `left` are among them only if they are wanted.
    """
    places: dict[int, Place] = {}
    ends: list[tuple[int, int]] = []
    for inode, attributes in _unix_sockets():
        if FILE in attributes:
            places[inode] = _file(*struct.unpack("=II", attributes[FILE]))
        elif attributes.get(NAME, b"").startswith(b"\0"):
            places[inode] = attributes[NAME][1:]
        if PEER in attributes and inode and (left or attributes.get(SHUTDOWN, b"\0") == b"\0"):  # without: waits to be accepted
            ends.append((inode, struct.unpack("=I", attributes[PEER])[0]))
    for inode, peer in ends:
        yield Connection(inode, places.get(inode), places.get(peer))


def _unix_sockets() -> Iterator[tuple[int, dict[int, bytes]]]:
    """Every stream socket that is connected: its number, and what is told of it."""
    connected = 1 << int(ESTABLISHED, 16)
    request = UNIX_DIAG_REQUEST.pack(socket.AF_UNIX, 0, 0, connected, 0, SHOW_NAME_FILE_AND_PEER, 0xFFFFFFFF, 0xFFFFFFFF)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as asking:
        length = NETLINK_HEADER.size + len(request)
        asking.send(NETLINK_HEADER.pack(length, SOCK_DIAG_BY_FAMILY, DUMP_REQUEST, 1, 0) + request)
        while True:
            for kind, body in _messages(asking.recv(LARGEST_ANSWER)):
                if kind == DONE:
                    return
                if kind == ERROR:
                    number = -struct.unpack_from("=i", body)[0]
                    raise OSError(number, os.strerror(number))
                yield UNIX_DIAG_ANSWER.unpack_from(body)[4], dict(_attributes(body[UNIX_DIAG_ANSWER.size :]))


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(data):
        length, kind, *_ = NETLINK_HEADER.unpack_from(data, start)
        yield kind, data[start + NETLINK_HEADER.size : start + length]
        start += length + 3 & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(data):
        length, name = ATTRIBUTE.unpack_from(data, start)
        yield name, data[start + ATTRIBUTE.size : start + length]
        start += length + 3 & ~3
