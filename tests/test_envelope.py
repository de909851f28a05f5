"""The model of messages: what each socket does to the parts, said by hand. `tests/envelope` holds it to real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from topo.compile import compile
from topo.envelope import Journey, Leg, label
from topo.graph import Graph
from topo.source import Source
from topo.trace import trace
from topo.zeromq.envelopes import ENVELOPES
from topo.zeromq.sockets import SOCKETS

QUEUE = "device d: queue { in bind tcp://*:5; out bind tcp://*:6 }\n"
MESH = "device mesh: queue swap { in bind tcp://*:5; out ROUTER bind tcp://*:6 }\n"


def graph_of(text: str) -> Graph:
    return compile(Source(text, "x.ztopo", Path("/x.ztopo")), fragment=True).graph


def way(text: str, start: str = "a", end: str = "b") -> Journey:
    """The shortest way."""
    graph = graph_of(text)
    (found, *_) = trace(graph, [graph.sockets[start]], [graph.sockets[end]], 1).journeys
    return found


def drawn(leg: Leg | None) -> list[str]:
    """A leg in few characters: each socket with the parts after each thing that it did."""
    assert leg is not None
    return [f"{hop.socket.id}: {'|'.join(label(part) for part in hop.parts)}" for hop in leg.hops]


def test_there_is_a_row_for_each_type() -> None:
    assert list(ENVELOPES) == list(SOCKETS)
    for name, row in ENVELOPES.items():
        facts = SOCKETS[name]
        assert bool(row.speaks) == facts.turns
        assert bool(row.chooses) == (facts.sends or name == "XSUB")
        assert (row.chooses in ("address", "asker")) == (facts.routed or name in ("REP", "DGRAM"))


def test_a_question_and_its_answer() -> None:
    journey = way(QUEUE + "app a: REQ connect d.in\napp b[3]: REP connect d.out", end="b[1]")
    assert drawn(journey.there) == ["a: body", 'a: ""|body', 'd.in: a|""|body', 'd.out: a|""|body', "b[1]: body"]
    assert drawn(journey.back) == ["b[1]: answer", 'b[1]: a|""|answer', 'd.out: a|""|answer', 'd.in: ""|answer', "a: answer"]
    assert journey.there.hops[3].among == 3
    assert journey.verdict == "answered"


def test_ids_pile_up_from_queue_to_queue() -> None:
    text = (
        QUEUE
        + "device e: queue { in connect d.out; out bind tcp://*:7 }\napp a: REQ connect d.in\napp b: ROUTER as REP connect e.out"
    )
    journey = way(text)
    assert drawn(journey.there)[-2:] == ['b: e.out|d.out|a|""|body', "b: body"]
    assert drawn(journey.back)[1] == 'b: e.out|d.out|a|""|answer'
    assert drawn(journey.back)[-2:] == ['d.in: ""|answer', "a: answer"]


def test_whom_a_program_calls() -> None:
    journey = way(MESH + 'app a: DEALER connect mesh.in { routing_id "A" }\napp b: DEALER connect mesh.out { routing_id * }')
    assert drawn(journey.there) == [
        "a: b|body",
        "a: b|body",
        "mesh.in: A|b|body",
        "mesh.in: b|A|body",
        "mesh.out: A|body",
        "b: A|body",
    ]
    assert journey.verdict == "answered"


def test_two_meshes_in_a_row_need_two_names() -> None:
    text = (
        MESH
        + 'device far: queue swap { in connect mesh.out { routing_id "far" }; out ROUTER bind tcp://*:7 }\n'
        + 'app a: DEALER connect mesh.in { routing_id "a" }\napp b: DEALER connect far.out { routing_id "b" }'
    )
    journey = way(text)
    assert drawn(journey.there)[0] == "a: far|body"
    assert journey.verdict == "lost"  # a ROUTER behind a ROUTER puts another id in front, which is nobody's there


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (QUEUE + "app a: DEALER connect d.in\napp b: REP connect d.out", "`b` drops it: it looks for an empty delimiter, and there is none"),
        (QUEUE + "app a: REP connect d.out\napp b: REQ connect d.in", "`a` is a REP: it speaks only when it is asked"),
        (QUEUE + "app a: DEALER connect d.out\napp b: REQ connect d.in", "`b` has no `routing_id` by which anybody could call it"),
        (QUEUE + 'app a: DEALER connect d.out\napp b: REQ connect d.in { routing_id "b" }', "`b` is a REQ: it takes nothing but answers"),
        (MESH + 'app a: REQ connect mesh.in\napp b: DEALER connect mesh.out { routing_id "b" }', "`mesh.out` drops it: it knows nobody by an empty part"),
        ("device d: queue { in bind tcp://*:5; out ROUTER bind tcp://*:6 }\napp a: REQ connect d.in\napp b: DEALER connect d.out", "`d.out` drops it: it knows nobody by the id of `a`"),
        ("device d: forwarder { in bind tcp://*:5; out PUB bind tcp://*:6 }\napp a: PUB connect d.in\napp b: SUB connect d.out { subscribe \"\" }", "`d.in` has subscribed to nothing"),
        ("device d: queue { in bind tcp://*:5; out PUB bind tcp://*:6 }\napp a: REQ connect d.in\napp b: SUB connect d.out { subscribe \"x\" }", "`b` has not subscribed to what begins with the id of `a`"),
        ("app a: ROUTER bind tcp://*:5\napp b: DEALER connect a", "`b` has no `routing_id` by which `a` could call it"),
    ],
)  # fmt: skip
def test_where_a_message_ends(text: str, why: str) -> None:
    journey = way(text)
    assert (journey.verdict, journey.why) == ("lost", why)
    assert journey.where is not None
    assert journey.where.text in SOCKETS or journey.where.text == "in"


def test_answers_that_come_by_chance() -> None:
    proxy = "device d: proxy { in DEALER bind tcp://*:5; out DEALER bind tcp://*:6 }\napp b: REP connect d.out\n"
    assert way(proxy + "app a: DEALER as REQ connect d.in").verdict == "answered"
    journey = way(proxy + "app a[3]: DEALER as REQ connect d.in", start="a[2]")
    assert (journey.verdict, journey.why) == ("by chance", "`d.in` sends answers to one of 3 in turn, whoever asked")


def test_subscriptions_go_ahead() -> None:
    text = (
        "device r: forwarder { in bind tcp://*:5; out bind tcp://*:6 }\ndevice s: forwarder { in connect r.out; out bind tcp://*:7 }\n"
        'app a: PUB connect r.in\napp b: SUB connect s.out { subscribe "y", "x" }'
    )
    journey = way(text)
    assert drawn(journey.before) == [f'{id}: 1 "x"' for id in ("b", "s.out", "s.in", "r.out", "r.in", "a")]
    assert journey.before is not None
    assert journey.before.hops[0].among == 2


def test_a_device_that_subscribes_itself_ends_the_subscription() -> None:
    text = (
        'device r: proxy { in SUB bind tcp://*:5 { subscribe "" }; out PUB bind tcp://*:6 }\n'
        'app a: PUB connect r.in\napp b: SUB connect r.out { subscribe "x" }'
    )
    assert drawn(way(text).before) == ['b: 1 "x"', 'r.out: 1 "x"']


def test_the_number_of_a_request() -> None:
    journey = way(
        "app a: REQ connect b { req_correlate true }\napp b: DEALER as REP bind tcp://*:5".replace(
            "DEALER as REP", "ROUTER as REP"
        )
    )
    assert drawn(journey.there) == ["a: body", 'a: request id|""|body', 'b: a|request id|""|body', "b: body"]
    assert drawn(journey.back)[-1] == "a: answer"


def test_several_ways_the_shortest_first() -> None:
    text = (
        "device d: streamer { in bind tcp://*:5; out connect b }\ndevice e: streamer { in bind tcp://*:6; out connect d.in }\n"
        "app a: PUSH connect e.in, d.in, b\napp b: PULL bind tcp://*:7"
    )
    graph = graph_of(text)
    ends = [graph.sockets["a"]], [graph.sockets["b"]]
    found = trace(graph, *ends, most=3)
    assert [len(journey.there.hops) for journey in found.journeys] == [3, 5, 7]
    assert not found.more
    assert trace(graph, *ends, most=2).more
