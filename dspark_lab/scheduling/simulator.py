"""Continuous batching without a model: requests come, their drafts are drawn from recorded rounds, a policy cuts them, a step
takes as long as its step rate says (arXiv 2607.05147, Figures 7 and 8). What comes out is modelled, never measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.arrivals import Arrival, Arrivals, Constant
from dspark_lab.scheduling.batched import LAG, Decider
from dspark_lab.scheduling.bootstrap import Bootstrap, Drafting
from dspark_lab.scheduling.policies import ALGORITHM_1, Policy
from dspark_lab.scheduling.step_rate import StepRate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COPIES = 32
"""At most so many copies of a server with a constant number of requests share the steps; they are computed together."""
ANSWERS = 3
"""So many of the longest domain's answers a copy lasts, or longer."""
SHORTEST = 50
"""Steps of a copy, at least."""


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


def simulate(
    scenario: Scenario, *, bootstrap: Bootstrap | None = None, on_steps: Callable[[int], None] | None = None
) -> Result:
    """Run a scenario.

    Args:
        bootstrap: the tables of ``scenario``'s drafting, mix and answers, where they are made already.
        on_steps: told how many steps have been taken since the last call.

    Raises:
        LabError: the policy needs confidences that the drafter lacks, or a domain was not recorded.
    """
    s = scenario
    rounds = bootstrap or Bootstrap(s.drafting, s.mix, s.answer_tokens, s.redraw)
    most = s.arrivals.requests if isinstance(s.arrivals, Constant) else s.most_requests
    tokens = most * (1 + rounds.gamma)
    s = replace(s, step_rate=s.step_rate.extended(tokens), clock=s.clock and s.clock.extended(tokens))
    run = _constant if isinstance(s.arrivals, Constant) else _open
    return run(s, rounds, Decider(s.policy, rounds, s.step_rate), on_steps or (lambda steps: None))


class _Tally:
    """Sums over steps, and the speeds of answered requests."""

    def __init__(self) -> None:
        self.tokens = self.verified = self.kept = self.requests = self.steps = 0
        self.seconds = self.busy = 0.0
        self.speeds: list[Floats] = []

    def add(self, counts: Ints, emitted: Ints, kept: Ints, seconds: Floats, requests: int) -> None:
        self.tokens += int(emitted.sum())
        self.kept += int(kept.sum())
        self.verified += int(counts.sum())
        self.requests += requests * len(counts)
        self.steps += len(counts)
        self.seconds += float(seconds.sum())
        self.busy += requests * float(seconds.sum())

    def result(self, s: Scenario, waiting: float = 0.0, idle: float = 0.0) -> Result:
        speeds = np.concatenate([*self.speeds, np.empty(0)])
        p50, p95 = (float(np.quantile(speeds, q)) for q in (0.5, 0.05)) if len(speeds) else (None, None)
        seconds = self.seconds + idle
        return Result(
            s.drafting.name, s.policy.name, str(s.arrivals), s.step_rate.title, self.busy / seconds, self.steps, seconds,
            self.tokens / seconds, self.tokens / self.busy, p50, p95,
            self.verified / self.requests, self.tokens / self.requests, self.tokens / self.verified,
            (self.verified - self.requests - self.kept) / self.requests, len(speeds), waiting,
        )  # fmt: skip


class _Cost:
    """Seconds of a step by the tokens that the target computes, drafting included."""

    def __init__(self, s: Scenario) -> None:
        rate = s.clock or s.step_rate
        table = 1.0 / rate.between(1, rate.most)
        self._table = table * (1 + s.drafting.draft_share) + s.drafting.draft_ms / 1e3

    def __call__(self, tokens: Ints) -> Floats:
        return self._table[tokens - 1]


def _outcome(rounds: Bootstrap, drawn: Ints, index: Ints, lengths: Ints, left: Ints) -> tuple[Ints, Ints]:
    """Draft tokens kept, and tokens yielded, of rounds cut to ``lengths`` with ``left`` tokens to go."""
    kept = np.minimum(rounds.accepted[drawn], lengths)
    emitted = kept + 1
    if rounds.ends is not None:
        emitted -= rounds.ends[index] & (kept == rounds.drafted[index])
    return kept, np.minimum(emitted, left)


