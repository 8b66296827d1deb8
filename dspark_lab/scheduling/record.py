"""A scheduler's decision as a trace keeps it."""

from __future__ import annotations

import numpy as np

from dspark_lab.rounds import Schedule
from dspark_lab.scheduling.live import RAW, Scheduled
from dspark_lab.scheduling.reasons import own_ranks, reason

NEAR = 64
"""Admissions recorded on each side of where a scheduler stopped."""


def record(scheduled: Scheduled, note: str = "") -> Schedule | None:
    """The decision as numbers and a sentence; None where nothing was weighed.

    Args:
        note: what sets a measured step rate apart from the pair and the device that it stands for.
    """
    plan = scheduled.plan
    if plan is None:
        return None
    rate, ranks = plan.pool.step_rate, own_ranks(plan)
    stop, candidates = int(plan.admitted.sum()), len(plan.pool.order)
    near = range(max(0, stop - NEAR), min(candidates, stop + NEAR) + 1)
    far = np.linspace(0, stop, NEAR).astype(int).tolist()
    at = sorted({*near, *far, *ranks, *(rank - 1 for rank in ranks)})
    return Schedule(
        policy=plan.policy.name,
        leaks=plan.policy.leaks,
        load=plan.pool.requests - 1,
        background=scheduled.background,
        step_rate=rate.title,
        source=rate.source,
        note=" ".join(filter(None, (note, RAW if scheduled.raw else ""))),
        length=scheduled.length,
        candidates=candidates,
        tokens=plan.tokens,
        expected=plan.expected,
        theta=plan.theta,
        ranks=tuple(ranks),
        admitted=tuple(at),
        thetas=tuple(plan.pool.theta[at].tolist()),
        why=reason(plan),
    )
