"""One policy for all requests of an engine: texts stay distributed as the target's own, and drafts are cut as it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from dspark_lab import LabError, Settings
from dspark_lab.decoding import prefill
from dspark_lab.engine import Engine, rounds
from dspark_lab.errors import LabNote
from dspark_lab.loading import Lab
from dspark_lab.rounds import NONE
from dspark_lab.scheduling.calibration import Calibration, Errors, Fit
from dspark_lab.scheduling.policies import ALGORITHM_1, Fixed, Lagged, Threshold
from dspark_lab.scheduling.pool import Pool
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.trace import ModelInfo
from tests.engine.asked import FALLING, FLAT, OTHER, PROMPTS, TARGET, steps
from tests.outcomes import alone, filtered, round_outcomes
from tests.scripted import LETTERS, ScriptedDrafter, ScriptedTarget, endless


@dataclass(frozen=True)
class Given:
    """Verifies so many of each request's draft, one length after another."""

    name = "given"
    leaks = False
    capacity_lags = False
    lengths_: tuple[int, ...] = (1,)

    def lengths(self, pool: Pool) -> np.ndarray:
        wanted = np.resize(np.array(self.lengths_), pool.requests)
        return np.minimum(wanted, pool.drafted)


PROMPT = "ab"
START = tuple(LETTERS.index(letter) for letter in PROMPT)


def leaves(settings: Settings, verify_length: int | None) -> Iterator[tuple[float, Any]]:
    """Every outcome of a first round with its exact probability."""
    target, drafter = ScriptedTarget(TARGET), ScriptedDrafter(OTHER)
    state = prefill(target, drafter, list(START))
    for weight, outcome, _ in round_outcomes(target, drafter, state, settings, 50, verify_length):
        yield weight, outcome


