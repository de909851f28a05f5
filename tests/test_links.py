"""Flows, and what is under way in them."""

from __future__ import annotations

from topo.compile import compile, make_plan
from topo.links import Counts, Flow, Links, flows, under_way
from topo.plan import LinkPlan
from topo.source import Source

PIPELINE = """ztopo 1
topology t
app feed[2]: PUSH connect spread.in { run "feed" }
device spread: streamer { in PULL bind tcp://127.0.0.1:*; out PUSH bind tcp://127.0.0.1:* }
device left: streamer { in PULL connect spread.out { rcvhwm 7 }; out PUSH bind tcp://127.0.0.1:* }
device right: streamer { in PULL connect spread.out; out PUSH bind tcp://127.0.0.1:* }
app sink: PULL connect left.out, right.out { run "sink" }
"""

QUEUE = """ztopo 1
topology t
app client[2]: DEALER connect broker.in { run "client" }
device broker: queue {
    in ROUTER bind tcp://127.0.0.1:*
    out DEALER bind tcp://127.0.0.1:*
    monitor PUB bind tcp://127.0.0.1:*
}
app worker: ROUTER connect broker.out
app watcher: SUB connect broker.monitor { subscribe ""; run "watch" }
"""


QUEUES = """ztopo 1
topology t
app client: DEALER connect near.in { run "client" }
device near: queue { in ROUTER bind tcp://127.0.0.1:*; out DEALER connect far.in }
device far: queue { in ROUTER bind tcp://127.0.0.1:*; out DEALER bind tcp://127.0.0.1:* }
app worker: REP connect far.out { run "worker" }
"""


def links_of(text: str) -> Links:
    compilation = compile(Source(text, "t.ztopo"))
    assert compilation.valid, compilation.diagnostics
    return Links(make_plan(compilation))


def test_a_flow_is_all_who_send_and_all_who_get_that() -> None:
    assert links_of(PIPELINE).flows == (
        Flow(("feed[0]", "feed[1]"), ("spread.in",), counted=True),
        Flow(("spread.out",), ("left.in", "right.in"), counted=True),
        Flow(("left.out", "right.out"), ("sink",), counted=True),
    )


def test_answers_flow_by_themselves() -> None:
    links = links_of(QUEUE)
    assert links.into["broker.in"] == Flow(("client[0]", "client[1]"), ("broker.in",), counted=True)
    assert links.out_of["broker.in"] == Flow(("broker.in",), ("client[0]", "client[1]"), counted=True)
    assert links.at("broker.out") == (links.into["broker.out"], links.out_of["broker.out"])


def test_copies_are_not_counted() -> None:
    links = links_of(QUEUE)
    assert links.out_of["broker.monitor"] == Flow(("broker.monitor",), ("watcher",), counted=False)
    assert not links.is_ours(links.out_of["broker.monitor"], {"watcher"})


def test_a_flow_is_ours_if_all_who_take_part_count() -> None:
    links = links_of(PIPELINE)
    assert links.is_ours(links.into["left.in"])
    assert not links.is_ours(links.into["spread.in"], {"feed[0]"})
    assert links.is_ours(links.into["spread.in"], {"feed[0]", "feed[1]"})


def test_what_was_sent_and_not_received_is_under_way() -> None:
    flow = links_of(PIPELINE).into["left.in"]
    counts = {"spread.out": Counts(sent=10), "left.in": Counts(received=3), "right.in": Counts(sent=9, received=5)}
    assert under_way(flow, counts) == 2


def test_who_is_to_be_paused_is_who_sends() -> None:
    links = links_of(PIPELINE)
    assert links.upstream(["left.in", "left.out"]) == ("spread",)
    assert links.upstream(["spread.in"]) == ("feed[0]", "feed[1]")
    assert links_of(QUEUE).upstream(["broker.in", "broker.out"]) == ("client[0]", "client[1]")  # the worker is somebody else's


def test_who_is_stilled_so_that_nothing_more_comes() -> None:
    links = links_of(PIPELINE)
    assert links.stilled(["left"]) == (("spread",), ("left",))
    assert links.stilled(["left", "spread"]) == (("feed[0]", "feed[1]"), ("left", "spread"))
    assert links_of(QUEUE).stilled(["broker"]) == (("client[0]", "client[1]"), ("broker",))


def test_who_would_not_take_an_answer_is_not_paused_but_those_before_it() -> None:
    links = links_of(QUEUES)
    assert links.stilled(["far"]) == (("worker", "client"), ("far", "near"))


def test_a_change_of_a_socket_concerns_the_flows_around_it() -> None:
    links = links_of(PIPELINE)
    assert links.around(["left.in", "left.out"]) == (links.into["left.in"], links.out_of["left.out"])


def test_what_can_wait_in_a_socket_is_its_mark_for_each_peer() -> None:
    links = links_of(PIPELINE)
    assert links.room("spread.in") == 2000
    assert links.room("left.in") == 7
    assert links.room("spread.out", "sndhwm") == 2000


def test_where_there_is_no_mark_there_is_no_bound() -> None:
    links = links_of(PIPELINE.replace("rcvhwm 7", "rcvhwm 0"))
    assert links.room("left.in") is None


def test_flows_of_a_ring_come_to_an_end() -> None:
    ring = [LinkPlan("a", "b"), LinkPlan("c", "b"), LinkPlan("c", "d"), LinkPlan("a", "d"), LinkPlan("x", "x", counted=False)]
    assert flows(ring) == (Flow(("a", "c"), ("b", "d"), counted=True), Flow(("x",), ("x",), counted=False))
