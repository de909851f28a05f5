"""What becomes of messages when a socket changes while it lives: every row of `topo/zeromq/changes.py` on real sockets.

Messages are counted by the numbers in them. Where a row says that all arrive, all of a demanding history must; where it says that
some may be lost, some of a history are: the peer reads nothing before the change, and buffers are too small for what there is.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count, pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from tests.facts.sockets import PATIENCE, Open, Socket, event, in_a_child, refusal
from topo.zeromq.changes import CHANGES, OPERATIONS, TYPES, Fate, Operation, change
from topo.zeromq.sockets import SOCKETS

COUNT = 1500
"""Messages, of which a connection with SMALL buffers has room for a few dozen."""
SIZE = 1024
ROOMY = {"sndhwm": 0, "rcvhwm": 0}
SMALL = {**ROOMY, "sndbuf": 8192, "rcvbuf": 8192}
"""Only where messages are to be lost: over tcp it takes long until all have gone through so little."""
TIGHT = {**SMALL, "rcvhwm": 10}
SLOW = {**ROOMY, "rcvhwm": 10}
TRANSPORTS = ("tcp", "ipc", "inproc")
TRIES = 20
"""Of what is a matter of which of two threads is faster."""
PEER = {
    "PUSH": "PULL",
    "PUB": "XSUB",
    "XPUB": "SUB",
    "PULL": "PUSH",
    "SUB": "XPUB",
    "XSUB": "XPUB",
    "DEALER": "DEALER",
    "ROUTER": "DEALER",
    "PAIR": "PAIR",
}
SENDING = tuple(t for t in TYPES if SOCKETS[t].sends)
RECEIVING = tuple(t for t in TYPES if SOCKETS[t].receives)
SUBSCRIBERS = ("SUB", "XSUB")
NAME = b"peer"


class Case(NamedTuple):
    """A socket that is changed, its peer, what watches the connection at the peer, and the address of the one that binds."""

    changed: Socket
    peer: Socket
    monitor: Socket
    address: bytes


@pytest.fixture
def endpoint(tmp_path: Path) -> Callable[[str], str]:
    """A new endpoint of a transport, to be bound."""
    numbers = iter(range(100))

    def new(transport: str) -> str:
        number = next(numbers)
        return {"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{tmp_path}/{number}", "inproc": f"inproc://{number}"}[transport]

    return new


def subscribe(socket: Socket) -> None:
    """Subscribe to everything, if it is one that does."""
    if socket.type == zmq.SUB:
        socket.subscribe(b"")
    elif socket.type == zmq.XSUB:
        socket.send(b"\1")


def linked(changed: Socket, peer: Socket, operation: Operation, endpoint: str) -> Case:
    """Connect the two, the one that is changed as its operation needs it, and let a message through."""
    binding, connecting = (changed, peer) if operation == "unbind" else (peer, changed)
    monitor = peer.get_monitor_socket()
    for socket in (changed, peer):
        subscribe(socket)
    binding.bind(endpoint)
    connecting.connect(binding.last_endpoint)
    if not endpoint.startswith("inproc"):
        event(monitor, "HANDSHAKE_SUCCEEDED")
    return Case(changed, peer, monitor, binding.last_endpoint)


def address(socket: Socket) -> list[bytes]:
    """What goes before a message, so that it finds the peer."""
    return [NAME] if socket.type == zmq.ROUTER else []


def let_through(sender: Socket, receiver: Socket) -> None:
    """Send until something comes: subscriptions and addresses have arrived. Then take all of it."""
    while not receiver.poll(1):
        refusal(lambda: sender.send_multipart([*address(sender), b"first"], zmq.DONTWAIT))
    while receiver.poll(0):
        assert receiver.recv_multipart()[-1] == b"first"


def send(sender: Socket, numbers: Iterable[int]) -> None:
    for number in numbers:
        sender.send_multipart([*address(sender), numbered(number)])


def numbered(number: int) -> bytes:
    return (b"%d " % number).ljust(SIZE)


def taken(receiver: Socket) -> int | None:
    """The number of the next message, or None if it is one that let others through."""
    message = receiver.recv_multipart()[-1]
    return int(message) if len(message) == SIZE else None


def all_that_arrive(receiver: Socket, working: Socket | None, monitor: Socket | None, count: int = COUNT) -> list[int]:
    """The numbers of what arrives: until all have, or the connection has ended and nothing is left.

    Without a monitor, as over inproc, whatever arrives is there. `working` is the other end, in which libzmq has things to do
    whenever it is used.
    """
    poller = zmq.Poller()
    poller.register(receiver, zmq.POLLIN)
    if working is not None:
        poller.register(working, zmq.POLLERR)
    if monitor is not None:
        poller.register(monitor, zmq.POLLIN)
    got: list[int] = []
    while len(got) < count:
        ready = dict(poller.poll(PATIENCE if monitor is not None else 0))
        if receiver in ready:
            number = taken(receiver)
            got += [] if number is None else [number]
        elif monitor in ready and monitor is not None:
            if zmq.Event(recv_monitor_message(monitor)["event"]) == zmq.Event.DISCONNECTED:
                poller.unregister(monitor)
                monitor = None
        elif monitor is None:
            break
        else:
            raise AssertionError(f"{len(got)} of {count} came, and nothing more happens")
    return got


def do(case: Case, operation: Operation) -> Socket | None:
    """Change the socket, wait until libzmq has begun with it, and return the socket if it is still there."""
    if operation == "close":
        case.changed.close()
        return None
    watch = case.changed.get_monitor_socket() if operation == "unbind" else None
    getattr(case.changed, operation)(case.address)
    if watch is not None and not case.address.startswith(b"inproc"):
        event(watch, "CLOSED")
    return case.changed


# What there is


def test_there_is_a_row_for_each_type_and_operation() -> None:
    assert set(CHANGES) == {(type, operation) for type in TYPES for operation in OPERATIONS}
    assert set(TYPES) == {t.name for t in SOCKETS.values() if not t.draft and not t.turns and t.peers}
    assert change("REQ", "disconnect") is None


def test_a_row_speaks_of_the_messages_that_its_type_has() -> None:
    for row in CHANGES.values():
        assert bool(row.sent) == bool(row.sent_inproc) == SOCKETS[row.type].sends
        assert bool(row.coming) == bool(row.coming_inproc) == SOCKETS[row.type].receives


# Disconnect, unbind, close: what is sent

ENDS: tuple[Operation, ...] = ("disconnect", "unbind", "close")


def fate_of_sent(kind: str, operation: Operation, transport: str) -> Fate:
    row = CHANGES[kind, operation]
    return row.sent_inproc if transport == "inproc" else row.sent


def sender_of(make: Open, kind: str, operation: Operation, endpoint: str, options: dict[str, int]) -> Case:
    """A socket that sends to a peer with these options."""
    identity = {"routing_id": NAME} if kind == "ROUTER" else {}
    mandatory = {"router_mandatory": 1} if kind == "ROUTER" else {}
    changed = make(kind, **{**options, "rcvhwm": 0}, **mandatory)
    case = linked(changed, make(PEER[kind], **options, **identity), operation, endpoint)
    let_through(case.changed, case.peer)
    return case


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("operation", ENDS)
@pytest.mark.parametrize("kind", SENDING)
def test_what_was_sent(kind: str, operation: Operation, transport: str, make: Open, endpoint: Callable[[str], str]) -> None:
    def arrived(linger: int, options: dict[str, int]) -> int:
        case = sender_of(make, kind, operation, endpoint(transport), options)
        case.changed.linger = linger
        send(case.changed, range(COUNT))
        got = all_that_arrive(case.peer, do(case, operation), None if transport == "inproc" else case.monitor)
        assert got == sorted(set(got))
        return len(got)

    match fate_of_sent(kind, operation, transport):
        case "kept":
            assert arrived(0, SLOW) == COUNT
        case "lingers":
            assert arrived(PATIENCE, ROOMY) == COUNT
            assert arrived(0, TIGHT) < COUNT
            if transport == "tcp":
                assert arrived(PATIENCE, SLOW) == COUNT
            else:  # unless the peer is quick enough
                assert any(arrived(PATIENCE, SLOW) < COUNT for _ in range(20))
        case "lost":
            assert arrived(PATIENCE, TIGHT) < COUNT


# Disconnect, unbind: what is coming


def fate_of_coming(kind: str, operation: Operation, transport: str) -> Fate:
    row = CHANGES[kind, operation]
    return row.coming_inproc if transport == "inproc" else row.coming


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("operation", ["disconnect", "unbind"])
@pytest.mark.parametrize("kind", RECEIVING)
def test_what_is_coming(kind: str, operation: Operation, transport: str, make: Open, endpoint: Callable[[str], str]) -> None:
    case = linked(make(kind, **TIGHT), make(PEER[kind], **SMALL), operation, endpoint(transport))
    let_through(case.peer, case.changed)
    send(case.peer, range(COUNT))
    assert case.changed.poll(PATIENCE)
    do(case, operation)
    got = all_that_arrive(case.changed, case.peer, None if transport == "inproc" else case.monitor)
    assert got == list(range(len(got)))
    match fate_of_coming(kind, operation, transport):
        case "kept":
            assert len(got) == COUNT
        case "lost":
            assert len(got) < COUNT
            assert len(got) <= 1 or operation != "disconnect"  # one, if it has looked for one that fits


def test_what_a_closed_socket_had_not_read_is_lost_and_what_its_peer_still_has_is_not(
    make: Open, endpoint: Callable[[str], str]
) -> None:
    """`close` of all types, to whom something is coming: a peer that connects keeps its queue, and comes again."""
    for transport in ("tcp", "ipc"):
        first, sender = make("PULL", **TIGHT), make("PUSH", **SMALL, reconnect_ivl=1)
        first.bind(endpoint(transport))
        address = first.last_endpoint
        sender.connect(address)
        send(sender, range(COUNT))
        assert taken(first) == 0
        watch = sender.get_monitor_socket()
        first.close()
        event(watch, "DISCONNECTED")
        second = make("PULL", **ROOMY)
        while refusal(lambda address=address, second=second: second.bind(address)):
            event(watch, "CONNECT_RETRIED")
        got = []
        while not got or got[-1] < COUNT - 1:
            got.append(taken(second))
        assert got == list(range(COUNT - len(got), COUNT))
        assert 1 < len(got) < COUNT - 1


def test_over_inproc_nobody_comes_again(make: Open) -> None:
    """What connects has to be told to, when the one that binds is made again."""
    first, sender = make("PULL"), make("PUSH")
    first.bind("inproc://again")
    sender.connect("inproc://again")
    sender.send(b"x")
    assert first.recv() == b"x"
    first.close()
    second = make("PULL")
    while sender.poll(1, zmq.POLLOUT):  # it has not noticed yet
        pass
    while refusal(lambda: second.bind("inproc://again")):
        sender.poll(1, zmq.POLLOUT)
    assert refusal(lambda: sender.send(b"x", zmq.DONTWAIT)) == zmq.EAGAIN
    sender.connect("inproc://again")
    sender.send(b"y")
    assert second.recv() == b"y"


def test_a_binding_peer_loses_its_queue_with_the_connection(make: Open, endpoint: Callable[[str], str]) -> None:
    """So what is coming to a socket that disconnects is lost at both ends."""
    for transport in ("tcp", "ipc"):
        case = linked(make("PULL", **TIGHT), make("PUSH", **SMALL), "disconnect", endpoint(transport))
        let_through(case.peer, case.changed)
        send(case.peer, range(COUNT))
        case.changed.disconnect(case.address)
        assert all_that_arrive(case.changed, case.peer, case.monitor) == []
        case.changed.connect(case.address)
        event(case.monitor, "HANDSHAKE_SUCCEEDED")
        send(case.peer, [COUNT])
        assert taken(case.changed) == COUNT


# Connect and bind


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("operation", ["connect", "bind"])
@pytest.mark.parametrize("kind", [k for k in TYPES if k != "PAIR"])
def test_one_more_connection_changes_nothing_for_the_others(
    kind: str, operation: Operation, transport: str, make: Open, endpoint: Callable[[str], str]
) -> None:
    """All arrives, in order for each peer, over those there were and the new one together."""
    changed, peers = make(kind, **ROOMY), [make(PEER[kind], **ROOMY) for _ in range(2)]
    if kind == "ROUTER":
        peers[0].routing_id = NAME
    first = linked(changed, peers[0], "unbind" if operation == "bind" else "disconnect", endpoint(transport))
    sender, receiver = (changed, peers[0]) if SOCKETS[kind].sends else (peers[0], changed)
    let_through(sender, receiver)
    send(sender, range(COUNT // 2))
    subscribe(peers[1])
    (changed if operation == "bind" else peers[1]).bind(endpoint(transport))
    (peers[1] if operation == "bind" else changed).connect((changed if operation == "bind" else peers[1]).last_endpoint)
    send(sender, range(COUNT // 2, COUNT))
    got: list[list[int]] = [[], []]
    whole = set(range(COUNT))
    while not whole <= {*got[0], *got[1]}:
        for receiver, numbers in zip(peers if SOCKETS[kind].sends else [changed], got, strict=False):
            while receiver.poll(1):
                number = taken(receiver)
                numbers += [] if number is None else [number]
    assert got == [sorted(set(numbers)) for numbers in got]
    assert CHANGES[kind, operation].sent in ("kept", "")
    assert CHANGES[kind, operation].coming in ("kept", "")
    assert first.changed is changed


@pytest.mark.parametrize("kind", ["SUB", "XSUB"])
@pytest.mark.parametrize("operation", ["connect", "rewire", "rewire when empty"])
def test_a_subscriber_misses_what_comes_before_its_subscription(kind: str, operation: Operation, make: Open) -> None:
    """The publisher says when it has come: what it had published before is for nobody."""
    publisher, subscriber = make("XPUB", xpub_verbose=1), make(kind)
    subscribe(subscriber)
    publisher.bind("tcp://127.0.0.1:*")
    if operation != "connect":
        subscriber.connect(publisher.last_endpoint)
        assert publisher.recv() == b"\1"
        publisher.send(b"before")
        assert subscriber.recv() == b"before"
        subscriber.disconnect(publisher.last_endpoint)
        while not publisher.poll(1):
            subscriber.poll(0)
        assert publisher.recv() == b"\0"
    publisher.send(b"missed")
    subscriber.connect(publisher.last_endpoint)
    assert publisher.recv() == b"\1"
    publisher.send(b"after")
    assert subscriber.recv() == b"after"
    assert CHANGES[kind, operation].misses


@pytest.mark.parametrize("kind", ["PUB", "XPUB"])
@pytest.mark.parametrize("operation", ["rewire", "rewire when empty"])
def test_a_publisher_that_connects_elsewhere_publishes_to_nobody_at_first(kind: str, operation: Operation, make: Open) -> None:
    """Unless the thread that publishes is held up, and the subscription is faster: so it is tried more than once."""
    for _ in range(TRIES):
        publisher, subscriber, other = make(kind), make("SUB"), make("SUB")
        for socket in (subscriber, other):
            socket.subscribe(b"")
            socket.bind("tcp://127.0.0.1:*")
        publisher.connect(subscriber.last_endpoint)
        let_through(publisher, subscriber)
        publisher.disconnect(subscriber.last_endpoint)
        publisher.connect(other.last_endpoint)
        publisher.send(b"missed")
        while not other.poll(1):
            publisher.send(b"first")
        if (came := other.recv()) == b"first":
            break
    assert came == b"first"
    assert CHANGES[kind, operation].misses


# The same peer at another address


def two_addresses(make: Open, kind: str, transport: str, endpoint: Callable[[str], str], **options: bytes) -> tuple[Case, bytes]:
    """A socket that is connected to the first of the two addresses of a peer, and the second."""
    case = linked(make(kind, **ROOMY, **options), make(PEER[kind], **ROOMY), "disconnect", endpoint(transport))
    case.peer.bind(endpoint(transport))
    return case, case.peer.last_endpoint


def inversions(numbers: list[int]) -> int:
    return sum(before > after for before, after in pairwise(numbers))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("operation", ["overlap", "rewire"])
@pytest.mark.parametrize("kind", ["PUSH", "DEALER"])
def test_what_is_sent_later_arrives_earlier(
    kind: str, operation: Operation, transport: str, make: Open, endpoint: Callable[[str], str]
) -> None:
    """It may; whether it does is a matter of which of two threads is faster, so it is tried more than once."""
    for _ in range(TRIES):
        case, other = two_addresses(make, kind, transport, endpoint)
        let_through(case.changed, case.peer)
        case.changed.linger = PATIENCE
        send(case.changed, range(COUNT // 2))
        if operation == "overlap":
            case.changed.connect(other)
            send(case.changed, range(COUNT // 2, COUNT))
            case.changed.disconnect(case.address)
        else:
            case.changed.disconnect(case.address)
            case.changed.connect(other)
            send(case.changed, range(COUNT // 2, COUNT))
        got = all_that_arrive(case.peer, case.changed, case.monitor if transport != "inproc" else None)
        assert sorted(got) == list(range(COUNT))
        if inversions(got) > 0:
            break
    assert inversions(got) > 0
    assert CHANGES[kind, operation].reordered


@pytest.mark.parametrize("kind", ["PUB", "XPUB", "SUB", "XSUB"])
def test_with_two_connections_all_that_is_published_comes_twice(kind: str, make: Open) -> None:
    changed, peer = make(kind), make(PEER[kind])
    for socket in (changed, peer):
        subscribe(socket)
    addresses = []
    for _ in range(2):
        peer.bind("tcp://127.0.0.1:*")
        addresses.append(peer.last_endpoint)
    publisher, subscriber = (changed, peer) if kind in ("PUB", "XPUB") else (peer, changed)
    changed.connect(addresses[0])
    let_through(publisher, subscriber)
    changed.connect(addresses[1])
    copies: Counter[bytes] = Counter()
    numbers = count()
    while 2 not in copies.values():
        publisher.send(b"%d" % next(numbers))
        while subscriber.poll(1):
            copies[subscriber.recv()] += 1
        del copies[b"first"]  # of which some come now
    publisher.send(b"last")
    while copies[b"last"] < 2:
        copies[subscriber.recv()] += 1
    assert set(copies.values()) <= {1, 2}
    assert CHANGES[kind, "overlap"].doubled


@pytest.mark.parametrize("kind", ["PULL", "DEALER", "ROUTER", "PAIR"])
@pytest.mark.parametrize("operation", ["overlap", "rewire"])
def test_what_the_old_connection_held_is_lost(
    kind: str, operation: Operation, make: Open, endpoint: Callable[[str], str]
) -> None:
    """`coming`, when the new connection comes before or after."""
    for transport in TRANSPORTS:
        case, other = two_addresses(make, kind, transport, endpoint)
        let_through(case.peer, case.changed)
        send(case.peer, range(COUNT))
        assert case.changed.poll(PATIENCE)
        if operation == "overlap":
            case.changed.connect(other)
        case.changed.disconnect(case.address)
        if operation == "rewire":
            case.changed.connect(other)
        if kind == "ROUTER":  # it has looked who asks
            assert taken(case.changed) == 0
        assert refusal(lambda case=case: case.changed.recv(zmq.DONTWAIT)) == zmq.EAGAIN
        assert fate_of_coming(kind, operation, transport) == "lost"


HALF_READ = """
changed, peer = c.socket(zmq.{kind}), c.socket(zmq.{peer})
peer.bind("tcp://127.0.0.1:*")
changed.connect(peer.last_endpoint)
if changed.type == zmq.SUB:
    changed.subscribe(b"")
