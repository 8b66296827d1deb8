"""The scheduler: Algorithm 1 and its variants, on numbers alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dspark_lab.errors import LabError
from dspark_lab.scheduling.policies import ALGORITHM_1, EarlyBreak, Fixed, GlobalBest, Lagged, Threshold, policy_named
from dspark_lab.scheduling.pool import survivals
from dspark_lab.scheduling.schedule import schedule
from dspark_lab.scheduling.step_rate import StepRate

EVERY = (ALGORITHM_1, GlobalBest(), Lagged(), Fixed(), Fixed(2), Threshold(0.6))
CONFIDENCE = st.sampled_from([0.05, 0.3, 0.5, 0.5, 0.8, 0.95, 0.999]) | st.floats(1e-3, 1 - 1e-3)


@st.composite
def pools(draw):
    """Confidences [R, gamma], ties among them, and a step rate that need not be smooth."""
    requests, gamma = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    confidence = draw(arrays(np.float64, (requests, gamma), elements=CONFIDENCE))
    rates = draw(st.lists(st.floats(0.05, 1.0), min_size=requests * (gamma + 1), max_size=requests * (gamma + 1)))
    falling = draw(st.booleans())
    return confidence, StepRate.each(sorted(rates, reverse=True) if falling else rates)


@given(pools(), st.sampled_from(EVERY))
def test_what_is_verified_is_a_prefix_of_what_was_drafted(pool, policy):
    confidence, rate = pool
    plan = schedule(confidence.cumprod(1), rate, policy)
    assert plan.lengths.min() >= 0
    assert plan.lengths.max() <= confidence.shape[1]
    for r, length in enumerate(plan.lengths):
        assert sorted(plan.pool.position[(plan.pool.request == r) & plan.admitted]) == list(range(1, length + 1))
    assert plan.tokens == len(confidence) + plan.admitted.sum()


@given(pools())
def test_candidates_come_in_the_order_of_survival_and_a_request_s_in_that_of_positions(pool):
    confidence, rate = pool
    found = schedule(confidence.cumprod(1), rate).pool
    assert (np.diff(survivals(found)) <= 1e-9).all()
    for r in range(len(confidence)):
        assert (np.diff(found.position[found.request == r]) == 1).all()


def brute_force(a: np.ndarray, rate: StepRate) -> float:
    """The largest Theta over every choice of lengths."""
    best = 0.0
    for lengths in itertools.product(range(a.shape[1] + 1), repeat=len(a)):
        expected = len(a) + sum(a[r, :length].sum() for r, length in enumerate(lengths))
        best = max(best, expected * rate(len(a) + sum(lengths)))
    return best


@given(arrays(np.float64, (3, 3), elements=CONFIDENCE), st.lists(st.floats(0.05, 1.0), min_size=12, max_size=12))
def test_the_global_search_is_the_best_of_all_choices_and_so_is_algorithm_1_where_theta_has_one_peak(confidence, rates):
    rate, a = StepRate.each(rates), confidence.cumprod(1)
    best = brute_force(a, rate)
    assert schedule(a, rate, GlobalBest()).theta == pytest.approx(best, rel=1e-9)
    found = schedule(a, rate)
    assert found.theta <= best * (1 + 1e-9)
    change = np.diff(found.pool.theta)
    first_fall = int((change <= 0).argmax()) if (change <= 0).any() else len(change)
    if (change[first_fall:] <= 0).all():
        assert found.theta == pytest.approx(best, rel=1e-9)


@given(pools(), st.data())
def test_algorithm_1_decides_about_a_token_without_the_confidences_after_it(pool, data):
    confidence, rate = pool
    r = data.draw(st.integers(0, len(confidence) - 1))
    j = data.draw(st.integers(1, confidence.shape[1]))
    changed = confidence.copy()
    changed[r, j:] = data.draw(arrays(np.float64, confidence.shape[1] - j, elements=CONFIDENCE))
    before, after = (schedule(c.cumprod(1), rate).lengths[r] for c in (confidence, changed))
    assert (before >= j) == (after >= j)


def test_the_global_search_does_look_ahead():
    """Appendix A's step rate: c_2 decides whether x_1 is verified."""
    rate = StepRate.each([1.0, 0.5, 0.45])
    lengths = [int(schedule([[0.8, 0.8 * c]], rate, GlobalBest()).lengths[0]) for c in (0.9, 0.1)]
    assert lengths == [2, 0]
    assert [int(schedule([[0.8, 0.8 * c]], rate).lengths[0]) for c in (0.9, 0.1)] == [0, 0]


@given(pools(), pools())
def test_the_lagged_policy_decides_the_capacity_without_today_s_confidences(pool, other):
    confidence, rate = pool
    a, earlier = confidence.cumprod(1), other[0].cumprod(1)
    rate = rate.extended(earlier.size + len(earlier))
    plan = schedule(a, rate, Lagged(), earlier=earlier)
    wanted = schedule(earlier, rate, GlobalBest()).tokens
    assert plan.tokens == min(max(wanted, len(a)), len(a) + a.size)
    assert (schedule(a, rate, Lagged()).lengths == schedule(a, rate, EarlyBreak()).lengths).all()


def test_fixed_and_threshold():
    a = np.array([[0.9, 0.5, 0.6], [0.2, 0.9, 0.9]]).cumprod(1)
    rate = StepRate.each([1.0] * 8)
    assert list(schedule(a, rate, Fixed(2)).lengths) == [2, 2]
    assert list(schedule(a, rate, Fixed(), drafted=[3, 1]).lengths) == [3, 1]
    assert list(schedule(a, rate, Threshold(0.5)).lengths) == [3, 0]
    assert list(schedule(a, rate, Threshold(0.55)).lengths) == [1, 0]
    assert list(schedule(a, rate, Threshold(0.0), drafted=[2, 0]).lengths) == [2, 0]


