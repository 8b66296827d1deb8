"""Why a scheduler cut a draft where it did, in a sentence."""

from __future__ import annotations

import numpy as np

from dspark_lab.scheduling.policies import EarlyBreak, Fixed, GlobalBest, Lagged, Threshold
from dspark_lab.scheduling.schedule import Plan


def reason(plan: Plan, request: int = 0) -> str:
    """Why so many of the request's draft tokens are verified; Theta in tokens per second."""
    policy, pool = plan.policy, plan.pool
    length, drafted = int(plan.lengths[request]), int(pool.drafted[request])
    if isinstance(policy, Fixed):
        if policy.length is None:
            return "Everything drafted is verified, whatever the load."
        return f"The length is fixed at {policy.length}, whatever the load."
    if isinstance(policy, Threshold):
        if length == drafted:
            return f"No confidence is below the threshold of {policy.least:g}."
        before = float(pool.survival[request, length - 1]) if length else 1.0
        c = float(pool.survival[request, length]) / before if before else 0.0
        return f"The confidence of x_{length + 1}, {_number(c)}, is below the threshold of {policy.least:g}."
    ranks = own_ranks(plan, request)
    if isinstance(policy, Lagged) and pool.earlier is not None:
        room = plan.tokens - pool.requests
        places = f"the confidences of two rounds ago left room for {_count(room, 'draft token')}"
        return _capacity(places, ranks, length)
    if isinstance(policy, GlobalBest):
        room = plan.tokens - pool.requests
        best = f"with {_count(room, 'draft token')} Theta is the largest of all, {_number(plan.theta)}"
        return _capacity(best, ranks, length)
    if isinstance(policy, (EarlyBreak, Lagged)):
        return _break(plan, ranks, length)
    return f"The policy {policy.name} admits {length} of {drafted}."


def own_ranks(plan: Plan, request: int = 0) -> list[int]:
    """Where x_1, x_2, ... of the request stand in the order of admission, from 1."""
    ranks: list[int] = (np.flatnonzero(plan.pool.request == request) + 1).tolist()
    return ranks


def _break(plan: Plan, ranks: list[int], length: int) -> str:
    """Algorithm 1 stopped at the first candidate that did not raise Theta."""
    theta, stop = plan.pool.theta, int(plan.admitted.sum())
    if length == len(ranks):
        last = ranks[-1]
        low, high = _apart(float(theta[last - 1]), float(theta[last]))
        return f"Nothing is cut: even x_{length} raised Theta, from {low} to {high}."
    high, low = _apart(float(theta[stop]), float(theta[stop + 1]))
    change = "leave Theta at" if high == low else "lower Theta from"
    numbers = high if high == low else f"{high} to {low}"
    if ranks[length] == stop + 1:
        return f"Admitting x_{length + 1} would {change} {numbers}."
    other = int(plan.pool.position[stop])
    behind = _count(ranks[length] - stop - 1, "place")
    return f"The next in line, x_{other} of another request, would {change} {numbers}; x_{length + 1} stands {behind} behind."


def _capacity(why: str, ranks: list[int], length: int) -> str:
    """So many candidates fit, in today's order."""
    end = (
        f"the last, x_{length}, is number {ranks[-1]:,}."
        if length == len(ranks)
        else f"x_{length + 1} is number {ranks[length]:,}."
    )
    return f"{why[0].upper()}{why[1:]}; {end}"


def _apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers, whole at least and with three digits, with as many as it takes to tell them apart."""
    for digits in range(_digits(max(a, b)), 16):
        shown = _number(a, digits), _number(b, digits)
        if shown[0] != shown[1]:
            return shown
    return _number(a), _number(a)


def _digits(value: float) -> int:
    return max(3, len(str(int(abs(value)))))


def _number(value: float, digits: int = 0) -> str:
    digits = digits or _digits(value)
    rounded = float(f"{value:.{digits}g}")
    return (
        f"{rounded:,.{max(0, digits - len(str(int(abs(rounded)))))}f}" if abs(rounded) >= 1 else f"{rounded:.{digits}g}"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
