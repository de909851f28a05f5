"""From graph to plan: what runs where, with which options, and in which order it stops."""

from __future__ import annotations

import msgspec
import pytest
import zmq

from topo.compile import compile, make_plan
from topo.plan import LINGER, Origin, Plan, SocketPlan
from topo.source import Source


def plan_of(text: str) -> Plan:
    compilation = compile(Source("ztopo 1\n" + text, "t.ztopo"))
    assert compilation.valid, compilation.diagnostics
    return make_plan(compilation)


def options(socket: SocketPlan) -> list[tuple[int, int | bytes]]:
    return [(o.number, o.value) for o in socket.options]


QUEUE = """
device broker: queue {
    in      ROUTER bind tcp://*:5555 { %s }
    out     DEALER bind ipc://broker.out
    monitor PUB    bind inproc://seen { prefix "a", "b"; hwm 7 }
}
app client: REQ connect broker.in
"""


def test_a_device_is_its_three_sockets() -> None:
    (host,) = plan_of(QUEUE % "").hosts
    (device,) = host.devices
    assert (device.name, device.kind, device.prefixes, device.swap) == ("broker", "queue", (b"a", b"b"), False)
    assert [s.id for s in device.sockets] == ["broker.in", "broker.out", "broker.monitor"]
    assert device.place.where == "t.ztopo:3"
    assert device.frontend.binds[0].place.where == "t.ztopo:4"


def test_sides_get_what_a_device_needs() -> None:
    (device,) = plan_of(QUEUE % "").devices
    assert options(device.frontend) == [(zmq.LINGER, LINGER), (zmq.ROUTER_MANDATORY, 1)]
    assert device.backend is not None
    assert options(device.backend) == [(zmq.LINGER, LINGER)]


def test_what_the_file_says_counts() -> None:
    (device,) = plan_of(QUEUE % "router_mandatory false; linger 250ms").devices
    assert options(device.frontend) == [(zmq.ROUTER_MANDATORY, 0), (zmq.LINGER, 250)]


def test_hwm_is_both_and_prefix_is_no_option() -> None:
    (device,) = plan_of(QUEUE % "").devices
    assert device.capture is not None
    assert options(device.capture) == [(zmq.LINGER, LINGER), (zmq.SNDHWM, 7), (zmq.RCVHWM, 7)]


@pytest.mark.parametrize(
    ("written", "number", "value"),
    [
        ("linger -1", zmq.LINGER, -1),
        ("linger 2s", zmq.LINGER, 2000),
        ("tcp_keepalive_idle 90s", zmq.TCP_KEEPALIVE_IDLE, 90),
        ("maxmsgsize 64KiB", zmq.MAXMSGSIZE, 65536),
        ("immediate true", zmq.IMMEDIATE, 1),
        (r'routing_id "\x01a"', zmq.ROUTING_ID, b"\x01a"),
    ],
)
def test_values_are_as_libzmq_takes_them(written: str, number: int, value: int | bytes) -> None:
    (device,) = plan_of(QUEUE % written).devices
    assert (number, value) in options(device.frontend)


def test_a_routing_id_that_the_program_chooses_is_left_to_it() -> None:
    plan = plan_of("app a: ROUTER bind inproc://a { run inside }\napp b: DEALER connect a { run inside; routing_id * }")
    assert [options(s) for s in plan.sockets] == [[], []]


def test_every_subscription_is_set() -> None:
    plan = plan_of('app a: PUB bind inproc://a { run inside }\napp b: SUB connect a { run inside; subscribe "x", "y" }')
    assert options(plan.sockets[1]) == [(zmq.SUBSCRIBE, b"x"), (zmq.SUBSCRIBE, b"y")]


def test_a_connect_by_name_knows_the_bind_that_it_waits_for() -> None:
    text = """
device one: streamer { run process; in PULL bind tcp://*:*; out PUSH bind tcp://*:6000, ipc://one }
device two: streamer { in PULL connect one.out; out PUSH bind tcp://*:* }
app feed: PUSH bind tcp://*:7000
device three: streamer { in PULL connect feed, tcp://127.0.0.1:7001; out PUSH bind inproc://x }
"""
    plan = plan_of(text)
    by_name = {d.name: d for d in plan.devices}
    (connect,) = by_name["two"].frontend.connects
    assert connect.origin == Origin("one.out", 1)  # ipc is nearer than tcp
    named, literal = by_name["three"].frontend.connects
    assert (named.endpoint, named.origin) == ("tcp://127.0.0.1:7000", None)
    assert (literal.endpoint, literal.origin) == ("tcp://127.0.0.1:7001", None)
    assert [p.name for p in plan.processes] == ["one"]


def test_it_can_be_written_and_read() -> None:
    plan = plan_of(QUEUE % r'routing_id "\xff"' + 'app worker[2]: REP connect broker.out { run "python worker.py" }')
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_sources_stop_first() -> None:
    text = """
app worker: REP connect broker.out { run "x" }
app watcher: SUB connect broker.monitor { subscribe ""; run "x" }
device broker: queue { in ROUTER bind tcp://*:1; out DEALER bind tcp://*:2; monitor PUB bind tcp://*:3 }
app client: REQ connect broker.in { run "x" }
app elsewhere: REQ connect broker.in
app alone { run "x" }
"""
    assert plan_of(text).stages == (("client", "alone"), ("broker",), ("worker", "watcher"))


def test_a_chain_stops_link_by_link_in_whatever_order_it_is_written() -> None:
    text = """
device c: streamer { in PULL connect b.out; out PUSH bind tcp://*:3 }
device b: streamer { in PULL connect a.out; out PUSH bind tcp://*:2 }
device a: streamer { in PULL bind tcp://*:1; out PUSH bind tcp://*:5 }
"""
    assert plan_of(text).stages == (("a",), ("b",), ("c",))


def test_a_ring_stops_in_the_order_it_is_written() -> None:
    text = """
app a: DEALER bind tcp://*:1 connect b { run "x" }
app b: DEALER bind tcp://*:2 connect a { run "x" }
"""
    stages = plan_of(text).stages
    assert sorted(name for stage in stages for name in stage) == ["a", "b"]
    assert stages[0] == ("a",)


def test_long_chains_are_no_trouble() -> None:
    text = "param n: int = 3000\ndevice d[${n}]: streamer { in PULL bind inproc://i${index}; out PUSH connect d[(index + 1) % n].in }"
    compilation = compile(Source("ztopo 1\n" + text.replace("${n}", "n"), "t.ztopo"))
    assert compilation.graph is not None
    from topo.plan import make

    assert sum(len(stage) for stage in make(compilation.graph).stages) == 3000
