"""The tables of `topo/zeromq/` against the libzmq that is there: what they say is what real sockets do."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from tests.facts.sockets import refusal
from topo.zeromq.libzmq import Libzmq, at_hand
from topo.zeromq.options import ALIASES, INT_MAX, OPTIONS, PSEUDO, Option, fits, in_range, known, native
from topo.zeromq.sockets import OLD_NAMES, PEERS, SOCKETS, compatible
from topo.zeromq.transports import (
    TRANSPORTS,
    absolute,
    bound_keys,
    claims,
    flaw,
    for_connecting,
    is_local,
    parse,
    path_length,
    same_place,
)

STABLE = [t.name for t in SOCKETS.values() if not t.draft]
SPEAKING = [t for t in STABLE if t != "STREAM"]
LIBZMQ = at_hand()

Open = Callable[..., "zmq.Socket[bytes]"]


@pytest.fixture
def make() -> Iterator[Open]:
    """Opens sockets of a type by name, with options, and closes them all in the end."""
    context = zmq.Context()
    sockets: list[zmq.Socket[bytes]] = []

    def open_one(kind: str, **options: int) -> zmq.Socket[bytes]:
        socket = context.socket(getattr(zmq, kind))
        sockets.append(socket)
        socket.linger = 0
        for name, value in options.items():
            socket.set(getattr(zmq, name.upper()), value)
        return socket

    yield open_one
    context.destroy(linger=0)  # what watches a socket is one of its sockets too


def event(socket: zmq.Socket[bytes], wanted: set[str]) -> str:
    """Wait for the first of some events of a monitored socket."""
    monitor = socket.get_monitor_socket()
    while monitor.poll(30_000):
        name = zmq.Event(recv_monitor_message(monitor)["event"]).name
        if name in wanted:
            return name
    raise AssertionError(f"none of {wanted} came in time")


# Options


def test_the_table_has_every_option_that_there_is() -> None:
    ours = {row.number: row.name for row in OPTIONS.values()}
    for option in zmq.SocketOption:
        if option.name not in ("HWM", "BLOCKY"):  # an attribute of pyzmq's, and an option of the context
            assert ours.get(int(option)) == option.name.lower(), option
    assert len(ours) == len(OPTIONS)


def test_aliases_are_numbers_that_pyzmq_has_under_both_names() -> None:
    for old, new in ALIASES.items():
        assert getattr(zmq, old.upper()) == OPTIONS[new].number


def test_words_of_ours_are_no_options_of_libzmq() -> None:
    assert not set(PSEUDO) & set(OPTIONS)
    assert all(name in OPTIONS for row in PSEUDO.values() for name in row.stands_for)
    assert known("hwm") is PSEUDO["hwm"]
    assert known("linger") is OPTIONS["linger"]
    assert known("lingre") is None


SAMPLES: dict[str, tuple[list[bytes], list[bytes]]] = {
    "metadata": ([b"X-a:b"], [b"X-a", b"a:b", b"X-a:"]),
    "tcp_accept_filter": ([b"10.0.0.0/8", b"127.0.0.1"], [b"", b"somewhere"]),
}
"""Texts that must have a form: right ones and wrong ones."""


def samples(option: Option) -> tuple[list[int | bytes], list[int | bytes]]:
    """Values at the ends of what the table allows, and just beyond, as libzmq takes them."""
    if option.name in SAMPLES:
        right, wrong = SAMPLES[option.name]
        return list(right), list(wrong)
    if option.kind == "key":
        return [b"\x80" * 32, b"a" * 40], [b"a" * 31, b"a" * 33, b"a" * 39, b"~" * 40, b"a" * 41]
    if option.kind in ("bytes", "text"):
        high = 1000 if option.high is None else option.high
        outside = ([option.low - 1] if option.low else []) + ([] if option.high is None else [high + 1])
        return [b"x" * option.low, b"x" * high], [b"x" * n for n in outside]
    assert option.high is not None
    infinite = [-1] if option.infinite else []
    below = -2 if infinite and option.low == 0 else option.low - 1
    above = [option.high + 1] if option.high < INT_MAX else []
    return [option.low, option.high, *infinite], [below, *above]


def accepted(socket: zmq.Socket[bytes], option: Option, value: int | bytes) -> bool:
    refused = refusal(lambda: socket.set(option.number, value))
    assert refused in (0, zmq.EINVAL)
    return not refused


def there(option: Option) -> bool:
    return (
        not option.readonly and (LIBZMQ.draft or not option.draft) and (not option.needs or option.needs in LIBZMQ.capabilities)
    )


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda o: o.name)
def test_libzmq_takes_what_the_table_allows_and_nothing_else(option: Option, make: Open) -> None:
    right, wrong = samples(option)
    takers = (option.types or frozenset(SOCKETS)) | option.idle
    for kind in STABLE:
        for value in right:
            assert accepted(make(kind), option, value) == (there(option) and kind in takers), (kind, value)
        if there(option) and kind in takers:
            got_through = [value for value in wrong if accepted(make(kind), option, value)]
            assert bool(got_through) == bool(option.stricter), (kind, got_through)


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda o: o.name)
def test_in_range_says_the_same(option: Option) -> None:
    right, wrong = samples(option)
    step = {"s": 1000, "kB": 1000}.get(option.unit, 1)
    scaled = [v if isinstance(v, bytes) or v <= 0 else v * step for v in right]
    assert all(in_range(option, value) for value in scaled)
    assert [native(option, value) for value in scaled] == right
    assert not any(in_range(option, value if isinstance(value, bytes) else value * step) for value in wrong)


def test_seconds_are_whole() -> None:
    idle = OPTIONS["tcp_keepalive_idle"]
    assert in_range(idle, 60_000)
    assert not in_range(idle, 1_500)
    assert native(idle, 60_000) == 60
    assert native(idle, -1) == -1
    assert native(OPTIONS["linger"], 1_500) == 1_500


@pytest.mark.parametrize(
    ("name", "kind", "value", "expected"),
    [
        ("linger", "duration", 5, True),
        ("linger", "int", 0, True),
        ("linger", "int", -1, True),
        ("linger", "int", 5, False),
        ("linger", "size", 5, False),
        ("linger", "bool", 1, False),
        ("sndbuf", "size", 65536, True),
        ("sndbuf", "int", 65536, False),
        ("sndhwm", "int", 5, True),
        ("sndhwm", "size", 1024, False),
        ("sndhwm", "bool", 1, False),
        ("immediate", "bool", 1, True),
        ("immediate", "int", 1, True),
        ("immediate", "text", b"true", False),
        ("subscribe", "text", b"", True),
        ("subscribe", "int", 1, False),
        ("subscribe", "any", 0, False),
        ("routing_id", "any", 0, True),
        ("curve_publickey", "text", b"x" * 40, True),
    ],
)
def test_kinds_of_values(name: str, kind: str, value: int | bytes, expected: bool) -> None:
    assert fits(OPTIONS[name], kind, value) == expected


# Socket types


def test_the_table_has_every_type_that_pyzmq_has() -> None:
    assert {t.name for t in zmq.SocketType} == set(SOCKETS)
    for old, new in OLD_NAMES.items():
        assert getattr(zmq, old) == getattr(zmq, new)


def test_peers_know_each_other() -> None:
    assert all(a in PEERS[b] for a in PEERS for b in PEERS[a])


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_the_peers_of_each_type_are_those_that_complete_a_handshake(transport: str, make: Open, tmp_path: Path) -> None:
    pairs = list(combinations_with_replacement(SPEAKING, 2))
    assert len(pairs) == 66
    connected = []
    for number, (a, b) in enumerate(pairs):
        bound, other = make(a), make(b, reconnect_ivl=-1)
        bound.bind("tcp://127.0.0.1:*" if transport == "tcp" else f"ipc://{tmp_path}/{number}")
        other.get_monitor_socket()
        other.connect(bound.last_endpoint)
        connected.append(other)
    for (a, b), other in zip(pairs, connected, strict=True):
        outcome = event(other, {"HANDSHAKE_SUCCEEDED", "DISCONNECTED"})
        assert (outcome == "HANDSHAKE_SUCCEEDED") == compatible(a, b), (a, b, outcome)


def test_over_inproc_nobody_asks_for_types(make: Open) -> None:
    pull, dealer = make("PULL"), make("DEALER")
    pull.bind("inproc://any")
    dealer.connect("inproc://any")
    dealer.send(b"it arrives")
    assert pull.recv() == b"it arrives"


@pytest.mark.parametrize("kind", STABLE)
def test_what_a_type_can_do(kind: str, make: Open) -> None:
    socket = make(kind, rcvtimeo=0, sndtimeo=0)
    socket.bind("tcp://127.0.0.1:*")
    facts = SOCKETS[kind]

    may_read = kind == "XPUB" or (facts.receives and kind != "REQ")
    assert (refusal(socket.recv) in (zmq.EAGAIN, 0)) == may_read
    sent = refusal(lambda: socket.send_multipart([b"nobody", b"x"]))
    if facts.turns:
        assert refusal(socket.recv if kind == "REQ" else lambda: socket.send(b"x")) == zmq.EFSM
    elif facts.sends:
        expected = {"block": zmq.EAGAIN, "drop": 0, "refuse": zmq.EHOSTUNREACH}
        assert sent == expected[facts.mute]
    else:
        assert sent == (0 if kind == "XSUB" else zmq.ENOTSUP)


@pytest.mark.skipif(LIBZMQ.draft, reason="this libzmq has the draft types")
def test_a_draft_type_ends_the_process_where_libzmq_has_none() -> None:
    script = (
        "import resource, zmq; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); c = zmq.Context()\n"
        "a, b = c.socket(zmq.SERVER), c.socket(zmq.CLIENT); a.bind('tcp://127.0.0.1:*')\n"
        "b.connect(a.last_endpoint); a.recv()"
    )
    end = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert end.returncode == -signal.SIGABRT


# Endpoints

NEVER = "never connects"

BINDS = [
    # endpoint, flaw, what libzmq does: "bound", "refused", or the port it binds instead
    ("tcp://127.0.0.1:*", None, "bound"),
    ("tcp://127.0.0.1:0", None, "bound"),
    ("tcp://*:*", None, "bound"),
    ("tcp://lo:*", None, "bound"),
    ("tcp://localhost:*", None, "bound"),
    ("inproc://name", None, "bound"),
    ("ipc://*", None, "bound"),
    ("ipc://@ztopo-test", None, "bound"),
    ("name", "form", "refused"),
    ("://name", "form", "refused"),
    ("tcp:/127.0.0.1:0", "form", "refused"),
    ("tcp://", "form", "refused"),
    ("inproc://", "form", "refused"),
    ("ipc://", "form", "refused"),
    ("ipc://@", "form", "refused"),
    ("tcp://:0", "form", "refused"),
    ("tcp://[::1:0", "form", "refused"),
    ("tcp://::1]:0", "form", "refused"),
    ("tcp://127.0.0.1 :0", "form", "refused"),
    ("tcp://0.0.0.0:0;127.0.0.1:0", "form", "bound"),
    ("tcp://[127.0.0.1]:0", "form", "bound"),
    ("tcp://127.0.0.1", "port", "refused"),
    ("tcp://127.0.0.1:", "port", "refused"),
    ("tcp://127.0.0.1:x", "port", "refused"),
    ("tcp://127.0.0.1:00", "port", "refused"),
    ("tcp://127.0.0.1:70000", "port", 4464),
    ("tcp://127.0.0.1:-1", "port", 65535),
    ("tcp://127.0.0.1:4465x", "port", 4465),
    ("tcp://127.0.0.1:4466_1", "port", 4466),
    ("tcp://127.0.0.1:+4467", "port", 4467),
    ("tco://127.0.0.1:0", "transport", "refused"),
    ("TCP://127.0.0.1:0", "transport", "refused"),
]


@pytest.mark.parametrize(("endpoint", "expected", "does"), BINDS)
def test_flaws_of_what_is_bound(endpoint: str, expected: str | None, does: str | int, make: Open) -> None:
    found = flaw(parse(endpoint), "bind")
    assert (found.kind if found else None) == expected
    socket = make("PUSH")
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            pytest.skip(f"somebody holds the port that libzmq takes for {endpoint}")
        assert does == "refused"
    else:
        assert does == "bound" or socket.last_endpoint.endswith(b":%d" % int(does))


CONNECTS = [
    ("tcp://127.0.0.1:PORT", None, "connects"),
    ("tcp://localhost:PORT", None, "connects"),
    ("tcp://127.0.0.1:0PORT", None, "connects"),
    ("tcp://127.0.0.1:0;127.0.0.1:PORT", None, "connects"),
    ("tcp://lo:0;127.0.0.1:PORT", None, "connects"),
    ("tcp://127.0.0.1;127.0.0.1:PORT", "form", NEVER),
    ("tcp://;127.0.0.1:PORT", "form", "refused"),
    ("tcp://*:0;127.0.0.1:PORT", "form", "refused"),
    ("tcp://[127.0.0.1]:PORT", "form", "connects"),
    ("tcp://[127.0.0.1:PORT", "form", NEVER),
    ("tcp://0.0.0.0:PORT", "wild", "connects"),
    ("tcp://*:PORT", "wild", "refused"),
    ("tcp://:PORT", "wild", NEVER),
    ("tcp://127.0.0.1:0", "wild", NEVER),
    ("tcp://127.0.0.1:*", "wild", "refused"),
    ("ipc://*", "wild", NEVER),
    ("ipc://", "form", "refused"),
    ("ipc://@", "form", "refused"),
    ("tcp://127.0.0.1", "port", "refused"),
    ("tcp://127.0.0.1:-1", "port", "refused"),
    ("tcp://127.0.0.1:PORTx", "port", "connects"),
    ("tcp://127.0.0.1:PORT_1", "port", "connects"),
    ("foo://127.0.0.1:1", "transport", "refused"),
]


@pytest.mark.parametrize(("endpoint", "expected", "does"), CONNECTS)
def test_flaws_of_what_is_connected_to(endpoint: str, expected: str | None, does: str, make: Open) -> None:
    server, client = make("PULL"), make("PUSH")
    port = server.bind_to_random_port("tcp://127.0.0.1")
    endpoint = endpoint.replace("PORT", str(port))
    found = flaw(parse(endpoint), "connect")
    assert (found.kind if found else None) == expected
    assert found is None or found.grave == (does != "connects" or found.kind == "port")
    client.get_monitor_socket()
    try:
        client.connect(endpoint)
    except zmq.ZMQError:
        assert does == "refused"
    else:
        outcome = event(client, {"HANDSHAKE_SUCCEEDED", "CONNECT_RETRIED", "CLOSED"})
        assert does == ("connects" if outcome == "HANDSHAKE_SUCCEEDED" else NEVER)


def test_a_port_beyond_the_last_connects_elsewhere(make: Open) -> None:
    server, client = make("PULL"), make("PUSH")
    port = server.bind_to_random_port("tcp://127.0.0.1")
    wrapped = parse(f"tcp://127.0.0.1:{port + 65536}")
    found = flaw(wrapped, "connect")
    assert found is not None
    assert str(port) in found.why
    client.get_monitor_socket()
    client.connect(wrapped.endpoint)
    assert event(client, {"HANDSHAKE_SUCCEEDED", "CONNECT_RETRIED", "CLOSED"}) == "HANDSHAKE_SUCCEEDED"


def has_ipv6() -> bool:
    with zmq.Context() as context, context.socket(zmq.PULL) as probe:
        probe.ipv6 = True
        try:
            probe.bind("tcp://[::1]:*")
        except zmq.ZMQError:
            return False
        return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")

PLACES = [
    ("tcp://127.0.0.1", 0, "tcp://127.0.0.1", True),
    ("tcp://127.0.0.1", 0, "tcp://localhost", True),
    ("tcp://localhost", 0, "tcp://127.0.0.1", True),
    ("tcp://lo", 0, "tcp://127.0.0.1", True),
    ("tcp://*", 0, "tcp://127.0.0.1", True),
    ("tcp://*", 0, "tcp://127.0.0.2", True),
    ("tcp://0.0.0.0", 0, "tcp://localhost", True),
    ("tcp://127.0.0.1", 0, "tcp://127.0.0.2", False),
    ("tcp://127.0.0.1", 0, "tcp://0.0.0.0", True),
    pytest.param("tcp://*", 0, "tcp://[::1]", False, marks=needs_ipv6),
    pytest.param("tcp://*", 1, "tcp://[::1]", True, marks=needs_ipv6),
    pytest.param("tcp://[::]", 1, "tcp://[::1]", True, marks=needs_ipv6),
    pytest.param("tcp://[::]", 1, "tcp://127.0.0.1", True, marks=needs_ipv6),
    pytest.param("tcp://[::1]", 1, "tcp://127.0.0.1", False, marks=needs_ipv6),
    pytest.param("tcp://[::1]", 1, "tcp://[0:0::1]", True, marks=needs_ipv6),
]


@pytest.mark.parametrize(("bind", "ipv6", "connect", "expected"), PLACES)
def test_same_place_is_where_a_connect_arrives(bind: str, ipv6: int, connect: str, expected: bool, make: Open) -> None:
    server = make("PULL", ipv6=ipv6)
    client = make("PUSH", ipv6=int("[" in connect))
    port = server.bind_to_random_port(bind)
    bind, connect = f"{bind}:{port}", f"{connect}:{port}"
    assert same_place(parse(connect), parse(bind), bool(ipv6)) == expected
    client.get_monitor_socket()
    client.connect(connect)
    outcome = event(client, {"HANDSHAKE_SUCCEEDED", "CONNECT_RETRIED", "CLOSED"})
    assert (outcome == "HANDSHAKE_SUCCEEDED") == expected


@needs_ipv6
def test_an_ipv6_address_needs_the_option(make: Open) -> None:
    assert refusal(lambda: make("PULL").bind("tcp://[::1]:*")) == errno.ENODEV
    server, client = make("PULL", ipv6=1), make("PUSH")
    server.bind("tcp://[::1]:*")
    client.get_monitor_socket()
    client.connect(server.last_endpoint)
    assert event(client, {"HANDSHAKE_SUCCEEDED", "CONNECT_RETRIED", "CLOSED"}) != "HANDSHAKE_SUCCEEDED"


@pytest.mark.parametrize(
    ("endpoint", "transport", "host", "port", "source"),
    [
        ("tcp://10.0.0.1:5555", "tcp", "10.0.0.1", "5555", None),
        ("tcp://[::1]:5555", "tcp", "[::1]", "5555", None),
        ("tcp://[::1]", "tcp", "[::1]", "", None),
        ("tcp://[fe80::1%eth0]:*", "tcp", "[fe80::1%eth0]", "*", None),
        ("tcp://eth0:0;10.0.0.1:9701", "tcp", "10.0.0.1", "9701", "eth0:0"),
        ("tcp://host", "tcp", "host", "", None),
        ("ws://host:80/path", "ws", "host", "80", None),
        ("udp://239.0.0.1:5555", "udp", "239.0.0.1", "5555", None),
        ("pgm://eth0;239.0.0.1:5555", "pgm", "239.0.0.1", "5555", "eth0"),
        ("ipc:///run/a:b", "ipc", "", "", None),
        ("inproc://a;b:c", "inproc", "", "", None),
        ("anything", "anything", "", "", None),
    ],
)
def test_parse(endpoint: str, transport: str, host: str, port: str, source: str | None) -> None:
    address = parse(endpoint)
    assert (address.endpoint, address.transport, address.host, address.port, address.source) == (
        endpoint,
        transport,
        host,
        port,
        source,
    )


def test_wildcards() -> None:
    assert parse("ipc://*").wild_port
    assert parse("tcp://127.0.0.1:*").wild_port
    assert parse("tcp://127.0.0.1:0").wild_port
    assert not parse("tcp://*:5").wild_port
    assert parse("tcp://*:5").wild_host
    assert parse("tcp://[::]:5").wild_host
    assert not parse("inproc://*").wild_host
    assert not parse("tcp://127.0.0.1:5").wild_host


def test_for_connecting() -> None:
    assert for_connecting("tcp://*:5555") == "tcp://127.0.0.1:5555"
    assert for_connecting("tcp://0.0.0.0:5555") == "tcp://127.0.0.1:5555"
    assert for_connecting("tcp://[::]:5555") == "tcp://127.0.0.1:5555"
    assert for_connecting("tcp://10.0.0.1:5555") == "tcp://10.0.0.1:5555"
    assert for_connecting("ipc:///run/x") == "ipc:///run/x"
    assert for_connecting("inproc://*") == "inproc://*"


def test_absolute(tmp_path: Path) -> None:
    assert absolute("ipc://run/x", tmp_path) == f"ipc://{tmp_path}/run/x"
    assert absolute("ipc://../x", tmp_path / "sub") == f"ipc://{tmp_path}/x"
    for endpoint in ("ipc:///run/x", "ipc://@name", "ipc://*", "ipc://", "inproc://x", "tcp://*:1"):
        assert absolute(endpoint, tmp_path) == endpoint


def test_is_local() -> None:
    for endpoint in (
        "tcp://127.0.0.1:1",
        "tcp://127.1.2.3:1",
        "tcp://localhost:1",
        "tcp://[::1]:1",
        "tcp://0.0.0.0:1",
        "ipc://x",
        "inproc://x",
    ):
        assert is_local(parse(endpoint)), endpoint
    for endpoint in ("tcp://10.0.0.1:1", "tcp://host:1", "tcp://[fe80::1]:1", "tipc://x", "foo://x", "tcp://127.example:1"):
        assert not is_local(parse(endpoint)), endpoint


def test_places_do_not_mix() -> None:
    assert same_place(parse("ipc:///run/x"), parse("ipc:///run/x"))
    assert not same_place(parse("ipc:///run/x"), parse("inproc:///run/x"))
    assert not same_place(parse("udp://127.0.0.1:5"), parse("tcp://127.0.0.1:5"))
    assert same_place(parse("tcp://LocalHost:05"), parse("tcp://*:5"))
    assert bound_keys(parse("tcp://*:5")) != bound_keys(parse("tcp://*:5"), ipv6=True)


def test_the_longest_ipc_path(make: Open, tmp_path: Path) -> None:
    longest = str(tmp_path) + "/"
    longest += "x" * (LIBZMQ.ipc_path_max - len(longest))
    assert path_length(parse(f"ipc://{longest}")) == LIBZMQ.ipc_path_max
    make("PUSH").bind(f"ipc://{longest}")
    assert refusal(lambda: make("PUSH").bind(f"ipc://{longest}x")) == errno.ENAMETOOLONG
    assert path_length(parse("ipc:///é")) == 3
    assert path_length(parse("ipc://*")) == 0
    assert path_length(parse("tcp://127.0.0.1:1")) == 0


def test_an_abstract_name_has_the_same_length(make: Open) -> None:
    longest = "@" + "y" * (LIBZMQ.ipc_path_max - 1)
    make("PUSH").bind(f"ipc://{longest}")
    assert refusal(lambda: make("PUSH").bind(f"ipc://{longest}y")) == errno.ENAMETOOLONG


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_libzmq_has_the_transports_that_it_says(transport: str, make: Open) -> None:
    kind = next(iter(TRANSPORTS[transport].types or {"PUSH"}))
    kind = kind if kind in STABLE else "PUSH"
    refused = refusal(lambda: make(kind).connect(f"{transport}://127.0.0.1:9"))
    assert (refused == zmq.EPROTONOSUPPORT) == (transport not in LIBZMQ.transports)


def test_multicast_is_not_for_every_type(make: Open) -> None:
    for kind in set(STABLE) - (TRANSPORTS["udp"].types or set()):
        assert refusal(lambda kind=kind: make(kind).connect("udp://127.0.0.1:9")) == zmq.ENOCOMPATPROTO


def test_what_is_pinned_is_the_wheel() -> None:
    if sys.platform == "linux" and LIBZMQ.version == Libzmq().version and not LIBZMQ.draft:
        assert Libzmq().transports - {"tipc"} <= LIBZMQ.transports
        assert Libzmq().ipc_path_max == LIBZMQ.ipc_path_max
    assert LIBZMQ.name == f"libzmq {zmq.zmq_version()}"


CLAIMS = [
    ("*", 0, "127.0.0.1", 0, True),
    ("127.0.0.1", 0, "*", 0, True),
    ("0.0.0.0", 0, "127.0.0.2", 0, True),
    ("127.0.0.1", 0, "127.0.0.2", 0, False),
    ("localhost", 0, "127.0.0.1", 0, True),
    ("lo", 0, "127.0.0.1", 0, True),
    pytest.param("*", 0, "[::1]", 1, False, marks=needs_ipv6),
    pytest.param("*", 1, "[::1]", 1, True, marks=needs_ipv6),
    pytest.param("*", 0, "[::]", 1, True, marks=needs_ipv6),
    pytest.param("[::]", 1, "127.0.0.1", 0, True, marks=needs_ipv6),
    pytest.param("[::1]", 1, "127.0.0.1", 0, False, marks=needs_ipv6),
]


@pytest.mark.parametrize(("first", "first_ipv6", "second", "second_ipv6", "expected"), CLAIMS)
@pytest.mark.skipif(sys.platform != "linux", reason="BSD lets a single address be bound beside all of them")
def test_claims_are_what_the_system_refuses(
    first: str, first_ipv6: int, second: str, second_ipv6: int, expected: bool, make: Open
) -> None:
    owner, other = make("PUSH", ipv6=first_ipv6), make("PUSH", ipv6=second_ipv6)
    port = owner.bind_to_random_port(f"tcp://{first}")
    refused = refusal(lambda: other.bind(f"tcp://{second}:{port}"))
    assert refused in (0, zmq.EADDRINUSE)
    assert bool(refused) == expected
    takes, _ = claims(parse(f"tcp://{first}:{port}"), bool(first_ipv6))
    _, minds = claims(parse(f"tcp://{second}:{port}"), bool(second_ipv6))
    assert bool(set(takes) & set(minds)) == expected


def test_a_second_bind_of_an_ipc_path_takes_it_away(make: Open, tmp_path: Path) -> None:
    first, second, client = make("PULL"), make("PULL"), make("PUSH")
    first.bind(f"ipc://{tmp_path}/x")
    second.bind(f"ipc://{tmp_path}/x")
    client.connect(f"ipc://{tmp_path}/x")
    client.send(b"who gets it?")
    assert second.recv() == b"who gets it?"


def test_an_abstract_name_and_inproc_are_refused_twice(make: Open, tmp_path: Path) -> None:
    for endpoint in (f"ipc://@{tmp_path}", "inproc://x"):
        make("PULL").bind(endpoint)
        assert refusal(lambda endpoint=endpoint: make("PULL").bind(endpoint)) == zmq.EADDRINUSE
