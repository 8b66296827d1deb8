"""Sequential temperature scaling: it finds the temperature that was there, and does no harm."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspark_lab.errors import LabError
from dspark_lab.evaluation.reliability import reliability
from dspark_lab.scheduling.calibration import (
    Calibration,
    CalibrationNote,
    calibrated,
    calibration_error,
    fit_sts,
    survival_errors,
)
from dspark_lab.scheduling.confidence import logit, sigmoid, survival
from tests.scheduling.rounds import made_rounds


def test_calibration_error_of_a_case_by_hand() -> None:
    """Bins of width 1/4: [0.1, 0.2] happened 1 of 2, [0.9] happened: 2/3 * |0.15 - 0.5| + 1/3 * |0.9 - 1|."""
    error = calibration_error([0.1, 0.2, 0.9], [1, 0, 1], bins=4)
    assert error == pytest.approx(2 / 3 * 0.35 + 1 / 3 * 0.1)
    assert calibration_error([1.0], [1]) == 0  # 1 itself falls into the last bin
    assert np.isnan(calibration_error([], []))
    for predicted, happened, said in (
        ([0.5, 1.5], [1, 0], "prediction 1 is 1.5"),
        ([np.nan], [1], "prediction 0 is nan"),
        ([0.5], [7], "outcome 0 is 7"),
        ([0.5, 0.4], [1], "one outcome is needed for each"),
    ):
        with pytest.raises(LabError, match=said):
            calibration_error(predicted, happened)
        with pytest.raises(LabError, match=said):
            reliability(predicted, happened)
    with pytest.raises(LabError, match="bins is 0"):
        calibration_error([0.5], [1], bins=0)


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 2.5])
def test_it_finds_the_temperature_that_was_there(overconfidence: float) -> None:
    """40,000 rounds with a fixed seed; the grid's steps are 2 %."""
    calibration = fit_sts(made_rounds(40_000, overconfidence=overconfidence))
    assert calibration.fits[0].temperatures == pytest.approx([overconfidence] * 4, rel=0.15)


def test_it_helps_on_rounds_it_has_not_seen() -> None:
    calibration = fit_sts(made_rounds(20_000, seed=1, overconfidence=2.0))
    unseen = made_rounds(20_000, seed=2, overconfidence=2.0)
    after = survival_errors(unseen, calibration.fits[0].temperatures)
    assert survival_errors(unseen).mean() > 0.04
    assert after.mean() < 0.015


@given(st.integers(0, 10_000), st.floats(0.2, 5.0), st.integers(3, 60))
def test_where_it_was_fitted_it_never_does_harm(seed: int, overconfidence: float, count: int) -> None:
    """Also on a handful of rounds, where the best T_1 may spoil what comes after."""
    fitted = fit_sts(made_rounds(count, seed=seed, overconfidence=overconfidence)).fits[0].fitted
    assert fitted.mean_after <= fitted.mean_before


def test_a_temperature_keeps_the_order_within_a_position() -> None:
    c = made_rounds(1000).confidence
    assert c is not None
    for k, temperature in enumerate((0.2, 0.9, 1.0, 4.0)):
        assert (np.argsort(calibrated(c, [temperature] * 4)[:, k]) == np.argsort(c[:, k])).all()


def test_only_rounds_that_drafted_a_position_count_there() -> None:
    """Rounds that end at 2 say nothing of 3 and 4, whatever their confidences are."""
    rounds = made_rounds(3000, overconfidence=2.0)
    short = rounds.select(np.arange(3000) % 2 == 0)
    short = replace(short, drafted=np.full(1500, 2), accepted=np.minimum(short.accepted, 2))
    whole = rounds.select(np.arange(3000) % 2 == 1)
    both = replace(
        whole,
        **{
            name: np.concatenate([getattr(whole, name), getattr(short, name)])
            for name in ("acceptance", "accepted", "drafted", "ends", "domain", "conversation", "confidence")
        },
    )
    np.testing.assert_allclose(survival_errors(both)[2:], survival_errors(whole)[2:])


def test_rounds_without_confidence_cannot_be_calibrated() -> None:
    with pytest.raises(LabError, match="tiny/dspark hold no confidences"):
        fit_sts(replace(made_rounds(10), confidence=None))
    with pytest.raises(LabError, match="grid of calibration temperatures"):
        fit_sts(made_rounds(10), grid=[1.0, 0.0])


@pytest.mark.parametrize(("value", "text"), [(0.0, "0.0"), (1.0, "1.0"), (-0.2, "-0.2"), (np.nan, "nan"), (7, "7.0")])
def test_confidences_outside_the_interval_are_named_with_their_place(value: float, text: str) -> None:
    c = np.full((3, 4), 0.5)
    c[1, 2] = value
    for function in (survival, logit, lambda c: fit_sts(made_rounds(100)).apply(c, 1.0)):
        with pytest.raises(LabError, match=rf"confidence at position 3 of round 1 is {text}, but must lie between"):
            function(c)


def test_survival_is_the_product_and_sigmoid_stays_inside() -> None:
    assert survival([0.5, 0.5, 0.8]) == pytest.approx([0.5, 0.25, 0.2])
    extreme = sigmoid([-1e6, -80, 0, 80, np.inf])
    assert extreme[0] > 0 and extreme[-1] < 1
    np.testing.assert_allclose(logit(sigmoid(np.linspace(-20, 20, 41))), np.linspace(-20, 20, 41), rtol=1e-6)


def both() -> Calibration:
    return fit_sts(made_rounds(500, temperature=0.5, overconfidence=2)).joined(fit_sts(made_rounds(500)))


def test_the_nearest_sampling_temperature_is_taken_and_said() -> None:
    calibration = both()
    c = np.full(4, 0.7)
    assert calibration.stored == (0.5, 1.0)
    assert calibration.note(1.0) == ""
    with pytest.warns(CalibrationNote, match=r"at 0.6 the confidences are scaled as at 0.5"):
        nearest = calibration.apply(c, 0.6)
    np.testing.assert_array_equal(nearest, calibration.apply(c, 0.5))
    assert not np.allclose(nearest, calibration.apply(c, 1.0))
    assert calibration.apply(c[:2], 1.0).shape == (2,)
    with pytest.raises(LabError, match="confidences for 5 positions"):
        calibration.apply(np.full(5, 0.5), 1.0)


def test_joining_replaces_the_same_temperature_and_refuses_another_pair() -> None:
    other = fit_sts(made_rounds(400, seed=3))
    joined = both().joined(other)
    assert joined.stored == (0.5, 1.0) and joined.fit(1.0) == other.fits[0]
    stranger = replace(other, drafter=replace(other.drafter, revision="ffffffffffff"))
    with pytest.raises(LabError, match="two pairs cannot be joined"):
        joined.joined(stranger)


def test_a_calibration_file_comes_back_and_others_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    both().save(file)
    assert Calibration.load(file) == both()
    value = json.loads(file.read_text())
    value["calibration"]["fits"][0]["temperatures"][1] = -1
    for text, message in (
        (json.dumps(value), "must be above 0"),
        ("{}", "is no calibration"),
        ("[", "cannot read the calibration"),
        ('{"calibration": {"fits": 3}}', "lacks the field|wrong type"),
    ):
        file.write_text(text)
        with pytest.raises(LabError, match=message):
            Calibration.load(file)
