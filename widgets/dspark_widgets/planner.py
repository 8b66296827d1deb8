"""Answers what the scheduler would decide: a round of the trace scheduled anew, at the pace of a dragged slider."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import traitlets

from dspark_lab.records import to_json
from dspark_lab.scheduling.appendix_a import APPENDIX_A, first_token
from dspark_lab.scheduling.live import Drafting
from dspark_lab.scheduling.policies import GlobalBest
from dspark_lab.scheduling.pool import survivals
from dspark_lab.scheduling.rates import foreign, step_rate_named
from dspark_lab.scheduling.reasons import own_ranks
from dspark_lab.scheduling.record import record
from dspark_lab.scheduling.replan import Replanned, confidence_of, knots, replan, settings_at
from dspark_lab.scheduling.schedule import Plan
from dspark_lab.scheduling.stored import drafting_of
from dspark_lab.settings import DEFAULT_RATE, Overrides
from dspark_lab.trace import Trace
from dspark_widgets import requests, results
from dspark_widgets.stepper import Stepper

COMPARED = ("fixed", "early-break", "lagged", "threshold", "global")
INSTEAD = "early-break"
"""What is shown of a round in which nothing was scheduled."""
OFFERED = (
    DEFAULT_RATE,
    "roofline:h100:qwen3-14b",
    "roofline:l4:qwen3-4b",
    "roofline:laptop:qwen3-4b",
    "deepseek-v4-flash",
    "deepseek-v4-pro",
    "pocket-cpu",
)
LOADS = (0, 1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256)
NEAR, AWAY = 16, 96
"""Places of the queue that are shown on each side of the stop and of the largest Theta, and all along it."""


class Planner(Stepper):
    """What the views of confidence and scheduler share. A recording can be scheduled anew too: no model is asked."""

    plans: Any = traitlets.List().tag(sync=True)
    step_rates: Any = traitlets.List().tag(sync=True)

    _cuts: tuple[Any, tuple[tuple[int, int], ...]] = (None, ())

    @traitlets.default("step_rates")
    def _offer(self) -> list[Any]:
        named = ((name, step_rate_named(name)) for name in OFFERED)
        return [to_json(results.StepRateChoice(name, rate.title, rate.source)) for name, rate in named]

    def forget(self) -> None:
        super().forget()
        self.plans = []

    def on_plan(self, request: requests.PlanRequest) -> None:
        if self.status["where"] == "plan":
            self.set_status(self.status["state"])
        self.plans = [to_json(self._plan(request))]

    def snapshot(self) -> dict[str, Any]:
        """With a plan of every round, as there is no kernel to be asked for one."""
        plans = []
        for branch in (0, *(b["id"] for b in self.branches)):
            if self._shown is None:
                break
            trace = self.trace_of(branch)
            for r in trace.rounds:
                if confidence_of(r):
                    policy = settings_at(trace, r.index).policy
                    instead = Overrides(settings={"policy": INSTEAD} if policy == "fixed" else {})
                    plans.append(to_json(self._plan(requests.PlanRequest(branch, r.index, instead, 0))))
        return {**super().snapshot(), "plans": plans}

    def _plan(self, request: requests.PlanRequest) -> results.Plan:
        trace = self.trace_of(request.branch)
        drafting = self._drafting(request.branch, trace)

        def again(**changed: Any) -> Replanned:
            settings = {**request.overrides.settings, **changed}
            return replan(trace, request.round, replace(request.overrides, settings=settings), drafting)

        made = again()
        plan, settings, pool = made.plan, made.settings, made.plan.pool
        rate = pool.step_rate
        schedule = record(made.scheduled, foreign(rate, trace.target, trace.device))
        assert schedule is not None
        same = (
            self.cursor["serial"],
            request.branch,
            request.round,
            settings.policy,
            settings.step_rate,
            made.confidence,
        )
        if self._cuts[0] != same:  # a load that is dragged asks for them once
            self._cuts = same, tuple((load, again(load=load).scheduled.length) for load in LOADS)
        return results.Plan(
            branch=request.branch,
            round=request.round,
            number=request.number,
            policy=settings.policy,
            load=settings.load,
            step_rate=settings.step_rate,
            schedule=replace(schedule, admitted=(), thetas=()),
            confidence=made.confidence,
            survival=tuple(pool.survival[0, : len(made.confidence)].tolist()),
            start=short(float(pool.theta[0])),
            best=int(pool.theta.argmax()),
            path=queue(plan),
            decisions=tuple(decision(again(policy=name).plan) for name in COMPARED),
            cuts=self._cuts[1],
            rates=tuple(knots(rate, pool.requests + len(pool.order))),
            example=appendix_a(),
        )

    def _drafting(self, branch: int, trace: Trace) -> Drafting:
        session: Any = self._sessions.get(branch)
        if getattr(session, "drafter", None) is None:
            return drafting_of(trace)
        from dspark_lab import decoding

        return decoding.drafting_of(session.drafter, session.settings)


def queue(plan: Plan) -> results.Path:
    """The candidates that matter, and some of the others. Eight digits tell Thetas of neighbours apart."""
    pool, count, stop = plan.pool, len(plan.pool.order), int(plan.admitted.sum())
    near = [n for place in (stop, int(pool.theta.argmax())) for n in range(place - NEAR, place + NEAR + 1)]
    away = np.linspace(1, count, AWAY).astype(int).tolist()
    own = [n for rank in own_ranks(plan) for n in (rank - 1, rank)]
    at = np.array([n for n in sorted({*near, *away, *own}) if 1 <= n <= count])
    return results.Path(
        n=tuple(at.tolist()),
        request=tuple(pool.request[at - 1].tolist()),
        k=tuple(pool.position[at - 1].tolist()),
        survival=tuple(map(short, survivals(pool)[at - 1].tolist())),
        theta=tuple(map(short, pool.theta[at].tolist())),
    )


def short(value: float) -> float:
    return float(f"{value:.8g}")


def decision(plan: Plan) -> results.Decision:
    return results.Decision(plan.policy.name, plan.policy.leaks, int(plan.lengths[0]), plan.tokens, plan.theta)


@lru_cache(1)
def appendix_a() -> tuple[float, float]:
    """The chance of the first token of the paper's example: under the target, and as the global search gives it."""
    return float(APPENDIX_A.p_t[0]), float(first_token(GlobalBest())[0])
