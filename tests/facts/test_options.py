"""Options that do not do what one may think."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq
from zmq.devices import monitored_queue

from tests.facts.sockets import Open, Socket, event, linked, refusal, silent_peer
from topo.devcore import Proxy


def subscribed(publisher: Socket, subscriber: Socket, topic: bytes) -> None:
    """Let a SUB subscribe at an XPUB, and wait until it knows."""
    subscriber.subscribe(topic)
    if not publisher.last_endpoint:
        publisher.bind("tcp://127.0.0.1:*")
    subscriber.connect(publisher.last_endpoint)
    assert publisher.recv() == b"\1" + topic


@pytest.mark.parametrize(("sender", "receiver"), [("PUSH", "PULL"), ("PUB", "SUB"), ("DEALER", "DEALER")])
def test_conflate_keeps_a_part_not_a_message(sender: str, receiver: str, make: Open) -> None:
    """ZT508."""
    sending, receiving = make(sender), make(receiver, conflate=1)
    sending.bind("inproc://torn")
    if receiver == "SUB":
        receiving.subscribe(b"")
    receiving.connect("inproc://torn")
    sending.send_multipart([b"1", b"2", b"3"])
    assert receiving.recv_multipart() == [b"3"]


@pytest.mark.parametrize("sender", ["PUSH", "DEALER"])
def test_a_sender_that_conflates_keeps_a_part_too(sender: str, make: Open, tmp_path: Path) -> None:
    """ZT508: what a device sends."""
    sending, receiving = make(sender, conflate=1), make("PULL" if sender == "PUSH" else "DEALER")
    sending.connect(f"ipc://{tmp_path}/x")
    sending.send_multipart([b"1", b"2", b"3"])
    receiving.bind(f"ipc://{tmp_path}/x")
    assert receiving.recv_multipart() == [b"3"]


def test_a_timeout_ends_pyzmqs_queue_and_not_our_core(make: Open) -> None:
    """ZT509: a message that nobody takes, and a send that may wait for a millisecond."""
    source, inward, outward, monitor = make("PUSH"), make("PULL"), make("PUSH", sndtimeo=1), make("PUB")
    linked(inward, source)
    outward.bind("tcp://127.0.0.1:*")
    source.send(b"job")
    with pytest.raises(zmq.Again):
        monitored_queue(inward, outward, monitor)

    source.send(b"another")
    proxy = Proxy(inward, outward)
    running = threading.Thread(target=proxy.run)
    running.start()
    taking = make("PULL")
    taking.connect(outward.last_endpoint)
    assert taking.recv() == b"another"
    proxy.terminate()
    running.join()


@pytest.mark.parametrize("option", ["xpub_manual", "xpub_manual_last_value"])
def test_a_subscription_that_nobody_confirms_is_none(option: str, make: Open) -> None:
    """ZT511: what is sent does not come, until a publisher that needs no confirmation sends."""
    publisher, other, subscriber = make("XPUB", **{option: 1}), make("XPUB"), make("SUB")
    subscribed(publisher, subscriber, b"")
    for _ in range(3):
        publisher.send(b"unconfirmed")
    linked(other, subscriber)
    assert other.recv() == b"\1"
    other.send(b"it comes")
    assert subscriber.recv() == b"it comes"


def test_subscriptions_beyond_the_high_water_mark_are_dropped(make: Open) -> None:
    """ZT513: those that had room come, and go when the subscriber ends; then another one subscribes."""
    publisher, subscriber = make("XPUB"), make("SUB", sndhwm=2)
    for topic in b"abcd":
        subscriber.subscribe(bytes([topic]))
    linked(publisher, subscriber)
    assert [publisher.recv(), publisher.recv()] == [b"\1a", b"\1b"]
    publisher.send(b"d is what nobody has asked for")
    publisher.send(b"a is")
    assert subscriber.recv() == b"a is"
    subscriber.close(-1)
    assert {publisher.recv(), publisher.recv()} == {b"\0a", b"\0b"}
    subscribed(publisher, make("SUB"), b"later")


def test_without_a_high_water_mark_none_is_dropped(make: Open) -> None:
    """ZT513: what to do about it."""
    publisher, subscriber = make("XPUB", rcvhwm=0), make("SUB", sndhwm=0)
    topics = [b"%d" % n for n in range(2000)]
    for topic in topics:
        subscriber.subscribe(topic)
    linked(publisher, subscriber)
    assert sorted(publisher.recv() for _ in topics) == sorted(b"\1" + topic for topic in topics)


@pytest.mark.parametrize(("sends", "takes"), [(1, 0), (0, 1)])
def test_nothing_gets_through_where_only_one_end_inverts(sends: int, takes: int, make: Open) -> None:
    """ZT515: neither what begins with the topic nor anything else, until a publisher like the subscriber sends."""
    publisher, like, subscriber = make("XPUB", invert_matching=sends), make("XPUB", invert_matching=takes), make("SUB")
    subscriber.set(zmq.INVERT_MATCHING, takes)
    subscribed(publisher, subscriber, b"a")
    like.bind("tcp://127.0.0.1:*")
    for _ in range(3):
        publisher.send(b"a matches")
        publisher.send(b"does not")
    subscriber.connect(like.last_endpoint)
    assert like.recv() == b"\1a"
    like.send(b"does not, the last" if takes else b"a matches, the last")
    assert subscriber.recv().endswith(b"the last")


def test_where_both_invert_what_does_not_match_gets_through(make: Open) -> None:
    """ZT515: what the option is for."""
    publisher, subscriber = make("XPUB", invert_matching=1), make("SUB", invert_matching=1)
    subscribed(publisher, subscriber, b"a")
    publisher.send(b"a matches")
    publisher.send(b"does not")
    assert subscriber.recv() == b"does not"


def test_an_xsub_takes_what_a_publisher_that_inverts_sends(make: Open) -> None:
    """ZT515 is not about an XSUB: it does not look at what comes."""
    publisher, subscriber = make("XPUB", invert_matching=1), make("XSUB")
    linked(publisher, subscriber)
    subscriber.send(b"\1a")
    assert publisher.recv() == b"\1a"
    publisher.send(b"does not match")
    assert subscriber.recv() == b"does not match"


def test_a_probe_is_an_empty_message_to_a_dealer(make: Open) -> None:
    """ZT516."""
    hub, peer = make("DEALER"), make("DEALER", probe_router=1)
    linked(hub, peer)
    peer.send(b"hello")
    assert [hub.recv_multipart(), hub.recv_multipart()] == [[b""], [b"hello"]]


def test_a_queue_passes_a_probe_on(make: Open) -> None:
    """ZT516: a device does not know it for one."""
    inward, outward, worker, peer = make("ROUTER"), make("DEALER"), make("DEALER"), make("DEALER", probe_router=1)
    linked(outward, worker)
    linked(inward, peer)
    proxy = Proxy(inward, outward)
    running = threading.Thread(target=proxy.run)
    running.start()
    _, probe = worker.recv_multipart()
    assert probe == b""
    proxy.terminate()
    running.join()


@pytest.mark.parametrize(("kind", "option", "value", "taken"), [("PUSH", "sndhwm", 0, True), ("PUSH", "sndhwm", 10, False)])
def test_a_high_water_mark_of_0_is_none(kind: str, option: str, value: int, taken: bool, make: Open, tmp_path: Path) -> None:
    """ZT512: what cannot go is kept, however much it is."""
    sending = make(kind, **{option: value})
    sending.connect(f"ipc://{tmp_path}/nobody")
    refused = [refusal(lambda: sending.send(b"x", zmq.DONTWAIT)) for _ in range(2000)]
    assert set(refused) == ({0} if taken else {0, zmq.EAGAIN})


def test_with_none_on_either_side_a_device_takes_whatever_comes(make: Open, tmp_path: Path) -> None:
    """ZT512: nobody takes anything, and those before it never wait."""
    source, inward, outward = make("PUSH", sndhwm=1), make("PULL", rcvhwm=0), make("PUSH", sndhwm=0)
    linked(inward, source)
    outward.connect(f"ipc://{tmp_path}/nobody")
    proxy = Proxy(inward, outward)
    running = threading.Thread(target=proxy.run)
    running.start()
    for _ in range(5000):
        source.send(b"x")
    proxy.drain(received=(5000, 0))
    running.join()
    assert proxy.statistics().backend.sent.messages == 5000


@pytest.mark.parametrize(("verbose", "told"), [(0, [b"\1a", b"\1last"]), (1, [b"\1a", b"\1a", b"\1last"])])
def test_an_xpub_tells_of_equal_subscriptions_once_unless_it_is_verbose(verbose: int, told: list[bytes], make: Open) -> None:
    """ZT514."""
    publisher, first, second = make("XPUB", xpub_verbose=verbose), make("SUB"), make("SUB")
    publisher.bind("tcp://127.0.0.1:*")
    heard = []
    for subscriber, topics in ((first, [b"a"]), (second, [b"a", b"last"])):
        for topic in topics:
            subscriber.subscribe(topic)
        subscriber.connect(publisher.last_endpoint)
        while not heard or (subscriber is second and heard[-1] != b"\1last"):
            heard.append(publisher.recv())
    assert heard == told


def test_an_xsub_passes_on_equal_subscriptions_and_only_the_last_end_of_them(make: Open) -> None:
    """ZT514: so the XPUB of a device is what counts; and no option of it helps with the ends."""
    publisher, relay = make("XPUB", xpub_verboser=1), make("XSUB")
    linked(publisher, relay)
    for said in (b"\1a", b"\1a", b"\0a", b"\0a", b"\1last"):
        relay.send(said)
    assert [publisher.recv() for _ in range(4)] == [b"\1a", b"\1a", b"\0a", b"\1last"]


@pytest.mark.parametrize(("over", "taken"), [(99, 0), (100, 100), (250, 200)])
def test_a_heartbeat_ttl_counts_in_tenths_of_a_second(over: int, taken: int, make: Open) -> None:
    """ZT520."""
    assert make("PUSH", heartbeat_ttl=over).get(zmq.HEARTBEAT_TTL) == taken


def test_without_an_interval_a_dead_peer_is_not_noticed(make: Open) -> None:
    """ZT520: the one that asks drops its peer; the other, whose patience ended long before, still talks to its own."""
    asking, silent = make("PUSH", heartbeat_ivl=10, heartbeat_timeout=200), make("PUSH", heartbeat_timeout=1)
    with ExitStack() as stack:
        peers = []
        for socket in (silent, asking):
            socket.bind("tcp://127.0.0.1:*")
            monitor = socket.get_monitor_socket()
            peers.append(stack.enter_context(silent_peer(socket, "PULL")))
            event(monitor, "HANDSHAKE_SUCCEEDED")
        event(monitor, "DISCONNECTED")
        silent.send(b"still there?")
        received = b""
        while not received.endswith(b"still there?"):
            received += peers[0].recv(1000)
            assert received


def test_a_relaxed_req_takes_an_old_answer_for_a_new_one(make: Open) -> None:
    """ZT523."""
    server, client = make("ROUTER"), make("REQ", req_relaxed=1)
    linked(server, client)
    client.send(b"first")
    who, empty, _ = server.recv_multipart()
    client.send(b"second")
    server.recv_multipart()
    for answer in (b"to the first", b"to the second"):
        server.send_multipart([who, empty, answer])
    assert client.recv() == b"to the first"


def test_one_that_counts_its_questions_does_not(make: Open) -> None:
    """ZT523: what to do about it."""
    server, client = make("ROUTER"), make("REQ", req_relaxed=1, req_correlate=1)
    linked(server, client)
    client.send(b"first")
    first = server.recv_multipart()
    client.send(b"second")
    second = server.recv_multipart()
    for question, answer in ((first, b"to the first"), (second, b"to the second")):
        server.send_multipart([*question[:-1], answer])
    assert client.recv() == b"to the second"


@pytest.mark.parametrize("value", [0, 1])
def test_ipv4only_is_ipv6_the_other_way_round(value: int, make: Open) -> None:
    """ZT524: so the one can be written for the other."""
    assert make("PUSH", ipv4only=value).get(zmq.IPV6) == 1 - value