if changed.type == zmq.XSUB:
    changed.send(bytes([1]))
if peer.type == zmq.XPUB:
    peer.recv()
peer.send_multipart([b"a", b"b"])
changed.poll()
changed.disconnect(peer.last_endpoint)
changed.recv(zmq.DONTWAIT)
while changed.rcvmore:
    changed.recv(zmq.DONTWAIT)
"""


@pytest.mark.parametrize("kind", RECEIVING)
def test_who_has_looked_at_a_message_and_disconnects_may_end_the_process(kind: str) -> None:
    """`aborts`: poll has read the first part, to see whether it fits or who sent it, and the second is gone."""
    ended = in_a_child(HALF_READ.format(kind=kind, peer=PEER[kind]))
    assert (ended == -signal.SIGABRT) == CHANGES[kind, "disconnect"].aborts


@pytest.mark.parametrize("operation", ["overlap", "rewire", "rewire when empty"])
def test_a_pair_has_no_second_peer_before_the_first_is_gone(operation: Operation, make: Open) -> None:
    """It is connected, and nothing goes to it, however long one waits."""
    changed, peer = make("PAIR", sndtimeo=100), make("PAIR")
    for address in ("inproc://first", "inproc://second"):
        peer.bind(address)
    changed.connect("inproc://first")
    let_through(changed, peer)
    if operation == "overlap":
        changed.connect("inproc://second")
    changed.disconnect("inproc://first")
    if operation != "overlap":
        changed.connect("inproc://second")
    assert not peer.poll(0)
    assert refusal(lambda: changed.send(b"not heard")) == zmq.EAGAIN
    assert CHANGES["PAIR", operation].unheard == "always"


@pytest.mark.parametrize("operation", ["overlap", "rewire", "rewire when empty"])
def test_a_router_does_not_hear_who_is_already_there_by_that_name(operation: Operation, make: Open) -> None:
    """`identified`, from the ROUTER's end as from the other."""
    changed, peer, other = make("DEALER", routing_id=b"me"), make("ROUTER"), make("DEALER")
    for address in ("inproc://first", "inproc://second"):
        peer.bind(address)
    other.connect("inproc://first")
    changed.connect("inproc://first")
    let_through(changed, peer)
    if operation == "rewire":
        changed.send(b"on the way")
    if operation == "overlap":
        changed.connect("inproc://second")
        assert not peer.poll(0)
    changed.disconnect("inproc://first")
    if operation != "overlap":
        changed.connect("inproc://second")
    changed.send(b"not heard")
    other.send(b"last")
    got = []
    while not got or got[-1] != b"last":
        got.append(peer.recv_multipart()[-1])
    assert b"not heard" not in got
    assert CHANGES["DEALER", operation].unheard == "identified"
    assert CHANGES["ROUTER", operation].unheard == "identified"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", ["DEALER", "ROUTER"])
