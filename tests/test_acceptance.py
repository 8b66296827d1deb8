"""Verification of one draft: accept left to right, residual after a rejection, bonus after none."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dspark_kernels import overlap
from dspark_lab import acceptance
from dspark_lab.acceptance import accepts, verify
from dspark_lab.rounds import BONUS, NONE, RESIDUAL
from tests.outcomes import cells

P_T = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.6, 0.1, 0.3]], dtype=torch.float64)
P_D = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]], dtype=torch.float64)


def first_token(p_t: Tensor, p_d: Tensor) -> list[float]:
    """The exact distribution of a one-token round's first token, from the library's own verdicts."""
    result = [0.0] * len(p_t)
    for token, p in enumerate(p_d.tolist()):
        if p == 0:
            continue
        ratio = min(1.0, float(p_t[token]) / p)
        for u, chance in cells([ratio, 1 - ratio], 0.5):
            verdict = verify([token], p_d[None], torch.stack([p_t, p_t]), [u], 0.5)
            if verdict.accepted:
                result[token] += p * chance
            else:
                for i, q in enumerate(verdict.distribution.tolist()):
                    result[i] += p * chance * q
    return result


def test_a_token_is_accepted_below_the_ratio_of_its_probabilities() -> None:
    assert accepts(0.49, p_t=0.3, p_d=0.6) and not accepts(0.5, p_t=0.3, p_d=0.6)
    assert accepts(math.nextafter(1, 0), p_t=0.6, p_d=0.3), "always where the target likes it better"
    assert accepts(0.0, p_t=1e-300, p_d=1.0) and not accepts(0.0, p_t=0.0, p_d=1.0), "never where the target cannot"
    assert accepts(0.9, p_t=0.1, p_d=0.0), "a forced token that the drafter could not draw"


def test_the_first_rejection_ends_the_prefix_and_draws_from_the_residual() -> None:
    verdict = verify([0, 1], P_D, P_T, [0.6, 0.0], 0.3)
    assert (verdict.accepted, verdict.kind, verdict.token) == (0, RESIDUAL, 1)
    assert verdict.distribution.tolist() == [0, 1, 0]
    assert verdict.cdf == (0, 1)


def test_a_rejection_later_keeps_what_came_before() -> None:
    p_d = torch.tensor([[0.9, 0.1, 0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    verdict = verify([0, 2], p_d, P_T, [0.5, 0.5], 0.99)
    assert (verdict.accepted, verdict.kind, verdict.token) == (1, RESIDUAL, 1)
    assert verdict.distribution.tolist() == pytest.approx([0.4, 0.6, 0])


def test_without_a_rejection_the_bonus_comes_from_the_target_one_further_on() -> None:
    verdict = verify([0, 2], P_D, P_T, [0.1, 0.9], 0.65)
    assert (verdict.accepted, verdict.kind, verdict.token) == (2, BONUS, 1)
    assert verdict.distribution.equal(P_T[2])
    assert verdict.cdf == pytest.approx((0.6, 0.7))


def test_an_accepted_end_of_sequence_ends_the_round_without_a_bonus() -> None:
    verdict = verify([0, 2], P_D, P_T, [0.1, 0.0], 0.5, stop={0})
    assert (verdict.accepted, verdict.kind, verdict.token, verdict.distribution) == (1, NONE, None, None)


def test_a_rejected_end_of_sequence_ends_nothing() -> None:
    verdict = verify([0, 2], P_D, P_T, [0.6, 0.0], 0.5, stop={0})
    assert (verdict.accepted, verdict.kind) == (0, RESIDUAL)


def test_nothing_drafted_is_plain_sampling() -> None:
    verdict = verify([], P_D[:0], P_T[:1], [], 0.7)
    assert (verdict.accepted, verdict.kind, verdict.token) == (0, BONUS, 1)


def test_a_longer_draft_than_was_verified_changes_nothing() -> None:
    assert verify([0], P_D, P_T[:2], [0.1, 0.9], 0.3).token == verify([0], P_D[:1], P_T[:2], [0.1], 0.3).token


def test_the_first_token_has_the_targets_distribution() -> None:
    assert first_token(P_T[0], P_D[0]) == pytest.approx(P_T[0].tolist(), abs=1e-15)


def test_resampling_from_the_target_emits_070_where_050_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """p_t = (.5, .5), p_d = (.9, .1): what a public demo does wrong."""
    monkeypatch.setattr(acceptance, "residual", lambda p_t, p_d: p_t)
    assert first_token(P_T[0], P_D[0]) == pytest.approx([0.70, 0.30, 0], abs=1e-15)


def test_a_one_hot_draft_is_accepted_as_often_as_the_target_would_say_it() -> None:
    """A drafter that proposes argmax while sampling is on accepts p_t(argmax), less than sum min."""
    hot = torch.tensor([1.0, 0, 0], dtype=torch.float64)
    assert float(overlap(P_T[2], hot)) == pytest.approx(0.6) and float(overlap(P_T[2], P_T[2])) == pytest.approx(1)
    assert first_token(P_T[2], hot) == pytest.approx(P_T[2].tolist(), abs=1e-15)
