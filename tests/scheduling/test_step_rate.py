"""SPS(B): its files, what lies between its points, and what is refused."""

from __future__ import annotations

import json

import pytest

from dspark_lab.errors import LabError
from dspark_lab.scheduling.step_rate import StepRate


def test_between_points_time_grows_in_a_straight_line():
    rate = StepRate((1, 3, 7), (1 / 1.0, 1 / 2.0, 1 / 6.0))
    assert [rate.seconds(b) for b in range(1, 8)] == pytest.approx([1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert rate.most == 7


def test_below_the_first_point_a_step_takes_as_long_as_at_it():
    rate = StepRate((4, 8), (10.0, 5.0))
    assert rate(1) == rate(4) == 10.0


def test_carried_on_beyond_its_last_point():
    rate = StepRate.each([1 / (1 + 0.1 * b) for b in range(1, 9)], title="a line").extended(20)
    assert rate.seconds(20) == pytest.approx(3.0)
    assert "carried on" in rate.title and rate.source == "modelled"
    assert rate.extended(10) is rate


def test_saved_and_loaded(tmp_path):
    rate = StepRate((1, 2), (3.0, 2.5), "measured", "a laptop", {"device": "CPU", "context": 128})
    rate.save(tmp_path / "rate.json")
    assert StepRate.load(tmp_path / "rate.json") == rate


@pytest.mark.parametrize(
    ("tokens", "rates", "said"),
    [
        ((), (), "0 rates for 0"),
        ((1, 2), (1.0,), "1 rates for 2"),
        ((2, 2), (1.0, 1.0), "must rise"),
        ((0, 1), (1.0, 1.0), "must rise from 1"),
        ((1, 2), (1.0, 0.0), "at 2 tokens is 0.0"),
        ((1, 2), (-1.0, 1.0), "at 1 tokens is -1.0"),
        ((1, 2), (1.0, float("inf")), "at 2 tokens is inf"),
        ((1, 2), (float("nan"), 1.0), "at 1 tokens is nan"),
    ],
)
def test_what_is_no_step_rate_is_refused(tokens, rates, said):
    with pytest.raises(LabError) as error:
        StepRate(tokens, rates)
    assert said in str(error.value)


def test_steps_of_no_tokens_and_of_too_many():
    rate = StepRate.each([1.0, 0.9])
    with pytest.raises(LabError, match="0 tokens has no rate"):
        rate(0)
    with pytest.raises(LabError, match="up to 2 tokens, but 3"):
        rate(3)


@pytest.mark.parametrize("text", ["", "[]", '{"rates": [1]}', '{"step_rate": {"tokens": [1], "rates": [0]}}'])
def test_files_that_hold_none_are_refused(tmp_path, text):
    (tmp_path / "rate.json").write_text(text)
    with pytest.raises(LabError):
        StepRate.load(tmp_path / "rate.json")
    with pytest.raises(LabError, match="cannot read"):
        StepRate.load(tmp_path / "none.json")


def test_the_file_is_readable_json(tmp_path):
    StepRate.each([2.0]).save(tmp_path / "rate.json")
    assert json.loads((tmp_path / "rate.json").read_text())["step_rate"]["rates"] == [2.0]


def test_a_measured_one_is_carried_on_as_a_model_and_not_too_far():
    rate = StepRate((1, 4), (10.0, 8.0), "measured", "here")
    on = rate.extended(100)
    assert on.source == "modelled" and on.title == "measured: here, carried on from 4 tokens"
    with pytest.raises(LabError, match="covers up to 4 tokens a step, too few to say what 2,408 take: measure more"):
        rate.extended(2408)
    with pytest.raises(LabError, match="at most 16,777,216 are computed with"):
        StepRate((1, 10**11), (1.0, 1.0))


@pytest.mark.parametrize("rate", [1e-320, 1e308, 10**400, float("inf"), float("nan"), True, "fast"])
def test_rates_that_no_machine_has_are_refused(rate):
    with pytest.raises(LabError, match="must be"):
        StepRate((1, 8), (1.0, rate))


@pytest.mark.parametrize("tokens", [1.5, float("nan"), "2"])
def test_a_step_computes_whole_tokens(tokens):
    with pytest.raises(LabError, match="whole number of tokens"):
        StepRate((1, 8), (1.0, 0.5))(tokens)
