"""What a change of what runs would do: as little as it takes, and all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds import world
from topo.change import plan_change
from topo.compile import compile, make_plan
from topo.plan import Plan
from topo.run import wire
from topo.run.snapshot import Snapshot
from topo.source import Source
from topo.steps import ChangePlan, ComponentChange, Empty, End, Noticed, Pause, Resume, Start, Step, after, inverse, said

TEXT = """ztopo 1
device tasks: streamer {
    in PULL bind tcp://127.0.0.1:*
    out PUSH connect work.in
    monitor PUB bind tcp://127.0.0.1:*
}
device work: streamer {
    in PULL bind tcp://127.0.0.1:*
    out PUSH bind tcp://127.0.0.1:6001
}
device broker: queue {
    in ROUTER bind tcp://127.0.0.1:5555
    out DEALER bind ipc:///tmp/b.out
}
app client[*]: REQ connect broker.in
app worker[4]: REP connect broker.out { run "python w.py" }
app sink: PULL connect work.out { run "sink" }
"""
CHAIN = """ztopo 1
device a: streamer {
    in PULL bind tcp://127.0.0.1:6000
    out PUSH bind ipc:///tmp/a.out
}
device b: streamer {
    in PULL connect a.out
    out PUSH connect c.in
}
device c: streamer {
    in PULL bind tcp://127.0.0.1:*
    out PUSH bind tcp://127.0.0.1:6002
}
"""


def plan_of(text: str) -> Plan:
    compilation = compile(Source(text, "t.ztopo"))
    assert compilation.valid, compilation.diagnostics
    return make_plan(compilation)


def change(before: str, after: str, **world_: Any) -> ChangePlan:
    running = plan_of(before)
    return plan_change(running, world(running, **world_), plan_of(after))


def edited(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def of(plan: ChangePlan, name: str) -> ComponentChange:
    return next(change for change in plan.changes if change.name == name)


def steps(plan: ChangePlan) -> list[str]:
    return [said(step) for step in plan.steps]


def differences(change: ComponentChange) -> list[tuple[str, str, str]]:
    return [(d.what, d.before, d.after) for d in change.differences]


# What is no change


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\n\n"),
        edited(TEXT, ("tcp://127.0.0.1:*", "tcp://127.0.0.1:40001")),
        edited(TEXT, ("tcp://127.0.0.1:6001", "tcp://127.0.0.1:*")),
        edited(TEXT, ("tcp://127.0.0.1:6001", "tcp://localhost:6001")),
        edited(TEXT, ("connect work.out", "connect tcp://127.0.0.1:6001")),
    ],
)
def test_what_runs_already_is_no_change(text: str) -> None:
    """Places are none; nor is an address that is written as it was bound, or any where any is wanted."""
    plan = change(TEXT, text)
    assert plan.changes == plan.steps == ()
    assert set(plan.unchanged) == {"tasks", "work", "broker", "sink", *(f"worker[{n}]" for n in range(4))}
    assert plan.serial == 7


def test_the_order_of_binds_is_none() -> None:
    two = edited(TEXT, ("bind tcp://127.0.0.1:6001", "bind tcp://127.0.0.1:6001, ipc:///tmp/w"))
    plan = change(two, edited(two, ("tcp://127.0.0.1:6001, ipc:///tmp/w", "ipc:///tmp/w, tcp://127.0.0.1:6001")))
    assert plan.changes == plan.steps == ()


# What is changed in place


def test_who_is_connected_by_name_goes_where_the_other_binds() -> None:
    plan = change(CHAIN, edited(CHAIN, ("tcp://127.0.0.1:*", "tcp://127.0.0.1:7000")))
    assert steps(plan) == [
        "pause b.out",
        "empty what is between b.out and c.in",
        "disconnect b.out from tcp://127.0.0.1:40003",
        "unbind c.in from tcp://127.0.0.1:40003",
        "bind c.in to tcp://127.0.0.1:7000",
        "connect b.out to tcp://127.0.0.1:7000",
        "let b.out go on",
    ]
    assert {c.name: c.effect for c in plan.changes} == {"b": "drain", "c": "drain"}
    assert differences(of(plan, "b")) == [("out connect", "tcp://127.0.0.1:40003", "tcp://127.0.0.1:7000")]
    assert of(plan, "c").differences[0].place.where == "t.ztopo:11"


def test_a_bound_sender_goes_on_once_it_has_noticed() -> None:
    plan = change(CHAIN, edited(CHAIN, ("bind ipc:///tmp/a.out", "bind ipc:///tmp/other")))
    assert Noticed(("a.out",)) in plan.steps
    assert steps(plan)[-1] == "let a.out go on"


def test_an_option_that_acts_at_once_is_set() -> None:
    plan = change(CHAIN, edited(CHAIN, ("bind ipc:///tmp/a.out", "bind ipc:///tmp/a.out { sndhwm 5000 }")))
    assert steps(plan) == ["set sndhwm of a.out"]
    assert differences(of(plan, "a")) == [("out option sndhwm", "", "5000")]
    assert of(plan, "a").effect == "live"


def test_an_option_that_does_not_is_a_restart_and_says_what_may_be_lost() -> None:
    plan = change(CHAIN, edited(CHAIN, ("bind tcp://127.0.0.1:6000", "bind tcp://127.0.0.1:6000 { backlog 7 }")))
    a = of(plan, "a")
    assert (a.effect, a.reasons) == ("may drop", ("backlog acts only on connections that are made later",))
    assert [(loss.why, loss.most) for loss in a.losses] == [("what is on its way to a.in", 1000)]
    assert steps(plan) == ["pause a.out", "empty what is between a.out and b.in", "end a", "start a"]


def test_a_restart_between_devices_loses_nothing() -> None:
    plan = change(CHAIN, edited(CHAIN, ("device b: streamer {", "device b: streamer {\n    run process")))
    b = of(plan, "b")
    assert (b.effect, b.losses, differences(b)) == ("restart", (), [("placement", "thread", "process")])
    assert steps(plan) == [
        "pause a.out",
        "empty what is between a.out and b.in",
        "empty what is between b.out and c.in",
        "end b",
        "wait until a.out noticed that",
        "start b",
        "let a.out go on",
    ]
    (through,) = (step.through for step in plan.steps if isinstance(step, Empty) and step.through)
    assert through == ("b",)


def test_a_secret_is_not_shown() -> None:
    plain = 'out PUSH connect c.in { socks_proxy "127.0.0.1:1080"; socks_username "u"; socks_password "%s" }'
    texts = [edited(CHAIN, ("out PUSH connect c.in", plain % word)) for word in ("first", "second")]
    (difference,) = of(change(*texts), "b").differences
    assert (difference.before, difference.after) == ("(secret)", "(secret)")


def test_a_bound_by_high_water_marks_and_peers() -> None:
    queue = edited(TEXT, ("bind tcp://127.0.0.1:5555", "bind tcp://127.0.0.1:5555 { rcvhwm 50 }"))
    plan = change(queue, edited(queue, ("127.0.0.1:5555", "127.0.0.1:5556"), ("ipc:///tmp/b.out", "ipc:///tmp/c.out")))
    broker = of(plan, "broker")
    assert broker.effect == "may drop"
    assert {(loss.why, loss.most, loss.each) for loss in broker.losses} >= {
        ("what is on its way to broker.in", 50, "client"),
        ("what is on its way to broker.out", 4000, ""),
    }
    unbound = edited(queue, ("rcvhwm 50", "rcvhwm 0"))
    plan = change(unbound, edited(unbound, ("127.0.0.1:5555", "127.0.0.1:5556")))
    assert ("what is on its way to broker.in", None) in {(loss.why, loss.most) for loss in of(plan, "broker").losses}


def test_a_subscriber_is_not_disconnected_while_it_lives() -> None:
    """libzmq may end the process."""
    forwarder = (
        "ztopo 1\ndevice f: forwarder {\n    in XSUB connect tcp://127.0.0.1:7000\n    out XPUB bind tcp://127.0.0.1:7001\n}\n"
    )
    plan = change(forwarder, edited(forwarder, (":7000", ":7002")))
    assert steps(plan) == ["end f", "start f"]
    assert "an XSUB" in of(plan, "f").reasons[0]


def test_a_monitor_comes_goes_and_is_made_anew_beside_the_traffic() -> None:
    monitored = edited(CHAIN, ("out PUSH connect c.in", "out PUSH connect c.in\n    monitor PUB bind ipc:///tmp/m"))
    comes, goes = change(CHAIN, monitored), change(monitored, CHAIN)
    assert (steps(comes), of(comes, "b").effect) == (["add b.monitor"], "live")
    assert (steps(goes), of(goes, "b").effect) == (["remove b.monitor"], "live")
    anew = change(monitored, edited(monitored, ("ipc:///tmp/m", "ipc:///tmp/n")))
    assert (steps(anew), of(anew, "b").effect) == (["remove b.monitor", "add b.monitor"], "may drop")


def test_who_is_connected_by_an_address_is_known_all_the_same() -> None:
    """A link is what meets, however it is written."""
    written = edited(CHAIN, ("PULL connect a.out", "PULL connect ipc:///tmp/a.out"))
    plan = change(written, edited(written, ("ipc:///tmp/a.out", "ipc:///tmp/x"), ("ipc:///tmp/a.out", "ipc:///tmp/x")))
    assert steps(plan) == [
        "pause a.out",
        "empty what is between a.out and b.in",
        "disconnect b.in from ipc:///tmp/a.out",
        "unbind a.out from ipc:///tmp/a.out",
        "wait until a.out noticed that",
        "bind a.out to ipc:///tmp/x",
        "connect b.in to ipc:///tmp/x",
        "let a.out go on",
    ]


def test_what_is_on_its_way_to_the_dead_does_not_arrive() -> None:
    """So nobody waits for that, and it may be lost."""
    plan = change(CHAIN, edited(CHAIN, ("127.0.0.1:*", "127.0.0.1:7000")), ended=["c"])
    assert not any(isinstance(step, Empty | Pause) for step in plan.steps)
    assert [(loss.why, loss.most) for loss in of(plan, "b").losses] == [
        ("what b.out has not yet sent when its linger is over", 1000)
    ]
    assert of(plan, "c").effect == "live"


def test_over_links_of_apps_that_count_a_restart_loses_nothing() -> None:
    counted = edited(
        CHAIN,
        ("PUSH bind tcp://127.0.0.1:6002\n}", 'PUSH bind tcp://127.0.0.1:6002\n}\napp end: PULL connect c.out { run "end" }'),
    )
    running, wanted = (
        plan_of(counted),
        plan_of(edited(counted, ("device c: streamer {", "device c: streamer {\n    run process"))),
    )
    alone = plan_change(running, world(running), wanted)
    joined = plan_change(running, world(running), wanted, ["end"])
    assert (of(alone, "c").effect, of(joined, "c").effect) == ("may drop", "restart")
    assert "empty what is between c.out and end" in steps(joined)


# What comes and goes


def test_replicas_come_and_go_alone() -> None:
    more = edited(TEXT, ("worker[4]", "worker[6]"))
    assert steps(change(TEXT, more)) == ["start worker[4], worker[5]"]
    assert steps(change(more, TEXT)) == ["end worker[4], worker[5]"]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('{ subscribe "a"; }', '{ subscribe "b"; }', ("reader option subscribe", '"a"', '"b"')),
        ('{ subscribe "a"; }', '{ subscribe "a"; rcvhwm 7 }', ("reader option rcvhwm", "", "7")),
    ],
)
def test_an_app_whose_socket_gets_other_options_is_started_again(old: str, new: str, found: tuple[str, str, str]) -> None:
    head = "ztopo 1\napp source: PUB bind tcp://127.0.0.1:6001\n"
    text = head + 'app reader {{\n    socket news: SUB connect source {options}\n    run "true"\n}}\n'
    plan = change(text.format(options=old), text.format(options=new))
    changed = of(plan, "reader")
    assert (changed.action, changed.reasons) == ("changed", ("a program makes its sockets when it starts",))
    assert differences(changed) == [found]
    assert [type(step) for step in plan.steps if isinstance(step, End | Start)] == [End, Start]
    assert change(text.format(options=old), text.format(options=old)).changes == ()


def test_an_app_is_told_a_new_address_when_it_starts() -> None:
    plan = change(TEXT, edited(TEXT, ("127.0.0.1:6001", "127.0.0.1:6003")))
    sink = of(plan, "sink")
    assert sink.reasons == ("a program is told addresses only when it starts",)
    assert differences(sink) == [("ZTOPO_SINK", "tcp://127.0.0.1:6001", "tcp://127.0.0.1:6003")]
    order = [step for step in plan.steps if isinstance(step, End | Start)]
    assert [said(step) for step in order] == ["end sink", "start sink"]
    assert steps(plan)[-1] == "start sink"


def test_what_has_ended_for_good_is_started_and_what_is_done_is_not() -> None:
    plan = change(TEXT, TEXT, ended=["broker"], statuses={"sink": 0, "worker[1]": 1, "worker[2]": -9})
    assert {c.name for c in plan.changes} == {"broker", "worker[1]", "worker[2]"}
    assert all(c.effect == "live" and c.differences[0].what == "life" for c in plan.changes)


def test_what_waits_to_be_started_again_is_left_alone_unless_it_is_changed() -> None:
    assert change(CHAIN, CHAIN, waiting=["b"]).changes == ()
    elsewhere = change(CHAIN, edited(CHAIN, ("127.0.0.1:6000", "127.0.0.1:6001")), waiting=["b"])
    assert [c.name for c in elsewhere.changes] == ["a"]
    plan = change(CHAIN, edited(CHAIN, ("PUSH connect c.in", "PUSH connect c.in { sndhwm 7 }")), waiting=["b"])
    assert steps(plan) == ["end b", "start b"]
    assert of(plan, "b").reasons == ("it has failed, and would be started again later",)
    assert of(plan, "b").effect == "live"


def test_an_app_that_ends_is_paused_though_nobody_sends_to_it() -> None:
    counted = edited(CHAIN, ("PULL bind tcp://127.0.0.1:6000", "PULL connect begin"))
    counted += 'app begin: PUSH bind ipc:///tmp/begin { run "begin" }\n'
    running, wanted = plan_of(counted), plan_of(edited(counted, ('"begin"', '"begin again"')))
    words = steps(plan_change(running, world(running), wanted, ["begin"]))
    assert words[:3] == ["pause begin", "empty what is between begin and a.in", "end begin"]
    assert words[-1] == "start begin"
    assert "let begin go on" not in words


def test_an_address_goes_from_one_to_another() -> None:
    swapped = edited(
        CHAIN, ("127.0.0.1:6000", "127.0.0.1:1"), ("127.0.0.1:6002", "127.0.0.1:6000"), ("127.0.0.1:1", "127.0.0.1:6002")
    )
    words = steps(change(CHAIN, swapped))
    assert max(i for i, w in enumerate(words) if w.startswith("unbind")) < min(
        i for i, w in enumerate(words) if w.startswith("bind")
    )


def test_over_inproc_who_is_connected_connects_again() -> None:
    near = edited(CHAIN, ("ipc:///tmp/a.out", "inproc://a"))
    plan = change(near, edited(near, ("tcp://127.0.0.1:6000", "tcp://127.0.0.1:6000 { backlog 7 }")))
    assert steps(plan) == [
        "pause a.out",
        "empty what is between a.out and b.in",
        "disconnect b.in from inproc://a",
        "end a",
        "start a",
        "connect b.in to inproc://a",
    ]


def test_another_context_of_a_process_is_a_restart_of_all_in_it() -> None:
    group = CHAIN.replace("ztopo 1\n", "ztopo 1\nprocess g {\n    context { %s }\n") + "}\n"
    plan = change(group % "io_threads 1", group % "io_threads 2")
    assert {c.name for c in plan.changes} == {"a", "b", "c"}
    assert all(("io_threads", "1", "2") in differences(c) for c in plan.changes)
    assert after(plan_of(group % "io_threads 1"), *plan.steps).processes[0].io_threads == 2


def test_a_policy_needs_no_step() -> None:
    plan = change(CHAIN, edited(CHAIN, ("device b: streamer {", "device b: streamer {\n    restart never")))
    assert (plan.steps, of(plan, "b").effect, differences(of(plan, "b"))) == ((), "live", [("restart", "on-failure", "never")])


# Laws

SIDE = st.fixed_dictionaries(
    {
        "binds": st.sets(st.sampled_from(["tcp://127.0.0.1:*", "tcp://127.0.0.1:{port}", "ipc:///tmp/{name}"]), max_size=2),
        "hwm": st.sampled_from([0, 7]),
    }
)
DEVICE = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["streamer", "queue", "forwarder"]),
        "place": st.sampled_from(["thread", "process", "group"]),
        "sides": st.tuples(SIDE, SIDE),
        "to": st.sets(st.sampled_from("abcd"), max_size=2),
        "monitor": st.booleans(),
        "app": st.booleans(),
    }
)
TOPOLOGY = st.dictionaries(st.sampled_from("abcd"), DEVICE, min_size=1)


def text_of(topology: Mapping[str, Any]) -> str:
    """A right topology of these devices: each connects to those of its kind that come before it."""
    lines = ["ztopo 1"]
    bound: dict[str, str] = {}
    for number, (name, device) in enumerate(sorted(topology.items())):
        grouped = device["place"] == "group"
        lines += [f"process g-{name} {{"] if grouped else []
        lines += [f"device {name}: {device['kind']} {{", "" if grouped else f"    run {device['place']}"]
        for index, (side, wanted) in enumerate(zip(("in", "out"), device["sides"], strict=True)):
            port = 6000 + 2 * number + index
            binds = sorted(wanted["binds"]) or ["tcp://127.0.0.1:{port}"] if side == "in" else sorted(wanted["binds"])
            to = [f"{other}.in" for other in sorted(device["to"]) if bound.get(other) == device["kind"]] if side == "out" else []
            if not binds and not to:
                binds = ["ipc:///tmp/{name}"]
            words = [f"bind {', '.join(b.format(port=port, name=f'{name}.{side}') for b in binds)}"] if binds else []
            words += [f"connect {', '.join(to)}"] if to else []
            lines.append(f"    {side} {' '.join(words)}" + (" { sndhwm 7 }" if wanted["hwm"] else ""))
        lines += [f"    monitor PUB bind ipc:///tmp/{name}.monitor"] if device["monitor"] else []
        lines += ["}", "}"] if grouped else ["}"]
        bound[name] = device["kind"]
        if device["app"]:
            type = {"streamer": "PUSH", "queue": "REQ", "forwarder": "PUB"}[device["kind"]]
            lines.append(f'app from-{name}: {type} connect {name}.in {{ run "true" }}')
    return "\n".join(lines) + "\n"


def addresses(world: Snapshot, plan: Plan) -> dict[tuple[str, str], str]:
    """What each endpoint of each socket has become."""
    bound = {socket.id: socket.bound for device in world.devices for socket in device.sockets}
    sockets = [socket for device in plan.devices for socket in device.sockets]
    return {(s.id, b.endpoint): real for s in sockets for b, real in zip(s.binds, bound[s.id], strict=True)}


@given(TOPOLOGY)
@settings(deadline=None)
def test_what_is_as_it_is_needs_no_change(topology: Mapping[str, Any]) -> None:
    text = text_of(topology)
    plan = change(text, text.replace("\n", "\n\n"))
    assert plan.changes == plan.steps == ()


@given(TOPOLOGY, TOPOLOGY)
@settings(deadline=None)
def test_the_steps_lead_to_what_is_wanted_and_their_inverses_back(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    running, wanted = plan_of(text_of(first)), plan_of(text_of(second))
    there = world(running)
    plan = plan_change(running, there, wanted)
    assert wire.read(wire.written(plan), ChangePlan) == plan

    known = addresses(there, running)
    changed = after(running, *plan.steps)
    assert plan_change(changed, world(changed, known), wanted).changes == ()
    assert plan_change(changed, world(changed, known), plan.wanted).changes == ()

    back = [step for step in map(inverse, reversed(plan.steps)) if step is not None]
    again = after(changed, *back)
    assert plan_change(again, world(again, known), running).changes == ()
    assert {d.name: d for d in again.devices} == {d.name: d for d in running.devices}


@given(TOPOLOGY, TOPOLOGY)
@settings(deadline=None)
def test_what_does_not_change_is_not_touched(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    running, wanted = plan_of(text_of(first)), plan_of(text_of(second))
    plan = plan_change(running, world(running), wanted)
    changed = {change.name for change in plan.changes}
    assert not changed & set(plan.unchanged)
    assert set(plan.unchanged) <= {d.name for d in running.devices} | {a.name for a in running.apps}
    assert {name for step in plan.steps for name in touched(step)} <= changed
    paused = [s for step in plan.steps if isinstance(step, Pause) for s in step.senders]
    resumed = [s for step in plan.steps if isinstance(step, Resume) for s in step.senders]
    ended = {lodger.device.name for step in plan.steps if isinstance(step, End) for lodger in step.devices}
    assert resumed == [s for s in paused if s.rpartition(".")[0] not in ended]
    assert all(change.losses or change.effect != "may drop" for change in plan.changes)


def touched(step: Step) -> list[str]:
    match step:
        case Pause() | Resume() | Empty() | Noticed():
            return []
        case End(devices, apps) | Start(devices, apps):
            return [lodger.device.name for lodger in devices] + [app.name for app in apps]
    return [step.device]