def test_equal_survivals_are_admitted_position_by_position():
    found = schedule(np.ones((3, 2)), StepRate.each([1.0] * 9)).pool
    assert list(found.position) == [1, 1, 1, 2, 2, 2]
    assert list(found.request) == [0, 1, 2, 0, 1, 2]


def test_a_request_that_drafted_nothing_is_verified_at_its_anchor_only():
    plan = schedule(np.ones((2, 3)), StepRate.each([1.0] * 8), drafted=[0, 3])
    assert list(plan.lengths) == [0, 3]
    assert plan.tokens == 5
    assert plan.theta == pytest.approx(5.0)


def test_no_candidates_at_all():
    plan = schedule(np.ones((2, 0)), StepRate.each([1.0, 0.5]))
    assert list(plan.lengths) == [0, 0]
    assert plan.theta == 1.0


@pytest.mark.parametrize(
    ("survival", "said"),
    [
        (np.ones((0, 3)), "1 request at least"),
        ([0.5, 0.4], "must be [requests, draft tokens]"),
        ([[0.5, float("nan")]], "token 2 is nan"),
        ([[1.5, 0.2]], "token 1 is 1.5"),
        ([[0.5, -0.2]], "token 2 is -0.2"),
        ([[0.5, 0.6]], "rises from 0.5 to 0.6"),
        ([[0.5, 0.4], [0.3]], "survival is no table of numbers"),
        ("sure", "survival is no table of numbers"),
    ],
)
def test_survivals_that_are_none_are_refused(survival, said):
    with pytest.raises(LabError) as error:
        schedule(survival, StepRate.each([1.0] * 9))
    assert said in str(error.value)


@pytest.mark.parametrize("policy", EVERY, ids=lambda policy: policy.name)
def test_a_step_rate_that_ends_too_early_is_refused(policy):
    with pytest.raises(LabError, match=r"known up to 3 tokens, but 4 are asked for"):
        schedule([[0.5, 0.4, 0.3]], StepRate.each([1.0, 0.9, 0.8]), policy)


def test_wrong_numbers_of_drafted_tokens_are_refused():
    for drafted in ([4, 1], [-1, 1], [1], [1.5, 1], [float("nan"), 1]):
        with pytest.raises(LabError, match="2 whole numbers from 0 to 3"):
            schedule(np.ones((2, 3)), StepRate.each([1.0] * 8), drafted=drafted)


def test_policies_by_name():
    for name in ("early-break", "fixed", "fixed:4", "threshold:0.7", "lagged", "global"):
        assert policy_named(name).name == name
    assert policy_named("threshold").name == "threshold:0.5"
    assert [name for name in ("early-break", "fixed", "threshold", "lagged", "global") if policy_named(name).leaks] == [
        "global"
    ]


@pytest.mark.parametrize(
    "name", ["", "greedy", "fixed:", "fixed:x", "fixed:-1", "threshold:2", "threshold:nan", "lagged:2"]
)
def test_policies_that_do_not_exist_are_refused(name):
    with pytest.raises(LabError):
        policy_named(name)


class Half:
    """A policy of one's own."""

    name, leaks, capacity_lags = "half", False, False

    def lengths(self, pool):
        return pool.drafted // 2


class Wrong:
    name, leaks, capacity_lags = "wrong", False, False

    def __init__(self, lengths):
        self.lengths = lengths


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        (lambda pool: pool.drafted + 1, "gave request 0 the length 5, but it has 4 draft tokens"),
        (lambda pool: np.array([4, -1]), "gave request 1 the length -1"),
        (lambda pool: pool.drafted / 2, "gave float64 lengths of the shape \\[2\\]"),
        (lambda pool: np.array([1]), "gave int64 lengths of the shape \\[1\\]"),
    ],
)
def test_what_a_policy_says_is_checked(lengths, said):
    with pytest.raises(LabError, match=said):
        schedule(np.ones((2, 4)), StepRate.each([1.0] * 10), Wrong(lengths))


def test_a_policy_may_say_it_as_a_list():
    assert list(schedule(np.ones((2, 4)), StepRate.each([1.0] * 10), Wrong(lambda pool: [1, 2])).lengths) == [1, 2]


def test_another_policy_can_be_handed_in():
    assert list(schedule(np.ones((2, 4)), StepRate.each([1.0] * 10), Half()).lengths) == [2, 2]


def test_what_is_no_policy_and_no_step_rate_is_refused() -> None:
    with pytest.raises(LabError, match="policy_named"):
        schedule([[0.9]], StepRate.each([1.0, 0.9]), "early-break")  # type: ignore[arg-type]
    with pytest.raises(LabError, match="must be a StepRate"):
        schedule([[0.9]], [1.0, 0.9])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Fixed("3"), "fixed verify length is '3'"),
        (lambda: Fixed(2.5), "fixed verify length is 2.5"),
        (lambda: Threshold("x"), "threshold is 'x'"),
        (lambda: policy_named(3), "policy is 3"),
        (lambda: StepRate((1,), ("a",)), "rates numbers"),
        (lambda: StepRate((1.5, 2), (1.0, 1.0)), "must be whole"),
    ],
)
def test_what_is_no_number_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(LabError, match=said):
        make()