def _constant(s: Scenario, rounds: Bootstrap, decide: Decider, on_steps: Callable[[int], None]) -> Result:
    assert isinstance(s.arrivals, Constant)
    r, rng = s.arrivals.requests, np.random.default_rng([s.seed, s.arrivals.requests])
    copies = max(1, min(COPIES, int(s.steps / max(SHORTEST, ANSWERS * rounds.rounds_each.max()))))
    shape, cost, tally = (copies, r), _Cost(s), _Tally()
    domain, left = (x.reshape(shape) for x in rounds.under_way(copies * r, rng))
    whole, began, now = left.copy(), np.full(shape, np.nan), np.zeros(copies)
    for step in range(LAG + math.ceil(s.steps / copies)):
        drawn = rounds.draw(domain, rng)
        index = drawn >> rounds.bits
        lengths = decide.lengths(index)
        kept, emitted = _outcome(rounds, drawn, index, lengths, left)
        tokens = r + lengths.sum(1)
        seconds = cost(tokens)
        now += seconds
        left -= emitted
        if step >= LAG:  # before, what lags has nothing to go by
            tally.add(tokens, emitted, kept, seconds, r)
            on_steps(copies)
        done = np.nonzero(left <= 0)
        if len(done[0]):
            speeds = whole[done] / (now[done[0]] - began[done])
            tally.speeds.append(speeds[np.isfinite(speeds)])  # those under way at the start have no beginning
            domain[done], left[done] = rounds.requests(len(done[0]), rng)
            whole[done], began[done] = left[done], now[done[0]]
    return tally.result(s)


def _open(s: Scenario, rounds: Bootstrap, decide: Decider, on_steps: Callable[[int], None]) -> Result:
    assert not isinstance(s.arrivals, Constant)
    rng = np.random.default_rng([s.seed, 0])
    coming = s.arrivals.requests(np.random.default_rng([s.seed, 1]))
    following: Arrival | None = next(coming, None)
    cost, tally = _Cost(s), _Tally()
    now = idle = waited = 0.0
    admitted = 0
    state = np.empty((4, 0))  # domain, tokens left, tokens in all, began
    while tally.steps < s.steps:
        new: list[Arrival] = []
        while following and following.time <= now and state.shape[1] + len(new) < s.most_requests:
            new.append(following)
            following = next(coming, None)
        if new:
            state = np.concatenate([state, _admit(new, rounds, rng, now)], axis=1)
            admitted += len(new)
            waited += sum(float(now - arrival.time) for arrival in new)
        r = state.shape[1]
        if not r:
            if following is None:
                break
            idle, now = idle + following.time - now, following.time
            continue
        left = state[1].astype(np.int64)
        drawn = rounds.draw(state[:1].astype(np.int64), rng)
        index = drawn >> rounds.bits
        lengths = decide.lengths(index)
        kept, emitted = _outcome(rounds, drawn, index, lengths, left[None])
        tokens = r + lengths.sum(1)
        seconds = cost(tokens)
        now += float(seconds[0])
        tally.add(tokens, emitted, kept, seconds, r)
        on_steps(1)
        state[1] -= emitted[0]
        done = state[1] <= 0
        if done.any():
            tally.speeds.append(state[2, done] / (now - state[3, done]))
            state = state[:, ~done]
    return tally.result(s, waited / max(1, admitted), idle)


def _admit(new: list[Arrival], rounds: Bootstrap, rng: np.random.Generator, now: float) -> Floats:
    """State columns of the requests that begin now."""
    domains, tokens = rounds.requests(len(new), rng)
    for i, arrival in enumerate(new):
        if arrival.domain is not None:
            if arrival.domain not in rounds.domains:
                raise LabError(
                    f"a request asks for the domain {arrival.domain!r}, of which there are no rounds: choose from "
                    f"{', '.join(rounds.domains)}."
                )
            domains[i] = rounds.domains.index(arrival.domain)
            tokens[i] = rounds.lengths(domains[i : i + 1], rng)[0]
        if arrival.tokens is not None:
            tokens[i] = arrival.tokens
    return np.array([domains, tokens, tokens, np.full(len(new), now)])
