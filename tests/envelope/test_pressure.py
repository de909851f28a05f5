"""What `ztopo analyze` says of those who do not read, against real sockets: who waits, who drops, and after how many messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.devcore.conftest import CORES
from tests.envelope.rig import Rig, told
from topo.analysis import Analysis, analyze
from topo.graph import Graph

MANY = 200
"""More messages than any link here holds."""

LINKS = [
    ("PUSH", "PULL", "waits"),
    ("DEALER", "DEALER", "waits"),
    ("DEALER", "ROUTER", "waits"),
    ("PAIR", "PAIR", "waits"),
    ("PUB", "SUB", "drops"),
    ("XPUB", "SUB", "drops"),
    ("ROUTER", "DEALER", "drops"),
]


def graph_of(text: str) -> Graph:
    return told(text, Path("/srv/pressure")).graph


def sent(rig: Rig, id: str, message: list[bytes]) -> int:
    """How many messages a socket takes while nobody reads."""
    return sum(rig.send(id, message) for _ in range(MANY))


def held(found: Analysis, reader: str, sender: str) -> int | None:
    (feeds,) = [feeds for socket, feeds in found.readers if socket.id == reader]
    (holds,) = [feed.holds for feed in feeds if feed.sender.id == sender]
    return holds


@pytest.mark.parametrize(("marks", "expected"), [((3, 4), 7), ((1, 1), 2), ((5, 0), None), ((0, 5), None)])
@pytest.mark.parametrize(("sender", "reader", "does"), LINKS)
def test_what_a_link_holds(sender: str, reader: str, does: str, marks: tuple[int, int], expected: int | None) -> None:
    topics = 'subscribe ""; ' if reader == "SUB" else ""
    graph = graph_of(
        f"app a: {sender} bind inproc://a {{ run inside; sndhwm {marks[0]} }}\n"
        f'app b: {reader} connect a {{ run inside; routing_id "b"; {topics}rcvhwm {marks[1]} }}'
    )
    found = analyze(graph, 1)
    assert (held(found, "b", "a"), found.stalls["a"].does) == (expected, does)
    rig = Rig(graph, CORES["cython"])
    try:
        taken = sent(rig, "a", [b"b", b"x"])
        arrived = len(rig.received("b"))
        most = MANY if expected is None else expected
        assert arrived == most
        assert taken == (MANY if does == "drops" else most)
    finally:
        rig.close()


@pytest.mark.parametrize("core", CORES)
def test_pressure_goes_back_through_devices(core: str) -> None:
    graph = graph_of(
        "device d: streamer { in bind inproc://in { rcvhwm 4 }; out connect e.in { sndhwm 2 } }\n"
        "device e: streamer { in bind inproc://between { rcvhwm 3 }; out bind inproc://out { sndhwm 5 } }\n"
        "app a: PUSH connect d.in { run inside; sndhwm 6 }\napp b: PULL connect e.out { run inside; rcvhwm 1 }"
    )
    found = analyze(graph, 1)
    assert held(found, "b", "e.out") == 6
    assert [(feed.sender.id, feed.holds) for feed in found.stalls["e.out"].feeds] == [("d.out", 5)]
    assert [(feed.sender.id, feed.holds) for feed in found.stalls["d.out"].feeds] == [("a", 10)]
    assert found.stalls["a"].does == "waits"
    rig = Rig(graph, CORES[core])
    try:
        taken = sent(rig, "a", [b"x"])
        assert 6 + 10 < taken <= 6 + 5 + 10, "all three links are full, but for what is read and not yet acknowledged"
    finally:
        rig.close()


def test_the_slow_one_of_several_holds_up_nobody() -> None:
    """A PUSH shares among those that read; only once none does, it waits."""
    graph = graph_of("app a: PUSH bind inproc://a { run inside; sndhwm 2 }\napp b[2]: PULL connect a { run inside; rcvhwm 2 }")
    assert analyze(graph, 1).stalls["a"].shared
    rig = Rig(graph, CORES["cython"])
    try:
        for _ in range(MANY):
            assert rig.send("a", [b"x"])
            rig.received("b[0]")
        assert len(rig.received("b[1]")) == 4
        assert sent(rig, "a", [b"x"]) == 8
    finally:
        rig.close()
