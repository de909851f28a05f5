"""Looking at this host: which of the things that a topology wants of it are not to be had.

Nothing is changed, and nobody notices. Whether a port can be bound is asked of the kernel, by binding it without listening; so
whatever the reason is why it cannot, the answer is the one that the start would get. At an ipc path one connects, as anybody
would. The names of hosts are all looked up at once, and not waited for beyond a certain time.
"""

from __future__ import annotations

import errno
import os
import queue
import resource
import shutil
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from topo.host import OVER_TCP, Command, Endpoint, Host, Refused, Wanted
from topo.run import claims
from topo.run.apps import search_path
from topo.zeromq.transports import Address, numeric, parse

__all__ = ["survey"]

PATIENCE = 2.0
"""How many seconds the names of hosts are looked up for."""
AT_ONCE = 8
"""How many of them at one time."""
PORTS = Path("/proc/sys/net/ipv4")

Names = Mapping[str, str | None]
"""Names of hosts, and an address of each; None if there is none. One for which no answer came is missing."""


def survey(wanted: Wanted, patience: float = PATIENCE, environment: Mapping[str, str] = os.environ) -> Host:
    """What this host says to what a topology wants of it."""
    names = _look_up(sorted(wanted.names - _interfaces()), patience)
    answers = {endpoint: _bind(endpoint, names) for endpoint in wanted.binds}
    outgoing, reserved = _outgoing()
    return Host(
        refused={endpoint: answer for endpoint, answer in answers.items() if isinstance(answer, Refused)},
        left=frozenset(endpoint for endpoint, answer in answers.items() if answer == "left"),
        unknown=frozenset(name for name, address in names.items() if address is None),
        missing={command: number for command in wanted.commands if (number := _command(command, environment))},
        outgoing=outgoing,
        reserved=reserved,
        descriptors=_descriptors(),
    )


# Endpoints


def _bind(endpoint: Endpoint, names: Names) -> Refused | str | None:
    """Why an endpoint cannot be bound; `left` if a dead socket lies there."""
    address = parse(endpoint.text)
    try:
        if address.transport == "ipc":
            return _bind_path(address.address)
        if address.transport in OVER_TCP:
            _bind_port(address, endpoint.ipv6, names)
    except OSError as error:
        number = error.errno or 0
        return Refused(number, claims.holder(endpoint.text) if number == errno.EADDRINUSE else None)
    return None


def _bind_port(address: Address, ipv6: bool, names: Names) -> None:
    """Bind a port, and let go of it. OSError if that cannot be done."""
    host = _numeric_host(address.host, ipv6, names)
    if host is None:
        return  # a name of which nothing is known yet
    port = 0 if address.wild_port else int(address.port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as libzmq does
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        ((*_, place),) = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
        probe.bind(place)


def _numeric_host(host: str, ipv6: bool, names: Names) -> str | None:
    """The address that libzmq binds for a host as it is written. OSError if there is none, None if that is not known."""
    if host == "*":
        return "::" if ipv6 and socket.has_ipv6 else "0.0.0.0"
    if ":" in host:
        return host.removeprefix("[").removesuffix("]")
    if host in _interfaces():
        return _address_of(host)
    if numeric(host) is not None:
        return host
    if host in names and names[host] is None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    return names.get(host)


def _interfaces() -> frozenset[str]:
    return frozenset(name for _, name in socket.if_nameindex())


def _address_of(interface: str) -> str | None:
    """The IPv4 address of an interface; None where the system tells it in another way than Linux."""
    if sys.platform != "linux":
        return None
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
    return socket.inet_ntoa(answer[20:24])


SIOCGIFADDR = 0x8915


def _bind_path(path: str) -> Refused | str | None:
    if path == "*":
        return None
    if path.startswith("@"):
        return Refused(errno.EADDRINUSE, claims.holder(f"ipc://{path}")) if claims.answers(f"\0{path[1:]}") else None
    folder = os.path.dirname(path)
    if not stat.S_ISDIR(os.stat(folder).st_mode):
        return Refused(errno.ENOTDIR)
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None if os.access(folder, os.W_OK | os.X_OK) else Refused(errno.EACCES)
    if not stat.S_ISSOCK(mode):
        return Refused(errno.EISDIR if stat.S_ISDIR(mode) else errno.EEXIST)
    if claims.answers(path):
        return Refused(errno.EADDRINUSE, claims.holder(f"ipc://{path}"))
    return "left" if os.access(folder, os.W_OK | os.X_OK) else Refused(errno.EACCES)


# Names


def _look_up(names: Iterable[str], patience: float) -> dict[str, str | None]:
    """Look up names, until all are known or the time is over. A lookup that hangs is left alone: nobody can end it."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
    count = 0
    for name in names:
        waiting.put(name)
        count += 1

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                name = waiting.get_nowait()
                answers.put((name, _address(name)))

    for _ in range(min(AT_ONCE, count)):
        threading.Thread(target=work, daemon=True).start()
    end = time.monotonic() + patience
    found: dict[str, str | None] = {}
    with suppress(queue.Empty):
        while len(found) < count:
            name, address = answers.get(timeout=max(0.0, end - time.monotonic()))
            found[name] = address
    return found


def _address(name: str) -> str | None:
    """An address of a host, or None if nobody can be asked who knows one: then libzmq finds none either."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


# The rest


def _command(command: Command, environment: Mapping[str, str]) -> int:
    """Why a command cannot be run, or 0."""
    if "/" not in command.word:
        return 0 if shutil.which(command.word, path=search_path(environment)) else errno.ENOENT
    path = os.path.join(command.folder, command.word)
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return error.errno or errno.ENOENT
    if stat.S_ISDIR(mode):
        return errno.EISDIR
    return 0 if os.access(path, os.X_OK) else errno.EACCES


def _outgoing() -> tuple[tuple[int, int], frozenset[int]]:
    """The ports that are given to those who connect, and those of them that are not. None where the system does not tell."""
    try:
        first, last = map(int, (PORTS / "ip_local_port_range").read_text("ascii").split())
        reserved = (PORTS / "ip_local_reserved_ports").read_text("ascii").strip()
    except (OSError, ValueError):
        return (0, -1), frozenset()
    ranges = [part.partition("-") for part in reserved.split(",") if part]
    return (first, last), frozenset(port for low, _, high in ranges for port in range(int(low), int(high or low) + 1))


def _descriptors() -> int:
    """How many files a process may have open, once it asks for all that it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard
