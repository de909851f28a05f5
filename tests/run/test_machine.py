"""The machine is told histories of events, and asked what it did."""

from __future__ import annotations

import signal
from typing import Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from topo.plan import AppPlan, BindPlan, DevicePlan, Place, Plan, ProcessPlan, RestartPlan, SocketPlan
from topo.run.acts import (
    Act,
    After,
    Announce,
    ConnectDevices,
    DismissHost,
    ForgetDevice,
    Look,
    PauseMember,
    Report,
    SayBusy,
    SayRestart,
    SayUndrained,
    SayWhy,
    SendSignal,
    StartApp,
    StartDevices,
    StartHost,
    StopDevices,
    TurnDevice,
)
from topo.run.events import (
    Bound,
    ChangeBegun,
    ChangeOver,
    Drain,
    EndAsked,
    Event,
    Exited,
    Failed,
    Gone,
    Halted,
    Looked,
    PlanChanged,
    Ready,
    Refused,
    Resumed,
    Standing,
    StartAsked,
    Started,
    StarterLost,
    StopAsked,
    Stopped,
    TimeOver,
)
from topo.run.lives import Life
from topo.run.machine import TURN, Machine

PLACE = Place("x.ztopo", 1, 0, 1)
NEVER = RestartPlan("never")
ON_FAILURE = RestartPlan("on-failure", limit=2, period=10.0, backoff=1.0, longest=3.0)


def device(name: str, restart: RestartPlan = NEVER) -> DevicePlan:
    def socket(side: str) -> SocketPlan:
        return SocketPlan(f"{name}.{side}", "PULL", (), (BindPlan("tcp://127.0.0.1:*", PLACE),), (), PLACE)

    return DevicePlan(name, "streamer", socket("in"), socket("out"), None, (b"in", b"out"), False, PLACE, restart)


def app(name: str, restart: RestartPlan = NEVER) -> AppPlan:
    return AppPlan(name, ("true",), "/", {}, PLACE, restart=restart)


PLAN = Plan(
    name="x",
    hosted=ProcessPlan("thread host", (device("a"), device("b"))),
    processes=(ProcessPlan("c", (device("c"),)),),
    apps=(app("source"), app("sink")),
    sockets=(),
    stages=(("source",), ("a", "c"), ("b",), ("sink",)),
)
HOST = "thread host"


IDLE = Standing()


class History:
    """A machine, and all that it wanted done."""

    def __init__(self, plan: Plan = PLAN, local: frozenset[str] = frozenset()) -> None:
        self.now = 0.0
        self.standings: dict[str, Standing] = {}
        self.machine = Machine(plan, local=local, clock=lambda: self.now)
        self.acts: list[Act] = []
        self.acts += self.machine.begin()

    def hear(self, *events: Event) -> list[Act]:
        """What these events lead to, without the timers that are set, and the looks that are answered by `standings`."""
        acts: list[Act] = []
        waiting = list(events)
        while waiting:
            done = self.machine.on(waiting.pop(0))
            acts += done
            looks = [act for act in done if isinstance(act, Look)]
            waiting[:0] = [Looked({n: self.standings.get(n, IDLE) for n in look.names}, look.last) for look in looks]
        self.acts += acts
        return [act for act in acts if not isinstance(act, After | Look)]

    def bound(self) -> list[Act]:
        events = (Bound(n, {f"{n}.in": ("tcp://127.0.0.1:1",)}) for n in ("a", "b", "c"))
        return self.hear(Started(HOST, 1), Started("c", 2), *events)

    def running(self) -> list[Act]:
        self.bound()
        acts = self.hear(Ready("a"), Ready("b"), Ready("c"))
        self.hear(Started("source", 3), Started("sink", 4))
        return acts

    def reports(self) -> list[Report]:
        return [act for act in self.acts if isinstance(act, Report)]

    def timers(self) -> list[TimeOver]:
        return [act.event for act in self.acts if isinstance(act, After)]


def test_everything_binds_before_anything_connects() -> None:
    history = History()
    assert [a for a in history.acts if not isinstance(a, After)] == [StartHost(HOST, ("a", "b")), StartHost("c", ("c",))]
    assert history.hear(Started(HOST, 1), Bound("a", {}), Bound("b", {})) == []
    assert history.hear(Bound("c", {})) == [
        Announce("connecting"),
        ConnectDevices(HOST, ("a", "b")),
        ConnectDevices("c", ("c",)),
    ]


