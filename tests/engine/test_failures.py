"""What fails in an engine ends its own request alone, and what could not run is refused at once."""

from __future__ import annotations

from typing import Any

import pytest

from dspark_lab import LabError, Session, Settings
from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.engine import Engine, rounds
from dspark_lab.loading import Lab
from dspark_lab.scheduling.policies import ALGORITHM_1, EarlyBreak
from dspark_lab.scheduling.step_rate import StepRate
from tests.engine.asked import FLAT, OTHER, PROMPTS, assert_as_sessions
from tests.scripted import ScriptedDrafter, endless, table


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


def test_a_prompt_that_fails_beside_others_ends_its_own_request_alone(tiny_lab: Lab) -> None:
    """Neither what is verified in the same pass nor the other prompt that is read in it suffers."""
    engine = Engine(tiny_lab.target, tiny_lab.drafter, max_requests=4)
    requests = [engine.submit(p, Settings(seed=i, max_new_tokens=30)) for i, p in enumerate(PROMPTS[:2])]
    engine.step()
    requests += [engine.submit(p, Settings(seed=i, max_new_tokens=30)) for i, p in enumerate(PROMPTS[2:4], 2)]
    requests[2].prompt_tokens[1] = 10**9  # no token of this vocabulary
    report = engine.step()
    assert report.finished == (requests[2],) and "index out of range" in requests[2].error
    assert report.requests == 2 and report.prefilled == len(requests[3].prompt_tokens) - 1
    engine.run()
    assert_as_sessions([requests[i] for i in (0, 1, 3)], tiny_lab.target, tiny_lab.drafter)


def test_an_interrupted_step_can_be_run_again(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(tiny_lab.target, tiny_lab.drafter)
    requests = [engine.submit(p, Settings(seed=i, max_new_tokens=30)) for i, p in enumerate(PROMPTS[:3])]
    engine.step()
    requests.append(engine.submit(PROMPTS[3], Settings(seed=3, max_new_tokens=30)))  # is read in a pass that is lost

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


def test_what_is_no_pair_no_policy_and_no_history_is_refused(tiny_lab: Lab) -> None:
    target, drafter = tiny_lab.target, tiny_lab.drafter
    for pair in ((tiny_lab, drafter), (target, "dspark")):
        with pytest.raises(LabError, match="must be a target and its drafter"):
            Engine(*pair)  # type: ignore[arg-type]
    for policy in (EarlyBreak, object()):
        with pytest.raises(LabError, match="which has name, leaks, capacity_lags, lengths"):
            Engine(target, drafter, policy=policy, step_rate=FLAT)  # type: ignore[arg-type]
    engine = Engine(target, drafter)
    with pytest.raises(LabError, match="a list of turns"):
        engine.submit("Hello!", history="How are you?")
    with pytest.raises(LabError, match="deadline is True"):
        engine.submit("Hello!", deadline=True)