def test_a_router_forgets_whom_it_has_lost(kind: str, transport: str, make: Open, endpoint: Callable[[str], str]) -> None:
    """`forgotten`: whoever comes again has another address, unless it says a name of its own."""
    for name, known in ((None, False), (b"fixed", True)) if transport != "inproc" else ((None, False),):
        router, dealer = make("ROUTER", router_mandatory=1, router_handover=1), make("DEALER")
        if name is not None:
            dealer.routing_id = name
        binding, connecting = (dealer, router) if kind == "ROUTER" else (router, dealer)
        binding.bind(endpoint(transport))
        connecting.connect(binding.last_endpoint)
        dealer.send(b"question")
        asked, _ = router.recv_multipart()
        connecting.disconnect(binding.last_endpoint)
        while not refusal(lambda router=router, asked=asked: router.send_multipart([asked, b""], zmq.DONTWAIT)):
            dealer.poll(1)
        connecting.connect(binding.last_endpoint)
        while not router.poll(1):
            refusal(lambda dealer=dealer: dealer.send(b"another", zmq.DONTWAIT))
        again, _ = router.recv_multipart()
        assert (again == asked) == known
    for operation in ("disconnect", "unbind", "close", "overlap", "rewire", "rewire when empty"):
        assert CHANGES[kind, operation].forgotten


