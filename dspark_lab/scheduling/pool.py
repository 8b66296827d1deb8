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

LAST = np.uint64(2**64 - 1)
"""The key of what is no candidate: after all that are."""


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
    def _values(self) -> Floats:
        """Survivals position by position, which is the order of equals, [gamma * R]."""
        return np.abs(self.columns).ravel()  # a negative zero's bits are those of a large number

    @cached_property
    def _there(self) -> NDArray[np.bool_] | None:
        """Which of the values are candidates' [gamma * R], where not all are."""
        if self.candidates == self.columns.size:
            return None
        return (np.arange(len(self.columns))[:, None] < self.drafted).ravel()

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        """Whole numbers that rise in the order of admission, each with its candidate's place in it, [gamma * R].

        They sort several times faster than floats that carry their places along: the bits of a float that is not negative
        rise with it, and its last bits, worth less than 1e-9 of it, make room for the place.
        """
        keys = ~self._values.view(np.uint64)
        room = self._room
        keys >>= room  # in place: memory that is touched first costs more than the arithmetic
        keys <<= room
        keys |= np.arange(keys.size, dtype=np.uint64)
        if self._there is not None:
            keys[~self._there] = LAST
        return keys

    @property
    def _room(self) -> np.uint64:
        return np.uint64(self.columns.size.bit_length())

    @cached_property
    def _admission(self) -> tuple[Ints, Floats]:
        keys = np.sort(self._keys)[: self.candidates]
        keys &= (np.uint64(1) << self._room) - np.uint64(1)
        order = keys.view(np.int64)
        expected = np.empty(len(order) + 1)
        expected[0] = self.requests
        np.take(self._values, order, out=expected[1:], mode="clip")
        np.cumsum(expected, out=expected)
        return order, expected

    def first(self, count: int) -> Ints:
        """Lengths [R] with the first ``count`` candidates admitted. Which these are is told without sorting them."""
        if not 0 < count < self.candidates:
            return np.array(self.drafted) if count > 0 else np.zeros(self.requests, dtype=np.int64)
        if "_admission" in self.__dict__:
            last = self._keys[self.order[count - 1]]
        else:
            last = np.partition(self._keys, count - 1)[count - 1]
        lengths: Ints = (self._keys <= last).reshape(self.columns.shape).sum(0)
        return lengths

    def best(self) -> int:
        """How many admissions come to the largest Theta; which candidates they are is not asked, and need not be known."""
        rising = np.sort(self._values if self._there is None else self._values[self._there])
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
    if not isinstance(step_rate, StepRate):
        raise LabError(
            f"the step rate is {step_rate!r}, but must be a StepRate: StepRate.each([...]), or step_rate_named(NAME)."
        )
    a = _checked(survival)
    gamma, requests = a.shape
    if drafted is None:
        counts, candidates = np.full(requests, gamma), a.size
    else:
        given = np.asarray(drafted)
        if given.dtype.kind not in "iu" or given.shape != (requests,) or given.min() < 0 or given.max() > gamma:
            raise LabError(f"drafted is {drafted!r}, but must be {requests} whole numbers from 0 to {gamma}.")
        counts = given.astype(np.int64, copy=False)
        candidates = int(counts.sum())
    step_rate.between(requests, requests + candidates)  # an error of its own where it is not known so far
    return Pool(a, counts, candidates, step_rate, None if earlier is None else _checked(earlier).T)


def _checked(survival: ArrayLike) -> Floats:
    """Survivals [R, gamma] as [gamma, R], one after the other in memory. Raises LabError where they are none."""
    try:
        a = np.asarray(survival, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise LabError(
            f"survival is no table of numbers ({error}): give each request a row of probabilities, all equally long, and say "
            f"with drafted where a draft is shorter."
        ) from error
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
