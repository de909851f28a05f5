"""Both cores live through the same histories, and must come out the same.

A history is what peers and commands do to a device, step by step; after each step the device comes to rest, so that everything
is decided by the history. Where peers vanish, libzmq decides some of it in its own time: then only the laws must hold.

The laws: messages arrive whole, once, and in the order of their sender; whatever the device received it has sent, dropped and
counted, or it holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, NamedTuple

import zmq
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.devcore.conftest import CORES, Bench, Device, Socket
from topo.devcore import Statistics

PEERS = 2
"""At each side."""


class Pattern(NamedTuple):
    """The sockets of a device and of its peers. `addressed`: messages to frontend and backend begin with the name of a peer."""

    front: int
    back: int
    near: int
    far: int
    addressed: tuple[bool, bool] = (False, False)
    options: tuple[tuple[str, Any], ...] = ()


PATTERNS = [
    Pattern(zmq.PULL, zmq.PUSH, zmq.PUSH, zmq.PULL),
    Pattern(zmq.DEALER, zmq.DEALER, zmq.DEALER, zmq.DEALER),
    Pattern(zmq.XSUB, zmq.XPUB, zmq.PUB, zmq.SUB),
    Pattern(zmq.ROUTER, zmq.DEALER, zmq.DEALER, zmq.DEALER, (True, False)),
    Pattern(zmq.ROUTER, zmq.ROUTER, zmq.DEALER, zmq.DEALER, (True, True), (("swap", True),)),
]

SENDS = {zmq.PUSH, zmq.DEALER, zmq.PUB}
RECEIVES = {zmq.PULL, zmq.DEALER, zmq.SUB}


class Send(NamedTuple):
    side: int
    peer: int
    to: int
    sizes: list[int]


class Receive(NamedTuple):
    side: int
    peer: int


class Vanish(NamedTuple):
    side: int
    peer: int


class Command(NamedTuple):
    word: bytes


class Restart(NamedTuple):
    """End run() and enter it again."""


class History(NamedTuple):
    pattern: Pattern
    hwm: int
    monitor: int | None
    listened: bool
    steps: list[Any]


sides = st.integers(0, 1)
peers = st.integers(0, PEERS - 1)
sizes = st.lists(st.sampled_from([0, 1, 20, 40, 3000]), max_size=4)
sends = st.builds(Send, sides, peers, st.integers(0, PEERS), sizes)
steps = st.one_of(
    sends,
    sends,
    sends,
    st.builds(Receive, sides, peers),
    st.builds(Receive, sides, peers),
    st.builds(Command, st.sampled_from([b"PAUSE", b"RESUME", b"RESUME", b"nonsense"])),
    st.builds(Restart),
)


def histories(*hwms: int) -> st.SearchStrategy[History]:
    """Histories of devices and peers with one of these high water marks."""
    return st.builds(
        History,
        st.sampled_from(PATTERNS),
        st.sampled_from(hwms),
        st.sampled_from([None, zmq.PUB, zmq.XPUB, zmq.PUSH]),
        st.booleans(),
        st.lists(steps, max_size=30),
    )


@dataclass
class Outcome:
    """What came of a history."""

    sent: dict[tuple[int, int], list[list[bytes]]] = field(default_factory=dict)
    got: dict[tuple[int, int], list[list[bytes]]] = field(default_factory=dict)
    seen: list[list[bytes]] = field(default_factory=list)
    counts: Statistics | None = None


class Run:
    """One history on one core."""

    def __init__(self, core: Any, history: History) -> None:
        self.history = history
        self.pattern = history.pattern
        self.bench = Bench(core)
        self.numbers = count()
        self.outcome = Outcome()
        hwm = {"sndhwm": history.hwm, "rcvhwm": history.hwm}
        options = [{**hwm, **({"router_mandatory": 1} if kind == zmq.ROUTER else {})} for kind in self.pattern[:2]]
        self.device: Device = self.bench.device(
            *self.pattern[:2],
            history.monitor,
            prefixes=(b"in", b"out"),
            front=options[0],
            back=options[1],
            mon={"sndhwm": history.hwm},
            **dict(self.pattern.options),
        ).start()
        self.peers: dict[tuple[int, int], Socket] = {}
        for side, bound in enumerate((self.device.frontend, self.device.backend)):
            for n in range(PEERS):
                name = b"%d%d" % (side, n)
                self.peers[side, n] = self.bench.peer((self.pattern.near, self.pattern.far)[side], bound, routing_id=name, **hwm)
                self.settle()
        self.listener: Socket | None = None
        if self.device.capture is not None and history.listened:
            self.listener = self.bench.peer(zmq.PULL if history.monitor == zmq.PUSH else zmq.SUB, self.device.capture, rcvhwm=0)
        self.settle()

    def settle(self) -> None:
        """Let device and peers notice everything."""
        self.device.settle()
        for peer in self.peers.values():
            peer.get(zmq.EVENTS)
        self.device.settle()

    def step(self, step: Any) -> None:
        match step:
            case Send(side, peer, to, sizes) if (side, peer) in self.peers and self.pattern[2 + side] in SENDS:
                self.send(side, peer, to, sizes)
            case Receive(side, peer) if (side, peer) in self.peers and self.pattern[2 + side] in RECEIVES:
                self.receive(side, peer)
            case Vanish(side, peer) if (side, peer) in self.peers:
                self.peers.pop((side, peer)).close()
            case Command(word):
                assert self.device.command(word) == [b""]
            case Restart():
                assert self.device.stop() == "terminated"
                self.device.start()
        self.settle()

    def send(self, side: int, peer: int, to: int, sizes: list[int]) -> None:
        """A message that tells by itself whether it is whole."""
        socket = self.peers[side, peer]
        if not socket.poll(0, zmq.POLLOUT):
            return
        number = b"%d from %d%d of %d" % (next(self.numbers), side, peer, len(sizes))
        message = [number, *(number[:1] * size for size in sizes)]
        address = [b"%d%d" % (1 - side, to)] if self.pattern.addressed[1 - side] else []
        socket.send_multipart([*address, *message])
        self.outcome.sent.setdefault((side, peer), []).append(message)

    def receive(self, side: int, peer: int) -> bool:
        socket = self.peers[side, peer]
        if not socket.poll(0):
            return False
        message = socket.recv_multipart()
        self.outcome.got.setdefault((side, peer), []).append(message[self.hops(side) :])
        return True

    def hops(self, side: int) -> int:
        """How many addresses of senders stand before a message that arrives at this side."""
        return 1 if self.pattern[1 - side] == zmq.ROUTER else 0

    def finish(self) -> Outcome:
        """Receive all that can be received, and end."""
        self.device.command(b"RESUME")
        self.settle()
        at = [key for key in self.peers if self.pattern[2 + key[0]] in RECEIVES]
        while [key for key in at if self.receive(*key)]:
            self.settle()
        while self.listener is not None and self.listener.poll(0):
            self.outcome.seen.append(self.listener.recv_multipart())
            self.settle()
        self.device.stop()
        self.outcome.counts = self.device.statistics()
        return self.outcome


def live(core: Any, history: History) -> Outcome:
    """Run a history to its end."""
    run = None
    try:
        run = Run(core, history)
        for step in history.steps:
            run.step(step)
        return run.finish()
    finally:
        if run is not None:
            run.bench.close()


def assert_laws(history: History, outcome: Outcome) -> None:
    """What holds in every history."""
    origin = {message[0]: (key, n) for key, sent in outcome.sent.items() for n, message in enumerate(sent)}
    whole = {message[0]: message for sent in outcome.sent.values() for message in sent}
    everywhere = [message[0] for got in outcome.got.values() for message in got]
    for arrived in [[m[0] for m in got] for got in outcome.got.values()] if history.pattern.back == zmq.XPUB else [everywhere]:
        assert len(arrived) == len(set(arrived)), "doubled"
    for got in outcome.got.values():
        for message in got:
            assert message == whole[message[0]], "torn or merged"
        for sender in outcome.sent:
            order = [origin[m[0]][1] for m in got if origin[m[0]][0] == sender]
            assert order == sorted(order), "out of order"
    counts = outcome.counts
    assert counts is not None
    for here, there in ((counts.frontend, counts.backend), (counts.backend, counts.frontend)):
        assert there.received.messages == here.sent.messages + here.unroutable + here.full + here.lost + here.held
        if not (here.unroutable or here.full or here.lost or here.held):
            assert there.received == here.sent


def comparable(outcome: Outcome) -> Outcome:
    """What must be the same on both cores."""
    assert outcome.counts is not None
    return replace(outcome, counts=replace(outcome.counts, turns=0, last_message=0))


quick = settings(
    deadline=None, max_examples=100, suppress_health_check=list(HealthCheck), phases=[p for p in Phase if p != Phase.explain]
)


@quick
@given(histories(1, 2, 1000))
def test_both_cores_come_out_the_same(history: History) -> None:
    expected = live(CORES["python"], history)
    assert_laws(history, expected)
    got = live(CORES["cython"], history)
    assert_laws(history, got)
    assert comparable(got) == comparable(expected)


@quick
@given(histories(1, 2, 1000), st.data())
def test_the_laws_hold_where_peers_vanish(history: History, data: st.DataObject) -> None:
    vanishing = data.draw(st.lists(st.tuples(st.integers(0, len(history.steps)), st.builds(Vanish, sides, peers)), max_size=4))
    steps = list(history.steps)
    for place, step in vanishing:
        steps.insert(place, step)
    for core in CORES.values():
        assert_laws(history, live(core, history._replace(steps=steps)))


@quick
@given(histories(1000), st.sampled_from([b"TERMINATE", b"drain"]))
def test_no_message_is_missing_when_all_could_go(history: History, end: bytes) -> None:
    """With room for all, what was sent to a known peer arrives, whatever happened in between."""
    finish: Callable[[Run], None] = _drain if end == b"drain" else _terminate
    for core in CORES.values():
        run = Run(core, history)
        try:
            for step in history.steps:
                run.step(step)
            finish(run)
            outcome = run.finish()
            assert_laws(history, outcome)
            counts = outcome.counts
            assert counts is not None
            missing = counts.frontend.unroutable + counts.backend.unroutable
            sent, got = (sum(map(len, messages.values())) for messages in (outcome.sent, outcome.got))
            copies = PEERS if history.pattern.back == zmq.XPUB else 1
            assert got == copies * (sent - missing)
        finally:
            run.bench.close()


def _drain(run: Run) -> None:
    run.device.command(b"RESUME")
    run.device.proxy.drain(quiet=0.005)
    assert run.device.join() == "drained"
    run.device.start()


def _terminate(run: Run) -> None:
    assert run.device.command(b"TERMINATE") == [b""]
    assert run.device.join() == "terminated"
    run.device.start()
