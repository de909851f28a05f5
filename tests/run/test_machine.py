"""The machine is told histories of events, and asked what it did."""

from __future__ import annotations

import signal

from hypothesis import given, settings
from hypothesis import strategies as st

from topo.plan import AppPlan, BindPlan, DevicePlan, Place, Plan, ProcessPlan, SocketPlan
from topo.run.events import (
    Bound,
    Event,
    Exited,
    Failed,
    Gone,
    Halted,
    Ready,
    Refused,
    Resumed,
    Started,
    StarterLost,
    StopAsked,
    Stopped,
    TimeOver,
)
from topo.run.machine import (
    Act,
    After,
    Announce,
    ConnectHost,
    Machine,
    Report,
    SayBusy,
    SayWhy,
    SendSignal,
    StartApp,
    StartHost,
    StopDevices,
)

PLACE = Place("x.ztopo", 1, 0, 1)


def device(name: str) -> DevicePlan:
    def socket(side: str) -> SocketPlan:
        return SocketPlan(f"{name}.{side}", "PULL", (), (BindPlan("tcp://127.0.0.1:*", PLACE),), (), PLACE)

    return DevicePlan(name, "streamer", socket("in"), socket("out"), None, (b"in", b"out"), False, PLACE)


def app(name: str) -> AppPlan:
    return AppPlan(name, ("true",), "/", {}, PLACE)


PLAN = Plan(
    name="x",
    hosted=ProcessPlan("thread host", (device("a"), device("b"))),
    processes=(ProcessPlan("c", (device("c"),)),),
    apps=(app("source"), app("sink")),
    sockets=(),
    stages=(("source",), ("a", "c"), ("b",), ("sink",)),
)
HOST = "thread host"


class History:
    """A machine, and all that it wanted done."""

    def __init__(self, plan: Plan = PLAN, local: frozenset[str] = frozenset()) -> None:
        self.machine = Machine(plan, local=local)
        self.acts: list[Act] = []
        self.acts += self.machine.begin()

    def hear(self, *events: Event) -> list[Act]:
        """What these events lead to, without the timers that are set."""
        acts = [act for event in events for act in self.machine.on(event)]
        self.acts += acts
        return [act for act in acts if not isinstance(act, After)]

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
    assert [a for a in history.acts if not isinstance(a, After)] == [StartHost(HOST), StartHost("c")]
    assert history.hear(Started(HOST, 1), Bound("a", {}), Bound("b", {})) == []
    assert history.hear(Bound("c", {})) == [Announce("connecting"), ConnectHost(HOST), ConnectHost("c")]


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
    assert history.hear(Stopped("c", "terminated"), Exited("c", 0)) == [SendSignal("c", signal.SIGTERM)]
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
    late = TimeOver("stop", HOST, ("a",))
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
    assert history.hear(TimeOver("busy")) == [SayBusy(("source",))]


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
    st.just(TimeOver("busy")),
    st.sampled_from(UNITS).map(lambda n: TimeOver("stop", n)),
)


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=30), st.booleans())
def test_whatever_happens_it_ends_when_it_is_to(events: list[Event], in_process: bool) -> None:
    """No history breaks the machine; after two wishes to stop the timers alone bring it to its end."""
    history = History(local=frozenset({HOST}) if in_process else frozenset())
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
