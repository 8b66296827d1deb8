"""Servers with constant numbers of requests, simulated in step with one another: what an operation on arrays takes whatever
their size is shared among them, and each comes to exactly what it would alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dspark_lab.scheduling.arrivals import Constant
from dspark_lab.scheduling.batched import LAG, Decider, outcome
from dspark_lab.scheduling.bootstrap import Bootstrap
from dspark_lab.scheduling.scenario import Clock, Result, Scenario, Tally

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COPIES = 32
"""At most so many copies of a server share its steps; they are computed together."""
ANSWERS = 3
"""So many of the longest domain's answers a copy lasts, or longer."""
SHORTEST = 50
"""Steps of a copy, at least."""
PLACES = 16384
"""For so many requests of all servers in step, or fewer: more would not fit the processor's cache."""
EMPTY = 1000
"""So many places of each may be empty: they take as long as the calls that going in step saves."""
NEVER = 2**62
"""Tokens that are left at a place without a request."""


def groups(scenarios: Iterable[Scenario], rounds: Bootstrap) -> Iterator[list[Scenario]]:
    """Scenarios that are sooner done in step: neighbours with as many steps. One without a constant number of requests goes
    alone."""
    group: list[Scenario] = []
    for s in scenarios:
        if group and not _may_join(s, group, rounds):
            yield group
            group = []
        group.append(s)
    if group:
        yield group


def _may_join(s: Scenario, group: list[Scenario], rounds: Bootstrap) -> bool:
    if not all(isinstance(x.arrivals, Constant) for x in (s, group[0])) or s.steps != group[0].steps:
        return False
    each = [_requests(x) for x in (*group, s)]
    places = len(each) * max(each)
    return places * _copies(s, rounds) <= PLACES and (places - sum(each)) * _copies(s, rounds) <= EMPTY * len(each)


def in_step(scenarios: Sequence[Scenario], rounds: Bootstrap, on_steps: Callable[[int], None]) -> list[Result]:
    """Simulate S scenarios that differ in their constant numbers of requests only, and whose step rate and clock are known up
    to all the tokens that the largest may ask for: in C copies with R places each, of which some may be empty."""
    s, each = scenarios[0], [_requests(s) for s in scenarios]
    streams = [np.random.default_rng([s.seed, r]) for r in each]
    requests, copies, most = np.array(each)[:, None], _copies(s, rounds), max(each)
    decide, clock, tally = Decider(s.policy, rounds, s.step_rate, requests), Clock(s), Tally()
    first, count, left = _under_way(each, copies, rounds, streams)
    whole, began, now = left.copy(), np.full(len(left), np.nan), np.zeros(len(each) * copies)
    u, empty = np.zeros((len(each), copies, most)), copies * (most - requests[:, 0])
    for step in range(LAG + math.ceil(s.steps / copies)):
        for i, (r, stream) in enumerate(zip(each, streams, strict=True)):
            u[i, :, :r] = stream.random((copies, r))
        drawn = (first + (u.reshape(-1) * count).astype(np.int64)).reshape(u.shape)
        lengths = decide.lengths(drawn >> rounds.bits)
        kept, emitted = outcome(rounds, drawn, lengths)
        tokens = requests + lengths.sum(axis=2, dtype=np.int64)
        seconds = clock(tokens)
        now += seconds.reshape(-1)
        left -= emitted.reshape(-1)
        done = np.flatnonzero(left <= 0)
        copy, server = done // most, done // (copies * most)
        if step >= LAG:  # before, what lags has nothing to go by
            unwanted = np.bincount(server, -left[done], len(each)).astype(np.int64)
            tally.add(
                copies, requests[:, 0], tokens.sum(1), kept.sum((1, 2), dtype=np.int64),
                emitted.sum((1, 2), dtype=np.int64) - empty - unwanted, seconds.sum(1),
            )  # fmt: skip
            on_steps(copies * len(each))
        if len(done):
            speeds = whole[done] / (now[copy] - began[done])
            tally.answered(server, speeds)
            news = zip(streams, np.bincount(server, minlength=len(each)), strict=True)
            domains, whole[done] = rounds.requests(np.hstack([stream.random((2, n)) for stream, n in news]))
            first[done], count[done] = rounds.first[domains], rounds.count[domains]
            left[done], began[done] = whole[done], now[copy]
    return tally.results(scenarios)


def _under_way(
    each: list[int], copies: int, rounds: Bootstrap, streams: list[np.random.Generator]
) -> tuple[Ints, Floats, Ints]:
    """Of the request at every place, [S * C * R]: the first outcome of its domain, how many there are, and tokens left."""
    shape = (len(each), copies, max(each))
    first, count, left = np.full(shape, rounds.size << rounds.bits), np.zeros(shape), np.full(shape, NEVER)
    for i, (r, stream) in enumerate(zip(each, streams, strict=True)):
        domains, tokens = (x.reshape(copies, r) for x in rounds.under_way(copies * r, stream))
        first[i, :, :r], count[i, :, :r], left[i, :, :r] = rounds.first[domains], rounds.count[domains], tokens
    return first.reshape(-1), count.reshape(-1), left.reshape(-1)


def _requests(s: Scenario) -> int:
    assert isinstance(s.arrivals, Constant)
    return int(s.arrivals.requests)


def _copies(s: Scenario, rounds: Bootstrap) -> int:
    return max(1, min(COPIES, int(s.steps / max(SHORTEST, ANSWERS * rounds.rounds_each.max()))))