def test_apps_start_when_everything_is_ready() -> None:
    history = History()
    assert history.running() == [Announce("running"), StartApp("source"), StartApp("sink")]
    assert history.machine.addresses["b.in"] == ("tcp://127.0.0.1:1",)


def test_what_is_halted_goes_on_so_that_it_can_end() -> None:
    history = History()
    history.running()
    assert (
        history.hear(Halted("source", signal.SIGSTOP), Halted("c", signal.SIGSTOP), Halted(HOST, signal.SIGSTOP), Resumed(HOST))
        == []
    )
    assert history.hear(StopAsked("SIGINT")) == [
        Announce("stopping"),
        SayWhy("SIGINT"),
        SendSignal("source", signal.SIGTERM),
        SendSignal("source", signal.SIGCONT),
    ]
    acts = history.hear(Exited("source", 0), Gone("source"))
    assert [a for a in acts if not isinstance(a, SendSignal) or a.name != "source"] == [
        StopDevices(HOST, ("a",)),
        StopDevices("c", ("c",)),
        SendSignal("c", signal.SIGCONT),
    ]


def test_stops_stage_by_stage_from_the_sources_on() -> None:
    history = History()
    history.running()
    first = history.hear(StopAsked("SIGINT"))
    assert SendSignal("source", signal.SIGTERM) in first
    assert not any(isinstance(act, StopDevices) for act in first)
    history.hear(Exited("source", -signal.SIGTERM))
    assert history.hear(Gone("source")) == [StopDevices(HOST, ("a",)), StopDevices("c", ("c",))]
    assert history.hear(Stopped("a", "terminated")) == []
    assert history.hear(Stopped("c", "terminated"), Exited("c", 0)) == [DismissHost("c"), SendSignal("c", signal.SIGTERM)]
    assert history.hear(Gone("c")) == [StopDevices(HOST, ("b",))]
    history.hear(Stopped("b", "terminated"), Exited(HOST, 0))
    assert history.hear(Gone(HOST)) == [SendSignal("sink", signal.SIGTERM)]
    history.hear(Exited("sink", 128 + signal.SIGTERM))
    assert history.hear(Gone("sink")) == [Announce("ended")]
    assert history.machine.code == 0
    assert history.reports() == []


def test_a_failed_bind_stops_the_start() -> None:
    history = History()
    history.hear(Started(HOST, 1), Started("c", 2), Bound("a", {}))
    failed = Failed("b", "bind", "b.in", 0, "tcp://127.0.0.1:1", 98, "Address already in use")
    acts = history.hear(failed)
    assert acts[:2] == [Report(failed), Announce("stopping")]
    assert StopDevices(HOST, ("a",)) in acts
    assert StopDevices("c", ("c",)) in acts
    history.hear(Stopped("a", "terminated"), Exited(HOST, 0), Gone(HOST))
    history.hear(Stopped("c", "terminated"), Exited("c", 0), Gone("c"))
    assert history.machine.phase == "ended"
    assert history.machine.code == 1
    assert not any(isinstance(act, StartApp) for act in history.acts)


def test_a_killed_process_takes_its_devices_along_and_stops_the_rest() -> None:
    history = History()
    history.running()
    acts = history.hear(Exited(HOST, -9))
    assert acts[0] == Report(Exited(HOST, -9), ("a", "b"))
    assert SendSignal("source", signal.SIGTERM) in acts
    assert history.machine.phase == "stopping"


def test_an_app_that_ends_with_0_is_done_and_any_other_end_stops_everything() -> None:
    history = History()
    history.running()
    history.hear(Exited("source", 0), Gone("source"))
    assert history.machine.phase == "running"
    history.hear(Exited("sink", 3))
    assert history.machine.phase == "stopping"
    assert [r.event for r in history.reports()] == [Exited("sink", 3)]


def test_nothing_left_to_run_is_the_end() -> None:
    history = History(Plan("x", None, (), (app("one"),), (), (("one",),)))
    history.hear(Started("one", 1))
    assert Announce("ended") in history.hear(Exited("one", 0), Gone("one"))
    assert history.machine.code == 0


def test_an_app_that_fails_on_our_signal_has_failed() -> None:
    history = History()
    history.running()
    history.hear(StopAsked("SIGINT"))
    history.hear(Exited("source", 1))
    assert [r.event for r in history.reports()] == [Exited("source", 1)]


def test_only_who_is_to_end_has_ended_as_asked() -> None:
    history = History()
    history.running()
    assert not history.machine.as_asked(Exited("source", -signal.SIGTERM))
    history.hear(StopAsked("SIGINT"))
    assert history.machine.as_asked(Exited("source", -signal.SIGTERM))
    assert not history.machine.as_asked(Exited("source", -signal.SIGKILL))
    assert not history.machine.as_asked(Exited("sink", -signal.SIGTERM))


def test_who_does_not_end_in_time_is_killed_and_that_is_a_warning() -> None:
    history = History()
    history.running()
    history.hear(StopAsked("SIGINT"))
    late = TimeOver("stop", "source")
    assert late in history.timers()
    assert history.hear(late) == [Report(late, warning=True), SendSignal("source", signal.SIGKILL)]
    history.hear(Exited("source", -signal.SIGKILL), Gone("source"))
    assert history.machine.code == 0


def test_a_device_that_does_not_end_is_killed_with_its_process() -> None:
    history = History()
    history.running()
    history.hear(StopAsked("SIGINT"), Exited("source", -15), Gone("source"), Stopped("c", ""), Exited("c", 0), Gone("c"))
    late = TimeOver("stop", HOST, ("a",), asked=(1,))
    assert late in history.timers()
    assert SendSignal(HOST, signal.SIGKILL) in history.hear(late)
    acts = history.hear(Exited(HOST, -9))
    assert Report(Exited(HOST, -9), ("a", "b")) in acts


def test_a_timer_for_those_who_have_ended_means_nothing() -> None:
    history = History()
    history.running()
    history.hear(StopAsked("SIGINT"), Exited("source", -15), Gone("source"), Stopped("a", ""))
    assert history.hear(TimeOver("stop", HOST, ("a",)), TimeOver("stop", "source")) == []


def test_those_who_are_busy_are_named() -> None:
    history = History()
    history.running()
    history.hear(StopAsked("SIGINT"))
    assert history.hear(TimeOver("busy", life=0)) == [SayBusy(("source",))]


def test_a_second_wish_kills_at_once() -> None:
    history = History()
    history.running()
    history.hear(StopAsked("SIGINT"))
    acts = history.hear(StopAsked("SIGINT"))
    assert {a.name for a in acts if isinstance(a, SendSignal) and a.number == signal.SIGKILL} == {"source", "sink", HOST, "c"}
    assert history.machine.code == 130


def test_what_is_killed_as_asked_has_not_failed() -> None:
    history = History()
    history.running()
    history.hear(StopAsked("SIGINT"), StopAsked("SIGINT"))
    names = (HOST, "c", "source", "sink")
    acts = history.hear(*(Exited(n, -signal.SIGKILL) for n in names), *map(Gone, names))
    assert not [a for a in acts if isinstance(a, Report)]
    assert (history.machine.phase, history.machine.code) == ("ended", 130)


def test_one_wish_during_the_stop_after_a_failure_is_not_a_second_one() -> None:
    history = History()
    history.running()
    history.hear(Exited("sink", 3))
    assert history.hear(StopAsked("SIGINT")) == []
    assert history.machine.phase == "stopping"


def test_only_one_who_insists_kills() -> None:
    history = History()
    history.running()
    history.hear(StopAsked("SIGHUP"))
    assert history.hear(StopAsked("nobody reads the output", insists=False)) == []
    assert history.machine.phase == "stopping"


def test_a_start_that_takes_too_long_fails() -> None:
    history = History()
    history.hear(Started(HOST, 1), Bound("a", {}), Bound("b", {}))
    acts = history.hear(TimeOver("start"))
    assert acts[0] == Report(TimeOver("start"), ("a", "b", "c"))
    assert history.machine.code == 1


def test_a_command_that_cannot_be_started_stops_everything() -> None:
    history = History()
    history.bound()
    history.hear(Ready("a"), Ready("b"), Ready("c"))
    refused = Refused("source", 2, "nosuch")
    assert Report(refused) in history.hear(refused)
    assert history.machine.phase == "stopping"


def test_what_an_app_leaves_behind_is_ended_too() -> None:
    history = History()
    history.running()
    assert history.hear(Exited("source", 0)) == [SendSignal("source", signal.SIGTERM)]
    assert SendSignal("source", signal.SIGKILL) in history.hear(TimeOver("stop", "source"))
    history.hear(Gone("source"))
    assert history.machine.phase == "running"


def test_devices_of_this_process_are_never_signalled() -> None:
    history = History(local=frozenset({HOST}))
    history.running()
    history.hear(StopAsked("stop"), StopAsked("stop"))
    assert not any(isinstance(a, SendSignal) and a.name == HOST for a in history.acts)
    history.hear(TimeOver("kill", HOST))
    assert history.machine.processes[HOST] == "ended"


RESTARTED = Plan(
    name="x",
    hosted=ProcessPlan("thread host", (device("a", ON_FAILURE), device("b", ON_FAILURE))),
    processes=(ProcessPlan("c", (device("c", ON_FAILURE),)),),
    apps=(app("source", ON_FAILURE), app("sink", RestartPlan("always"))),
    sockets=(),
    stages=(("source",), ("a", "c"), ("b",), ("sink",)),
)


def with_companions(also: Literal["rest", "all"]) -> Plan:
    """The second thread device takes others along."""
    second = device("b", RestartPlan("on-failure", also=also))
    return msgspec.structs.replace(RESTARTED, hosted=ProcessPlan("thread host", (device("a", ON_FAILURE), second)))


FAILED = Failed("a", "run", "a.in", errno=5, reason="Input/output error")


def test_a_device_that_fails_is_started_again_in_its_process_which_lives_on() -> None:
    history = History(RESTARTED)
    history.running()
    assert history.hear(FAILED) == [Report(FAILED, warning=True), SayRestart("a", 1, 0.0)]
    assert history.hear(TimeOver("restart", "a")) == [StartDevices(HOST, ("a",))]
    assert history.hear(Bound("a", {})) == [ConnectDevices(HOST, ("a",))]
    assert history.hear(Ready("a")) == []
    assert history.machine.life("a") == Life.READY
    assert history.machine.phase == "running"


def test_a_process_that_was_killed_starts_again_once_nothing_of_it_is_left() -> None:
    history = History(RESTARTED)
    history.running()
    killed = Exited("c", -signal.SIGKILL)
    assert history.hear(killed) == [
        Report(killed, ("c",), warning=True),
        SayRestart("c", 1, 0.0),
        SendSignal("c", signal.SIGTERM),
    ]
    assert history.hear(TimeOver("restart", "c")) == []
    assert history.hear(Gone("c")) == [StartHost("c", ("c",))]
    assert history.hear(Started("c", 9), Bound("c", {}), Ready("c")) == [ConnectDevices("c", ("c",))]


def test_who_is_to_be_started_again_is_somebody_left() -> None:
    history = History(msgspec.structs.replace(RESTARTED, hosted=None, apps=(), stages=(("c",),)))
    history.hear(Started("c", 2), Bound("c", {}), Ready("c"), Exited("c", -signal.SIGSEGV), Gone("c"))
    assert history.machine.phase == "running"
    assert history.hear(TimeOver("restart", "c")) == [StartHost("c", ("c",))]


def test_the_second_restart_waits_and_too_many_are_a_failure() -> None:
    history = History(RESTARTED)
    history.running()
    for attempt, delay in ((1, 0.0), (2, 1.0)):
        assert SayRestart("a", attempt, delay) in history.hear(FAILED)
        history.hear(TimeOver("restart", "a"), Bound("a", {}), Ready("a"))
    assert history.hear(FAILED)[:2] == [Report(FAILED, spent=("a",)), Announce("stopping")]
    assert history.machine.code == 1


def test_what_fails_before_it_was_ever_ready_is_not_started_again() -> None:
    history = History(RESTARTED)
    history.hear(Started(HOST, 1), FAILED)
    assert history.machine.phase == "stopping"


def test_an_app_is_started_again_as_its_policy_says() -> None:
    history = History(RESTARTED)
    history.running()
    assert SayRestart("sink", 1, 0.0) in history.hear(Exited("sink", 0))
    assert history.hear(TimeOver("restart", "sink")) == []
    assert history.hear(Gone("sink")) == [StartApp("sink")]
    assert history.hear(Exited("source", 0), Gone("source")) == [SendSignal("source", signal.SIGTERM)]
    assert history.machine.life("source") == Life.ENDED


