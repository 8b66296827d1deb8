"""Appendix A, exactly: the early break keeps the target's distribution, a search that looks ahead does not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspark_lab.errors import LabError
from dspark_lab.scheduling.appendix_a import APPENDIX_A, Example, branches, first_token, simulate
from dspark_lab.scheduling.policies import ALGORITHM_1, EarlyBreak, Fixed, GlobalBest, Lagged, Threshold
from dspark_lab.scheduling.step_rate import StepRate

LOSSLESS = (EarlyBreak(), Lagged(), Fixed(), Fixed(0), Fixed(1), Threshold(0.5), Threshold(0.85))


def test_the_numbers_are_the_papers() -> None:
    assert [APPENDIX_A.step_rate(b) for b in (1, 2, 3)] == [1.0, 0.5, 0.45]
    assert APPENDIX_A.c_1 == sum(map(min, APPENDIX_A.p_t, APPENDIX_A.p_d)) == Fraction(4, 5)


def test_the_global_search_emits_85_and_15_where_70_and_30_are_right() -> None:
    assert first_token(GlobalBest()) == (Fraction(85, 100), Fraction(15, 100))
    assert [branch.verified for branch in branches(GlobalBest())] == [2, 0]


def test_algorithm_1_emits_the_targets_own() -> None:
    assert first_token(ALGORITHM_1) == (Fraction(7, 10), Fraction(3, 10))
    assert [branch.verified for branch in branches(ALGORITHM_1)] == [0, 0]


@pytest.mark.parametrize("policy", LOSSLESS, ids=lambda policy: policy.name)
def test_a_policy_that_does_not_look_ahead_is_lossless(policy) -> None:
    assert first_token(policy) == APPENDIX_A.p_t


@pytest.mark.parametrize("earlier", [[[0.8, 0.72]], [[0.8, 0.08]]])
def test_what_was_seen_two_steps_ago_leaks_nothing_today(earlier) -> None:
    plans = [branch.verified for branch in branches(Lagged(), earlier=earlier)]
    assert plans == ([2, 2] if earlier[0][1] > 0.5 else [0, 0]), "the same for every x_1"
    assert first_token(Lagged(), earlier=earlier) == APPENDIX_A.p_t


@st.composite
def distributions(draw, size):
    weights = draw(st.lists(st.integers(0, 9), min_size=size, max_size=size).filter(any))
    return tuple(Fraction(w, sum(weights)) for w in weights)


@st.composite
def cases(draw):
    size = draw(st.integers(1, 4))
    confidence = st.integers(1, 19).map(lambda n: Fraction(n, 20))
    return Example(
        draw(distributions(size)),
        draw(distributions(size)),
        draw(confidence),
        tuple(draw(confidence) for _ in range(size)),
        StepRate.each(draw(st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3))),
    )


@given(cases(), st.sampled_from(LOSSLESS))
def test_whatever_the_numbers_the_lossless_ones_are(case, policy) -> None:
    assert first_token(policy, case) == case.p_t


def test_the_simulation_agrees_with_the_enumeration() -> None:
    """Within five standard deviations: a false alarm in two million runs."""
    rounds = 4000
    for policy in (ALGORITHM_1, GlobalBest()):
        p = float(first_token(policy)[0])
        share = simulate(policy, rounds, seed=1)[0] / rounds
        assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / rounds)
    assert simulate(ALGORITHM_1, 50, seed=3).tolist() == simulate(ALGORITHM_1, 50, seed=3).tolist()


def test_numbers_that_are_no_distribution_are_refused() -> None:
    with pytest.raises(LabError, match="sum to 1 exactly"):
        replace(APPENDIX_A, p_t=(Fraction(7, 10), Fraction(2, 10)))
    with pytest.raises(LabError, match="have 2, 2 and 1 entries"):
        replace(APPENDIX_A, c_2=(Fraction(1, 2),))
    with pytest.raises(LabError, match="0 rounds"):
        simulate(ALGORITHM_1, 0)
