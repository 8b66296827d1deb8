"""Continuous batching without a model: requests come, their drafts are drawn from recorded rounds, a policy cuts them, a step
takes as long as its step rate says (arXiv 2607.05147, Figures 7 and 8). What comes out is modelled, never measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.arrivals import Arrival, Constant
from dspark_lab.scheduling.batched import Decider, outcome
from dspark_lab.scheduling.bootstrap import Bootstrap
from dspark_lab.scheduling.lockstep import in_step
from dspark_lab.scheduling.scenario import Clock, Result, Scenario, Tally

__all__ = ["Result", "Scenario", "simulate", "simulate_together"]

Floats = NDArray[np.float64]


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
    return simulate_together([scenario], bootstrap=bootstrap, on_steps=on_steps)[0]


def simulate_together(
    scenarios: Sequence[Scenario], *, bootstrap: Bootstrap | None = None, on_steps: Callable[[int], None] | None = None
) -> list[Result]:
    """``simulate`` for scenarios that differ in how requests come only: the same results, and sooner where their numbers are
    constant and small. Arguments are those of ``simulate``.

    Raises:
        LabError: as ``simulate``, or where the scenarios differ in something else.
    """
    first, told = scenarios[0], on_steps or (lambda steps: None)
    if any(replace(s, arrivals=first.arrivals) != first for s in scenarios):
        raise LabError(
            "scenarios that are simulated together may differ in their arrivals only: simulate each by itself."
        )
    rounds = bootstrap or Bootstrap(first.drafting, first.mix, first.answer_tokens, first.redraw)
    most = max(s.arrivals.requests if isinstance(s.arrivals, Constant) else s.most_requests for s in scenarios)
    tokens = most * (1 + rounds.gamma)
    rate, clock = first.step_rate.extended(tokens), first.clock and first.clock.extended(tokens)
    ready = [replace(s, step_rate=rate, clock=clock) for s in scenarios]
    if all(isinstance(s.arrivals, Constant) for s in scenarios):
        return in_step(ready, rounds, told)
    return [_open(s, rounds, told) for s in ready]


def _open(s: Scenario, rounds: Bootstrap, on_steps: Callable[[int], None]) -> Result:
    assert not isinstance(s.arrivals, Constant)
    rng = np.random.default_rng([s.seed, 0])
    coming = s.arrivals.requests(np.random.default_rng([s.seed, 1]))
    following: Arrival | None = next(coming, None)
    decide, clock, tally = Decider(s.policy, rounds, s.step_rate), Clock(s), Tally()
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
        domains = state[0].astype(np.int64)
        drawn = rounds.first[domains] + (rng.random(r) * rounds.count[domains]).astype(np.int64)
        lengths = decide.lengths(drawn[None] >> rounds.bits)[0]
        kept, emitted = outcome(rounds, drawn, lengths)
        tokens = r + int(lengths.sum(dtype=np.int64))
        seconds = float(clock(np.array(tokens)))
        now += seconds
        state[1] -= emitted
        done = state[1] <= 0
        unwanted = -int(state[1, done].sum())
        yielded = int(emitted.sum(dtype=np.int64)) - unwanted
        tally.add(1, r, tokens, int(kept.sum(dtype=np.int64)), yielded, seconds)
        on_steps(1)
        if done.any():
            speeds = state[2, done] / (now - state[3, done])
            tally.answered(np.zeros(len(speeds), int), speeds)
            state = state[:, ~done]
    return tally.results([s], waited / max(1, admitted), idle)[0]


def _admit(new: list[Arrival], rounds: Bootstrap, rng: np.random.Generator, now: float) -> Floats:
    """State columns of the requests that begin now."""
    domains, tokens = rounds.requests(rng.random((2, len(new))))
    for i, arrival in enumerate(new):
        if arrival.domain is not None:
            if arrival.domain not in rounds.domains:
                raise LabError(
                    f"a request asks for the domain {arrival.domain!r}, of which there are no rounds: choose from "
                    f"{', '.join(rounds.domains)}."
                )
            domains[i] = rounds.domains.index(arrival.domain)
            tokens[i] = rounds.lengths(domains[i : i + 1], rng.random(1))[0]
        if arrival.tokens is not None:
            tokens[i] = arrival.tokens
    return np.array([domains, tokens, tokens, np.full(len(new), now)])
