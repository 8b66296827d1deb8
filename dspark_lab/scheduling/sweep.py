"""Servers compared over their load: every contender under every load, the frontier, and what a promise of speed costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dspark_lab.errors import LabError
from dspark_lab.scheduling.arrivals import Arrivals, Constant
from dspark_lab.scheduling.bootstrap import Bootstrap, Drafting
from dspark_lab.scheduling.policies import Policy
from dspark_lab.scheduling.simulator import Result, Scenario, simulate
from dspark_lab.scheduling.step_rate import StepRate


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
    workers: int = 1,
    on_result: Callable[[str, Result], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    **scenario: Any,
) -> Sweep:
    """Simulate every contender under every load. Under one load all draw by the same seed.

    Args:
        loads: constant numbers of requests, which are put in order, or arrivals, which are left in theirs.
        rounds: that a constant number of requests goes through in all, at least: few requests take more steps.
        workers: threads; the results do not hang on it. More than one contend for the interpreter, and may take longer.
        on_result: told of each as it is done, with the contender's name, in no fixed order.
        should_stop: asked before each; once it says so, the others are left out of the sweep.
        scenario: ``steps``, ``seed``, ``most_requests`` and ``clock`` of the ``Scenario``.

    Raises:
        LabError: there is no contender or no load, two have one name, or a scenario cannot be.
    """
    names = [contender.name for contender in contenders]
    if not names or not loads:
        raise LabError(f"a sweep needs a contender and a load, but has {len(names)} and {len(loads)}.")
    if len(set(names)) < len(names):
        raise LabError(f"two contenders are called {max(names, key=names.count)}: name each differently.")
    constant = {
        x if isinstance(x, Constant) else Constant(x) for x in loads if isinstance(x, (int, np.integer, Constant))
    }
    rising = sorted(constant, key=lambda c: c.requests)
    arrivals: list[Arrivals] = [*rising]
    arrivals += [x for x in loads if not isinstance(x, (int, np.integer, Constant))]
    most = rising[-1].requests if rising else 1
    step_rate = step_rate.extended(most * (1 + max(c.drafting.gamma for c in contenders)))
    tables: dict[int, Bootstrap] = {}
    for c in contenders:
        if id(c.drafting) not in tables:
            tables[id(c.drafting)] = Bootstrap(c.drafting, mix, answer_tokens, redraw)

    def one(contender: Contender, coming: Arrivals) -> Result | None:
        if should_stop and should_stop():
            return None
        what = Scenario(contender.drafting, step_rate, coming, contender.policy, **scenario)
        if isinstance(coming, Constant):
            what = replace(what, steps=max(what.steps, -(-rounds // coming.requests)))
        result = simulate(what, bootstrap=tables[id(contender.drafting)])
        if on_result:
            on_result(contender.name, result)
        return result

    # The largest come first: what is left for the end is short.
    order = list(enumerate(arrivals))[::-1]
    with ThreadPoolExecutor(workers) as pool:
        jobs = {(c.name, i): pool.submit(one, c, coming) for i, coming in order for c in contenders}
        try:
            done = {name: [jobs[name, i].result() for i in range(len(arrivals))] for name in names}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Sweep({name: tuple(r for r in results if r) for name, results in done.items()})