def test_a_timer_of_an_earlier_life_means_nothing() -> None:
    history = History(RESTARTED)
    history.running()
    history.hear(Exited("source", 1), TimeOver("restart", "source"), Gone("source"), Started("source", 8))
    late = TimeOver("stop", "source")
    assert late in history.timers()
    assert history.hear(late) == []


def test_the_rest_ends_and_starts_again_with_one_that_fails() -> None:
    history = History(with_companions("rest"))
    history.running()
    failed = Failed("b", "run", "b.in", errno=5)
    acts = history.hear(failed)
    assert {a.name for a in acts if isinstance(a, SendSignal)} == {"source", "sink"}
    assert StopDevices("c", ("c",)) in acts
    assert not any(isinstance(a, StopDevices) and a.host == HOST for a in acts)
    history.hear(TimeOver("restart", "b"), Stopped("c", "terminated"), Exited("c", 0), Gone("c"))
    history.hear(Exited("source", -signal.SIGTERM), Gone("source"), Exited("sink", 0))
    assert history.machine.life("b") == Life.WAITING
    started = history.hear(Gone("sink"))
    assert started == [StartApp("source"), StartApp("sink"), StartDevices(HOST, ("b",)), StartHost("c", ("c",))]
    assert history.machine.life("a") == Life.READY
    assert len(history.reports()) == 1


def test_who_waits_to_start_again_goes_on_waiting_when_another_takes_it_along() -> None:
    history = History(with_companions("rest"))
    history.running()
    history.hear(Exited("sink", 3), Gone("sink"))
    assert history.machine.life("sink") == Life.WAITING
    history.hear(Failed("b", "run", "b.in", errno=5))
    assert history.machine.life("sink") == Life.WAITING


def test_all_end_and_start_again_with_one_that_fails() -> None:
    history = History(with_companions("all"))
    history.running()
    acts = history.hear(Failed("b", "run", "b.in", errno=5))
    assert StopDevices(HOST, ("a",)) in acts
    assert StopDevices("c", ("c",)) in acts


def test_who_comes_after_whom_is_a_matter_of_the_declarations() -> None:
    history = History(msgspec.structs.replace(with_companions("rest"), order=("c", "source", "b", "sink", "a")))
    history.running()
    acts = history.hear(Failed("b", "run", "b.in", errno=5))
    assert [a for a in acts if isinstance(a, SendSignal | StopDevices)] == [
        SendSignal("sink", signal.SIGTERM),
        StopDevices(HOST, ("a",)),
    ]
    history.hear(TimeOver("restart", "b"), Exited("sink", 0), Gone("sink"))
    assert history.hear(Stopped("a", "terminated")) == [StartApp("sink"), StartDevices(HOST, ("b", "a"))]


def test_a_stop_forgets_all_restarts() -> None:
    history = History(RESTARTED)
    history.running()
    history.hear(FAILED, Exited("source", 1), StopAsked("SIGINT"), Gone("source"), TimeOver("restart", "a"))
    assert history.machine.life("a") == Life.ENDED
    assert not any(isinstance(a, StartDevices) for a in history.acts)


def test_devices_end_and_start_while_the_rest_goes_on() -> None:
    history = History(RESTARTED)
    history.running()
    assert history.hear(ChangeBegun(), EndAsked(("c", "source"))) == [
        SendSignal("source", signal.SIGTERM),
        StopDevices("c", ("c",)),
    ]
    assert history.hear(Stopped("c", "terminated")) == [DismissHost("c")]
    history.hear(Exited("source", -signal.SIGTERM), Gone("source"), Exited("c", 0))
    assert history.hear(StartAsked(("c",))) == []
    assert history.hear(Gone("c")) == [StartHost("c", ("c",))]
    assert history.reports() == []
    assert history.machine.phase == "running"


def test_a_device_may_drain_as_long_as_whoever_wants_it_waits() -> None:
    history = History(RESTARTED)
    history.running()
    before = len(history.timers())
    assert history.hear(EndAsked(("a",), Drain(quiet=1.0))) == [StopDevices(HOST, ("a",), Drain(quiet=1.0))]
    assert len(history.timers()) == before
    assert history.hear(EndAsked(("a",))) == [StopDevices(HOST, ("a",))]
    assert len(history.timers()) == before + 1


