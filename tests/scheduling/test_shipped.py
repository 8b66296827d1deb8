"""The pocket DSpark's calibration and recorded rounds: of these weights, and as good as is said."""

from __future__ import annotations

import numpy as np
import pytest

from dspark_lab.checkpoints import POCKET, revision, weight_files
from dspark_lab.evaluation.reliability import by_position
from dspark_lab.scheduling.calibration import FILE, ROUNDS_FILE, Calibration, survival_errors
from dspark_lab.scheduling.recorded import RecordedRounds


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return Calibration.load(POCKET / "dspark" / FILE)


@pytest.fixture(scope="module")
def rounds() -> RecordedRounds:
    return RecordedRounds.load(POCKET / "dspark" / ROUNDS_FILE)


def test_both_are_of_the_weights_that_ship(calibration: Calibration, rounds: RecordedRounds) -> None:
    for model, name in ((calibration.drafter, "dspark"), (calibration.target, "target")):
        assert model.revision == revision(weight_files(POCKET / name))
    assert (rounds.origin.drafter, rounds.origin.target) == (calibration.drafter, calibration.target)


def test_the_error_on_test_rounds_is_small_and_never_worse_than_raw(calibration: Calibration) -> None:
    assert calibration.stored == (0.0, 0.7, 1.0)
    for fit in calibration.fits:
        assert fit.fitted.split == "validation" and fit.held_out is not None and fit.held_out.split == "test"
        assert fit.fitted.mean_after <= fit.fitted.mean_before
        assert fit.held_out.mean_after <= fit.held_out.mean_before
    held_out = calibration.fit(1.0).held_out
    assert held_out is not None and held_out.rounds >= 3000 and held_out.mean_after <= 0.015


def test_the_order_within_a_position_stays(calibration: Calibration, rounds: RecordedRounds) -> None:
    assert rounds.confidence is not None
    before = by_position(rounds, kind="conditional")
    after = by_position(rounds, calibration.apply(rounds.confidence, 1.0), "conditional")
    assert [r.auc for r in after] == pytest.approx([r.auc for r in before], abs=1e-9)


def test_the_rounds_are_of_all_domains_and_agree_with_the_calibration(
    calibration: Calibration, rounds: RecordedRounds
) -> None:
    """They are a part of those that it was fitted to: STS may not harm them either, beyond what a part differs by."""
    assert rounds.origin.split == "validation" and rounds.origin.temperature == 1 and rounds.origin.domains
    assert min(len(rounds.of(domain)) for domain in ("math", "code", "chat")) >= 2500
    assert (POCKET / "dspark" / ROUNDS_FILE).stat().st_size < 300_000
    errors = survival_errors(rounds, calibration.fit(1.0).temperatures)
    assert errors.mean() < 0.02


def test_acceptance_explains_what_was_accepted(rounds: RecordedRounds) -> None:
    """Accepted drafts a round against the sum of products of acceptance: 5 standard errors of the difference, whose false
    alarm has a chance below one in a million."""
    chance = np.cumprod(rounds.acceptance, axis=1)
    surprise = rounds.accepted - chance.sum(1)
    assert abs(surprise.mean()) < 5 * surprise.std() / np.sqrt(len(rounds))
