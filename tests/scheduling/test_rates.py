"""Step rates by name: the paper's, rooflines, files; what is refused; when a note is due."""

from __future__ import annotations

import numpy as np
import pytest

from dspark_lab.errors import LabError
from dspark_lab.scheduling.rates import RATES, curve_name, is_name, note_for, paper_step_rate, step_rate_named
from dspark_lab.scheduling.roofline import GPUS, MODELS, Gpu, Served, roofline, token_grid
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.trace import ModelInfo

TARGET = ModelInfo("tiny/target", "target", "0123456789ab", 1000)


@pytest.mark.parametrize("name", ["deepseek-v4-flash", "deepseek-v4-pro"])
def test_the_papers_curve_is_labelled_and_falls(name):
    rate = step_rate_named(name)
    assert rate.source == "modelled" and "Figure 8" in rate.title and rate.about["caveats"]
    assert (np.diff(rate.between(10, rate.most)) < 0).all()


def test_the_papers_curve_gives_back_figure_8():
    """V4-Flash with MTP-1: T(R) = 13964.83 (1 - exp(-(R / 136.3255)^0.99324)) + 15.3266 R, the fit through the drawn line."""
    rate = paper_step_rate("deepseek-v4-flash")
    for r in (20, 60, 100, 200):
        drawn = 13964.83 * (1 - np.exp(-((r / 136.3255) ** 0.99324))) + 15.3266 * r
        assert r * rate.about["tau"] * rate(2 * r) == pytest.approx(drawn, rel=0.003)


def test_tau_scales_rates_and_nothing_else():
    a, b = paper_step_rate("deepseek-v4-pro", 1.5), paper_step_rate("deepseek-v4-pro", 2.0)
    assert np.array(a.rates) / np.array(b.rates) == pytest.approx(2.0 / 1.5)
    with pytest.raises(LabError, match="2.5"):
        paper_step_rate("deepseek-v4-pro", 2.5)


def test_a_dense_model_reads_all_weights_until_arithmetic_takes_longer():
    gpu, model = Gpu("g", 1e12, 1e14, 1e11, overhead=0.0), Served("m", 1e10, kv_bytes=0.0, attention=0.0)
    rate = roofline(gpu, model, 0, most=500)
    assert (
        rate.seconds(1) == rate.seconds(60) == pytest.approx(0.02)
    )  # 20 GB at 1 TB/s; 100 tokens of 2e10 FLOPs as long
    assert rate.seconds(400) == pytest.approx(400 * 2e10 / 1e14)


def test_more_tokens_touch_more_experts():
    model = Served("m", 0.0, 0.0, 0.0, expert=1.0, experts=8, routed=2)
    rng = np.random.default_rng(0)
    for tokens in (1, 3, 10):
        drawn = [len({e for _ in range(tokens) for e in rng.choice(8, 2, replace=False)}) for _ in range(2000)]
        assert model.touched(tokens) == pytest.approx(np.mean(drawn), abs=0.15)  # 5 standard errors or more
    assert model.touched(1) == model.active == 2 and model.touched(10_000) == pytest.approx(model.weights)


def test_caches_are_read_once_a_request():
    near, far = (roofline("h100", "qwen3-8b", context) for context in (0, 8192))
    extra = far.seconds(8) - near.seconds(8)
    assert extra == pytest.approx(2 * 8192 * MODELS["qwen3-8b"].kv_bytes / GPUS["h100"].bandwidth, rel=1e-6)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("model", MODELS)
def test_every_pair_of_the_tables_gives_a_rate_or_says_how_many_it_takes(gpu, model):
    try:
        rate = step_rate_named(f"roofline:{gpu}:{model}:2048")
    except LabError as error:
        count = int(str(error).split(": take ")[1].split()[0])
        rate = step_rate_named(f"roofline:{count}x{gpu}:{model}:2048")
    assert rate.source == "modelled" and 0.05 < rate(1) < 1000 and rate(1024) < rate(1)


