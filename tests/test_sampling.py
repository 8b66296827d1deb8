"""The arithmetic of distributions: filters, draws by inverse CDF, residual, overlap."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dspark_kernels import inverse_cdf, overlap, residual, softmax_filtered
from dspark_lab import Settings
from tests.outcomes import filtered

NEAR_1 = math.nextafter(1.0, 0.0)
logit = st.one_of(st.floats(-50, 50), st.integers(-3, 3).map(float))  # whole numbers, for ties
rows = st.lists(logit, min_size=1, max_size=12).map(lambda row: torch.tensor(row, dtype=torch.float64))
temperatures = st.one_of(st.floats(1e-3, 100), st.just(1.0))
weights = st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1)), min_size=2, max_size=8).filter(any)
uniform = st.one_of(st.floats(0, NEAR_1), st.sampled_from([0.0, 5e-324, 0.5, NEAR_1]))


def distribution(weights: list[float]) -> Tensor:
    p = torch.tensor(weights, dtype=torch.float64)
    return p / p.sum()


pairs = (
    st.integers(2, 8)
    .flatmap(
        lambda n: st.tuples(
            *[st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1)), min_size=n, max_size=n).filter(any)] * 2
        )
    )
    .map(lambda two: (distribution(two[0]), distribution(two[1])))
)


@given(rows, temperatures, st.integers(0, 14), st.floats(1e-6, 1))
def test_filtered_probabilities_sum_to_1(row: Tensor, temperature: float, top_k: int, top_p: float) -> None:
    p = softmax_filtered(row, temperature, top_k, top_p)
    assert p.dtype == torch.float64 and bool((p >= 0).all())
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)


@given(rows, temperatures)
def test_without_filters_it_is_the_softmax(row: Tensor, temperature: float) -> None:
    expected = filtered(row.tolist(), Settings(temperature))
    assert softmax_filtered(row, temperature).tolist() == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=12), st.integers(1, 14))
def test_top_k_keeps_exactly_k_even_under_ties(row: list[int], top_k: int) -> None:
    p = softmax_filtered(torch.tensor(row, dtype=torch.float32), 1.0, top_k)
    kept = p.nonzero().flatten().tolist()
    assert kept == sorted(sorted(range(len(row)), key=lambda i: (-row[i], i))[:top_k])


@given(rows, st.floats(1e-6, 1 - 1e-6))
def test_top_p_keeps_the_smallest_set_that_reaches_it(row: Tensor, top_p: float) -> None:
    whole, p = softmax_filtered(row, 1.0), softmax_filtered(row, 1.0, 0, top_p)
    kept = whole[p > 0]
    assert float(kept.sum()) >= top_p - 1e-12
    assert float(kept.sum() - kept.min()) < top_p + 1e-12
    assert p.count_nonzero() == len(whole) or float(whole[p == 0].max()) <= float(kept.min())
    assert p[p > 0].tolist() == pytest.approx((kept / kept.sum()).tolist(), abs=1e-12)


def test_top_p_may_keep_a_single_token_and_cuts_after_top_k() -> None:
    row = torch.tensor([0.5, 0.25, 0.25]).log()
    kept = [int(softmax_filtered(row, 1.0, 0, top_p).count_nonzero()) for top_p in (0.5, 0.501, 0.75, 0.751)]
    assert kept == [1, 2, 2, 3], "reached exactly is reached"
    row = torch.tensor([0.5, 0.3, 0.2]).log()
    assert softmax_filtered(row, 1.0, 0, 1e-6).tolist() == [1, 0, 0]
    # Of the two tokens that top-k leaves, .625 and .375, the first alone reaches .6; of all three it would not.
    assert softmax_filtered(row, 1.0, 2, 0.6).tolist() == [1, 0, 0]
    assert softmax_filtered(row, 1.0, 0, 0.6).count_nonzero() == 2


@given(rows, st.integers(0, 14), st.floats(1e-6, 1))
def test_temperature_0_is_the_one_hot_of_the_first_largest(row: Tensor, top_k: int, top_p: float) -> None:
    p = softmax_filtered(row, 0, top_k, top_p)
    assert p.dtype == torch.float64
    assert p.tolist() == [float(i == row.tolist().index(max(row.tolist()))) for i in range(len(row))]


@pytest.mark.parametrize("temperature", [1e-300, 1e-30, 1e-6])
def test_a_tiny_temperature_does_not_overflow(temperature: float) -> None:
    row = torch.tensor([3e38, -3e38, 2.9e38, -torch.inf])
    assert softmax_filtered(row, temperature).tolist() == [1, 0, 0, 0]


def test_rows_are_filtered_one_by_one() -> None:
    logits = torch.randn(4, 5, 9, generator=torch.Generator().manual_seed(0))
    together = softmax_filtered(logits, 0.7, 6, 0.8)
    for i in range(4):
        for j in range(5):
            assert together[i, j].equal(softmax_filtered(logits[i, j], 0.7, 6, 0.8))


@given(weights, uniform)
def test_a_draw_falls_in_the_interval_of_its_token(weights: list[float], u: float) -> None:
    p = distribution(weights)
    token, low, high = inverse_cdf(p, u)
    assert p[token] > 0, "a token of probability zero is never drawn"
    assert low <= u + 1e-12 and u < high + 1e-12
    assert high - low == pytest.approx(float(p[token]), abs=1e-12)


@pytest.mark.parametrize("weights", [[0, 0, 1, 0], [0, 0.1, 0.2, 0.7, 0], [0.1] * 10, [0, 1e-300, 1]])
def test_no_impossible_token_at_either_end(weights: list[float]) -> None:
    p = distribution(weights)
    possible = p.nonzero().flatten().tolist()
    assert inverse_cdf(p, 0.0)[0] == possible[0]
    assert inverse_cdf(p, NEAR_1)[0] == possible[-1]
    assert inverse_cdf(p * 0.999, NEAR_1)[0] == possible[-1], "nor where rounding left the sum below 1"


@given(weights)
def test_the_intervals_tile_0_to_1(weights: list[float]) -> None:
    p = distribution(weights)
    place = 0.0
    for token in p.nonzero().flatten().tolist():
        drawn, low, high = inverse_cdf(p, min(NEAR_1, place + float(p[token]) / 2))
        assert drawn == token and low == place
        place = high
    assert place == pytest.approx(1, abs=1e-12)


@given(pairs)
def test_the_residual_is_a_distribution_over_what_the_draft_gave_too_little(pair: tuple[Tensor, Tensor]) -> None:
    p_t, p_d = pair
    left = residual(p_t, p_d)
    assert float(left.sum()) == pytest.approx(1, abs=1e-9)
    if not p_t.equal(p_d) and bool((p_t > p_d).any()):
        assert left[p_d >= p_t].tolist() == [0] * int((p_d >= p_t).sum())


def test_equal_distributions_leave_the_target_as_residual() -> None:
    p = distribution([0.2, 0.3, 0.5])
    assert residual(p, p).equal(p)


@given(pairs)
def test_accepted_and_residual_mass_make_the_target(pair: tuple[Tensor, Tensor]) -> None:
    """p_t = min(p_t, p_d) + (1 - overlap) * residual: why speculative sampling is lossless."""
    p_t, p_d = pair
    rebuilt = torch.minimum(p_t, p_d) + (1 - overlap(p_t, p_d)) * residual(p_t, p_d)
    assert rebuilt.tolist() == pytest.approx(p_t.tolist(), abs=1e-12)


@given(pairs)
def test_overlap_is_1_less_half_the_l1_distance(pair: tuple[Tensor, Tensor]) -> None:
    """Eq. 8."""
    p_t, p_d = pair
    assert float(overlap(p_t, p_d)) == pytest.approx(1 - 0.5 * float((p_t - p_d).abs().sum()), abs=1e-12)
