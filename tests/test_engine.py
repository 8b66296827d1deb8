"""Many requests decoded together: each as if alone, whoever comes, goes or fails beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from dspark_lab import LabError, Session, Settings
from dspark_lab.decoding import prefill
from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.engine import Engine, StepReport, rounds
from dspark_lab.errors import LabNote
from dspark_lab.loading import Lab
from dspark_lab.scheduling.calibration import Calibration, Errors, Fit
from dspark_lab.scheduling.policies import ALGORITHM_1, Fixed, Lagged, Threshold
from dspark_lab.scheduling.pool import Pool
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.target import Target
from dspark_lab.trace import NONE, ModelInfo
from tests.scripted import (
    LETTERS,
    ScriptedDrafter,
    ScriptedTarget,
    alone,
    endless,
    filtered,
    round_outcomes,
    table,
)

PROMPTS = [
    "Tom has 12 apples. He buys 7 more.",
    "Hello!",
    "def add(a, b):",
    "Write a function that returns the larger of two numbers, and say in one sentence how it works.",
    "What is 3 + 4?",
    "Can you help me with my homework today?",
]
TARGET, OTHER = table(3, seed=1, zeros=0.1), table(3, seed=2, zeros=0.1)
FLAT = StepRate.each([1.0] * 400)
FALLING = StepRate.each([1 / (10 + b) for b in range(1, 400)])


def settings_of(i: int) -> Settings:
    """Some of everything."""
    return Settings(
        temperature=(1.0, 0.7, 0.0, 1.3)[i % 4], top_k=(0, 20)[i % 2], top_p=(1.0, 0.9, 1.0)[i % 3],
        gamma=(None, 3, 0, 1, 5)[i % 5], seed=i, max_new_tokens=(40, 25, 1, 33, 2)[i % 5],
    )  # fmt: skip


def submit_all(engine: Engine, count: int) -> list[Any]:
    return [engine.submit(PROMPTS[i % len(PROMPTS)], settings_of(i)) for i in range(count)]


def steps(engine: Engine) -> list[StepReport]:
    reports: list[StepReport] = []
    engine.run(reports.append)
    return reports


def assert_as_sessions(requests: list[Any], target: Target, drafter: Any) -> None:
    for request in requests:
        session = Session(target, drafter, request.prompt, request.settings).run()
        assert (request.tokens, request.finished) == (session.tokens, session.finished)
        assert request.text == session.text
        for ours, theirs in zip(request.rounds, session.rounds, strict=True):
            assert (ours.drafted, ours.accepted) == (theirs.gamma, theirs.accepted)
            assert ours.emitted == tuple(t.id for t in theirs.emitted)


@pytest.mark.parametrize("places", [1, 3, 16])
@pytest.mark.parametrize("prefill_tokens", [7, 512])
def test_each_request_gets_what_a_session_gives_it(
    either_target: Target, tiny_lab: Lab, places: int, prefill_tokens: int
) -> None:
    """Mixed settings, more requests than places, prompts in one piece or in several: up to rounding, which decides none of
    these draws."""
    engine = Engine(either_target, tiny_lab.drafter, max_requests=places, prefill_tokens=prefill_tokens)
    requests = submit_all(engine, 10)
    reports = steps(engine)
    assert engine.idle and max(r.requests for r in reports) <= places
    assert all(r.prefilled <= prefill_tokens for r in reports)
    assert sum(r.prefilled for r in reports) == sum(len(r.prompt_tokens) - 1 for r in requests)
    assert_as_sessions(requests, tiny_lab.target, tiny_lab.drafter)


def test_the_pocket_pair_too(pocket_lab: Lab) -> None:
    engine = Engine(pocket_lab.target, pocket_lab.drafter, max_requests=3)
    requests = [engine.submit(p, Settings(seed=i, max_new_tokens=30)) for i, p in enumerate(PROMPTS[:4])]
    engine.run()
    assert_as_sessions(requests, pocket_lab.target, pocket_lab.drafter)
    assert any(len(r.rounds) < len(r.tokens) for r in requests), "drafts were accepted"


def test_without_a_drafter(tiny_lab: Lab) -> None:
    engine = Engine(tiny_lab.target, None, max_requests=4)
    requests = [engine.submit(p, Settings(seed=i, max_new_tokens=9)) for i, p in enumerate(PROMPTS)]
    engine.run()
    assert_as_sessions(requests, tiny_lab.target, None)


def test_the_layers_compute_exactly_the_verified_tokens(either_target: Target, tiny_lab: Lab, monkeypatch: Any) -> None:
    """sum(1 + l_r) enter the target's layers, in one pass, whatever the lengths: nothing is padded."""
    seen: list[int] = []
    if either_target._packed:
        whole = either_target._packed._stack
        monkeypatch.setattr(
            either_target._packed, "_stack", lambda x, *rest: (seen.append(len(x)), whole(x, *rest))[1], raising=True
        )
    layers = either_target.model.get_decoder().layers
    for layer in layers if either_target._packed is None else ():
        monkeypatch.setattr(
            layer,
            "forward",
            lambda x, *a, f=layer.forward, **k: (seen.append(x.shape[0] * x.shape[1]), f(x, *a, **k))[1],
        )
    passes = 1 if either_target._packed else len(layers)
    engine = Engine(either_target, tiny_lab.drafter, policy=ALGORITHM_1, step_rate=FALLING, max_requests=6)
    submit_all(engine, 6)
    different = False
    while not engine.idle:
        seen.clear()
        report = engine.step()
        read = [report.prefilled] * passes if report.prefilled else []
        assert report.tokens == sum(1 + length for length in report.lengths)
        assert seen == read + [report.tokens] * passes * (report.requests > 0)
        different = different or len(set(report.lengths)) > 1
        assert report.plan is None or report.plan.tokens == report.tokens
    assert different, "drafts were cut at different places"


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