def test_a_weight_count_as_published():
    flash = MODELS["v4-flash-like"]
    assert flash.weights == pytest.approx(284e9, rel=0.01) and flash.active == pytest.approx(13e9, rel=0.05)


def test_the_grid_rises_has_no_gap_of_more_than_a_twentieth_and_ends_where_told():
    for most in (1, 5, 64, 65, 1000):
        grid = token_grid(most)
        assert grid[0] == 1 and grid[-1] == most and (np.diff(grid) >= 1).all()
        assert (np.diff(grid) <= np.maximum(1, grid[:-1] / 20)).all()


def test_a_file(tmp_path):
    StepRate((1, 2), (3.0, 2.5), "measured").save(tmp_path / "r.json")
    assert step_rate_named(str(tmp_path / "r.json")).rates == (3.0, 2.5)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("h100", "there is no step rate 'h100'"),
        ("roofline:h100", "not roofline:GPU:MODEL"),
        ("roofline:h99:qwen3-8b", "no device 'h99'"),
        ("roofline:0xh100:qwen3-8b", "no device '0xh100'"),
        ("roofline:h100:qwen", "no model 'qwen'"),
        ("roofline:h100:qwen3-8b:many", "not roofline:GPU:MODEL"),
        ("roofline:l4:qwen3-14b", "take 2"),
        ("nowhere/rate.json", "cannot read the step rate"),
        ("curve:", "is not curve:B=SPS"),
        ("curve:1=95,64", "is not curve:B=SPS"),
        ("curve:1=95,x=3", "is not curve:B=SPS"),
        ("curve:1=9-5", "is not curve:B=SPS"),
        ("curve:64=80,1=95", "must rise from 1 or more"),
        ("curve:0=80", "must rise from 1 or more"),
        ("curve:1=0", "the step rate at 1 tokens is 0.0"),
        ("curve:1=1e999", "the step rate at 1 tokens is inf"),
        ("curve:1=1,99999999=1", "at most 64 points up to 1,048,576"),
        (curve_name((b, 1.0) for b in range(1, 66)), "has 65 points"),
        ("n" * 5000, "there is no step rate"),
    ],
)
def test_what_is_no_name_is_refused(name, said):
    with pytest.raises(LabError) as error:
        step_rate_named(name)
    assert said in str(error.value)


def test_a_curve_drawn_by_hand_is_its_own_name():
    points = [(1, 123.456789), (64, 80.0), (512, 3.1)]
    name = curve_name(points)
    rate = step_rate_named(name)
    assert name == "curve:1=123.46,64=80,512=3.1"
    assert (rate.tokens, rate.rates) == ((1, 64, 512), (123.46, 80.0, 3.1))
    assert rate.source == "modelled" and "drawn by hand" in note_for(rate)
    assert curve_name(zip(rate.tokens, rate.rates, strict=True)) == name


@pytest.mark.parametrize(
    ("text", "named"), [("curve:1=2", True), ("pocket-cpu", True), ("roofline:l4:x", True), ("a.json", False)]
)
def test_a_name_opens_no_file_of_ones_own(text, named):
    assert is_name(text) is named


def test_every_listed_name_is_known():
    for name in RATES:
        if "[" not in name:
            assert step_rate_named(name).most >= 256


def test_notes():
    about = {"device": "CPU (2 cores)", "target": {"name": "tiny/target", "revision": "0123456789ab"}}
    rate = StepRate((1, 2), (3.0, 2.5), "measured", "a laptop", about)
    assert note_for(rate, TARGET, "CPU (2 cores)") == note_for(rate) == ""
    assert "on CPU (2 cores), not for tiny/target" in note_for(rate, TARGET, "CPU (4 cores)")
    other = ModelInfo("tiny/target", "target", "ffffffffffff", 1000)
    assert "of tiny/target 0123456789ab, not for tiny/target ffffffffffff" in note_for(rate, other)
    assert "modelled" in note_for(StepRate((1,), (1.0,)))
