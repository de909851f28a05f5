"""Connections, peers, devices and contexts: what happens when nobody looks."""

from __future__ import annotations

import errno
import socket as tcp
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import zmq
from zmq.devices import monitored_queue

from tests.facts.sockets import GREETING, PATIENCE, Open, Socket, event, linked, refusal, silent_peer
from topo.devcore import Proxy


@contextmanager
def forwarding(*sockets: Socket) -> Iterator[Proxy]:
    """Our core at work in a thread."""
    proxy = Proxy(*sockets)
    running = threading.Thread(target=proxy.run)
    running.start()
    try:
        yield proxy
    finally:
        proxy.terminate()
        running.join()


TWICE = [
    ("SUB", "XPUB", "tcp", False),
    ("SUB", "XPUB", "inproc", True),
    ("XSUB", "XPUB", "tcp", True),
    ("XSUB", "XPUB", "inproc", True),
]


@pytest.mark.parametrize(("kind", "peer", "transport", "doubled"), TWICE)
def test_a_subscriber_that_is_connected_twice_gets_all_twice(
    kind: str, peer: str, transport: str, doubled: bool, make: Open
) -> None:
    """ZT214: except where libzmq ignores the second connect."""
    publisher, subscriber = make(peer, xpub_verbose=1), make(kind)
    publisher.bind("tcp://127.0.0.1:*" if transport == "tcp" else "inproc://twice")
    for _ in range(2):
        subscriber.connect(publisher.last_endpoint)
    subscriber.set(zmq.SUBSCRIBE, b"") if kind == "SUB" else subscriber.send(b"\1")
    for _ in range(1 + doubled):
        assert publisher.recv() == b"\1"
    for message in (b"news", b"last"):
        publisher.send(message)
    expected = [b"news", b"news", b"last", b"last"] if doubled else [b"news", b"last"]
    assert sorted(subscriber.recv() for _ in expected) == sorted(expected)


def test_two_transports_are_two_connections_for_every_type(make: Open, tmp_path: Path) -> None:
    """ZT214."""
    publisher, subscriber = make("XPUB", xpub_verbose=1), make("SUB")
    subscriber.subscribe(b"")
    for endpoint in ("tcp://127.0.0.1:*", f"ipc://{tmp_path}/twice"):
        linked(publisher, subscriber, endpoint)
        assert publisher.recv() == b"\1"
    publisher.send(b"news")
    assert [subscriber.recv(), subscriber.recv()] == [b"news", b"news"]


def test_a_sender_that_is_connected_twice_has_two_pipes(make: Open) -> None:
    """ZT214: each with a high water mark of its own, so the other end gets two shares."""
    taker, sender = make("PULL", rcvhwm=1), make("PUSH", sndhwm=1)
    taker.bind("inproc://shares")
    for _ in range(2):
        sender.connect("inproc://shares")
    assert [refusal(lambda: sender.send(b"x", zmq.DONTWAIT)) for _ in range(5)] == [0, 0, 0, 0, zmq.EAGAIN]


@pytest.mark.parametrize(("kind", "peer"), [("PUSH", "PULL"), ("DEALER", "DEALER")])
def test_whoever_is_not_there_gets_a_share_all_the_same(kind: str, peer: str, make: Open, tmp_path: Path) -> None:
    """ZT302: it waits until somebody binds."""
    sender, takers = make(kind), [make(peer), make(peer)]
    endpoints = [f"ipc://{tmp_path}/{n}" for n in range(2)]
    takers[0].bind(endpoints[0])
    for endpoint in endpoints:
        sender.connect(endpoint)
    for number in range(4):
        sender.send(b"%d" % number)
    first = [takers[0].recv(), takers[0].recv()]
    takers[1].bind(endpoints[1])
    assert {*first, takers[1].recv(), takers[1].recv()} == {b"0", b"1", b"2", b"3"}


def test_a_pair_that_holds_a_dead_connection_does_not_take_the_new_one(make: Open) -> None:
    """ZT215: the old one still gets and gives what there is, the new one of the same peer is connected and not heard."""
    left, right = make("PAIR"), make("PAIR")
    left.bind("tcp://127.0.0.1:*")
    seen, monitor = left.get_monitor_socket(), right.get_monitor_socket()
    with silent_peer(left, "PAIR") as old:
        event(seen, "HANDSHAKE_SUCCEEDED")
        right.connect(left.last_endpoint)
        event(monitor, "HANDSHAKE_SUCCEEDED")
        for _ in range(3):
            right.send(b"not heard")
        left.send(b"to the old one")
        received = b""
        while not received.endswith(b"to the old one"):
            received += old.recv(1000)
            assert received
        old.sendall(b"\0\5heard")
        assert left.recv() == b"heard"


