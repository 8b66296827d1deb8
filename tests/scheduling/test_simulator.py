"""The serving simulator: its decisions are ``schedule``'s, its averages those of its rounds, its clock the step rate's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dspark_lab.errors import LabError
from dspark_lab.scheduling.arrivals import Arrival, Bursts, Constant, Listed, Poisson, arrivals_named
from dspark_lab.scheduling.bootstrap import Bootstrap, Drafting, cut
from dspark_lab.scheduling.calibration import fit_sts
from dspark_lab.scheduling.policies import Fixed
from dspark_lab.scheduling.rates import step_rate_named
from dspark_lab.scheduling.simulator import Scenario, simulate
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.scheduling.sweep import Contender, sweep
from tests.scheduling.rounds import FLAT, made_rounds


def test_what_is_drawn_has_the_recorded_chances():
    made = made_rounds(600)
    rounds = Bootstrap(Drafting("made", made))
    expected = np.cumprod(made.acceptance, axis=1).sum(1).mean()
    drawn = rounds.accepted[: rounds.size << rounds.bits]
    assert drawn.mean() == pytest.approx(expected, rel=0.03)  # but for the last round of each conversation
    asis = Bootstrap(Drafting("made", made), redraw=False)
    assert asis.accepted[: asis.size].mean() == pytest.approx(made.accepted.mean(), rel=0.05)


def test_with_everything_verified_the_clock_and_the_yield_are_known():
    """tau = 1 + E[accepted]; SPS is 10 whatever the load: throughput is R tau 10."""
    made = made_rounds(6000)
    result = simulate(Scenario(Drafting("made", made), FLAT, Constant(20), Fixed(), answer_tokens=10**6, steps=4000))
    tau = 1 + Bootstrap(Drafting("made", made)).accepted.mean()
    assert result.tau == pytest.approx(tau, rel=0.01)  # 80,000 rounds: five standard errors
    assert result.throughput == pytest.approx(20 * 10 * result.tau) and result.speed == pytest.approx(10 * result.tau)
    assert result.budget == 5 and result.acceptance == pytest.approx(result.tau / 5)
    assert result.waste == pytest.approx(5 - result.tau)
    assert result.seconds == pytest.approx(result.steps / 10)


def test_drafting_takes_time():
    made = made_rounds(600)
    free, dear = (
        simulate(Scenario(Drafting("m", made, draft_ms=ms, draft_share=share), FLAT, Constant(3), Fixed(), steps=300))
        for ms, share in ((0, 0), (20, 0.5))
    )
    assert free.seconds / free.steps == pytest.approx(0.1) and dear.seconds / dear.steps == pytest.approx(
        0.1 * 1.5 + 0.02
    )
    assert dear.tau == free.tau


def test_answers_end_after_their_tokens_and_make_room():
    """Every answer has 30 tokens; with tau between 2 and 3 each takes some 12 steps."""
    made = made_rounds(2000)
    result = simulate(Scenario(Drafting("m", made), FLAT, Constant(8), Fixed(), answer_tokens=30, steps=3000))
    assert result.answered == pytest.approx(result.tau * 8 * result.steps / 30, rel=0.15)
    assert result.speed_p95 < result.speed_p50


def test_the_same_seed_gives_the_same_result_and_another_one_another():
    made = Drafting("m", made_rounds(600))
    first, again, other = (simulate(Scenario(made, FLAT, Poisson(20.0), steps=300, seed=seed)) for seed in (1, 1, 2))
    assert first == again and first.throughput != other.throughput


def test_budget_falls_under_load_and_calibration_counts():
    """Overconfident confidences make the scheduler verify too much; calibrated, it yields more where load is high."""
    made = made_rounds(6000, gamma=5, overconfidence=3.0)
    raw, calibrated = Drafting("raw", made), Drafting("sts", made, fit_sts(made))
    rate = step_rate_named("deepseek-v4-flash")
    few, many = (simulate(Scenario(calibrated, rate, Constant(r))) for r in (8, 200))
    assert few.budget > 1.3 * many.budget and few.speed > many.speed and few.throughput < many.throughput
    assert simulate(Scenario(raw, rate, Constant(200))).throughput < many.throughput


def test_poisson_keeps_up_where_the_server_can():
    """10 requests a second of 40 tokens each: 400 tokens a second go in, and so they come out."""
    made = Drafting("m", made_rounds(2000))
    fast = StepRate((1,), (200.0,)).extended(20_000)
    result = simulate(Scenario(made, fast, Poisson(10.0), Fixed(), answer_tokens=40, steps=20_000))
    assert result.throughput == pytest.approx(400, rel=0.15)  # some 1,000 requests: 4.7 standard errors
    assert result.requests == pytest.approx(result.throughput / result.speed)  # Little's law, in tokens
    assert result.waiting < 0.01


def test_what_does_not_fit_waits():
    made = Drafting("m", made_rounds(2000))
    scenario = Scenario(made, FLAT, Bursts(10, 1000.0), Fixed(), answer_tokens=40, steps=30, most_requests=4)
    result = simulate(scenario)
    assert result.requests < 4.0 + 1e-9 and result.waiting > 0


def test_a_recorded_list_is_served_to_its_end():
    listed = Listed((Arrival(0.0, "math", 10), Arrival(0.5, "chat", 20), Arrival(60.0, None, None)))
    result = simulate(Scenario(Drafting("m", made_rounds(2000)), FLAT, listed, Fixed(), answer_tokens=7))
    assert result.answered == 3
    assert result.throughput * result.seconds == pytest.approx(10 + 20 + 7)
    assert result.seconds > 60


def test_only_the_mix_is_drawn():
    made = made_rounds(900)
    chat = made.domain == 2
    made = replace(
        made, acceptance=np.repeat(np.where(chat[:, None], 0.0, 1.0), 4, axis=1), accepted=np.where(chat, 0, 4)
    )
    only = simulate(Scenario(Drafting("m", made), FLAT, Constant(5), Fixed(), {"chat": 2.0, "math": 0.0}, steps=100))
    assert only.tau == 1.0
    both = Bootstrap(Drafting("m", made), {"chat": 1.0, "code": 1.0}, answer_tokens=10_000)
    domains, _ = both.under_way(20_000, np.random.default_rng(0))
    # Chat's answers take 10,000 rounds, code's 2,000: of what is met at a moment, five in six are chat.
    assert (domains == 0).mean() == pytest.approx(5 / 6, abs=0.015)


def test_cut_to_fewer_positions():
    made = made_rounds(500)
    short = cut(made, 2)
    assert short.gamma == 2 and short.accepted.max() <= 2 and (short.emitted() == made.emitted(np.full(500, 2))).all()
    drafting = Drafting("dspark", made, fit_sts(made)).cut(2)
    assert drafting.name == "dspark-2" and np.isfinite(Bootstrap(drafting).survival).all()
    with pytest.raises(LabError, match="gamma is 5"):
        cut(made, 5)


def test_many_requests_at_once():
    result = simulate(Scenario(Drafting("m", made_rounds(600)), FLAT, Constant(20_000), steps=2))
    assert result.requests == pytest.approx(20_000) and "carried on" in result.step_rate


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Constant(0), "concurrent requests is 0"),
        (lambda: Poisson(0.0), "requests per second is 0.0"),
        (lambda: Poisson(float("nan")), "is nan"),
        (lambda: Bursts(0, 1.0), "a burst has 0"),
        (lambda: Bursts(1, float("inf")), "is inf"),
        (lambda: Listed(()), "list of arrivals is empty"),
        (lambda: Listed((Arrival(1.0), Arrival(0.5))), "request 2 of the list comes at 0.5"),
        (lambda: Listed((Arrival(1.0, None, 0),)), "asks for 0 tokens"),
        (lambda: arrivals_named("poisson:often"), "lack a number"),
        (lambda: arrivals_named("weekly"), "no arrivals 'weekly'"),
        (lambda: arrivals_named("gone.json"), "cannot read"),
        (lambda: Drafting("m", made_rounds(60), draft_ms=-1.0), "draft_ms of m is -1.0"),
        (lambda: Scenario(Drafting("m", made_rounds(60)), FLAT, steps=0), "steps is 0"),
        (lambda: Bootstrap(Drafting("m", made_rounds(60)), {"poems": 1.0}), "recorded in 'poems'"),
        (lambda: Bootstrap(Drafting("m", made_rounds(60)), {"math": -1.0}), "weight of math in the mix is -1.0"),
        (lambda: Bootstrap(Drafting("m", made_rounds(60)), {"math": 0.0}), "every weight"),
        (lambda: Bootstrap(Drafting("m", made_rounds(60)), answer_tokens=0), "answer_tokens is 0"),
        (lambda: sweep([], FLAT, [1]), "has 0 and 1"),
        (lambda: sweep([Contender("m", None, Fixed())], FLAT, [1], workers=0), "workers is 0"),
        (lambda: simulate(Scenario(Drafting("m", replace(made_rounds(60), confidence=None)), FLAT)), "hold none"),
        (
            lambda: simulate(Scenario(Drafting("m", made_rounds(60)), FLAT, Listed((Arrival(0.0, "poems"),)))),
            "asks for the domain 'poems'",
        ),
    ],
)
def test_bad_input_is_refused(make, said):
    with pytest.raises(LabError) as error:
        make()
    assert said in str(error.value)


def test_an_empty_domain_is_refused():
    made = made_rounds(60)
    made = made.select(made.domain != 2)
    with pytest.raises(LabError, match="recorded in 'chat'"):
        Bootstrap(Drafting("m", made), {"chat": 1.0})
    assert Bootstrap(Drafting("m", made)).domains == ["math", "code"]


def test_a_drafter_without_confidences_is_verified_whole():
    made = replace(made_rounds(60), confidence=None)
    assert simulate(Scenario(Drafting("m", made), FLAT, policy=Fixed(), steps=20)).budget == 5


def test_a_list_of_arrivals_from_a_file(tmp_path):
    (tmp_path / "a.json").write_text('[{"time": 0}, {"time": 0.5, "domain": "math", "tokens": 20}]')
    assert arrivals_named(str(tmp_path / "a.json")) == Listed((Arrival(0.0), Arrival(0.5, "math", 20)))
    for text, said in (("{}", "no list"), ("[1]", "request 1"), ('[{"time": "soon"}]', "the time is 'soon'")):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(LabError, match=said):
            Listed.load(tmp_path / "b.json")


def test_shipped_and_saved_rounds_by_name(tmp_path):
    shipped = Drafting.named("dspark")
    assert shipped.name == "dspark" and shipped.calibration is not None and shipped.gamma == 7
    assert Drafting.named("dspark", raw=True).calibration is None
    made_rounds(90).save(tmp_path / "mine.safetensors")
    assert Drafting.named(tmp_path / "mine.safetensors", draft_ms=2.0).draft_ms == 2.0
    with pytest.raises(LabError, match="no recorded rounds of 'nobody'"):
        Drafting.named("nobody")


def test_a_calibration_for_other_weights_is_refused(tmp_path):
    made = made_rounds(300)
    origin = replace(made.origin, drafter=replace(made.origin.drafter, revision="ffffffffffff"))
    replace(made, origin=origin).save(tmp_path / "rounds.safetensors")
    fit_sts(made).save(tmp_path / "calibration.json")
    with pytest.raises(LabError, match="for other weights"):
        Drafting.named(tmp_path)
    assert Drafting.named(tmp_path, raw=True).calibration is None


def test_mtp_1_verifies_its_one_token_and_says_what_it_is():
    one = Drafting.mtp_1()
    assert one.gamma == 1 and one.rounds.confidence is None
    assert ("stand-in" in one.name) == (one.rounds.origin.drafter.name == "pocket/dspark")


def test_an_old_profile_decides_and_the_clock_tells_the_time():
    """The scheduler believes that tokens are free; the clock knows better."""
    made = Drafting("m", made_rounds(900))
    dear = StepRate.each([1 / b for b in range(1, 101)])
    believing, knowing = (simulate(Scenario(made, r, Constant(20), steps=200, clock=dear)) for r in (FLAT, dear))
    assert believing.budget == 5 and believing.seconds / believing.steps == pytest.approx(100)
    assert knowing.budget < 2 and knowing.throughput > believing.throughput
