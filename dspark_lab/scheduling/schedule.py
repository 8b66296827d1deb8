"""How far each request's draft is verified in the next step of the target (arXiv 2607.05147, section 3.3, Algorithm 1).

A candidate is draft token j of request r; its survival a_{r,j} = prod_{i<=j} c_{r,i} is the chance that it and all before it
are accepted. Candidates are admitted from the likeliest on, of equals the earlier position first, so that what is admitted
of a request is always a prefix. With the first n admitted, the target computes B = R + n tokens (each request's anchor, and
the admitted ones), the step is expected to yield tau = R + sum a tokens, and Theta = tau * SPS(B) tokens a second.

How many to admit is up to a policy. To be lossless, whether x_k is verified may not depend on x_k itself, nor on anything
that depends on it, such as c_{k+1}; ``leaks`` says of a policy that it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.step_rate import StepRate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """All candidates of a step, in admission order, and what admitting the first 0, 1, ..., n of them would come to.

    Attributes:
        survival: a [R, gamma] as given; drafted: how many of each request's there are, [R].
        order: the candidates' numbers, those of position 1 of all requests first, [n].
        expected: tau after each admission, [n + 1]. theta: Theta, tokens per second, [n + 1].
        step_rate: SPS. earlier: the survival two steps ago, [R', gamma'], where the policy asks for it; None at first.
    """

    survival: Floats
    drafted: Ints
    order: Ints
    expected: Floats
    theta: Floats
    step_rate: StepRate
    earlier: Floats | None = None

    @property
    def requests(self) -> int:
        return len(self.survival)

    @cached_property
    def request(self) -> Ints:
        """Whose each candidate in order is, [n]."""
        return self.order % self.requests

    @cached_property
    def position(self) -> Ints:
        """Which of its request's draft tokens each candidate in order is, [n], from 1."""
        return self.order // self.requests + 1

    def first(self, count: int) -> Ints:
        """Lengths [R] with the first ``count`` candidates admitted."""
        return np.bincount(self.order[:count] % self.requests, minlength=self.requests)


class Policy(Protocol):
    """Decides how far to verify. Write another one and hand it to ``schedule``.

    Attributes:
        name: what the command line calls it. leaks: the text's distribution is not the target's under it.
        capacity_lags: it wants to know the survivals of two steps ago.
    """

    @property
    def name(self) -> str: ...
    @property
    def leaks(self) -> bool: ...
    @property
    def capacity_lags(self) -> bool: ...

    def lengths(self, pool: Pool) -> Ints:
        """How many draft tokens of each request are verified, [R], at most ``pool.drafted``."""


@dataclass(frozen=True)
class EarlyBreak:
    """Algorithm 1: admit while Theta rises, and stop at the first candidate that does not raise it."""

    name: ClassVar[str] = "early-break"
    leaks: ClassVar[bool] = False
    capacity_lags: ClassVar[bool] = False

    def lengths(self, pool: Pool) -> Ints:
        stops = pool.theta[1:] <= pool.theta[:-1]
        first = int(stops.argmax()) if len(stops) else 0
        return pool.first(first if len(stops) and stops[first] else len(stops))


@dataclass(frozen=True)
class GlobalBest:
    """The largest Theta of all. It looks past a fall at confidences that hang on the very tokens it decides about."""

    name: ClassVar[str] = "global"
    leaks: ClassVar[bool] = True
    capacity_lags: ClassVar[bool] = False

    def lengths(self, pool: Pool) -> Ints:
        return pool.first(int(pool.theta.argmax()))


@dataclass(frozen=True)
class Lagged:
    """As deployed: B is the best one for the survivals of two steps ago; today's candidates fill it in today's order.

    What is two steps old hangs on none of today's draft, so that the search may be global, as a jagged SPS needs. In the
    first two steps, with nothing to go by, it is Algorithm 1.
    """

    name: ClassVar[str] = "lagged"
    leaks: ClassVar[bool] = False
    capacity_lags: ClassVar[bool] = True

    def lengths(self, pool: Pool) -> Ints:
        if pool.earlier is None:
            return EarlyBreak().lengths(pool)
        then = make_pool(pool.earlier, pool.step_rate)
        tokens = then.requests + int(then.theta.argmax())
        return pool.first(max(0, tokens - pool.requests))