def test_libzmq_ignores_the_kind_of_a_device() -> None:
    """ZT217: a streamer that asks and answers."""
    with zmq.Context() as context:
        client, worker = context.socket(zmq.REQ), context.socket(zmq.REP)
        inward, outward = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        linked(inward, client)
        linked(outward, worker)

        def run() -> None:
            with inward, outward:
                refusal(lambda: zmq.device(zmq.STREAMER, inward, outward))  # type: ignore[attr-defined]  # deprecated, and there

        running = threading.Thread(target=run)
        running.start()
        with client, worker:
            client.send(b"question")
            assert worker.recv() == b"question"
            worker.send(b"answer")
            assert client.recv() == b"answer"
        context.term()
        running.join()


def test_a_device_works_the_other_way_round(make: Open) -> None:
    """ZT218: and the monitor says `out` of what comes in."""
    source, inward, outward, taker, monitor, reader = (make(kind) for kind in ("PUSH", "PUSH", "PULL", "PULL", "PUSH", "PULL"))
    linked(outward, source)
    linked(inward, taker)
    linked(monitor, reader)
    proxy = Proxy(inward, outward, monitor, prefixes=(b"in", b"out"))
    running = threading.Thread(target=proxy.run)
    running.start()
    source.send(b"x")
    assert taker.recv() == b"x"
    assert reader.recv_multipart() == [b"out", b"x"]
    proxy.terminate()
    running.join()


@pytest.mark.parametrize("kind", ["PUSH", "DEALER", "PAIR"])
def test_without_a_reader_pyzmqs_queue_waits_for_the_monitor_and_our_core_does_not(kind: str, make: Open) -> None:
    """ZT219: the queue waits before it has even read the message, which is there still for our core."""
    source, inward, outward, taker = make("PUSH"), make("PULL"), make("PUSH"), make("PULL")
    monitor = make(kind, sndtimeo=1)
    monitor.bind("tcp://127.0.0.1:*")
    linked(inward, source)
    linked(outward, taker)
    source.send(b"job")
    with pytest.raises(zmq.Again):
        monitored_queue(inward, outward, monitor)
    with forwarding(inward, outward, monitor):
        assert taker.recv() == b"job"


def test_what_a_router_cannot_deliver_is_counted_if_it_says_so(make: Open) -> None:
    """ZT510."""
    for mandatory, counted in ((1, (1, 0)), (0, (0, 1))):
        source, inward, outward = make("DEALER"), make("DEALER"), make("ROUTER", router_mandatory=mandatory)
        linked(inward, source)
        outward.bind("tcp://127.0.0.1:*")
        proxy = Proxy(inward, outward)
        source.send_multipart([b"nobody", b"x"])
        proxy.drain(received=(1, 0))
        proxy.run()
        backend = proxy.statistics().backend
        assert (backend.unroutable, backend.sent.messages) == counted


def test_what_a_router_cannot_deliver_ends_pyzmqs_queue_if_it_says_so(make: Open) -> None:
    """ZT510."""
    source, inward, outward, monitor = make("DEALER"), make("DEALER"), make("ROUTER", router_mandatory=1), make("PUB")
    linked(inward, source)
    source.send_multipart([b"nobody", b"x"])
    assert refusal(lambda: monitored_queue(inward, outward, monitor)) == zmq.EHOSTUNREACH


@pytest.mark.parametrize(("nodrop", "refused"), [(1, {0, zmq.EAGAIN}), (0, {0})])
def test_one_subscriber_without_room_holds_up_all_with_nodrop(nodrop: int, refused: set[int], make: Open) -> None:
    """ZT526."""
    publisher, slow, quick = make("XPUB", xpub_nodrop=nodrop, sndhwm=1), make("SUB", rcvhwm=1), make("SUB", rcvhwm=0)
    publisher.bind("inproc://news")
    for subscriber in (slow, quick):
        subscriber.subscribe(b"")
        subscriber.connect("inproc://news")
    assert publisher.recv() == b"\1"
    assert {refusal(lambda: publisher.send(b"x", zmq.DONTWAIT)) for _ in range(10)} == refused


def test_a_monitor_with_nodrop_drops_for_all_and_the_traffic_goes_on(make: Open) -> None:
    """ZT526: one of its subscribers reads nothing, so that the other misses copies as well."""
    source, inward, outward, taker = make("PUSH"), make("PULL"), make("PUSH"), make("PULL")
    monitor, slow, quick = make("XPUB", xpub_nodrop=1, sndhwm=1), make("SUB", rcvhwm=1), make("SUB", rcvhwm=0)
    linked(inward, source)
    linked(outward, taker)
    monitor.bind("inproc://copies")
    for subscriber in (slow, quick):
        subscriber.subscribe(b"")
        subscriber.connect("inproc://copies")
    for _ in range(100):
        source.send(b"x")
    proxy = Proxy(inward, outward, monitor)
    proxy.drain(received=(100, 0))
    proxy.run()
    assert [taker.recv() for _ in range(100)] == [b"x"] * 100
    statistics = proxy.statistics()
    assert statistics.capture.dropped > 0
    assert statistics.capture.passed + statistics.capture.dropped + statistics.capture.waiting == 100


