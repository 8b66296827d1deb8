"""Reliability of confidences: by hand, against scikit-learn, and what temperature scaling leaves alone."""

from __future__ import annotations

import builtins
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from dspark_lab.errors import LabError
from dspark_lab.evaluation.reliability import by_position, mean_error, outcomes, reliability
from dspark_lab.evaluation.sweep import lengths, sweep
from dspark_lab.scheduling.calibration import calibration_error, fit_sts
from tests.scheduling.rounds import made_rounds


def test_the_bins_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(5000)
    y = rng.random(5000) < p**2
    ours = [b for b in reliability(p, y).bins if b.rounds]
    happened, predicted = calibration_curve(y, p, n_bins=20, strategy="uniform")
    np.testing.assert_allclose([b.happened for b in ours], happened)
    np.testing.assert_allclose([b.predicted for b in ours], predicted)
    assert sum(b.rounds for b in ours) == 5000


def test_a_case_by_hand() -> None:
    found = reliability([0.2, 0.6, 0.7, 0.9], [0, 1, 0, 1])
    assert found.auc == 0.75  # of the four pairs, only 0.6 before 0.7 is in the wrong order
    assert found.brier == pytest.approx((0.04 + 0.16 + 0.49 + 0.01) / 4)
    assert found.ece == pytest.approx((0.2 + 0.4 + 0.7 + 0.1) / 4)


def test_where_all_came_out_alike_there_is_no_auc() -> None:
    assert reliability([0.2, 0.6], [1, 1]).auc is None
    empty = reliability([], [])
    assert (empty.ece, empty.chance, empty.auc, empty.brier, empty.rounds) == (None, None, None, None, 0)


def test_chance_is_the_error_of_true_probabilities() -> None:
    """The mean over 200 draws of 2,000 outcomes, with a fixed seed: its standard error is about 1 % of it."""
    rng = np.random.default_rng(0)
    p = rng.beta(2, 1, 2000)
    errors = [calibration_error(p, rng.random(2000) < p) for _ in range(200)]
    assert reliability(p, rng.random(2000) < p).chance == pytest.approx(np.mean(errors), rel=0.05)


def test_conditional_outcomes_are_of_rounds_that_got_there() -> None:
    rounds = made_rounds(1000)
    assert rounds.confidence is not None
    for k, (p, y) in enumerate(outcomes(rounds, rounds.confidence, "conditional")):
        assert len(p) == (rounds.accepted >= k).sum() and y.sum() == (rounds.accepted > k).sum()
    for k, (p, y) in enumerate(outcomes(rounds, rounds.confidence, "survival")):
        assert len(p) == 1000 and y.sum() == (rounds.accepted > k).sum()


def test_a_temperature_moves_the_error_and_leaves_each_positions_auc() -> None:
    rounds = made_rounds(8000, overconfidence=2.5)
    calibration = fit_sts(rounds)
    assert rounds.confidence is not None
    scaled = calibration.apply(rounds.confidence, 1.0)
    before, after = by_position(rounds, kind="conditional"), by_position(rounds, scaled, "conditional")
    for b, a in zip(before, after, strict=True):
        assert a.auc == pytest.approx(b.auc, abs=1e-9)
        assert a.ece < b.ece and a.brier < b.brier  # type: ignore[operator]
    assert mean_error(by_position(rounds, scaled)) == pytest.approx(calibration.fits[0].fitted.mean_after)
    assert mean_error(by_position(rounds)) == pytest.approx(calibration.fits[0].fitted.mean_before)


def test_without_scikit_learn_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("sklearn"):
            raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(LabError, match=r'need sklearn, which is missing: pip install "dspark-lab\[lab\]"'):
        reliability([0.5], [1])


def test_a_threshold_cuts_before_the_first_unsure_token() -> None:
    """Confidences of three rounds of which 4, 1 and 2 drafts were accepted; the last ends its text at 3 of 4."""
    rounds = made_rounds(1).select([0, 0, 0])
    rounds = replace(
        rounds,
        confidence=np.array([[0.9, 0.9, 0.4, 0.9], [0.6, 0.3, 0.9, 0.9], [0.8, 0.8, 0.8, 0.1]]),
        accepted=np.array([4, 1, 3]),
        drafted=np.array([4, 4, 3]),
        ends=np.array([False, False, True]),
        conversation=np.arange(3),
    )
    assert lengths(rounds, 0.5).tolist() == [2, 1, 3]
    everything, half = sweep(rounds, [0.0, 0.5])
    assert everything.verified.value == pytest.approx((5 + 5 + 4) / 3)
    assert everything.accepted.value == pytest.approx((5 + 2 + 3) / 3)
    assert half.verified.value == pytest.approx((3 + 2 + 4) / 3)
    assert half.accepted.value == pytest.approx((3 + 2 + 3) / 3)
    assert half.rejected.value == pytest.approx(1 / 3) and half.acceptance_rate.value == pytest.approx(8 / 9)
    assert half.accepted.low is not None and half.accepted.low <= 8 / 3 <= half.accepted.high  # type: ignore[operator]


def test_a_higher_threshold_verifies_less_and_accepts_more_of_it() -> None:
    points = sweep(made_rounds(3000))
    verified = [p.verified.value for p in points]
    rate = [p.acceptance_rate.value for p in points]
    assert verified == sorted(verified, reverse=True) and rate == sorted(rate)
    assert points[0].verified.value == 5  # anchor and 4 drafts
