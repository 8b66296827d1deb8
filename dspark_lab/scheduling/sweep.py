"""Servers compared over their load: every contender at every concurrency, the frontier, and what a promise of speed costs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.scheduling.arrivals import Constant
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
    """What contenders come to: by name, a result for each concurrency, rising. All modelled."""

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
    concurrencies: Sequence[int],
    *,
    mix: Mapping[str, float] | None = None,
    answer_tokens: int | None = None,
    redraw: bool = True,
    workers: int | None = None,
    on_result: Callable[[Result], None] | None = None,
    **scenario: Any,
) -> Sweep:
    """Simulate every contender with every constant number of requests. At one concurrency all draw by the same seed.

    Args:
        workers: threads, as many as there are cores by default; the results do not hang on it.
        on_result: told of each as it is done, in no fixed order.
        scenario: ``steps`` and ``seed`` of the ``Scenario``.

    Raises:
        LabError: there is no contender or no concurrency, two have one name, or a scenario cannot be.
    """
    names = [contender.name for contender in contenders]
    if not names or not concurrencies:
        raise LabError(f"a sweep needs a contender and a concurrency, but has {len(names)} and {len(concurrencies)}.")
    if len(set(names)) < len(names):
        raise LabError(f"two contenders are called {max(names, key=names.count)}: name each differently.")
    loads = sorted({Constant(r).requests for r in concurrencies})
    step_rate = step_rate.extended(loads[-1] * (1 + max(c.drafting.gamma for c in contenders)))
    tables: dict[int, Bootstrap] = {}
    for c in contenders:
        if id(c.drafting) not in tables:
            tables[id(c.drafting)] = Bootstrap(c.drafting, mix, answer_tokens, redraw)

    def one(contender: Contender, requests: int) -> Result:
        what = Scenario(contender.drafting, step_rate, Constant(requests), contender.policy, **scenario)
        result = simulate(what, bootstrap=tables[id(contender.drafting)])
        if on_result:
            on_result(result)
        return result

    # The largest come first: what is left for the end is short.
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        jobs = {(c.name, r): pool.submit(one, c, r) for r in reversed(loads) for c in contenders}
        try:
            return Sweep({name: tuple(jobs[name, r].result() for r in loads) for name in names})
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