def test_without_reconnecting_a_connection_that_did_not_come_about_never_does(make: Open, tmp_path: Path) -> None:
    """ZT527: the message of the one that gave up does not come, that of another does."""
    endpoint = f"ipc://{tmp_path}/later"
    gives_up, other, taker = make("PUSH", reconnect_ivl=-1), make("PUSH"), make("PULL")
    monitor = gives_up.get_monitor_socket()
    gives_up.connect(endpoint)
    for _ in range(3):
        gives_up.send(b"never")
    event(monitor, "CLOSED")
    taker.bind(endpoint)
    other.connect(endpoint)
    other.send(b"comes")
    assert taker.recv() == b"comes"


def test_without_reconnecting_a_broken_connection_stays_broken(make: Open) -> None:
    """ZT527: the peer hangs up, and waits for the one that always comes again."""
    gives_up, patient = make("PUSH", reconnect_ivl=-1), make("PUSH", reconnect_ivl=10)
    with tcp.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE / 1000)
        endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        monitor = gives_up.get_monitor_socket()
        gives_up.connect(endpoint)
        listener.accept()[0].close()
        event(monitor, "DISCONNECTED", "HANDSHAKE_FAILED_NO_DETAIL")
        patient.connect(endpoint)
        for _ in range(3):
            accepted = listener.accept()[0]
            with accepted:
                accepted.sendall(GREETING)


@pytest.mark.parametrize(
    ("kind", "other", "options"), [("SUB", "PUSH", {}), ("PUSH", "PULL", {"plain_server": 1})], ids=["ZT201", "ZT701"]
)
def test_who_cannot_agree_with_a_peer_does_not_try_again(kind: str, other: str, options: dict[str, int], make: Open) -> None:
    """While another, whose peer hangs up, comes again and again."""
    gives_up, patient, peer = make(kind, reconnect_ivl=10), make("PUSH", reconnect_ivl=10), make(other, **options)
    monitor = gives_up.get_monitor_socket()
    linked(peer, gives_up)
    event(monitor, "DISCONNECTED")
    with tcp.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE / 1000)
        patient.connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        for _ in range(5):
            listener.accept()[0].close()
    assert not monitor.poll(0)


def test_what_lingers_without_end_outlives_its_socket(make: Open, tmp_path: Path) -> None:
    """ZT522: the end of the context waits for a peer that comes when the socket is long closed."""
    endpoint = f"ipc://{tmp_path}/later"
    context = zmq.Context()
    sender = context.socket(zmq.PUSH)
    sender.connect(endpoint)
    sender.send(b"waits")
    sender.close(-1)
    ending = threading.Thread(target=context.term)
    ending.start()
    taker = make("PULL")
    taker.bind(endpoint)
    assert taker.recv() == b"waits"
    ending.join()


def test_all_addresses_of_the_host_are_more_than_one(make: Open) -> None:
    """ZT711: a peer reaches what is bound to `*` by whatever address the host has."""
    sender, taker = make("PUSH"), make("PULL")
    port = taker.bind_to_random_port("tcp://*")
    sender.connect(f"tcp://127.0.0.2:{port}")
    sender.send(b"here")
    assert taker.recv() == b"here"


def test_a_context_refuses_more_sockets_than_it_may_have() -> None:
    """ZT402."""
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        context.max_sockets = 3
        opened: list[Socket] = []

        def open_one() -> None:
            opened.append(stack.enter_context(context.socket(zmq.PUSH)))

        assert [refusal(open_one) for _ in range(5)] == [0, 0, 0, errno.EMFILE, errno.EMFILE]


def test_without_io_threads_only_inproc_works() -> None:
    """ZT403."""
    with zmq.Context(io_threads=0) as context, context.socket(zmq.PUSH) as socket:
        for endpoint in ("tcp://127.0.0.1:*", "ipc://*"):
            assert refusal(lambda endpoint=endpoint: socket.bind(endpoint)) == zmq.EMTHREAD
        assert refusal(lambda: socket.connect("tcp://127.0.0.1:9")) == zmq.EMTHREAD
        assert refusal(lambda: socket.bind("inproc://within")) == 0


def test_an_affinity_to_threads_that_are_not_there_is_refused() -> None:
    """ZT525."""
    with zmq.Context(io_threads=2) as context:
        for affinity, refused in ((1, 0), (2, 0), (4, zmq.EMTHREAD), (6, 0), (12, zmq.EMTHREAD)):
            with context.socket(zmq.PUSH) as socket:
                socket.affinity = affinity
                assert refusal(lambda: socket.bind("tcp://127.0.0.1:*")) == refused, affinity
                assert refusal(lambda: socket.connect("tcp://127.0.0.1:9")) == refused
                if affinity == 12:
                    assert refusal(lambda: socket.bind("inproc://within")) == 0
                socket.close(0)