def test_a_plan_that_changes_brings_and_takes_away() -> None:
    history = History(RESTARTED)
    history.running()
    history.hear(ChangeBegun(), EndAsked(("c",)), Stopped("c", "terminated"), Exited("c", 0), Gone("c"))
    new = ProcessPlan("d", (device("d"),))
    assert history.hear(PlanChanged(msgspec.structs.replace(RESTARTED, processes=(new,)))) == [ForgetDevice("c")]
    assert history.machine.life("c") is None
    assert history.hear(StartAsked(("d",)), ChangeOver()) == [StartHost("d", ("d",))]
    assert history.hear(Started("d", 9), Bound("d", {}), Ready("d")) == [ConnectDevices("d", ("d",))]


def test_that_nothing_is_left_in_the_middle_of_a_change_is_not_the_end() -> None:
    history = History(Plan("x", None, (), (app("one"),), (), (("one",),)))
    history.hear(Started("one", 1), ChangeBegun(), EndAsked(("one",)), Exited("one", -signal.SIGTERM), Gone("one"))
    assert history.machine.phase == "running"
    history.hear(ChangeOver())
    assert history.machine.phase == "ended"


def started_by_a_change(*names: str) -> History:
    """A history in which a change has ended these, which have been ready before, and starts them again."""
    history = History(RESTARTED)
    history.running()
    history.hear(ChangeBegun(), EndAsked(names), *(Stopped(n, "terminated") for n in names), StartAsked(names))
    return history


def test_those_that_a_change_starts_bind_all_before_any_connects() -> None:
    history = started_by_a_change("a", "b")
    history.hear(Exited(HOST, 0), Gone(HOST), Started(HOST, 5))
    assert history.hear(Bound("a", {})) == []
    assert history.hear(Bound("b", {})) == [ConnectDevices(HOST, ("a", "b"))]
    history.hear(Ready("a"))
    assert history.machine.trial == {"b"}


def test_one_that_a_change_starts_and_that_fails_takes_nobody_along() -> None:
    history = started_by_a_change("a")
    history.hear(Failed("a", "bind", "a.in", errno=98))
    assert history.machine.life("a") == Life.ENDED
    assert [r.warning for r in history.reports()] == [True]
    assert history.machine.phase == "running"
    assert not any(isinstance(act, SayRestart) for act in history.acts)


def test_one_that_a_change_starts_and_that_takes_too_long_ends() -> None:
    history = started_by_a_change("a")
    assert history.hear(TimeOver("late", "a"))[:2] == [
        Report(TimeOver("late", "a"), ("a",), warning=True),
        StopDevices(HOST, ("a",)),
    ]
    assert history.machine.phase == "running"


def test_once_a_change_is_over_nobody_is_on_trial() -> None:
    history = started_by_a_change("a")
    history.hear(ChangeOver(), Bound("a", {}), Failed("a", "run", "a.in", errno=5))
    assert any(isinstance(act, SayRestart) for act in history.acts)


NAMES = ("a", "b", "c")
UNITS = (HOST, "c", "source", "sink")
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(NAMES).map(lambda n: Bound(n, {})),
    st.sampled_from(NAMES).map(Ready),
    st.sampled_from(NAMES).map(lambda n: Failed(n, "run", f"{n}.in")),
    st.sampled_from(NAMES).map(lambda n: Stopped(n, "terminated")),
    st.sampled_from(UNITS).map(lambda n: Started(n, 1)),
    st.sampled_from(UNITS).map(lambda n: Refused(n, 2, "it")),
    st.tuples(st.sampled_from(UNITS), st.sampled_from((0, 1, -9, -15, 143))).map(lambda p: Exited(*p)),
    st.sampled_from(UNITS).map(Gone),
    st.just(StopAsked("somebody")),
    st.just(StarterLost()),
    st.just(TimeOver("start")),
    st.just(TimeOver("busy", life=0)),
    st.sampled_from(UNITS).map(lambda n: TimeOver("stop", n)),
    st.sampled_from((*NAMES, "source", "sink")).map(lambda n: TimeOver("restart", n)),
    st.sampled_from(NAMES).map(lambda n: TimeOver("late", n)),
    st.lists(st.sampled_from((*NAMES, "source", "sink", "nobody"))).map(lambda n: EndAsked(tuple(n))),
    st.lists(st.sampled_from((*NAMES, "source", "sink", "nobody"))).map(lambda n: StartAsked(tuple(n))),
)


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=30), st.booleans(), st.sampled_from((PLAN, RESTARTED, with_companions("all"))))
def test_whatever_happens_it_ends_when_it_is_to(events: list[Event], in_process: bool, plan: Plan) -> None:
    """No history breaks the machine; after two wishes to stop the timers alone bring it to its end."""
    history = History(plan, local=frozenset({HOST}) if in_process else frozenset())
    history.hear(*events, StopAsked("once"), StopAsked("twice"))
    for _ in range(3):
        for timer in history.timers():
            history.hear(timer)
    assert history.machine.phase == "ended"
    assert history.machine.code in (0, 1, 130)


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=30))
def test_a_machine_that_has_ended_does_nothing(events: list[Event]) -> None:
    history = History(Plan("x", None, (), (), (), ()))
    assert history.machine.phase == "ended"
    for event in events:
        if isinstance(event, StopAsked | TimeOver) and getattr(event, "name", "") == "":
            assert history.hear(event) == []


