"""`restart` in the language: what it says, where it may stand, what it comes to in the plan, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import topo
from tests.models import meaning
from topo.compile import compile, make_plan
from topo.diagnostic import Diagnostic, counted
from topo.plan import Plan, RestartPlan
from topo.source import Source

WORK = 'app work: PULL bind tcp://127.0.0.1:5555 {{ run "python work.py"; restart {} }}\n'


def plan(text: str) -> Plan:
    compilation = compile(Source(f"ztopo 1\n{text}"))
    assert [d for d in compilation.diagnostics if d.severity == "error"] == []
    return make_plan(compilation)


def said(statement: str) -> list[Diagnostic]:
    return counted(compile(Source(f"ztopo 1\n{WORK.format(statement)}")).diagnostics)


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("never", RestartPlan("never")),
        ("always", RestartPlan("always", 5, 60.0, 0.1, 5.0)),
        ("on-failure", RestartPlan("on-failure", 5, 60.0, 0.1, 5.0)),
        ("on-failure max 3 in 2m", RestartPlan("on-failure", 3, 120.0, 0.1, 5.0)),
        ("on-failure backoff 250ms", RestartPlan("on-failure", 5, 60.0, 0.25, 0.25)),
        ("on-failure backoff 0ms", RestartPlan("on-failure", 5, 60.0, 0.0, 0.0)),
        ("always max 3 in 2m backoff 50ms..1s with all", RestartPlan("always", 3, 120.0, 0.05, 1.0, "all")),
        ("always max ${most} in ${long} backoff ${short}..${long} with rest", RestartPlan("always", 7, 60.0, 0.02, 60.0, "rest")),
        ('always backoff env("NO_SUCH_VARIABLE", 20ms) .. ${long}', RestartPlan("always", 5, 60.0, 0.02, 60.0)),
    ],
)
def test_a_statement_comes_to_a_plan(statement: str, meant: RestartPlan) -> None:
    params = "param most = 7\nparam long: duration = 1m\nparam short = 20ms\n"
    assert plan(params + WORK.format(statement)).apps[0].restart == meant


def test_devices_are_restarted_on_failure_and_apps_never_unless_it_is_said() -> None:
    made = plan(
        "device a: streamer { in bind tcp://127.0.0.1:5555; out bind tcp://127.0.0.1:5556 }\n"
        "device b: streamer { run process; restart never; in connect a.out; out bind tcp://127.0.0.1:5557 }\n"
        "process c { device d: streamer { restart always; in connect b.out; out bind tcp://127.0.0.1:5558 } }\n"
        'app work: PULL connect d.out { run "python work.py" }\n'
    )
    assert {d.name: d.restart.policy for d in made.devices} == {"a": "on-failure", "b": "never", "d": "always"}
    assert [a.restart for a in made.apps] == [RestartPlan("never")]


def test_each_replica_has_the_restarts_of_its_declaration() -> None:
    made = plan(
        "device a[2]: streamer { restart always max ${index + 1} in 1m; in bind tcp://127.0.0.1:*; out bind tcp://127.0.0.1:* }\n"
    )
    assert [d.restart for d in made.devices] == [RestartPlan("always", limit) for limit in (1, 2)]


def test_a_module_is_told_by_params(tmp_path: Path) -> None:
    (tmp_path / "pool.ztopo").write_text(
        "ztopo 1\nparam most: int\n"
        "device jobs: streamer { restart always max ${most} in 1m with all; in bind tcp://127.0.0.1:*; out bind tcp://127.0.0.1:* }\n"
    )
    (tmp_path / "main.ztopo").write_text('ztopo 1\nuse "pool.ztopo" as pool[2] { most ${index + 3} }\n')
    made = make_plan(topo.load(tmp_path / "main.ztopo").compile())
    assert [d.restart for d in made.devices] == [RestartPlan("always", limit, also="all") for limit in (3, 4)]


def test_the_plan_keeps_the_order_of_the_declarations() -> None:
    made = plan(
        'app first: PUSH connect a.in { run "true" }\n'
        "device b: streamer { run process; in connect a.out; out bind tcp://127.0.0.1:5557 }\n"
        "app outside: PULL connect b.out\n"
        "device a: streamer { in bind tcp://127.0.0.1:5555; out bind tcp://127.0.0.1:5556 }\n"
    )
    assert made.order == ("first", "b", "a")


@pytest.mark.parametrize(
    ("statement", "code", "message", "fixed"),
    [
        ("on_failure", "ZT119", "there is no restart policy `on_failure`", "on-failure"),
        ("Always", "ZT119", "there is no restart policy `Always`", "always"),
        ("permanent", "ZT119", "there is no restart policy `permanent`", "always"),
        ("unless-stopped", "ZT119", "there is no restart policy `unless-stopped`", "always"),
        ("always with al", "ZT119", "there is no company for a restart `al`", "always with all"),
        ("always max 0 in 60s", "ZT120", "`max` is a number from 1 to 10,000, not `0`", None),
        ("always max 5s in 60s", "ZT120", "`max` is a number from 1 to 10,000, not `5s`", None),
        ("always max 5 in 60", "ZT120", "`60` has no unit", "always max 5 in 60s"),
        ("always max 5 in 0s", "ZT120", "behind `in` stands a duration from 1ms to 8,784h, not `0s`", None),
        ("always max 5 in -1", "ZT120", "behind `in` stands a duration from 1ms to 8,784h, not `-1`", None),
        ("always backoff 25h", "ZT120", "behind `backoff` stands a duration from 0ms to 24h, not `25h`", None),
        ("always backoff 5s..100ms", "ZT120", "the longest wait is shorter than the first", "always backoff 100ms..5s"),
        ("always backoff 0ms..5s", "ZT120", "a wait of nothing never becomes a longer one", None),
        ("always backoff soon", "ZT037", "`soon` is not a value", None),
    ],
)
def test_what_is_wrong_is_said_once_at_its_place(statement: str, code: str, message: str, fixed: str | None) -> None:
    (found,) = said(statement)
    assert (found.code, found.message) == (code, message)
    if code != "ZT037":
        assert (found.fix and mended(found, statement)) == fixed


def mended(found: Diagnostic, statement: str) -> str:
    assert found.fix is not None
    text = found.fix.edits[0].span.source.text
    for edit in sorted(found.fix.edits, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text.partition("restart ")[2].partition(" }")[0]


def test_all_that_is_wrong_with_one_statement_is_said() -> None:
    assert [d.code for d in said("often max 0 in 0s backoff 2h..1h with some")] == ["ZT119", "ZT120", "ZT120", "ZT120", "ZT119"]


def test_a_second_restart_is_one_too_many() -> None:
    assert [d.code for d in said("always; restart never")] == ["ZT102"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("app work: PULL bind tcp://127.0.0.1:5555 { restart always }", "`work` is never started again by ztopo"),
        ("app work[*]: PULL connect tcp://10.0.0.1:5555 { restart always }", "`work` is never started again by ztopo"),
        ("app work: PULL bind tcp://127.0.0.1:5555 { run inside; restart always }", "`work` is never started again by ztopo"),
        (
            'app work { run "w"; device a: streamer { restart always; in bind inproc://a; out bind tcp://127.0.0.1:1 } }',
            "`work.a` is never started again by ztopo",
        ),
        (WORK.format("never max 5 in 1m"), "`work` is never started again, whatever the limits say"),
        (WORK.format("never with all"), "`work` is never started again, whatever the limits say"),
    ],
)
def test_a_restart_that_nothing_comes_of_is_said(text: str, message: str) -> None:
    found = [d for d in compile(Source(f"ztopo 1\n{text}\n")).diagnostics if d.severity == "warning"]
    assert [(d.code, d.message) for d in found] == [("ZT121", message)]


@pytest.mark.parametrize(
    ("statement", "reached"),
    [
        ("always max 5 in 3101ms", True),
        ("always max 5 in 3100ms", False),
        ("always max 2 in 2001ms backoff 1s", True),
        ("always max 1 in 1s backoff 1s..60s", False),
        ("always max 9 in 1ms backoff 0ms", True),
        ("never", True),
    ],
)
def test_a_limit_that_is_never_reached_is_said(statement: str, reached: bool) -> None:
    assert [d.code for d in said(statement)] == ([] if reached else ["ZT122"])


@pytest.mark.parametrize(
    "given",
    [
        "always",
        RestartPlan("on-failure"),
        RestartPlan("never"),
        RestartPlan("always", limit=2, period=90.0, backoff=0.25, longest=0.25, also="rest"),
        RestartPlan("never", limit=2),
    ],
)
def test_a_program_a_text_and_json_say_the_same(given: Any) -> None:
    topology = topo.Topology("restarted")
    topology.app("work", "PULL", run="true", restart=given).bind("tcp://127.0.0.1:5555")
    device = topology.streamer("jobs", restart=given)
    device.bind_in("tcp://127.0.0.1:5556")
    device.bind_out("tcp://127.0.0.1:5557")
    made = make_plan(topology.compile())
    meant = given if isinstance(given, RestartPlan) else RestartPlan(given)
    assert [made.apps[0].restart, *(d.restart for d in made.devices)] == [meant, meant]
    for text in (topology.to_ztopo(), topology.to_json()):
        read = topo.loads(text).compile().graph.model
        assert [meaning(c.restart) for c in topology.compile().graph.model.components] == [
            meaning(c.restart) for c in read.components
        ]


def test_a_mistake_of_a_program_points_into_it() -> None:
    topology = topo.Topology()
    topology.app("work", "PULL", run="true", restart=RestartPlan("always", backoff=2.0, longest=1.0)).bind("tcp://127.0.0.1:5555")
    topology.app("more", "PULL", run="true", restart="sometimes").bind("tcp://127.0.0.1:5556")  # type: ignore[arg-type]  # what is wrong
    assert [(d.code, d.span and Path(d.span.source.name).name) for d in topology.check()] == [
        ("ZT120", "test_restart.py"),
        ("ZT119", "test_restart.py"),
    ]


def test_what_is_no_policy_at_all_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"restart is a policy, such as 'always', or a topo\.RestartPlan, not 5"):
        topo.Topology().app("work", restart=5)  # type: ignore[arg-type]  # what is wrong