def test_requests_come_and_go_while_others_run(tiny_lab: Lab) -> None:
    engine = Engine(tiny_lab.target, tiny_lab.drafter, max_requests=3)
    requests = submit_all(engine, 2)
    first = engine.step()
    assert list(first.admitted) == requests and first.requests == 2 and first.waiting == 0
    for i in range(2, 8):
        requests.append(engine.submit(PROMPTS[i % len(PROMPTS)], settings_of(i)))
        report = engine.step()
        assert len(engine.live) <= 3 and report.waiting == sum(
            r not in engine.live and not r.finished for r in requests
        )
    ended = [r for report in steps(engine) for r in report.finished]
    assert ended and all(r.finished for r in requests)
    assert_as_sessions(requests, tiny_lab.target, tiny_lab.drafter)


def test_a_cancelled_request_leaves_and_the_others_go_on(tiny_lab: Lab) -> None:
    engine = Engine(tiny_lab.target, tiny_lab.drafter, max_requests=3)
    requests = [engine.submit(p, Settings(seed=i, max_new_tokens=40)) for i, p in enumerate(PROMPTS[:5])]
    engine.step()
    requests[0].cancel()
    requests[4].cancel()  # still waiting
    kept = list(requests[0].tokens)
    assert requests[0].finished == "cancelled" and kept
    report = engine.step()
    assert set(report.finished) == {requests[0], requests[4]} and report.admitted == (requests[3],)
    engine.run()
    assert requests[0].tokens == kept and requests[4].tokens == []
    assert_as_sessions(requests[1:4], tiny_lab.target, tiny_lab.drafter)
    requests[1].cancel()
    assert requests[1].finished != "cancelled", "what has ended stays as it is"


def test_a_deadline_ends_a_request_with_what_it_has(tiny_lab: Lab) -> None:
    now = 100.0
    engine = Engine(tiny_lab.target, tiny_lab.drafter, max_requests=2, clock=lambda: now)
    hurried = engine.submit(PROMPTS[0], Settings(seed=1, max_new_tokens=60), deadline=5)
    patient = engine.submit(PROMPTS[1], Settings(seed=2, max_new_tokens=30), deadline=50)
    waiting = engine.submit(PROMPTS[2], Settings(seed=3), deadline=4)
    engine.step()
    now = 104.9
    assert engine.step().finished == (waiting,) and waiting.finished == "deadline" and not waiting.tokens
    now = 105.0
    got = list(hurried.tokens)
    assert engine.step().finished == (hurried,) and hurried.finished == "deadline" and hurried.tokens == got != []
    engine.run()
    assert_as_sessions([patient], tiny_lab.target, tiny_lab.drafter)


class Stumbling(ScriptedDrafter):
    """Fails where the text so far ends with ``fatal``."""

    fatal: tuple[int, ...] = ()

    def propose(self, state: list[int], anchor: int, gamma: int, choose: Choose) -> Draft:
        if self.fatal and (*state, anchor)[-len(self.fatal) :] == self.fatal:
            raise RuntimeError("stumbled")
        return super().propose(state, anchor, gamma, choose)


