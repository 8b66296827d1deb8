"""How far the engine verifies its requests' drafts: confidences made fit to be multiplied, and a policy over all of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dspark_lab.drafters.base import Drafter, calibration_of
from dspark_lab.engine.drafting import Proposed
from dspark_lab.errors import LabError
from dspark_lab.scheduling.policies import Policy, length_without_confidence
from dspark_lab.scheduling.schedule import Plan, schedule
from dspark_lab.scheduling.step_rate import StepRate


class PolicyFailure(Exception):
    """The scheduler failed, which is no request's fault; its cause says how."""


class Scheduler:
    """A policy and what it remembers from step to step.

    Args:
        policy: None verifies all that was drafted. step_rate: SPS(B), which a policy needs. tokens: the largest B to come.

    Raises:
        LabError: a policy without a step rate, or with one that is not known as far as ``tokens``.
    """

    def __init__(self, drafter: Drafter | None, policy: Policy | None, step_rate: StepRate | None, tokens: int) -> None:
        if policy is not None:
            parts = ("name", "leaks", "capacity_lags", "lengths")
            if isinstance(policy, type) or not all(hasattr(policy, part) for part in parts):
                raise LabError(
                    f"policy is {policy!r}, but must be a policy, which has {', '.join(parts)}: policy_named({str(policy)!r}) "
                    f"may be one."
                )
            if step_rate is None:
                raise LabError(
                    f"the policy {policy.name!r} needs a step rate: hand in step_rate, say one of dspark-lab profile."
                )
            if not isinstance(step_rate, StepRate):
                raise LabError(
                    f"step_rate is {step_rate!r}, but must be a StepRate: step_rate_named({str(step_rate)!r}) may be one."
                )
            step_rate(tokens)
        self._policy, self._step_rate, self._calibration = policy, step_rate, calibration_of(drafter)
        self._survivals: deque[NDArray[np.float64]] = deque(maxlen=2)  # of the last two steps

    def lengths(self, temperatures: Sequence[float], proposed: Proposed) -> tuple[NDArray[np.int64], Plan | None]:
        """How many draft tokens of each request are verified, [R], and the plan that says why.

        Args:
            temperatures: of each request, [R]; confidences are calibrated for them.

        Raises:
            LabError: a confidence is not inside (0, 1), which is that request's fault.
            PolicyFailure: the policy raised, or it weighs confidences and the drafter has none.
        """
        if self._policy is None or self._step_rate is None:
            return proposed.counts, None
        there = np.arange(proposed.tokens.shape[1]) < proposed.counts[:, None]
        _check(proposed.confidence, there)
        try:
            if proposed.confidence is None and proposed.counts.any():
                length = length_without_confidence(self._policy)
                return (proposed.counts if length is None else np.minimum(proposed.counts, length)), None
            survival = np.where(there, np.cumprod(self._confidence(temperatures, proposed, there), axis=1), 0.0)
            earlier = self._survivals[0] if len(self._survivals) == 2 and self._policy.capacity_lags else None
            plan = schedule(survival, self._step_rate, self._policy, drafted=proposed.counts, earlier=earlier)
        except Exception as error:
            raise PolicyFailure from error
        self._survivals.append(survival)
        return plan.lengths, plan

    def _confidence(
        self, temperatures: Sequence[float], proposed: Proposed, there: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Confidences [R, gamma] fit to be multiplied; anything inside (0, 1) where nothing was drafted."""
        if proposed.confidence is None:
            return np.ones(proposed.tokens.shape)
        result = np.where(there, proposed.confidence, 0.5)
        if self._calibration:
            each = np.asarray(temperatures)
            for temperature in set(temperatures):
                rows = (each == temperature) & (proposed.counts > 0)
                if rows.any():
                    result[rows] = self._calibration.apply(result[rows], temperature)
        return result


def _check(confidence: NDArray[np.float64] | None, there: NDArray[np.bool_]) -> None:
    if confidence is None:
        return
    wrong = there & ~((confidence > 0) & (confidence < 1))
    if wrong.any():
        row, k = np.argwhere(wrong)[0]
        raise LabError(
            f"the drafter's confidence at position {k + 1} is {confidence[row, k]:g}, but must lie inside (0, 1): its weights or "
            f"its input are broken."
        )