@dataclass(frozen=True)
class Fixed:
    """The same length for all, whatever the load; everything that was drafted where none is given."""

    length: int | None = None
    leaks: ClassVar[bool] = False
    capacity_lags: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.length is not None and self.length < 0:
            raise LabError(f"the fixed verify length is {self.length}, but must be 0 or more.")

    @property
    def name(self) -> str:
        return "fixed" if self.length is None else f"fixed:{self.length}"

    def lengths(self, pool: Pool) -> Ints:
        return pool.drafted if self.length is None else np.minimum(pool.drafted, self.length)


@dataclass(frozen=True)
class Threshold:
    """DeepSpec's diagnostic (Figure 5): verify up to the first token whose own confidence c_k is below ``least``."""

    least: float = 0.5
    leaks: ClassVar[bool] = False
    capacity_lags: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.least <= 1:
            raise LabError(f"the confidence threshold is {self.least}, but must be from 0 to 1.")

    @property
    def name(self) -> str:
        return f"threshold:{self.least:g}"

    def lengths(self, pool: Pool) -> Ints:
        before = np.concatenate([np.ones((pool.requests, 1)), pool.survival[:, :-1]], axis=1)
        sure = pool.survival >= self.least * before
        return np.minimum(np.logical_and.accumulate(sure, axis=1).sum(1), pool.drafted)


ALGORITHM_1 = EarlyBreak()
POLICIES = {
    "early-break": "Algorithm 1: admit while the expected tokens per second rise",
    "fixed": "all that was drafted; fixed:L at most L tokens of each request",
    "threshold": "up to the first confidence below 0.5; threshold:C below C",
    "lagged": "as deployed: capacity from the confidences of two steps ago",
    "global": "the best of all capacities; leaks: the text is no longer the target's",
}
"""What ``policy_named`` knows, and what each does."""


_ADDED: dict[str, Policy] = {}


def add_policy(policy: Policy) -> None:
    """Make a policy of one's own known by its name, so that ``Settings(policy=...)`` finds it for as long as this process
    lives. One added before under that name is replaced.

    Raises:
        LabError: the name is empty or one of ``POLICIES``.
    """
    name = policy.name
    if not name.strip() or name.partition(":")[0] in POLICIES:
        raise LabError(f"a policy cannot be called {name!r}: choose a name other than {', '.join(POLICIES)}.")
    _ADDED[name] = policy


def policy_named(name: str) -> Policy:
    """A policy from its name, such as "early-break", "fixed:4" or "threshold:0.7", or that of one added.

    Raises:
        LabError: there is none of that name, or its number is wrong.
    """
    if name in _ADDED:
        return _ADDED[name]
    kind, colon, number = name.partition(":")
    if kind in ("early-break", "lagged", "global") and not colon:
        whole: dict[str, Policy] = {p.name: p for p in (ALGORITHM_1, Lagged(), GlobalBest())}
        return whole[kind]
    try:
        if kind == "fixed":
            return Fixed(int(number) if colon else None)
        if kind == "threshold":
            return Threshold(float(number)) if colon else Threshold()
    except ValueError as error:
        raise LabError(f"the policy {name!r} ends in no number: write fixed:4 or threshold:0.7.") from error
    raise LabError(
        f"there is no policy {name!r}: choose one of {', '.join([*POLICIES, *_ADDED])} (fixed:4, threshold:0.7)."
    )


@dataclass(frozen=True)
class Plan:
    """A decision, and the whole way to it.

    Attributes:
        policy: whose. lengths: draft tokens to verify of each request, [R].
        pool: the candidates, in admission order.
    """

    policy: Policy
    lengths: Ints
    pool: Pool

    @cached_property
    def admitted(self) -> NDArray[np.bool_]:
        """Which of the candidates are verified, [n]."""
        verified: NDArray[np.bool_] = self.pool.position <= self.lengths[self.pool.request]
        return verified

    @property
    def tokens(self) -> int:
        """B: what the target computes in this step, anchors included."""
        return len(self.lengths) + int(self.lengths.sum())

    @property
    def expected(self) -> float:
        """tau: tokens that the step is expected to yield, over all requests."""
        return len(self.lengths) + float(survivals(self.pool)[self.admitted].sum())

    @property
    def theta(self) -> float:
        """Tokens per second that the step is expected to yield."""
        return self.expected * self.pool.step_rate(self.tokens)


