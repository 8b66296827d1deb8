"""Servers that keep step come to what each does alone, and that is what ``schedule`` makes of it, one step after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.scheduling.arrivals import Constant
from dspark_lab.scheduling.batched import LAG
from dspark_lab.scheduling.bootstrap import Bootstrap, Drafting
from dspark_lab.scheduling.policies import Fixed
from dspark_lab.scheduling.schedule import schedule
from dspark_lab.scheduling.simulator import Result, Scenario, simulate, simulate_together
from dspark_lab.scheduling.step_rate import StepRate
from tests.scheduling.rounds import POLICIES, chosen, jagged, made_rounds, uneven_rounds

FLAT = StepRate((1,), (10.0,), title="flat").extended(100_000)


def simulated_plainly(s: Scenario) -> Result:
    """One copy of a server with a constant number of requests, one request after the other, a ``schedule`` a step."""
    rounds, r = Bootstrap(s.drafting, s.mix, s.answer_tokens, s.redraw), s.arrivals.requests
    rate, stream = s.step_rate.extended(r * (1 + rounds.gamma)), np.random.default_rng([s.seed, r])
    domains, left = (x.tolist() for x in rounds.under_way(r, stream))
    whole, began, speeds, past = [*left], [None] * r, [], []
    now = seconds = 0.0
    computed = kept = yielded = steps = 0
    while steps < s.steps:
        u = stream.random(r)
        drawn = [int(rounds.first[d]) + int(x * rounds.count[d]) for d, x in zip(domains, u, strict=True)]
        index = np.array(drawn) >> rounds.bits
        past.append(rounds.survival[:, index].T)
        earlier = past[-1 - LAG] if len(past) > LAG else None
        lengths = schedule(past[-1], rate, s.policy, drafted=rounds.drafted[index], earlier=earlier).lengths.tolist()
        took, counts = rate.seconds(r + sum(lengths)), len(past) > LAG
        now += took
        for i, length in enumerate(lengths):
            accepted = min(int(rounds.accepted[drawn[i]]), length)
            ended = rounds.ends is not None and rounds.ends[index[i]] and accepted == rounds.drafted[index[i]]
            tokens = min(accepted + (not ended), left[i])
            left[i] -= tokens
            if counts:
                kept, yielded = kept + accepted, yielded + tokens
        if counts:
            computed, seconds, steps = computed + r + sum(lengths), seconds + took, steps + 1
        done = [i for i in range(r) if left[i] <= 0]
        speeds += [whole[i] / (now - began[i]) for i in done if began[i] is not None]
        for i, domain, tokens in zip(done, *rounds.requests(stream.random((2, len(done)))), strict=True):
            domains[i], left[i], whole[i], began[i] = domain, tokens, tokens, now
    p50, p95 = (float(np.quantile(speeds, q)) for q in (0.5, 0.05)) if speeds else (None, None)
    n = r * steps
    return Result(
        s.drafting.name, s.policy.name, str(s.arrivals), rate.title, r, steps, seconds, yielded / seconds,
        yielded / seconds / r, p50, p95, computed / n, yielded / n, yielded / computed, (computed - n - kept) / n, len(speeds),
    )  # fmt: skip


@given(
    policy=st.sampled_from(POLICIES),
    requests=st.integers(1, 9),
    gamma=st.integers(1, 5),
    redraw=st.booleans(),
    answer_tokens=st.sampled_from([None, 1, 20]),
    seed=st.integers(0, 10_000),
)
def test_a_simulation_is_what_schedule_makes_of_it_step_by_step(policy, requests, gamma, redraw, answer_tokens, seed):
    rate = jagged(requests * (1 + gamma), seed)
    scenario = Scenario(
        Drafting("made", uneven_rounds(60, gamma, seed)), rate, Constant(requests), chosen(policy), None, answer_tokens, 40,
        seed, redraw,
    )  # fmt: skip
    found, plain = (to_json(simulating(scenario)) for simulating in (simulate, simulated_plainly))
    assert {n: x for n, x in found.items() if isinstance(x, str)} == {
        n: x for n, x in plain.items() if isinstance(x, str)
    }
    numbers = [n for n, x in plain.items() if not isinstance(x, str)]
    assert [found[n] for n in numbers] == pytest.approx([plain[n] for n in numbers], rel=1e-12)


@given(
    policy=st.sampled_from(POLICIES),
    requests=st.lists(st.integers(1, 30), min_size=2, max_size=4, unique=True),
    seed=st.integers(0, 10_000),
)
def test_together_each_comes_to_what_it_does_alone(policy, requests, seed):
    scenario = Scenario(
        Drafting("made", uneven_rounds(90, 3, seed)), jagged(max(requests) * 4, seed), policy=chosen(policy), steps=100, seed=seed
    )  # fmt: skip
    together = [replace(scenario, arrivals=Constant(r)) for r in requests]
    assert simulate_together(together) == [simulate(scenario) for scenario in together]


def test_scenarios_that_differ_otherwise_are_not_simulated_together():
    made = Drafting("m", made_rounds(60))
    with pytest.raises(LabError, match="differ in their arrivals only"):
        simulate_together([Scenario(made, FLAT, Constant(1)), Scenario(made, FLAT, Constant(2), Fixed())])


def test_many_tokens_are_added_up_as_exactly():
    """So many that the sum of as fine units would overflow: the units are coarser, the decisions the same."""
    made = Drafting("m", made_rounds(600))
    scenario = Scenario(made, jagged(100), Constant(20), steps=60)
    assert simulate(scenario) == replace(
        simulate(replace(scenario, step_rate=scenario.step_rate.extended(2**22))), step_rate="step rate"
    )
