"""Whatever a policy cuts, the output stays the target's own; the policy that looks ahead is caught.

Every outcome of real rounds is enumerated, round after round, under each policy; nothing is sampled.
"""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest

from dspark_lab import Settings
from dspark_lab.decoding import prefill
from dspark_lab.scheduling.background import Background
from dspark_lab.scheduling.step_rate import StepRate
from tests.outcomes import Table, alone, round_outcomes
from tests.scripted import ScriptedDrafter, ScriptedTarget, endless, table
from tests.test_exactness import distance

PROMPT = (0, 1, 0)
TARGET, OTHER = table(3, seed=1), table(3, seed=2)
LOSSLESS = ("early-break", "lagged", "threshold:0.5", "threshold:0.75", "fixed", "fixed:1")
JAGGED = [1.0, 0.62, 0.45, 0.41, 0.36, 0.33, 0.3, 0.29, 0.24, 0.22, 0.2, 0.19]


def confidence(path: tuple[int, ...]) -> float:
    """From sure to doubtful, by all the tokens before."""
    return random.Random(f"c/{path}").uniform(0.3, 0.99)


def output(target: ScriptedTarget, drafter: ScriptedDrafter, length: int, settings: Settings) -> tuple[Table, set[int]]:
    """The distribution of the first ``length`` output tokens, and the verify lengths that came up on the way."""
    result: Table = {}
    lengths: set[int] = set()
    waiting = [(1.0, (), 0, prefill(target, drafter, list(PROMPT)))]
    while waiting:
        weight, start, index, state = waiting.pop()
        for p, outcome, after in round_outcomes(target, drafter, state, settings, 50, index=index):
            lengths.add(outcome.verify_length)
            tokens = (*start, *outcome.emitted)
            if outcome.finished or len(tokens) >= length:
                result[tokens[:length]] = result.get(tokens[:length], 0.0) + weight * p
            else:
                waiting.append((weight * p, tokens, index + 1, after))
    return result, lengths


def rate_file(folder: Path, rates: list[float]) -> str:
    StepRate.each(rates, title="made up").save(folder / "rate.json")
    return str(folder / "rate.json")


@pytest.mark.parametrize("load", [0, 2])
@pytest.mark.parametrize("policy", LOSSLESS)
def test_a_lossless_policy_leaves_the_distribution_as_it_is(policy: str, load: int, tmp_path: Path) -> None:
    settings = Settings(gamma=2, policy=policy, load=load, step_rate=rate_file(tmp_path, JAGGED))
    target, drafter = ScriptedTarget(TARGET), ScriptedDrafter(OTHER, confidence=confidence)
    if load:
        survival = np.random.default_rng(0).uniform(0.2, 1.0, (20, 2)).cumprod(1)
        drafter.background = Background(survival, "drawn at random")
    length = 4 if policy == "lagged" and not load else 3  # the lag shows from the third round on
    found, lengths = output(target, drafter, length, settings)
    assert distance(found, alone(target, PROMPT, length, settings)) < 1e-12
    if not policy.startswith("fixed"):
        assert len(lengths) > 1, "the policy cuts now here, now there"


def appendix_a(folder: Path, policy: str) -> tuple[ScriptedTarget, ScriptedDrafter, Settings]:
    """The paper's counterexample as a pair of models that always say the same."""
    target = endless(lambda prefix: [math.log(0.7), math.log(0.3)])
    drafter = ScriptedDrafter(
        lambda prefix: [0.0, 0.0],
        confidence=lambda path: 0.8 if len(path) == len(PROMPT) else 0.9 if path[-1] == 0 else 0.1,
    )
    return target, drafter, Settings(gamma=2, policy=policy, step_rate=rate_file(folder, [1.0, 0.5, 0.45]))


def test_the_leaking_policy_is_caught_with_the_paper_s_own_numbers(tmp_path: Path) -> None:
    target, drafter, settings = appendix_a(tmp_path, "global")
    found, lengths = output(target, drafter, 1, settings)
    assert lengths == {0, 2}
    assert found[(0,)] == pytest.approx(0.85, abs=1e-12)
    assert distance(found, alone(target, PROMPT, 1, settings)) == pytest.approx(0.15, abs=1e-12)


@pytest.mark.parametrize("policy", LOSSLESS)
def test_the_others_pass_where_it_is_caught(policy: str, tmp_path: Path) -> None:
    target, drafter, settings = appendix_a(tmp_path, policy)
    found, _ = output(target, drafter, 1, settings)
    assert distance(found, alone(target, PROMPT, 1, settings)) < 1e-12
