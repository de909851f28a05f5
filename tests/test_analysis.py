"""Questions to whole topologies, with the answers found by hand; and what falls apart, by trying."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_in_proportion import SHAPES, compiled, in_proportion
from topo.analysis import Analysis, Cut, analyze
from topo.compile import compile
from topo.graph import Graph
from topo.source import Source

EXAMPLES = Path(__file__).parents[1] / "examples"


def graph_of(text: str) -> Graph:
    return compile(Source(text, "x.ztopo", Path("/x.ztopo")), fragment=not text.startswith("ztopo")).graph


def asked(text: str, size: int = 1024) -> Analysis:
    return analyze(graph_of(text), size)


def cut(found: Cut) -> tuple[str, list[tuple[str, int, int]]]:
    return found.device.name, [(part.name, part.next, part.all) for part in found.apart]


def feeds(found: Analysis, reader: str) -> list[tuple[str, int | None, int]]:
    (feeding,) = [feeding for socket, feeding in found.readers if socket.declared == reader]
    return [(feed.sender.declared, feed.holds, feed.count) for feed in feeding]


def stall(found: Analysis, id: str) -> tuple[str, bool, list[tuple[str, int | None, int]]]:
    known = found.stalls[id]
    return known.does, known.shared, [(feed.sender.declared, feed.holds, feed.count) for feed in known.feeds]


def loads(found: Analysis) -> dict[str, tuple[int | None, int | None, bool]]:
    return {load.component.name: (load.to_send, load.to_read, load.each) for load in found.loads}


def test_a_pipeline() -> None:
    found = asked((EXAMPLES / "pipeline.ztopo").read_text())
    assert [cut(c) for c in found.cuts] == [
        ("tasks", [("source", 1, 1), ("squarer", 1, 5)]),
        ("results", [("squarer", 1, 5), ("sink", 1, 1)]),
    ]
    assert (found.unreached, found.rings) == ((), ())
    assert feeds(found, "sink") == [("results.out", 2000, 1)]
    assert stall(found, "results.out") == ("takes no more", False, [("squarer.result", 2000, 3)])
    assert stall(found, "tasks.out") == ("takes no more", True, [("source", 2000, 1)])
    assert stall(found, "squarer[1].result") == ("waits", False, [])
    assert loads(found) == {
        "tasks": (3000, 1000, False),
        "results": (1000, 3000, False),
        "source": (1000, 0, False),
        **{f"squarer[{n}]": (1000, 1000, False) for n in range(3)},
        "sink": (0, 1000, False),
    }
    assert found.start == ((("sink", 1),), (("results", 1),), (("squarer", 3),), (("tasks", 1),), (("source", 1),))


def test_a_broker() -> None:
    found = asked((EXAMPLES / "request_broker.ztopo").read_text())
    assert [cut(c) for c in found.cuts] == [("broker", [("client", 2, 2), ("worker", 3, 3), ("watcher", 1, 1)])]
    assert feeds(found, "client") == [("broker.in", 1, 1)]
    assert stall(found, "broker.in") == ("drops", False, [])
    assert stall(found, "broker.out") == ("takes no more", True, [("client", 1, 2)])
    assert stall(found, "broker.monitor") == ("drops", False, [])
    assert loads(found)["broker"] == (2 + 3 * 1000 + 1000, 2 + 3 * 1000, False)
    assert loads(found)["client[0]"] == (1, 1, False)
    assert found.start == ((("worker", 3), ("watcher", 1)), (("broker", 1),), (("client", 2),))


PUBLISHED = """
device left: forwarder { in connect feed; out bind tcp://*:6; monitor PUSH bind tcp://*:8 { sndhwm 7 } }
device right: forwarder { in connect feed { rcvhwm 0 }; out bind tcp://*:7 { sndhwm 5; xpub_nodrop true } }
app feed: PUB bind tcp://*:5 { hwm 30 }
app seen[*]: SUB connect left.out { subscribe "a"; rcvhwm 10 }
app all: SUB connect right.out { subscribe "" }
app log: PULL connect left.monitor
app idle: PULL bind tcp://*:9
"""


def test_what_is_published() -> None:
    found = asked(PUBLISHED)
    assert [cut(c) for c in found.cuts] == [
        ("left", [("feed", 1, 3), ("seen", 1, 1), ("log", 1, 1)]),
        ("right", [("feed", 1, 4), ("all", 1, 1)]),
    ]
    assert [socket.id for socket in found.unreached] == ["idle"]
    assert feeds(found, "seen") == [("left.out", 1010, 1)]
    assert stall(found, "left.out")[0] == "drops"
    assert feeds(found, "all") == [("right.out", 1005, 1)]
    assert stall(found, "right.out") == ("takes no more", False, [("feed", None, 1)])
    assert stall(found, "left.monitor")[0] == "drops"
    assert loads(found) == {
        "left": (1000 + 7 + 7, 1000, True),
        "right": (5, None, False),
        "feed": (60, 0, False),
        "seen[*]": (0, 10, False),
        "all": (0, 1000, False),
        "log": (0, 1000, False),
    } | {"idle": (0, 0, False)}
    assert found.start[0] == (("seen", 1), ("all", 1), ("log", 1), ("idle", 1))
    assert found.start[-1] == (("feed", 1),)


def test_a_program_waits_for_a_full_peer_of_a_router_that_is_mandatory() -> None:
    found = asked("""
device hop: queue swap { in ROUTER bind tcp://*:1; out ROUTER bind tcp://*:2 { router_mandatory true } }
app asks: DEALER connect hop.in
app does: DEALER connect hop.out, sure, unsure
app sure: ROUTER bind tcp://*:3 { router_mandatory true }
app unsure: ROUTER bind tcp://*:4
""")
    assert [stall(found, id)[0] for id in ("sure", "unsure", "hop.out")] == ["waits", "drops", "drops"]


def test_a_ring_and_what_it_keeps_to_itself() -> None:
    found = asked(
        "device a: streamer { in bind tcp://*:5; out connect b.in }\ndevice b: streamer { in bind tcp://*:6; out connect a.in }\n"
        "device c: streamer { in bind tcp://*:7; out bind tcp://*:8 }\napp end: PULL connect c.out\napp w: REP bind tcp://*:9"
    )
    assert [[device.name for device in ring.devices] for ring in found.rings] == [["a", "b"]]
    assert [socket.id for socket in found.unreached] == ["a.in", "b.in", "c.in", "end", "w"]
    assert [cut(c) for c in found.cuts] == []
    assert found.start[0] == (("a", 1), ("b", 1), ("end", 1), ("w", 1))


@st.composite
def meshes(draw: st.DrawFn) -> str:
    """Streamers that are linked anyhow."""
    count = draw(st.integers(2, 9))
    lines = []
    for number in range(count):
        others = draw(st.lists(st.sampled_from([n for n in range(count) if n != number]), max_size=3, unique=True))
        onward = ", ".join(f"d{n}.in" for n in others)
        lines.append(
            f"device d{number}: streamer {{ in bind tcp://*:{5000 + number}; out {f'connect {onward}' if onward else f'bind tcp://*:{6000 + number}'} }}"
        )
    return "\n".join(lines)


@settings(max_examples=200)
@given(meshes())
def test_what_falls_apart_does(text: str) -> None:
    graph = graph_of(text)
    contact: networkx.Graph[str] = networkx.Graph((link.a.owner, link.b.owner) for link in graph.links)
    expected = {}
    for device in graph.model.devices:
        if device.name in contact:
            piece = networkx.node_connected_component(contact, device.name) - {device.name}
            parts = list(networkx.connected_components(contact.subgraph(piece)))
            if len(parts) > 1:
                expected[device.name] = sorted(map(len, parts))
    found = {c.device.name: sorted(part.all for part in c.apart) for c in analyze(graph, 1).cuts}
    assert found == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_it_takes_time_in_proportion(shape: str) -> None:
    def work(count: int) -> object:
        graph = compiled(shape, count).graph
        return lambda: analyze(graph, 1)

    work(500)()  # type: ignore[operator]  # networkx is imported
    assert in_proportion(work)  # type: ignore[arg-type]
