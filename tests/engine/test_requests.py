"""Many requests decoded together: each as if alone, whoever comes or goes beside it."""

from __future__ import annotations

from typing import Any

import pytest

from dspark_lab import Settings
from dspark_lab.engine import Engine
from dspark_lab.loading import Lab
from dspark_lab.scheduling.policies import ALGORITHM_1
from dspark_lab.target import Target
from tests.engine.asked import FALLING, OTHER, PROMPTS, TARGET, assert_as_sessions, settings_of, steps, submit_all
from tests.scripted import ScriptedDrafter, endless


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


def passes(target: Target, monkeypatch: Any) -> list[int]:
    """Filled with the tokens of each pass through the target's layers."""
    seen: list[int] = []
    if target._packed:
        whole = target._packed._stack
        monkeypatch.setattr(target._packed, "_stack", lambda x, *rest: (seen.append(len(x)), whole(x, *rest))[1])
    else:
        first = target.model.get_decoder().layers[0]
        whole = first.forward
        monkeypatch.setattr(first, "forward", lambda x, *a, **k: (seen.append(x[..., 0].numel()), whole(x, *a, **k))[1])
    return seen


def test_the_layers_compute_exactly_the_verified_tokens(either_target: Target, tiny_lab: Lab, monkeypatch: Any) -> None:
    """sum(1 + l_r) enter the target's layers, in one pass, whatever the lengths: nothing is padded."""
    seen = passes(either_target, monkeypatch)
    engine = Engine(either_target, tiny_lab.drafter, policy=ALGORITHM_1, step_rate=FALLING, max_requests=6)
    submit_all(engine, 6)
    different = False
    while not engine.idle:
        seen.clear()
        report = engine.step()
        read = [report.prefilled] if report.prefilled else []
        assert report.tokens == sum(1 + length for length in report.lengths)
        assert seen == read + [report.tokens] * (report.requests > 0)
        different = different or len(set(report.lengths)) > 1
        assert report.plan is None or report.plan.tokens == report.tokens
    assert different, "drafts were cut at different places"


@pytest.mark.parametrize("prefill_tokens", [5, 512])
def test_prompts_are_read_in_the_pass_that_verifies_others(
    either_target: Target, tiny_lab: Lab, monkeypatch: Any, prefill_tokens: int
) -> None:
    """In one piece or several, several prompts together, and not a token more."""
    seen = passes(either_target, monkeypatch)
    engine = Engine(either_target, tiny_lab.drafter, max_requests=4, prefill_tokens=prefill_tokens)
    requests = [engine.submit(PROMPTS[0], Settings(seed=0, max_new_tokens=80))]
    while not requests[0].tokens:
        engine.step()
    requests += [engine.submit(p, Settings(seed=i, max_new_tokens=20)) for i, p in enumerate(PROMPTS[1:4], 1)]
    left = sum(len(r.prompt_tokens) - 1 for r in requests[1:])
    while left:
        seen.clear()
        report = engine.step()
        assert seen == [report.tokens + report.prefilled] and 1 <= report.requests < report.places
        assert report.prefilled == min(left, prefill_tokens)
        left -= report.prefilled
    engine.run()
    assert_as_sessions(requests, tiny_lab.target, tiny_lab.drafter)


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


def test_the_context_limits_a_request_and_no_other() -> None:
    target = endless(TARGET, context_limit=14)
    engine = Engine(target, ScriptedDrafter(OTHER))
    long, short = engine.submit("ababab", Settings(seed=1)), engine.submit("a", Settings(seed=2, max_new_tokens=5))
    engine.run()
    assert (len(long.tokens), long.finished) == (8, "length") and (len(short.tokens), short.finished) == (5, "length")


def test_an_idle_engine_steps_without_work(tiny_lab: Lab) -> None:
    report = Engine(tiny_lab.target, tiny_lab.drafter).step()
    assert (report.requests, report.tokens, report.emitted) == (0, 0, 0) and 0 <= report.outside <= 1
