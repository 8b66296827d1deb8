"""DeepSpec's diagnostic of a confidence head: verify only what is sure enough, and see what is saved (the paper's Figure 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dspark_lab.evaluation.metrics import RESAMPLES, Estimate
from dspark_lab.scheduling.calibration import confidence_of
from dspark_lab.scheduling.recorded import RecordedRounds

THRESHOLDS = tuple(i / 10 for i in range(10))


@dataclass(frozen=True)
class SweepPoint:
    """What a threshold gives, per step, with intervals over the choice of conversations.

    Attributes:
        verified: tokens that the target computes, the anchor's counted: 1 + drafts verified.
        accepted: tokens emitted, the last one (residual or bonus) counted: at threshold 0, tau.
        rejected: verified - accepted. acceptance_rate: accepted / verified.
    """

    threshold: float
    verified: Estimate
    accepted: Estimate
    rejected: Estimate
    acceptance_rate: Estimate


def lengths(recorded: RecordedRounds, threshold: float) -> NDArray[np.int64]:
    """Draft tokens verified in each round [N]: those before the first whose raw c_k is below the threshold."""
    sure = confidence_of(recorded) >= threshold
    whole: NDArray[np.int64] = np.minimum(np.logical_and.accumulate(sure, axis=1).sum(1), recorded.drafted)
    return whole


def sweep(recorded: RecordedRounds, thresholds: Sequence[float] = THRESHOLDS, seed: int = 0) -> list[SweepPoint]:
    """Recompute recorded rounds as if each threshold had cut them: a cut changes nothing that comes before it.

    Raises:
        LabError: the rounds have no confidences.
    """
    _, conversation = np.unique(recorded.conversation, return_inverse=True)
    count = int(conversation.max()) + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES if count > 1 else 0)
    weights = np.concatenate([np.ones((1, count)), draws])  # [1 + resamples, conversations]
    rounds = weights @ np.bincount(conversation, minlength=count)
    points = []
    for threshold in thresholds:
        cut = lengths(recorded, threshold)
        verified, accepted = (
            weights @ np.bincount(conversation, tokens, count) / rounds for tokens in (1 + cut, recorded.emitted(cut))
        )
        parts = verified, accepted, verified - accepted, accepted / verified
        points.append(SweepPoint(threshold, *map(Estimate.of, parts)))
    return points
