"""The candidates of a step of the target, in the order in which they are admitted (arXiv 2607.05147, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.step_rate import StepRate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """All candidates of a step; and, worked out when first asked for, the order in which they are admitted, and what admitting
    the first 0, 1, ..., n of them would come to.

    Attributes:
        columns: the survivals a, position by position, [gamma, R]; drafted: how many of each request's there are, [R];
            candidates: n, all of these.
        step_rate: SPS, known up to R + n. earlier: the survival two steps ago, [R', gamma'], where the policy asks for it; None
            at first.
    """

    columns: Floats
    drafted: Ints
    candidates: int
    step_rate: StepRate
    earlier: Floats | None = None

    @property
    def survival(self) -> Floats:
        """As it was given, [R, gamma]."""
        return self.columns.T

    @property
    def requests(self) -> int:
        return self.columns.shape[1]

    @property
    def order(self) -> Ints:
        """The candidates' numbers, those of position 1 of all requests first, [n]."""
        return self._admission[0]

    @property
    def expected(self) -> Floats:
        """tau after each admission, [n + 1]."""
        return self._admission[1]

    @cached_property
    def theta(self) -> Floats:
        """Theta after each admission, tokens per second, [n + 1]."""
        return self.expected * self.step_rate.between(self.requests, self.requests + self.candidates)

    @cached_property
    def request(self) -> Ints:
        """Whose each candidate in order is, [n]."""
        return self.order % self.requests

    @cached_property
    def position(self) -> Ints:
        """Which of its request's draft tokens each candidate in order is, [n], from 1."""
        return self.order // self.requests + 1

    @cached_property
    def _flat(self) -> tuple[Floats, Ints | None]:
        """Survivals of the candidates, position by position, which is the order of equals, [n]; and the numbers of those that
        are there, where not all are."""
        flat = np.abs(self.columns).ravel()  # a negative zero's bits are those of a large number
        if self.candidates == flat.size:
            return flat, None
        there = np.flatnonzero((np.arange(len(self.columns))[:, None] < self.drafted).ravel())
        return flat[there], there

    @cached_property
    def _admission(self) -> tuple[Ints, Floats]:
        (flat, there), requests = self._flat, self.requests
        order = _falling(flat)
        expected = np.empty(len(order) + 1)
        expected[0] = requests
        np.take(flat, order, out=expected[1:], mode="clip")
        np.cumsum(expected, out=expected)
        return order if there is None else there[order], expected

    def first(self, count: int) -> Ints:
        """Lengths [R] with the first ``count`` candidates admitted."""
        return np.bincount(self.order[:count] % self.requests, minlength=self.requests)

    def best(self) -> int:
        """How many admissions come to the largest Theta; which candidates they are is not asked, and need not be known."""
        rising = np.sort(self._flat[0])
        tau = np.empty(len(rising) + 1)
        tau[0], tau[1:] = self.requests, rising[::-1]
        np.cumsum(tau, out=tau)
        return int((tau * self.step_rate.between(self.requests, self.requests + self.candidates)).argmax())


def survivals(pool: Pool) -> Floats:
    """a of each candidate, in admission order, [n]."""
    return pool.survival[pool.request, pool.position - 1]


def make_pool(
    survival: ArrayLike, step_rate: StepRate, drafted: ArrayLike | None = None, earlier: ArrayLike | None = None
) -> Pool:
    """The candidates of a step. Arguments and errors are those of ``schedule``."""
    a = _checked(survival)
    gamma, requests = a.shape
    if drafted is None:
        counts, candidates = np.full(requests, gamma), a.size
    else:
        counts = np.asarray(drafted, dtype=np.int64)
        if counts.shape != (requests,) or counts.min() < 0 or counts.max() > gamma:
            raise LabError(f"drafted is {drafted!r}, but must be {requests} numbers from 0 to {gamma}.")
        candidates = int(counts.sum())
    step_rate.between(requests, requests + candidates)  # an error of its own where it is not known so far
    return Pool(a, counts, candidates, step_rate, None if earlier is None else _checked(earlier).T)


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


def _checked(survival: ArrayLike) -> Floats:
    """Survivals [R, gamma] as [gamma, R], one after the other in memory. Raises LabError where they are none."""
    a = np.asarray(survival, dtype=np.float64)
    if a.ndim != 2 or not len(a):
        raise LabError(
            f"survival has the shape {list(a.shape)}, but must be [requests, draft tokens] with 1 request at least."
        )
    columns = np.ascontiguousarray(a.T)
    if not a.size or ((columns[1:] <= columns[:-1]).all() and (columns[0] <= 1).all() and (columns[-1] >= 0).all()):
        return columns
    if not (a.min() >= 0 and a.max() <= 1):  # false for NaN too
        r, j = np.argwhere(~((a >= 0) & (a <= 1)))[0]
        raise LabError(f"the survival of request {r}'s token {j + 1} is {a[r, j]}, but must be from 0 to 1.")
    r, j = np.argwhere(a[:, 1:] > a[:, :-1])[0]
    raise LabError(
        f"the survival of request {r} rises from {a[r, j]} to {a[r, j + 1]} at token {j + 2}, but a token cannot "
        f"survive more often than the one before: hand in products of confidences."
    )
