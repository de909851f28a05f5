"""The model of messages against real sockets: for all pairs of sides, and for generated topologies.

A topology is run for real, a message sent at one end and answered at the other; the parts that arrive are the parts that the
model says, made-up ids told apart, and where it says that nothing arrives, nothing does.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from pathlib import Path

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from zmq.utils.monitor import recv_monitor_message

from tests.devcore.conftest import CORES, PATIENCE, Bench, Socket
from tests.envelope.rig import compare, told
from tests.envelope.texts import SPEAKING, Pair, every_device, one_device, rows
from topo.envelope import Verdict
from topo.trace import trace
from topo.zeromq.sockets import PEERS, compatible

HERE = Path("/srv/proof")
BOTH = (("client", "worker"), ("worker", "client"))
EVERY = dict(every_device())


@pytest.mark.parametrize("sides", EVERY)
def test_every_pair_of_sides(sides: str) -> None:
    """With every type of end before and behind it, watched, and asked from either end."""
    for text in EVERY[sides]:
        graph = told(text, HERE).graph
        for start, end in BOTH:
            compare(graph, CORES["cython"], start, end)


KNOWN: list[tuple[str, str, str, Verdict | None, Verdict | None]] = [
    ("ROUTER/DEALER", "REQ", "REP", "answered", "lost"),
    ("ROUTER/DEALER", "DEALER", "DEALER", "answered", "answered"),
    ("PULL/PUSH", "PUSH", "PULL", "one way", None),
    ("XSUB/XPUB", "PUB", "SUB", "one way", None),
    ("PAIR/PAIR", "PAIR", "PAIR", "answered", "answered"),
    ("DEALER/DEALER", "DEALER", "DEALER", "answered", "answered"),
    ("DEALER/DEALER", "DEALER", "REP", "lost", "lost"),
    ("SUB/PUB", "PUB", "SUB", "one way", None),
    ("XSUB/PUB", "PUB", "SUB", "lost", None),
    ("SUB/XPUB", "PUB", "SUB", "one way", None),
    ("PULL/PULL", "PUSH", "PUSH", None, None),
    ("SUB/PULL", "PUB", "PUSH", None, None),
    ("REP/REQ", "REQ", "REP", "answered", "lost"),
    ("ROUTER/ROUTER", "DEALER", "DEALER", "lost", "lost"),
    ("ROUTER/ROUTER swap", "DEALER", "DEALER", "answered", "answered"),
    ("ROUTER/ROUTER swap", "REQ", "DEALER", "lost", "lost"),
    ("ROUTER/PUSH", "DEALER", "PULL", "one way", None),
    ("ROUTER/PUSH", "REQ", "PULL", "unanswered", None),
    ("PULL/DEALER", "PUSH", "DEALER", "one way", None),
    ("PULL/PUB", "PUSH", "SUB", "one way", None),
    ("PUB/SUB", "SUB", "PUB", None, "one way"),
]
"""Pairs of sides that are often met: the ends, and what becomes of a message from the client and of one from the worker.

Where libzmq's own loop does otherwise, it spins (SUB/XPUB) or ends (REP/REQ); the message itself fares the same.
"""


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("sides", "client", "worker", "forth", "back"), KNOWN)
def test_known_pairs(sides: str, client: str, worker: str, forth: Verdict | None, back: Verdict | None, core: str) -> None:
    in_type, _, out_type = sides.removesuffix(" swap").partition("/")
    graph = told(one_device(in_type, out_type, client, worker, swap=sides.endswith("swap")), HERE).graph
    found = [compare(graph, CORES[core], start, end) for start, end in BOTH]
    assert [journey and journey.verdict for journey in found] == [forth, back]


@pytest.mark.parametrize(("a", "b"), sorted((a, b) for a in SPEAKING for b in PEERS[a]))
def test_ends_without_a_device(a: str, b: str) -> None:
    names = [f'routing_id "{name}"' if kind in ("REQ", "DEALER", "ROUTER") else "linger 0" for name, kind in (("a", a), ("b", b))]
    topics = ['subscribe ""' if kind == "SUB" else "linger 0" for kind in (a, b)]
    graph = told(
        f"app a: {a} bind inproc://a {{ run inside; {names[0]}; {topics[0]} }}\n"
        f"app b: {b} connect a {{ run inside; {names[1]}; {topics[1]} }}",
        HERE,
    ).graph
    for start, end in (("a", "b"), ("b", "a")):
        compare(graph, CORES["cython"], start, end)


def test_there_is_a_way_just_between_those_that_complete_a_handshake(tmp_path: Path) -> None:
    pairs = list(combinations_with_replacement(SPEAKING, 2))
    assert len(pairs) == 66
    bench = Bench(CORES["cython"])
    try:
        watched = [_watched(bench, a, b, f"ipc://{tmp_path}/{number}") for number, (a, b) in enumerate(pairs)]
        for (a, b), socket in zip(pairs, watched, strict=True):
            monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
            assert monitor.poll(PATIENCE), (a, b)
            talks = recv_monitor_message(monitor)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED
            graph = told(f"app a: {a} bind ipc://x\napp b: {b} connect a", tmp_path).graph
            ends = graph.sockets["a"], graph.sockets["b"]
            ways = [trace(graph, [start], [end], 1).journeys for start, end in (ends, ends[::-1])]
            assert any(ways) == talks == compatible(a, b), (a, b)
    finally:
        bench.close()


def _watched(bench: Bench, a: str, b: str, endpoint: str) -> Socket:
    bound, other = bench.socket(getattr(zmq, a)), bench.socket(getattr(zmq, b), reconnect_ivl=-1)
    bound.bind(endpoint)
    bench.sockets.append(other.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED))
    other.connect(endpoint)
    return other


@settings(max_examples=700, suppress_health_check=[HealthCheck.filter_too_much])
@given(rows())
def test_devices_in_a_row(row: tuple[str, Pair]) -> None:
    text, (start, end) = row
    compare(told(text, HERE).graph, CORES["cython"], start, end)


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
@given(rows())
def test_devices_in_a_row_on_the_core_in_python(row: tuple[str, Pair]) -> None:
    text, (start, end) = row
    compare(told(text, HERE).graph, CORES["python"], start, end)


@pytest.mark.parametrize(
    "sides", ["ROUTER/DEALER", "ROUTER/ROUTER swap", "DEALER/DEALER", "DEALER/ROUTER", "PULL/PUSH", "PULL/DEALER", "ROUTER/PUSH", "PAIR/PAIR"]
)  # fmt: skip
def test_over_ipc_it_is_the_same(sides: str, tmp_path: Path) -> None:
    """What arrives; that nothing does is shown over inproc. Subscriptions take their time over ipc, and nobody says when."""
    arrived = 0
    for text in EVERY[sides]:
        graph = told(
            text.replace("inproc://", "ipc://").replace("    monitor PUB bind ipc://monitor\n", "").partition("app watcher")[0],
            tmp_path,
        ).graph
        for start, end in BOTH:
            journey = next(iter(trace(graph, [graph.sockets[start]], [graph.sockets[end]], 1).journeys), None)
            if journey is not None and journey.there.arrives:
                compare(graph, CORES["cython"], start, end, patient=True)
                arrived += 1
    assert arrived