@pytest.mark.parametrize("verify_length", [None, 0, 1, 2])
@pytest.mark.parametrize(
    "settings", [Settings(gamma=3), Settings(0.7, gamma=2), Settings(0, gamma=2), Settings(1.5, 2, 0.8, gamma=2)]
)
def test_every_outcome_of_a_round_comes_out_in_one_batch_with_its_probability(
    settings: Settings, verify_length: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All ways in which a round can go are decoded as requests of one step: the tokens that come out are distributed
    exactly as the target's own."""
    every = list(leaves(settings, verify_length))
    given = [np.array([*o.uniforms.draft, *o.uniforms.accept, o.uniforms.final]) for _, o in every]
    monkeypatch.setattr(rounds, "uniforms_each", lambda addresses, gamma: np.stack([given[s] for s, _ in addresses]))
    policy = None if verify_length is None else Fixed(verify_length)
    target = ScriptedTarget(TARGET)
    rate = StepRate.each([1.0] * len(every) * 9)
    engine = Engine(target, ScriptedDrafter(OTHER), policy=policy, step_rate=rate, max_requests=len(every))
    requests = [engine.submit(PROMPT, replace(settings, seed=i)) for i in range(len(every))]
    report = engine.step()
    assert report.requests == len(every) and sum(weight for weight, _ in every) == pytest.approx(1)
    found = dict.fromkeys(range(3), 0.0)
    for (weight, outcome), request in zip(every, requests, strict=True):
        assert request.tokens == outcome.emitted
        assert request.rounds[0].accepted == outcome.verdict.accepted
        assert (request.finished == "eos") == (outcome.finished == "eos")
        found[request.tokens[0]] += weight
    expected = filtered(target.logits(START), settings)
    assert [found[token] for token in range(3)] == pytest.approx(expected, abs=1e-12)
    ends = any(o.verdict.kind == NONE for _, o in every)
    assert ends or verify_length in (0, 1) or not settings.temperature


@pytest.mark.parametrize("policy", [None, Fixed(1), Threshold(0.5), ALGORITHM_1, Lagged(), Given((0, 2, 1))])
def test_texts_are_distributed_as_the_targets_own_under_every_lossless_policy(policy: Any) -> None:
    """Chi-square of the first three tokens of 3,000 requests, 50 at a time; a false alarm once in 10,000."""
    drafter = ScriptedDrafter(OTHER, confidence=lambda path: (0.95, 0.7, 0.4)[path[-1]])
    target, settings = ScriptedTarget(TARGET), Settings(gamma=3, max_new_tokens=3)
    rate = StepRate.each([1 / (3 + b) for b in range(1, 500)])
    engine = Engine(target, drafter, policy=policy, step_rate=rate, max_requests=50)
    requests = [engine.submit(PROMPT, replace(settings, seed=seed)) for seed in range(3000)]
    engine.run()
    expected = alone(target, START, 3, settings)
    counts = dict.fromkeys(expected, 0)
    for request in requests:
        counts[tuple(request.tokens)] += 1
    wanted = [3000 * p for p in expected.values()]
    assert min(wanted) >= 5 and chisquare(list(counts.values()), wanted).pvalue > 1e-4


@dataclass(frozen=True)
class Failing(Given):
    def lengths(self, pool: Pool) -> np.ndarray:
        raise LabError("the policy fails")


def test_a_policy_that_fails_is_no_requests_fault(tiny_lab: Lab) -> None:
    engine = Engine(tiny_lab.target, tiny_lab.drafter, policy=Failing(), step_rate=FLAT)
    requests = [engine.submit(p, Settings(seed=i, max_new_tokens=20)) for i, p in enumerate(PROMPTS[:3])]
    for _ in range(2):
        with pytest.raises(LabError, match="the policy fails"):
            engine.step()
    assert not any(r.finished or r.tokens for r in requests)


def test_a_foreign_step_rate_is_used_with_a_note(tiny_lab: Lab) -> None:
    rate = replace(FLAT, source="measured", about={"device": "TPU v9", "target": {"name": "other/model"}})
    with pytest.warns(LabNote, match="measured of other/model on TPU v9, not for"):
        engine = Engine(tiny_lab.target, tiny_lab.drafter, policy=ALGORITHM_1, step_rate=rate)
    assert "TPU v9" in engine.note
    with pytest.warns(LabNote, match="measured of other/model on TPU v9, not for"):  # carried on, too
        engine = Engine(tiny_lab.target, tiny_lab.drafter, policy=ALGORITHM_1, step_rate=rate.extended(500))


def test_a_confidence_that_is_none_ends_its_own_request_alone(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(tiny_lab.target, tiny_lab.drafter, policy=ALGORITHM_1, step_rate=FLAT, max_requests=3)
    requests = [engine.submit(p, Settings(seed=i, max_new_tokens=20)) for i, p in enumerate(PROMPTS[:3])]
    propose = engine._pair.drafting.propose

    def broken(slots: Any, *rest: Any) -> Any:
        proposed = propose(slots, *rest)
        if proposed.confidence is not None:
            proposed.confidence[[engine.live[slot] is requests[1] for slot in slots], :1] = np.nan
        return proposed

    monkeypatch.setattr(engine._pair.drafting, "propose", broken)
    engine.run()
    assert "confidence at position 1 is nan" in requests[1].error
    assert [(r.error, bool(r.tokens)) for r in (requests[0], requests[2])] == [("", True)] * 2


@pytest.mark.parametrize("kind", ["early-exit", "prompt-lookup", "lookahead"])
def test_no_part_of_a_step_takes_less_than_no_time(tiny_lab: Lab, kind: str) -> None:
    lab = tiny_lab.with_drafter(kind)
    engine = Engine(lab.target, lab.drafter)
    for i, prompt in enumerate(PROMPTS):
        engine.submit(prompt, Settings(seed=i, max_new_tokens=12))
    assert all(seconds >= 0 for report in steps(engine) for seconds in report.seconds.values())


def test_drafts_of_several_lengths_are_calibrated() -> None:
    """Also by a drafter that drafts one request after the other."""
    drafter: Any = ScriptedDrafter(OTHER, confidence=lambda path: 0.8)
    fit = Fit(1.0, (1.0,) * 8, Errors(1, "made up", 0, (0.1,) * 8, (0.0,) * 8))
    drafter.calibration = Calibration(ModelInfo("t", "target", "", 0), drafter.info, (fit,))
    rate = StepRate.each([1 / (10 + b) for b in range(1, 400)])
    engine = Engine(ScriptedTarget(TARGET), drafter, policy=ALGORITHM_1, step_rate=rate)
    requests = [engine.submit(PROMPT, Settings(gamma=gamma, seed=gamma, max_new_tokens=10)) for gamma in (2, 3)]
    engine.run()
    assert all(request.finished and not request.error for request in requests)


def test_algorithm_1_cuts_more_the_more_a_token_costs(tiny_lab: Lab) -> None:
    verified = []
    for rate in (FLAT, FALLING, StepRate.each([10.0**-b for b in range(120)])):
        engine = Engine(tiny_lab.target, tiny_lab.drafter, policy=ALGORITHM_1, step_rate=rate)
        for i, prompt in enumerate(PROMPTS):
            engine.submit(prompt, Settings(seed=i, max_new_tokens=30))
        reports = steps(engine)
        verified.append(sum(sum(r.lengths) for r in reports) / sum(sum(r.drafted) for r in reports))
    assert verified[0] == 1 > verified[1] > verified[2] == 0


def test_a_drafter_without_confidences_is_scheduled_by_a_fixed_length_alone() -> None:
    engine = Engine(endless(TARGET), ScriptedDrafter(OTHER), policy=Fixed(2), step_rate=FLAT)
    request = engine.submit("ab", Settings(gamma=4, max_new_tokens=10))
    report = engine.step()
    assert request.rounds[0].verify_length == 2 and request.rounds[0].confidence is None and report.plan is None
    engine = Engine(endless(TARGET), ScriptedDrafter(OTHER), policy=ALGORITHM_1, step_rate=FLAT)
    engine.submit("ab", Settings(gamma=4, max_new_tokens=10))
    with pytest.raises(LabError, match="policy is 'early-break', but this drafter has no confidence head"):
        engine.step()
