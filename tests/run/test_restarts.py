"""When something is started again: histories of ends, and laws for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo.plan import RestartPlan
from topo.run.restarts import Restarts, companions

ON_FAILURE = RestartPlan("on-failure", limit=3, period=10.0, backoff=0.1, longest=0.3)


def delays(plan: RestartPlan, *runs: float) -> list[float | None]:
    """What follows each failure, when it fails again so many seconds after each restart."""
    restarts, now, answers = Restarts(plan), 1000.0, list[float | None]()
    for run in runs:
        now += run
        answers.append(restarts.ended(now, well=False))
        now += answers[-1] or 0.0
    return answers


def test_the_first_restart_is_immediate_and_then_the_waiting_doubles_up_to_the_longest() -> None:
    plan = RestartPlan("on-failure", limit=9, period=60.0, backoff=0.1, longest=0.5)
    assert delays(plan, 0, 0, 0, 0, 0, 0) == [0.0, 0.1, 0.2, 0.4, 0.5, 0.5]


def test_one_restart_too_many_within_the_period_and_it_has_failed_for_good() -> None:
    assert delays(ON_FAILURE, 0, 1, 1, 1) == [0.0, 0.1, 0.2, None]


def test_the_period_slides() -> None:
    """The first restart is forgotten when the fourth comes, so the fourth is not one too many; the fifth is."""
    assert delays(ON_FAILURE, 0, 6, 3.5, 1, 1) == [0.0, 0.1, 0.2, 0.3, None]


def test_the_row_begins_again_after_a_period_without_a_failure() -> None:
    assert delays(ON_FAILURE, 0, 1, 10, 1, 9.9, 1) == [0.0, 0.1, 0.0, 0.1, 0.2, 0.3]


def test_the_wait_before_a_restart_is_no_time_in_which_it_ran() -> None:
    plan = RestartPlan("on-failure", limit=9, period=10.0, backoff=8.0, longest=60.0)
    assert delays(plan, 0, 5, 5, 5) == [0.0, 8.0, 16.0, 32.0]


def test_no_restart_at_all_with_a_limit_of_none() -> None:
    assert delays(RestartPlan("always", limit=0), 0) == [None]


@pytest.mark.parametrize(
    ("policy", "failed", "well"),
    [("never", None, None), ("on-failure", 0.0, None), ("always", 0.0, 0.0)],
)
def test_a_policy_says_which_ends_are_followed_by_a_restart(policy: str, failed: float | None, well: float | None) -> None:
    plan = RestartPlan(policy)  # type: ignore[arg-type]  # a parameter is no literal
    assert Restarts(plan).ended(0.0, well=False) == failed
    assert Restarts(plan).ended(0.0, well=True) == well


def test_an_end_that_no_restart_follows_is_not_counted() -> None:
    restarts = Restarts(ON_FAILURE)
    for now in range(9):
        assert restarts.ended(now, well=True) is None
    assert restarts.ended(9.0, well=False) == 0.0
    assert (restarts.total, restarts.row) == (1, 1)


def test_it_counts_all_restarts_and_those_of_the_row() -> None:
    restarts = Restarts(ON_FAILURE)
    for now in (0.0, 1.0, 20.0):
        restarts.ended(now, well=False)
    assert (restarts.total, restarts.row) == (3, 1)


PLANS = st.builds(
    RestartPlan,
    st.sampled_from(("on-failure", "always")),
    limit=st.integers(0, 6),
    period=st.floats(0.01, 100),
    backoff=st.floats(0, 10),
    longest=st.floats(10, 20),
)
RUNS = st.lists(st.floats(0, 100), max_size=40)


@given(PLANS, RUNS)
def test_no_period_has_more_restarts_than_the_limit(plan: RestartPlan, runs: list[float]) -> None:
    restarts, now, moments = Restarts(plan), 0.0, list[float]()
    for run in runs:
        now += run
        delay = restarts.ended(now, well=False)
        if delay is not None:
            now += delay
            moments.append(now)
    for moment in moments:
        assert sum(0 <= other - moment < plan.period for other in moments) <= plan.limit


@given(PLANS, RUNS)
def test_a_wait_is_never_longer_than_said_nor_shorter_than_the_one_before_in_its_row(
    plan: RestartPlan, runs: list[float]
) -> None:
    restarts, now, before = Restarts(plan), 0.0, 0.0
    for run in runs:
        now += run
        delay = restarts.ended(now, well=False)
        if delay is not None:
            assert 0.0 <= delay <= plan.longest
            assert delay >= before or restarts.row == 1
            assert restarts.row > 1 or delay == 0.0
            now, before = now + delay, delay


@given(PLANS, RUNS, st.integers(0, 2**20))
def test_only_differences_of_times_count(plan: RestartPlan, runs: list[float], start: int) -> None:
    """The clock's beginning says nothing. In sixteenths of a second, which floats add without rounding."""
    period, backoff, longest = (round(t * 16) / 16 for t in (plan.period, plan.backoff, plan.longest))
    plan = RestartPlan(plan.policy, plan.limit, period, backoff, longest)
    one, other, now = Restarts(plan), Restarts(plan), 0.0
    for run in runs:
        now += round(run * 16) / 16
        assert one.ended(now, well=False) == other.ended(now + start, well=False)


def test_a_long_row_does_not_grow_beyond_what_a_float_holds() -> None:
    plan = RestartPlan("always", limit=5000, period=1e9, backoff=0.001, longest=1.0)
    assert delays(plan, *[0.0] * 4000)[-1] == 1.0


def test_who_ends_and_starts_again_with_whom() -> None:
    names = ("source", "sampler", "sink")
    assert companions("sampler", "", names) == ("sampler",)
    assert companions("sampler", "rest", names) == ("sampler", "sink")
    assert companions("sampler", "all", names) == names


def test_what_stands_in_a_module_has_no_company_outside_of_it() -> None:
    names = ("first", "dc[0].in", "dc[0].pool.a", "dc[0].pool.b", "dc[0].out", "dc[1].in", "dc[1].out", "last")
    assert companions("dc[0].pool.a", "all", names) == ("dc[0].pool.a", "dc[0].pool.b")
    assert companions("dc[0].in", "all", names) == names[1:5]
    assert companions("dc[1].in", "rest", names) == names[5:7]
    assert companions("dc[0].out", "rest", names) == ("dc[0].out",)
    assert companions("first", "all", names) == names
