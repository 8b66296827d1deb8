"""Servers compared over their load: every contender under every load, the frontier, and what a promise of speed costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from dspark_lab.errors import LabError
from dspark_lab.scheduling.arrivals import Arrivals, Constant
from dspark_lab.scheduling.bootstrap import Bootstrap, Drafting
from dspark_lab.scheduling.lockstep import groups
from dspark_lab.scheduling.policies import Policy
from dspark_lab.scheduling.scenario import Result, Scenario
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.scheduling.workers import Job, run


@dataclass(frozen=True)
class Contender:
    """A drafter under a policy, by the name that tables and figures give it."""

    name: str
    drafting: Drafting
    policy: Policy


@dataclass(frozen=True)
class Sweep:
    """What contenders come to: by name, a result for each load, rising. All modelled."""

    results: Mapping[str, tuple[Result, ...]]

    def frontier(self, name: str) -> list[Result]:
        """The loads at which no other of the same contender has both more throughput and more speed a user (Figure 7), from
        the fastest for a user on."""
        best, kept = 0.0, []
        for result in sorted(self.results[name], key=lambda r: (-r.speed, -r.throughput)):
            if result.throughput > best:
                best = result.throughput
                kept.append(result)
        return kept

    def at_least(self, name: str, speed: float) -> Result | None:
        """The largest throughput with ``speed`` tokens per second and user or more; None where no load simulated has it."""
        reached = [r for r in self.results[name] if r.speed >= speed]
        return max(reached, key=lambda r: r.throughput, default=None)

    def sla(self, speeds: Sequence[float]) -> dict[str, list[Result | None]]:
        """``at_least`` for each of these promises, by contender."""
        return {name: [self.at_least(name, speed) for speed in speeds] for name in self.results}


def sweep(
    contenders: Sequence[Contender],
    step_rate: StepRate,
    loads: Sequence[int | Arrivals],
    *,
    mix: Mapping[str, float] | None = None,
    answer_tokens: int | None = None,
    redraw: bool = True,
    rounds: int = 0,
    on_result: Callable[[str, Result], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    workers: int = 1,
    **scenario: Any,
) -> Sweep:
    """Simulate every contender under every load. Under one load all draw by the same seed.

    Args:
        loads: constant numbers of requests, which are put in order, or arrivals, which are left in theirs.
        rounds: that a constant number of requests goes through in all, at least: few requests take more steps.
        on_result: told of each with the contender's name, soon after it is done, in no fixed order.
        should_stop: asked time and again; once it says so, what is not begun is left out of the sweep.
        workers: processes that simulate side by side, to the same results, where there is enough for them to do.
        scenario: ``steps``, ``seed``, ``most_requests`` and ``clock`` of the ``Scenario``.

    Raises:
        LabError: there is no contender or no load, two have one name, or a scenario cannot be.
    """
    names = [contender.name for contender in contenders]
    if not names or not loads:
        raise LabError(f"a sweep needs a contender and a load, but has {len(names)} and {len(loads)}.")
    if len(set(names)) < len(names):
        raise LabError(f"two contenders are called {max(names, key=names.count)}: name each differently.")
    if workers < 1:
        raise LabError(f"workers is {workers}, but 1 process at least has to simulate.")
    constant = {
        x if isinstance(x, Constant) else Constant(x) for x in loads if isinstance(x, (int, np.integer, Constant))
    }
    rising = sorted(constant, key=lambda c: c.requests)
    arrivals: list[Arrivals] = [*rising]
    arrivals += [x for x in loads if not isinstance(x, (int, np.integer, Constant))]
    most = (rising[-1].requests if rising else 1) * (1 + max(c.drafting.gamma for c in contenders))
    scenario["step_rate"] = step_rate.extended(most)
    if scenario.get("clock"):
        scenario["clock"] = scenario["clock"].extended(most)
    tables: dict[int, Bootstrap] = {}
    for c in contenders:
        if id(c.drafting) not in tables:
            tables[id(c.drafting)] = Bootstrap(c.drafting, mix, answer_tokens, redraw)
    servers = [(Scenario(c.drafting, policy=c.policy, **scenario), tables[id(c.drafting)]) for c in contenders]

    def jobs_of(number: int, what: Scenario, table: Bootstrap) -> Iterator[Job]:
        def under(coming: Arrivals) -> Scenario:
            least = -(-rounds // coming.requests) if isinstance(coming, Constant) else 1
            return replace(what, arrivals=coming, steps=max(what.steps, least))

        begun = 0
        # The largest come first, so that the end of the work is not far away once it seems near.
        for group in groups(map(under, reversed(arrivals)), table):
            yield Job(number, begun, [(s.arrivals, s.steps) for s in group])
            begun += len(group)

    turns = zip_longest(*(jobs_of(number, *server) for number, server in enumerate(servers)))
    falling: dict[str, dict[int, Result]] = {name: {} for name in names}
    for job, results in run([job for turn in turns for job in turn if job], servers, workers, should_stop):
        falling[names[job.server]].update(enumerate(results, job.first))
        for result in results:
            if on_result:
                on_result(names[job.server], result)
    return Sweep({name: tuple(results[n] for n in sorted(results, reverse=True)) for name, results in falling.items()})
