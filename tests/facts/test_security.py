"""Who may connect to whom, as libzmq sees it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from tests.facts.sockets import Open, Socket, event, in_a_child, linked
from topo.zeromq.security import DECIDES, ZAP, key, public_key, security

pytestmark = pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq was built without CURVE")

Options = dict[str, int | bytes]

if zmq.has("curve"):
    SERVER_PUBLIC, SERVER_SECRET = zmq.curve_keypair()
    CLIENT_PUBLIC, CLIENT_SECRET = zmq.curve_keypair()
    OTHER_PUBLIC, _ = zmq.curve_keypair()
else:
    SERVER_PUBLIC = SERVER_SECRET = CLIENT_PUBLIC = CLIENT_SECRET = OTHER_PUBLIC = b""

SERVER: Options = {"curve_server": 1, "curve_secretkey": SERVER_SECRET}
CLIENT: Options = {"curve_serverkey": SERVER_PUBLIC, "curve_publickey": CLIENT_PUBLIC, "curve_secretkey": CLIENT_SECRET}
PLAIN_SERVER: Options = {"plain_server": 1}
PLAIN_CLIENT: Options = {"plain_username": b"me", "plain_password": b"open, sesame"}
ENFORCED: Options = {"zap_enforce_domain": 1}
DOMAIN: Options = {"zap_domain": b"jobs"}

SUCCEEDS, MISMATCH, FAILS, REFUSED = (
    "HANDSHAKE_SUCCEEDED",
    "HANDSHAKE_FAILED_PROTOCOL",
    "HANDSHAKE_FAILED_NO_DETAIL",
    "HANDSHAKE_FAILED_AUTH",
)


def handshake(make: Open, binding: Options, connecting: Options) -> str:
    """How the handshake between two sockets ends, as the one that connects sees it."""
    bound, other = make("PULL", **binding), make("PUSH", reconnect_ivl=-1, **connecting)
    bound.bind("tcp://127.0.0.1:*")
    monitor = other.get_monitor_socket()
    other.connect(bound.last_endpoint)
    return event(monitor, SUCCEEDS, MISMATCH, FAILS, REFUSED)


@contextmanager
def handler(make: Open, status: bytes) -> Iterator[list[bytes]]:
    """A ZAP handler that answers every question so, and notes the mechanisms that it is asked about."""
    answers: Socket = make("REP", rcvtimeo=-1)
    answers.bind(ZAP)
    stop, stopped = make("PAIR"), make("PAIR")
    stop.bind("inproc://stop")
    stopped.connect("inproc://stop")
    asked: list[bytes] = []

    def answer() -> None:
        poller = zmq.Poller()
        for socket in (answers, stopped):
            poller.register(socket, zmq.POLLIN)
        while stopped not in dict(poller.poll()):
            question = answers.recv_multipart()
            asked.append(question[5])
            answers.send_multipart([b"1.0", question[1], status, b"", b"", b""])

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield asked
    finally:
        stop.send(b"")
        thread.join()


def test_the_right_keys_succeed(make: Open) -> None:
    assert handshake(make, SERVER, CLIENT) == SUCCEEDS


def test_the_server_may_connect(make: Open) -> None:
    """ZT702: the role has nothing to do with who binds."""
    assert handshake(make, CLIENT, SERVER) == SUCCEEDS


@pytest.mark.parametrize(("binding", "connecting"), [(SERVER, {}), ({}, CLIENT), (PLAIN_SERVER, CLIENT), (SERVER, PLAIN_CLIENT)])
def test_different_mechanisms_do_not_meet(binding: Options, connecting: Options, make: Open) -> None:
    """ZT701."""
    assert handshake(make, binding, connecting) == MISMATCH


@pytest.mark.parametrize("client", [CLIENT, PLAIN_CLIENT])
def test_two_clients_do_not_meet(client: Options, make: Open) -> None:
    """ZT702."""
    assert handshake(make, client, client) == MISMATCH


@pytest.mark.parametrize("server", [SERVER, PLAIN_SERVER])
def test_two_servers_wait_until_their_time_is_up(server: Options, make: Open) -> None:
    """ZT702."""
    assert handshake(make, {**server, "handshake_ivl": 100}, {**server, "handshake_ivl": 100}) == FAILS


def test_the_key_of_another_server_does_not_do(make: Open) -> None:
    """ZT703."""
    assert handshake(make, SERVER, {**CLIENT, "curve_serverkey": OTHER_PUBLIC}) == FAILS


def test_a_server_needs_its_secret_key_and_no_other(make: Open) -> None:
    """ZT704; and ZT714: a public key that is not its own does a server no harm."""
    assert handshake(make, {"curve_server": 1}, CLIENT) == FAILS
    assert handshake(make, {**SERVER, "curve_publickey": OTHER_PUBLIC}, CLIENT) == SUCCEEDS


@pytest.mark.parametrize("missing", CLIENT)
def test_a_client_needs_all_three_keys(missing: str, make: Open) -> None:
    """ZT704."""
    some = {name: value for name, value in CLIENT.items() if name != missing}
    assert handshake(make, SERVER, some) in (FAILS, MISMATCH)


def test_a_client_needs_a_pair_of_keys(make: Open) -> None:
    """ZT714."""
    assert handshake(make, SERVER, {**CLIENT, "curve_publickey": OTHER_PUBLIC}) == FAILS


ORDERS: list[list[tuple[str, int | bytes]]] = [
    [],
    [("curve_server", 0)],
    [("plain_server", 1), ("plain_username", b"me")],
    [("plain_username", b"me"), ("plain_server", 1)],
    [("plain_password", b"x")],
    [("curve_server", 1), ("curve_serverkey", b"k" * 32)],
    [("curve_serverkey", b"k" * 32), ("curve_server", 1)],
    [("curve_serverkey", b"k" * 32), ("curve_server", 0)],
    [("curve_server", 1), ("curve_publickey", b"k" * 32)],
    [("curve_secretkey", b"k" * 32)],
    [("curve_publickey", b"k" * 32), ("plain_server", 1)],
    [("plain_server", 1), ("curve_publickey", b"k" * 32)],
    [("curve_server", 1), ("plain_server", 0)],
    [("plain_server", 1), ("curve_server", 1)],
    [("curve_server", 1), ("zap_domain", b"x")],
]


@pytest.mark.parametrize("options", ORDERS, ids=lambda o: "-".join(f"{name}={value!r:.3}" for name, value in o) or "none")
def test_the_last_option_decides(options: list[tuple[str, int | bytes]], make: Open) -> None:
    """ZT705 and ZT706: the table says what libzmq makes of each order."""
    socket = make("PUSH")
    for name, value in options:
        socket.set(getattr(zmq, name.upper()), value)
    said = security(options)
    assert ["NULL", "PLAIN", "CURVE"][socket.get(zmq.MECHANISM)] == said.mechanism
    if said.mechanism != "NULL":
        assert bool(socket.get(getattr(zmq, f"{said.mechanism}_SERVER"))) == said.server


def test_the_table_has_every_option_that_decides(make: Open) -> None:
    """ZT701."""
    for name in dir(zmq):
        if name.startswith(("CURVE_", "PLAIN_")):
            assert name.lower() in DECIDES


def test_without_a_handler_curve_takes_any_key(make: Open) -> None:
    """ZT707: a domain alone changes nothing, and neither does enforcing it alone."""
    assert handshake(make, {**SERVER, **DOMAIN}, CLIENT) == SUCCEEDS
    assert handshake(make, {**SERVER, **ENFORCED}, CLIENT) == SUCCEEDS


def test_with_a_handler_that_refuses_it_takes_none(make: Open) -> None:
    """ZT707: it is asked, domain or not, unless a domain is enforced and there is none."""
    with handler(make, b"400") as asked:
        assert handshake(make, SERVER, CLIENT) == REFUSED
        assert handshake(make, {**SERVER, **ENFORCED, **DOMAIN}, CLIENT) == REFUSED
        assert asked == [b"CURVE", b"CURVE"]
        assert handshake(make, {**SERVER, **ENFORCED}, CLIENT) == SUCCEEDS
        assert asked == [b"CURVE", b"CURVE"]


def test_without_a_handler_nobody_gets_in_where_it_must_be_asked(make: Open) -> None:
    """ZT708."""
    assert handshake(make, PLAIN_SERVER, PLAIN_CLIENT) == FAILS
    assert handshake(make, {**SERVER, **ENFORCED, **DOMAIN}, CLIENT) == FAILS


def test_nobody_gets_in_without_a_mechanism_either_where_a_domain_is_enforced(make: Open) -> None:
    """ZT708: the one that binds sees it; the other is told nothing."""
    bound, other = make("PULL", **ENFORCED, **DOMAIN), make("PUSH")
    monitor = bound.get_monitor_socket()
    linked(bound, other)
    assert event(monitor, SUCCEEDS, FAILS) == FAILS


def test_a_handler_lets_them_in(make: Open) -> None:
    """ZT708."""
    with handler(make, b"200") as asked:
        assert handshake(make, PLAIN_SERVER, PLAIN_CLIENT) == SUCCEEDS
        assert handshake(make, {**ENFORCED, **DOMAIN}, {}) == SUCCEEDS
        assert asked == [b"PLAIN", b"NULL"]


def test_a_handler_in_another_context_is_not_asked(make: Open) -> None:
    """ZT707 and ZT708: inproc reaches within one context."""
    with zmq.Context() as elsewhere, elsewhere.socket(zmq.REP) as other:
        other.bind(ZAP)
        assert handshake(make, PLAIN_SERVER, PLAIN_CLIENT) == FAILS


SERVED = """
a, b = c.socket(zmq.PULL), c.socket(zmq.PUSH)
a.plain_server = 1
b.plain_username, b.plain_password = b"me", b"open, sesame"
a.rcvtimeo = 30_000
"""


def test_a_domain_that_is_enforced_and_not_there_ends_the_process() -> None:
    """ZT709."""
    script = SERVED + "a.zap_enforce_domain = 1; a.bind('tcp://127.0.0.1:*'); b.connect(a.last_endpoint); a.recv()"
    assert in_a_child(script) == -signal.SIGABRT


@pytest.mark.parametrize("kind", ["PULL", "DEALER", "PAIR", "PUB"])
def test_another_socket_in_the_handlers_place_ends_the_process(kind: str) -> None:
    """ZT710."""
    script = SERVED + f"z = c.socket(zmq.{kind}); z.bind('{ZAP}')\n"
    assert in_a_child(script + "a.bind('tcp://127.0.0.1:*'); b.connect(a.last_endpoint); a.recv()") == -signal.SIGABRT


def test_nobody_asks_over_inproc(make: Open) -> None:
    """ZT521 and ZT701: there is no handshake."""
    server, other = make("PULL", **SERVER), make("PUSH")
    server.bind("inproc://open")
    other.connect("inproc://open")
    other.send(b"in the clear")
    assert server.recv() == b"in the clear"


def test_a_plain_password_can_be_read_on_the_wire() -> None:
    """ZT712: one that listens on the way sees it."""
    with zmq.Context() as context, context.socket(zmq.STREAM) as listener, context.socket(zmq.PUSH) as client:
        listener.linger = client.linger = 0
        listener.bind("tcp://127.0.0.1:*")
        client.plain_username, client.plain_password = b"me", b"open, sesame"
        client.connect(listener.last_endpoint)
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00PLAIN" + bytes(15) + b"\1" + bytes(31)
        seen = b""
        while b"open, sesame" not in seen:
            peer, data = listener.recv_multipart()
            if not seen and not data:
                listener.send_multipart([peer, greeting])
            seen += data
        assert b"me" in seen


def test_keys_are_32_bytes_however_they_are_written() -> None:
    """ZT703."""
    assert len(key(SERVER_PUBLIC)) == 32
    assert key(key(SERVER_PUBLIC)) == key(SERVER_PUBLIC)
    assert key(b"short") == key(b'"' * 40) == b""
    assert public_key(key(SERVER_SECRET)) == key(SERVER_PUBLIC)
