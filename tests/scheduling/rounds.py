"""Rounds whose true acceptance is known, drawn by a seed; and what they are scheduled by in tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dspark_lab.scheduling.confidence import sigmoid
from dspark_lab.scheduling.policies import Policy, policy_named
from dspark_lab.scheduling.pool import Pool
from dspark_lab.scheduling.recorded import Origin, RecordedRounds
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.trace import ModelInfo

TARGET = ModelInfo("tiny/target", "target", "0123456789ab", 1000)
DRAFTER = ModelInfo("tiny/dspark", "dspark", "ba9876543210", 500, 4)

POLICIES = ("early-break", "global", "lagged", "fixed", "fixed:2", "threshold:0.7", "half")
FLAT = StepRate((1,), (10.0,), title="flat").extended(100_000)


def made_rounds(
    count: int = 4000, gamma: int = 4, seed: int = 0, overconfidence: float = 1.0, temperature: float = 1.0
) -> RecordedRounds:
    """``logit(c_k)`` is ``overconfidence`` times that of the true acceptance: STS should find T_k = overconfidence."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(1.0, 1.2, (count, gamma))
    acceptance = sigmoid(logits)
    accepted = np.logical_and.accumulate(rng.random((count, gamma)) < acceptance, axis=1).sum(1)
    return RecordedRounds(
        Origin(TARGET, DRAFTER, temperature, "validation", seed, ("math", "code", "chat")),
        acceptance,
        accepted,
        np.full(count, gamma),
        np.zeros(count, bool),
        np.arange(count) % 3,
        np.arange(count) // 30,
        sigmoid(overconfidence * logits),
    )


def uneven_rounds(count: int, gamma: int, seed: int) -> RecordedRounds:
    """Drafts shorter than gamma among them, and some that end their answers."""
    rng = np.random.default_rng(seed)
    made, drafted = made_rounds(count, gamma, seed), rng.integers(0, gamma + 1, count)
    ends = (drafted > 0) & (rng.random(count) < 0.1)
    return replace(made, drafted=drafted, accepted=np.minimum(made.accepted, drafted), ends=ends)


class Half:
    """A policy of somebody's own, that looks at what is two steps old too."""

    name, leaks, capacity_lags = "half", False, True

    def lengths(self, pool: Pool) -> NDArray[np.int64]:
        return pool.drafted // (2 if pool.earlier is None else 1)


def chosen(policy: str) -> Policy:
    return Half() if policy == "half" else policy_named(policy)


def jagged(most: int, seed: int = 0) -> StepRate:
    times = 1 + np.cumsum(np.random.default_rng(seed).random(most) * 0.02)
    times += 0.1 * (np.arange(most) // 8)
    return StepRate.each(list(1 / times))
