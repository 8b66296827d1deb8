"""The decisions of ``schedule`` for many simulated batches at once, with the same results."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.bootstrap import Bootstrap
from dspark_lab.scheduling.policies import EarlyBreak, Fixed, GlobalBest, Lagged, Policy, Threshold
from dspark_lab.scheduling.schedule import schedule
from dspark_lab.scheduling.step_rate import StepRate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LAG = 2
"""Steps that the confidences are old from which a lagging policy takes its capacity."""


class Decider:
    """Decides step after step how far the drafts of C batches of R requests each are verified.

    Args:
        policy: one of the lab's is decided for all batches at once, anybody else's by a call of ``schedule`` for each.
        rounds: what is drafted. step_rate: known up to all that may be drafted.

    Raises:
        LabError: the policy weighs confidences and the drafter has none.
    """

    def __init__(self, policy: Policy, rounds: Bootstrap, step_rate: StepRate) -> None:
        if rounds.survival is None and type(policy) is not Fixed:
            raise LabError(
                f"the policy {policy.name} weighs confidences, but the drafter's rounds hold none: choose fixed or fixed:L."
            )
        self._policy, self._rounds, self._rate = policy, rounds, step_rate
        self._past: deque[Floats | Ints] = deque(maxlen=LAG)
        self._alone: Ints | None = None
        if type(policy) in (Fixed, Threshold):  # a request's length hangs on its own confidences: one decision a round
            a = np.ones((rounds.gamma, rounds.size)) if rounds.survival is None else rounds.survival
            anything = StepRate((1,), (1.0,)).extended(a.size + rounds.size)
            self._alone = schedule(a.T, anything, policy, drafted=rounds.drafted).lengths

    def lengths(self, index: Ints) -> Ints:
        """Lengths [C, R] for the recorded rounds ``index`` [C, R] that are drafted in this step."""
        if self._alone is not None:
            return self._alone[index]
        assert self._rounds.survival is not None
        drafted = self._rounds.drafted[index]
        a = np.empty((len(index), self._rounds.gamma, index.shape[1]))
        for k, of_position in enumerate(self._rounds.survival):
            a[:, k] = of_position[index]
        if type(self._policy) not in (EarlyBreak, GlobalBest, Lagged):
            return self._one_by_one(a, drafted)
        path = Paths.of(a, self._rate)
        if type(self._policy) is EarlyBreak:
            return path.lengths(path.stop(drafted))
        if type(self._policy) is GlobalBest:
            return path.lengths(path.best(drafted))
        capacity = self._past[0] - a.shape[2] if len(self._past) == LAG else None
        self._past.append(a.shape[2] + path.best())
        return path.lengths(path.stop(drafted) if capacity is None else np.clip(capacity, 0, drafted.sum(1)))

    def _one_by_one(self, a: Floats, drafted: Ints) -> Ints:
        earlier = self._past[0] if len(self._past) == LAG and self._policy.capacity_lags else None
        plans = [
            schedule(
                a[c].T, self._rate, self._policy, drafted=drafted[c], earlier=None if earlier is None else earlier[c].T
            )
            for c in range(len(a))
        ]
        if self._policy.capacity_lags:
            self._past.append(a)
        return np.array([plan.lengths for plan in plans])


@dataclass(frozen=True)
class Paths:
    """Admission in C batches at once: candidates in falling order of a, Theta after each. Compare ``schedule.Pool``.

    Attributes:
        survival: [C, gamma, R]. ranked: [C, n], falling. start: Theta with none admitted. theta: with the first 1, ..., n.
    """

    survival: Floats
    ranked: Floats
    start: float
    theta: Floats = field(repr=False)

    @classmethod
    def of(cls, survival: Floats, rate: StepRate) -> Paths:
        batches, _, requests = survival.shape
        ranked = np.sort(survival.reshape(batches, -1), axis=1)[:, ::-1]
        sps = rate.between(requests, requests + ranked.shape[1])
        theta = np.cumsum(ranked, axis=1)
        theta += requests
        theta *= sps[1:]
        return cls(survival, ranked, requests * float(sps[0]), theta)

    def stop(self, drafted: Ints) -> Ints:
        """How many are admitted before the first that does not raise Theta, [C]; at most those ``drafted`` [C, R]."""
        rises = np.empty_like(self.theta, dtype=np.bool_)
        rises[:, 0] = self.theta[:, 0] > self.start
        np.greater(self.theta[:, 1:], self.theta[:, :-1], out=rises[:, 1:])
        first = rises.argmin(axis=1)
        first[rises[np.arange(len(first)), first]] = rises.shape[1]  # all rise
        return np.minimum(first, drafted.sum(1))

    def best(self, drafted: Ints | None = None) -> Ints:
        """With how many Theta is largest, [C]; among those ``drafted`` [C, R], or any."""
        theta = self.theta
        if drafted is not None:
            limits = drafted.sum(1)
            if limits.min() < theta.shape[1]:
                theta = np.where(np.arange(theta.shape[1]) < limits[:, None], theta, -np.inf)
        best = theta.argmax(axis=1)
        highest = theta[np.arange(len(best)), best]
        return np.where(highest > self.start, best + 1, 0)

    def lengths(self, counts: Ints) -> Ints:
        """Lengths [C, R] with the first ``counts`` [C] admitted, of equals the earlier position first, then the earlier
        request."""
        batches, _, requests = self.survival.shape
        least = np.where(counts > 0, self.ranked[np.arange(batches), counts - 1], np.inf)
        admitted = self.survival >= least[:, None, None]
        lengths = admitted.view(np.int8).sum(axis=1, dtype=np.int64)
        for c in np.flatnonzero(lengths.sum(1) > counts):
            equal = np.flatnonzero(self.survival[c].ravel() == least[c])
            np.subtract.at(lengths[c], equal[counts[c] - lengths[c].sum() :] % requests, 1)
        return lengths