SETTLED = [("PUSH", "PULL"), ("PULL", "PUSH"), ("DEALER", "DEALER"), ("DEALER", "ROUTER"), ("ROUTER", "DEALER")]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("kind", "peer"), SETTLED)
def test_when_the_link_was_empty_nothing_is_lost_doubled_or_out_of_order(
    kind: str, peer: str, transport: str, make: Open, endpoint: Callable[[str], str]
) -> None:
    """The sender pauses, all that it has sent arrives, and only then the connection is another: five times.

    A sender that was connected to must have noticed that before it goes on, or it sends into the old connection.
    """
    changed, other = make(kind, **ROOMY), make(peer, **ROOMY)
    addresses = []
    for _ in range(2):
        other.bind(endpoint(transport))
        addresses.append(other.last_endpoint)
    changed.connect(addresses[0])
    sender, receiver = (changed, other) if kind != "PULL" else (other, changed)
    got = []
    for turn in range(5):
        numbers = range(turn * 300, (turn + 1) * 300)
        if kind == "ROUTER":
            other.send(b"here")
            name = changed.recv_multipart()[0]
            for number in numbers:
                changed.send_multipart([name, numbered(number)])
        else:
            send(sender, numbers)
        got += [taken(receiver) for _ in numbers]
        changed.disconnect(addresses[turn % 2])
        while kind in ("PULL", "ROUTER") and other.poll(1, zmq.POLLOUT):  # it has not noticed yet
            changed.poll(0)
        changed.connect(addresses[(turn + 1) % 2])
    assert got == list(range(1500))
    row = CHANGES[kind, "rewire when empty"]
    assert {row.sent, row.coming} <= {"kept", ""}