def test_what_was_late_in_an_earlier_life_is_not_late_in_this_one() -> None:
    history = History(RESTARTED)
    history.running()
    for _ in range(2):
        history.hear(EndAsked(("a",)), Stopped("a", ""), StartAsked(("a",)))
    first, second = (timer for timer in history.timers() if timer.what == "late")
    assert history.hear(first) == []
    assert Report(second, ("a",)) in history.hear(second)


def test_a_process_that_is_just_about_to_end_is_not_late_for_what_ended_before() -> None:
    history = History(RESTARTED)
    history.running()
    history.hear(EndAsked(("a",)), Stopped("a", ""))
    (earlier,) = (timer for timer in history.timers() if timer.what == "stop" and timer.devices == ("a",))
    assert DismissHost(HOST) in history.hear(EndAsked(("b",)), Stopped("b", ""))
    assert history.hear(earlier) == []
    (own,) = (timer for timer in history.timers() if timer.what == "stop" and timer.name == HOST and not timer.devices)
    assert SendSignal(HOST, signal.SIGKILL) in history.hear(own)


# Draining


def drained(history: History) -> list[str]:
    """The devices that were asked to end, in that order."""
    return [device for act in history.acts if isinstance(act, StopDevices) for device in act.devices]


def stopping(history: History, **standings: Standing) -> History:
    """It runs, is asked to stop, and its source has ended."""
    history.running()
    history.standings = standings
    history.hear(StopAsked("SIGINT"), Exited("source", -15), Gone("source"))
    return history


def later(history: History, seconds: float, **standings: Standing) -> list[Act]:
    """After some time it looks again, and they stand so."""
    history.now += seconds
    history.standings.update(standings)
    return history.hear(TimeOver("look"))


def turn(history: History, name: str, times: int) -> None:
    """It is asked to go round, does so, and is looked at."""
    for _ in range(times):
        assert history.acts[-2:] == [TurnDevice(name), After(TURN, TimeOver("look"))]
        before = history.standings[name]
        later(history, TURN, **{name: msgspec.structs.replace(before, turns=before.turns + 1)})


def test_a_device_ends_once_nothing_is_left_for_it() -> None:
    history = stopping(History(), a=Standing(coming=2), c=Standing(held=1))
    assert drained(history) == []
    later(history, 0.01, a=Standing(waiting=True), c=IDLE)
    assert drained(history) == ["c"]
    later(history, 0.01, a=IDLE)
    assert drained(history) == ["c", "a"]


def test_a_device_stays_until_what_it_has_sent_has_arrived() -> None:
    history = stopping(History(), a=Standing(going=7))
    assert drained(history) == ["c"]
    later(history, 0.01, a=IDLE)
    assert drained(history) == ["c", "a"]


def test_who_receives_from_others_listens_for_a_while() -> None:
    history = stopping(History(), a=Standing(listens=True, heard=5))
    later(history, 0.04)
    assert drained(history) == ["c"]
    later(history, 0.04, a=Standing(listens=True, heard=6))
    later(history, 0.04)
    assert drained(history) == ["c"]
    later(history, 0.01)
    assert drained(history) == ["c"]
    turn(history, "a", 2)
    assert drained(history) == ["c", "a"]