def survivals(pool: Pool) -> Floats:
    """a of each candidate, in admission order, [n]."""
    return pool.survival[pool.request, pool.position - 1]


def schedule(
    survival: ArrayLike, step_rate: StepRate, policy: Policy = ALGORITHM_1, *,
    drafted: ArrayLike | None = None, earlier: ArrayLike | None = None,
) -> Plan:  # fmt: skip
    """Decide how far to verify each request's draft.

    Args:
        survival: a_{r,j} [R, gamma], falling along j.
        step_rate: SPS(B), known up to R + R * gamma.
        drafted: how many tokens each request has drafted, [R], where that is fewer than gamma.
        earlier: the survivals of two steps ago, for policies whose ``capacity_lags``.

    Raises:
        LabError: there is no request; a survival is no probability or rises; SPS is not known far enough.
    """
    pool = make_pool(survival, step_rate, drafted, earlier)
    lengths = policy.lengths(pool)
    return Plan(policy, lengths, pool)


def make_pool(
    survival: ArrayLike, step_rate: StepRate, drafted: ArrayLike | None = None, earlier: ArrayLike | None = None
) -> Pool:
    """The candidates in admission order. Arguments and errors are those of ``schedule``."""
    a = _checked(survival)
    requests, gamma = a.shape
    flat = np.empty(a.size)  # position by position, which is the order of equals
    np.abs(a.T, out=flat.reshape(gamma, requests))  # the bits of a negative zero are those of a large number
    if drafted is None:
        there, counts = None, np.full(requests, gamma)
    else:
        counts = np.asarray(drafted, dtype=np.int64)
        if counts.shape != (requests,) or counts.min() < 0 or counts.max() > gamma:
            raise LabError(f"drafted is {drafted!r}, but must be {requests} numbers from 0 to {gamma}.")
        there = np.flatnonzero((np.arange(gamma)[:, None] < counts).ravel())
        flat = flat[there]
    order = _falling(flat)
    expected = np.empty(len(order) + 1)
    expected[0] = requests
    np.take(flat, order, out=expected[1:], mode="clip")
    np.cumsum(expected, out=expected)
    if there is not None:
        order = there[order]
    theta = expected * step_rate.between(requests, requests + len(order))
    return Pool(a, counts, order, expected, theta, step_rate, _optional(earlier))


def _falling(values: Floats) -> Ints:
    """The order in which ``values`` in [0, 1] fall, earlier ones first among equals.

    A sort of whole numbers, several times faster than one that carries indices along: the bits of a float that is not
    negative rise with it, and its last bits, worth less than 1e-9 of it, make room for the index.
    """
    room = np.uint64(len(values).bit_length())
    keys = ~values.view(np.uint64)
    keys >>= room  # in place: memory that is touched first costs more than the arithmetic
    keys <<= room
    keys |= np.arange(len(values), dtype=np.uint64)
    keys.sort()
    keys &= (np.uint64(1) << room) - np.uint64(1)
    return keys.view(np.int64)


def _optional(survival: ArrayLike | None) -> Floats | None:
    return None if survival is None else _checked(survival)


def _checked(survival: ArrayLike) -> Floats:
    a = np.asarray(survival, dtype=np.float64)
    if a.ndim != 2 or not len(a):
        raise LabError(
            f"survival has the shape {list(a.shape)}, but must be [requests, draft tokens] with 1 request at least."
        )
    if not a.size or ((a[:, 1:] <= a[:, :-1]).all() and (a[:, 0] <= 1).all() and (a[:, -1] >= 0).all()):
        return a
    if not (a.min() >= 0 and a.max() <= 1):  # false for NaN too
        r, j = np.argwhere(~((a >= 0) & (a <= 1)))[0]
        raise LabError(f"the survival of request {r}'s token {j + 1} is {a[r, j]}, but must be from 0 to 1.")
    r, j = np.argwhere(a[:, 1:] > a[:, :-1])[0]
    raise LabError(
        f"the survival of request {r} rises from {a[r, j]} to {a[r, j + 1]} at token {j + 2}, but a token cannot "
        f"survive more often than the one before: hand in products of confidences."
    )
