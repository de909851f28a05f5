"""Steps of a change: what is wanted after each, and what takes it back."""

from __future__ import annotations

import msgspec
import pytest

from topo.compile import compile, make_plan
from topo.links import Flow
from topo.plan import BindPlan, ConnectPlan, OptionPlan, Origin, Place, Plan
from topo.run import wire
from topo.source import Source
from topo.steps import (
    Attach,
    Bind,
    ChangePlan,
    Connect,
    Detach,
    Disconnect,
    Empty,
    End,
    Home,
    Lodger,
    Noticed,
    Pause,
    Resume,
    SetOption,
    Start,
    Step,
    Unbind,
    after,
    inverse,
    said,
    where,
)

TEXT = """ztopo 1
device a: streamer {
    in PULL bind tcp://127.0.0.1:*, ipc://a.in
    out PUSH connect b.in { sndhwm 7 }
    monitor PUB bind ipc://a.monitor
}
device b: streamer {
    run process
    in PULL bind tcp://127.0.0.1:*
    out PUSH bind tcp://127.0.0.1:*
}
app c: PUSH connect a.in { run "true" }
"""
HERE = Place("t.ztopo", 9, 0, 1)


def plan_of(text: str) -> Plan:
    compilation = compile(Source(text, "t.ztopo"))
    assert compilation.valid, compilation.diagnostics
    return make_plan(compilation)


PLAN = plan_of(TEXT)
A, B = PLAN.devices
(C,) = PLAN.apps
assert A.capture is not None
assert A.backend is not None
HOME = Home("thread host", hosted=True)
MARK = OptionPlan("sndhwm", 23, 8, HERE)
FLOW = Flow(("a.out",), ("b.in",), True)

CHANGING: list[tuple[Step, str]] = [
    (Bind("a", "a.in", BindPlan("ipc://new", HERE), 2), "bind a.in to ipc://new"),
    (Unbind("a", "a.in", msgspec.structs.replace(A.frontend.binds[0], address=""), 0), "unbind a.in from tcp://127.0.0.1:*"),
    (Connect("a", "a.out", ConnectPlan("ipc://new", HERE), 1, ""), "connect a.out to ipc://new"),
    (Disconnect("a", "a.out", A.backend.connects[0], 0, "tcp://127.0.0.1:7"), "disconnect a.out from tcp://127.0.0.1:7"),
    (SetOption("a", "a.out", MARK, A.backend.options[1], A.backend.options[1], MARK, 1), "set sndhwm of a.out"),
    (SetOption("a", "a.out", MARK, MARK, None, MARK, 2), "set sndhwm of a.out"),
    (Detach("a", A.capture), "remove a.monitor"),
    (End((Lodger(A, HOME),), (C,)), "end a, c"),
    (End((Lodger(B, Home("b")),)), "end b"),
]


def in_order(plan: Plan) -> Plan:
    """What a plan says, whatever is listed first."""
    hosted = plan.hosted and msgspec.structs.replace(
        plan.hosted, devices=tuple(sorted(plan.hosted.devices, key=lambda d: d.name))
    )
    return msgspec.structs.replace(
        plan, hosted=hosted, stages=(), order=(), links=(), processes=tuple(sorted(plan.processes, key=str))
    )


@pytest.mark.parametrize(("step", "words"), CHANGING)
def test_what_a_step_changes_its_inverse_takes_back(step: Step, words: str) -> None:
    changed = after(PLAN, step)
    assert in_order(changed) != in_order(PLAN)
    back = inverse(step)
    assert back is not None
    assert in_order(after(changed, back)) == in_order(PLAN)
    assert inverse(back) == step
    assert said(step) == words
    assert where(step).startswith("t.ztopo:")


def test_what_only_waits_changes_nothing() -> None:
    for step in (Empty(FLOW), Noticed(("b.in",))):
        assert inverse(step) is None
        assert after(PLAN, step) is PLAN
    assert inverse(Pause(("a.out",))) == Resume(("a.out",))
    assert after(PLAN, Pause(("a.out",)), Resume(("a.out",))) is PLAN


def test_what_comes_from_a_bind_still_comes_from_it_when_another_goes() -> None:
    """An app connects to the second, which is then the first."""
    assert [c.origin for c in C.environment["ZTOPO_C"]] == [Origin("a.in", 1)]
    (first, second) = A.frontend.binds
    changed = after(PLAN, Unbind("a", "a.in", first, 0))
    assert changed.devices[0].frontend.binds == (second,)
    assert [c.origin for c in changed.apps[0].environment["ZTOPO_C"]] == [Origin("a.in", 0)]


def test_a_process_without_devices_is_none() -> None:
    alone = after(PLAN, End((Lodger(B, Home("b")),)))
    assert alone.processes == ()
    assert after(alone, Start((Lodger(B, Home("b", 2)),))).processes[0].io_threads == 2


def test_where_something_was_bound_is_no_part_of_the_plan() -> None:
    bind = BindPlan("tcp://127.0.0.1:*", HERE, "tcp://127.0.0.1:4711")
    bound = after(PLAN, Bind("a", "a.in", bind, 2)).devices[0].frontend.binds[2]
    assert bound == BindPlan("tcp://127.0.0.1:*", HERE)
    monitor = msgspec.structs.replace(A.capture, binds=(bind,))
    detached = after(PLAN, Detach("a", A.capture), Attach("a", monitor))
    assert detached.devices[0].capture is not None
    assert detached.devices[0].capture.binds == (BindPlan("tcp://127.0.0.1:*", HERE),)


def test_a_change_plan_is_written_and_read() -> None:
    steps = (*(step for step, _ in CHANGING), Empty(FLOW), Noticed(("b.in",)), Pause(("a.out",)), Attach("a", A.capture))
    plan = ChangePlan("t", 7, steps, PLAN)
    assert wire.read(wire.written(plan), ChangePlan) == plan
