"""Rounds whose true acceptance is known, drawn by a seed."""

from __future__ import annotations

import numpy as np

from dspark_lab.scheduling.confidence import sigmoid
from dspark_lab.scheduling.recorded import Origin, RecordedRounds
from dspark_lab.trace import ModelInfo

TARGET = ModelInfo("tiny/target", "target", "0123456789ab", 1000)
DRAFTER = ModelInfo("tiny/dspark", "dspark", "ba9876543210", 500, 4)


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
