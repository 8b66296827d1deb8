"""Decisions for many simulated batches at once are those of ``schedule`` for each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dspark_lab.scheduling.batched import LAG, Decider
from dspark_lab.scheduling.bootstrap import Bootstrap, Drafting
from dspark_lab.scheduling.schedule import schedule
from tests.scheduling.rounds import POLICIES, chosen, jagged, made_rounds, uneven_rounds


@given(
    policy=st.sampled_from(POLICIES),
    copies=st.integers(1, 3),
    requests=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    gamma=st.integers(1, 5),
    whole=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_batched_decisions_are_those_of_schedule(policy, copies, requests, gamma, whole, seed):
    """Step after step, in batches of different sizes, from few recorded rounds, so that ties abound."""
    rng = np.random.default_rng(seed)
    rounds = Bootstrap(Drafting("made", (made_rounds if whole else uneven_rounds)(30, gamma, seed)))
    rate = jagged(max(requests) * (1 + gamma), seed)
    decide = Decider(chosen(policy), rounds, rate, np.array(requests)[:, None])
    before = []
    for _ in range(LAG + 3):
        index = np.full((len(requests), copies, max(requests)), rounds.size)
        for row, r in zip(index, requests, strict=True):
            row[:, :r] = rng.integers(rounds.size, size=(copies, r))
        lengths = decide.lengths(index)
        for s, c in np.ndindex(index.shape[:2]):
            r = requests[s]
            now, then = (
                rounds.survival[:, i[s, c, :r]].T for i in (index, before[-LAG] if len(before) >= LAG else index)
            )
            plan = schedule(
                now, rate, chosen(policy), drafted=rounds.drafted[index[s, c, :r]],
                earlier=then if len(before) >= LAG else None,
            )  # fmt: skip
            assert lengths[s, c, :r].tolist() == plan.lengths.tolist() and not lengths[s, c, r:].any()
        before.append(index)
