"""What a simulation of a server is about, and what it comes to (arXiv 2607.05147, Figures 7 and 8). All of it is modelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.arrivals import Arrivals, Constant
from dspark_lab.scheduling.bootstrap import Drafting
from dspark_lab.scheduling.policies import ALGORITHM_1, Policy
from dspark_lab.scheduling.step_rate import StepRate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scenario:
    """What is simulated.

    Attributes:
        drafting: whose rounds. step_rate: of the target; carried on, and said so, where more tokens may be asked for.
        arrivals: how requests come. policy: how far drafts are verified.
        mix: weights of domains; None takes all that were recorded, evenly.
        answer_tokens: of every answer; None draws from the recorded answers' lengths.
        steps: of the target, in all. seed: the same one gives the same result.
        redraw: draw anew from the recorded chances of acceptance, rather than take what came of the recorded round.
        most_requests: that run at once, where arrivals are not constant; others wait.
        clock: what steps really take, where the step rate that the policy goes by is another one: an old profile, say.

    Raises:
        LabError: a number is out of range.
    """

    drafting: Drafting
    step_rate: StepRate
    arrivals: Arrivals = field(default_factory=lambda: Constant(16))
    policy: Policy = ALGORITHM_1
    mix: Mapping[str, float] | None = None
    answer_tokens: int | None = None
    steps: int = 2000
    seed: int = 0
    redraw: bool = True
    most_requests: int = 1024
    clock: StepRate | None = None

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("most_requests", 1), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise LabError(f"{name} is {value!r}, but must be a whole number from {least} on.")


@dataclass(frozen=True)
class Result:
    """What a simulation comes to; all modelled.

    Attributes:
        drafter, policy, arrivals, step_rate: what was simulated, in words.
        requests: running at once, the mean over time. steps: of the target. seconds: that they took, all copies' together.
        throughput: tokens per second. speed: tokens per second and user, throughput over requests.
        speed_p50, speed_p95: what half and what 95% of the answered requests reached, from admission to their last token;
            None where none was answered.
        budget: tokens that the target computes a request and step, 1 + l_r: the axis of Figure 8.
        tau: tokens a request and step yield. acceptance: tau over budget, the verify rate. waste: draft tokens verified and
            rejected, a request and step.
        answered: requests. waiting: seconds from coming to admission, the mean over those admitted.
    """

    drafter: str
    policy: str
    arrivals: str
    step_rate: str
    requests: float
    steps: int
    seconds: float
    throughput: float
    speed: float
    speed_p50: float | None
    speed_p95: float | None
    budget: float
    tau: float
    acceptance: float
    waste: float
    answered: int
    waiting: float = 0.0


class Tally:
    """Sums over steps: numbers of one server, or arrays [S] of S that keep step; and the speeds of answered requests."""

    def __init__(self) -> None:
        self.steps = 0
        self._requests: Any = 0
        self._computed: Any = 0
        self._kept: Any = 0
        self._yielded: Any = 0
        self._seconds: Any = 0.0
        self._busy: Any = 0.0
        self._answered: list[tuple[Ints, Floats]] = []

    def add(self, steps: int, requests: Any, computed: Any, kept: Any, yielded: Any, seconds: Any) -> None:
        """So many ``steps`` of so many ``requests``; and in all of these steps: tokens computed, draft tokens kept, tokens
        yielded, seconds."""
        self.steps += steps
        self._requests += steps * requests
        self._computed += computed
        self._kept += kept
        self._yielded += yielded
        self._seconds += seconds
        self._busy += requests * seconds

    def answered(self, servers: Ints, speeds: Floats) -> None:
        """Requests answered, [n]: by which server, and at how many tokens a second; NaN of those whose beginning it has not
        seen."""
        self._answered.append((servers, speeds))

    def results(self, scenarios: Sequence[Scenario], waiting: float = 0.0, idle: float = 0.0) -> list[Result]:
        """What each server comes to."""
        sums = (self._requests, self._computed, self._kept, self._yielded, self._seconds, self._busy)
        servers, speeds = (
            np.concatenate(x) for x in zip(*self._answered, (np.empty(0, int), np.empty(0)), strict=True)
        )
        results = []
        for number, s in enumerate(scenarios):
            requests, computed, kept, yielded, seconds, busy = (np.ravel(x)[number].item() for x in sums)
            own = speeds[servers == number]
            seconds, own = seconds + idle, own[~np.isnan(own)]
            p50, p95 = np.quantile(own, (0.5, 0.05)).tolist() if len(own) else (None, None)
            results.append(
                Result(
                    s.drafting.name, s.policy.name, str(s.arrivals), s.step_rate.title, busy / seconds, self.steps,
                    seconds, yielded / seconds, yielded / busy, p50, p95, computed / requests, yielded / requests,
                    yielded / computed, (computed - requests - kept) / requests, len(own), waiting,
                )
            )  # fmt: skip
        return results


class Clock:
    """Seconds of a step by the tokens that the target computes, drafting included."""

    def __init__(self, s: Scenario) -> None:
        rate = s.clock or s.step_rate
        target = 1.0 / rate.between(1, rate.most)
        self._seconds = target * (1 + s.drafting.draft_share) + s.drafting.draft_ms / 1e3

    def __call__(self, tokens: Ints) -> Floats:
        return self._seconds[tokens - 1]