# What else one has to reckon with


def test_who_disconnects_must_go_on_working_for_it_to_end(make: Open) -> None:
    """The connection is there until the socket is used again: libzmq works in the thread that calls it."""
    case = linked(make("PUSH"), make("PULL"), "disconnect", "tcp://127.0.0.1:*")
    let_through(case.changed, case.peer)
    case.changed.disconnect(case.address)
    assert not case.monitor.poll(50)
    case.changed.poll(1, zmq.POLLOUT)
    while not case.monitor.poll(1):
        case.changed.poll(1, zmq.POLLOUT)
    event(case.monitor, "DISCONNECTED")


@pytest.mark.parametrize(("transport", "size", "more"), [("tcp", 1, True), ("ipc", 1000, False)])
def test_the_buffers_of_the_system_hold_more_than_the_high_water_marks_say(
    transport: str, size: int, more: bool, make: Open, endpoint: Callable[[str], str]
) -> None:
    """The high water marks bound the queues at both ends. What lies between comes on top: many messages, if they are small."""
    sender, receiver = make("PUSH", sndhwm=100, sndtimeo=1000), make("PULL", rcvhwm=100)
    receiver.bind(endpoint(transport))
    sender.connect(receiver.last_endpoint)
    waiting = 0
    while not refusal(lambda: sender.send(bytes(size))):
        waiting += 1
        if waiting == 5000:
            break
    assert waiting >= 200
    assert (waiting > 1000) == more


def test_an_address_that_was_given_up_may_be_refused_for_a_moment(make: Open) -> None:
    """To another socket that wants it at once; it gets it when it tries again."""
    refused = 0
    for _ in range(1000):
        first, second = make("PULL"), make("PULL")
        first.bind("tcp://127.0.0.1:*")
        address = first.last_endpoint
        first.unbind(address)
        tries = 0
        while refusal(lambda address=address, second=second: second.bind(address)) == zmq.EADDRINUSE:
            tries += 1
        refused += tries > 0
        first.close()
        second.close()
        if refused:
            break
    assert refused