def test_what_a_busy_device_has_not_seen_yet_is_waited_for() -> None:
    history = stopping(History(), a=Standing(listens=True, heard=5))
    later(history, 0.05)
    turn(history, "a", 1)
    later(history, TURN, a=Standing(listens=True, heard=9, turns=2))
    later(history, 0.04)
    assert drained(history) == ["c"]
    later(history, 0.02)
    turn(history, "a", 2)
    assert drained(history) == ["c", "a"]


def test_who_does_not_come_to_look_may_lose_something() -> None:
    busy = Standing(listens=True, heard=5)
    history = stopping(History(), a=busy)
    later(history, 0.05)
    history.now += 5
    assert history.hear(TimeOver("drain")) == [SayUndrained("a", busy, quiet=False), StopDevices(HOST, ("a",))]


def test_who_is_halted_goes_on_to_look() -> None:
    history = stopping(History(), a=Standing(listens=True))
    history.hear(Halted(HOST, signal.SIGSTOP))
    later(history, 0.05)
    assert SendSignal(HOST, signal.SIGCONT) in history.acts


def test_who_has_been_quiet_since_the_wish_to_stop_is_not_listened_to_again() -> None:
    listening = Standing(listens=True, heard=5)
    history = stopping(History(), a=listening, b=listening)
    later(history, 0.05)
    turn(history, "a", 2)
    history.hear(Stopped("a", ""), Stopped("c", ""), Exited("c", 0), Gone("c"))
    turn(history, "b", 2)
    assert drained(history) == ["c", "a", "b"]


def test_who_is_never_quiet_is_cut_off_and_what_it_has_sent_arrives() -> None:
    history = stopping(History(), a=Standing(listens=True))
    acts: list[Act] = []
    for heard in range(60):
        acts += later(history, 0.02, a=Standing(listens=True, heard=heard, going=3))
    assert [act for act in acts if isinstance(act, PauseMember)] == [PauseMember("a")]
    later(history, 0.02, a=Standing(listens=True, heard=60, going=1, paused=True))
    assert drained(history) == ["c"]
    left = Standing(listens=True, heard=60, paused=True)
    assert later(history, 0.02, a=left) == [SayUndrained("a", left, quiet=False), StopDevices(HOST, ("a",))]


def test_who_has_not_drained_in_time_ends_and_it_is_said_what_is_left() -> None:
    left = Standing(held=1, waiting=True)
    history = stopping(History(), a=left, b=Standing(coming=4))
    history.now += 5
    assert history.hear(TimeOver("drain")) == [
        SayUndrained("a", left, quiet=True),
        SayUndrained("b", Standing(coming=4), quiet=True),
        StopDevices(HOST, ("a",)),
    ]
    history.hear(Stopped("a", ""), Stopped("c", ""), Exited("c", 0), Gone("c"))
    assert drained(history) == ["c", "a", "b"]


def test_how_long_it_drains_is_up_to_who_wants_it_to_stop() -> None:
    history = History()
    history.running()
    assert After(0.5, TimeOver("drain")) in history.machine.on(StopAsked("stop", timeout=0.5))


def test_without_time_to_drain_it_ends_as_it_is() -> None:
    history = History()
    history.running()
    history.standings = {"a": Standing(held=1)}
    history.hear(StopAsked("stop", timeout=0), Exited("source", -15), Gone("source"))
    assert drained(history) == ["a", "c"]


def test_after_a_failure_nothing_drains() -> None:
    history = History()
    history.running()
    history.standings = {"a": Standing(held=1), "b": Standing(held=1)}
    history.hear(Exited("source", 1), Gone("source"))
    assert drained(history) == ["a", "c"]


def test_a_second_wish_to_stop_waits_for_nobody_who_drains() -> None:
    history = stopping(History(), a=Standing(held=1))
    acts = history.hear(StopAsked("SIGINT"))
    assert SendSignal(HOST, signal.SIGKILL) in acts
    assert history.machine.code == 130


def test_a_device_that_fails_while_it_drains_is_not_waited_for() -> None:
    history = stopping(History(), a=Standing(held=1))
    history.hear(Failed("a", "run", reason="gone"), Stopped("c", ""), Exited("c", 0), Gone("c"))
    assert drained(history) == ["c", "b"]


def test_looks_do_not_grow_in_number() -> None:
    history = stopping(History(), a=Standing(held=1))
    for _ in range(10):
        later(history, 0.01)
        later(history, 0.0)
    assert sum(timer.what == "look" for timer in history.timers()) == 21