def test_an_error_ends_its_own_request_alone() -> None:
    target = endless(table(3, seed=1, zeros=0.0))
    good, bad = ScriptedDrafter(OTHER), Stumbling(OTHER)
    bad.fatal = (2, 2, 1)
    engine = Engine(target, bad, max_requests=6)
    requests = [engine.submit("ab", Settings(seed=seed, gamma=2, max_new_tokens=20)) for seed in range(12)]
    engine.run()
    failed = [r for r in requests if r.finished == "error"]
    assert 0 < len(failed) < 12
    for request in failed:
        assert request.error == "RuntimeError: stumbled"
    for request in requests:
        session = Session(target, good, "ab", request.settings).run()
        assert request.tokens == session.tokens[: len(request.tokens)]
        assert request in failed or request.finished == "length"


def test_a_broken_state_ends_its_own_request_alone(tiny_lab: Lab) -> None:
    engine = Engine(tiny_lab.target, tiny_lab.drafter, max_requests=3)
    requests = [engine.submit(p, Settings(seed=i, max_new_tokens=30)) for i, p in enumerate(PROMPTS[:3])]
    engine.step()
    requests[1].tokens.append(10**9)  # no token of this vocabulary
    engine._pair.held[1] += 1
    engine.run()
    assert requests[1].finished == "error" and "index out of range" in requests[1].error
    assert_as_sessions([requests[0], requests[2]], tiny_lab.target, tiny_lab.drafter)


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


def test_an_interrupted_step_can_be_run_again(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(tiny_lab.target, tiny_lab.drafter)
    requests = [engine.submit(p, Settings(seed=i, max_new_tokens=30)) for i, p in enumerate(PROMPTS[:3])]
    engine.step()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    whole = Engine._emit

    def interrupted_later(self: Engine, request: Any, *rest: Any) -> None:
        if request is requests[1]:
            raise KeyboardInterrupt
        whole(self, request, *rest)

    for module, name, patch in (
        (rounds, "verify_each", interrupted),
        (rounds, "_kept_rows", interrupted),
        (Engine, "_emit", interrupted_later),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, patch)
            with pytest.raises(KeyboardInterrupt):
                engine.step()
    engine.run()
    assert_as_sessions(requests, tiny_lab.target, tiny_lab.drafter)


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


def test_the_context_limits_a_request_and_no_other() -> None:
    target = endless(TARGET, context_limit=14)
    engine = Engine(target, ScriptedDrafter(OTHER))
    long, short = engine.submit("ababab", Settings(seed=1)), engine.submit("a", Settings(seed=2, max_new_tokens=5))
    engine.run()
    assert (len(long.tokens), long.finished) == (8, "length") and (len(short.tokens), short.finished) == (5, "length")


def test_an_idle_engine_steps_without_work(tiny_lab: Lab) -> None:
    report = Engine(tiny_lab.target, tiny_lab.drafter).step()
    assert (report.requests, report.tokens, report.emitted) == (0, 0, 0) and 0 <= report.outside <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"settings": Settings(tree=4)}, "tree is 4, but the engine drafts chains only"),
        ({"settings": Settings(gamma=6)}, "gamma is 6"),
        ({"settings": Settings(policy="early-break")}, "one policy schedules all requests"),
        ({"settings": Settings(load=3)}, "load=3"),
        ({"settings": {"gamma": 2}}, "settings are a dict"),
        ({"deadline": 0}, "the deadline is 0"),
        ({"deadline": float("nan")}, "the deadline is nan"),
        ({"deadline": "soon"}, "the deadline is 'soon'"),
        ({"prompt": " "}, "the prompt is empty"),
        ({"prompt": "word " * 400}, "shorten the prompt"),
    ],
)
def test_what_cannot_run_is_refused_at_once(tiny_lab: Lab, arguments: dict[str, Any], message: str) -> None:
    engine = Engine(tiny_lab.target, tiny_lab.drafter)
    with pytest.raises(LabError, match=message):
        engine.submit(**{"prompt": "Hello!", **arguments})
    assert engine.idle


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_requests": 0}, "max_requests is 0"),
        ({"prefill_tokens": 2.5}, "prefill_tokens is 2.5"),
        ({"policy": ALGORITHM_1}, "needs a step rate"),
        ({"policy": "fixed", "step_rate": FLAT}, "policy is 'fixed', but must be a policy"),
        ({"policy": ALGORITHM_1, "step_rate": StepRate.each([1.0] * 95)}, "known up to 95 tokens, but 96"),
    ],
)
def test_an_engine_that_could_not_run_is_refused(tiny_lab: Lab, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        Engine(tiny_lab.target, tiny_lab.drafter, **arguments)
