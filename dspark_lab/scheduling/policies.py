"""How many candidates to admit: Algorithm 1 of arXiv 2607.05147, its variants, and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.pool import Pool, make_pool

Ints = NDArray[np.int64]


MOST_LENGTH = 1 << 16


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
        tokens = then.requests + then.best()
        return pool.first(max(0, tokens - pool.requests))


@dataclass(frozen=True)
class Fixed:
    """The same length for all, whatever the load; everything that was drafted where none is given."""

    length: int | None = None
    leaks: ClassVar[bool] = False
    capacity_lags: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.length is not None and not (
            isinstance(self.length, (int, np.integer)) and 0 <= self.length < MOST_LENGTH
        ):
            raise LabError(
                f"the fixed verify length is {self.length!r}, but must be a whole number from 0 to {MOST_LENGTH - 1:,}."
            )

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
        if not (isinstance(self.least, (int, float)) and 0 <= self.least <= 1):
            raise LabError(f"the confidence threshold is {self.least!r}, but must be a number from 0 to 1.")

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
    if not isinstance(name, str):
        raise LabError(f"the policy is {name!r}, but must be a name, such as early-break or fixed:4.")
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
    except LabError:
        raise
    except ValueError as error:
        raise LabError(f"the policy {name!r} ends in no number: write fixed:4 or threshold:0.7.") from error
    raise LabError(
        f"there is no policy {name!r}: choose one of {', '.join([*POLICIES, *_ADDED])} (fixed:4, threshold:0.7)."
    )


def length_without_confidence(policy: Policy) -> int | None:
    """How far to verify what a drafter without a confidence head has drafted; None is all of it.

    Raises:
        LabError: the policy weighs confidences, as all do but ``Fixed``.
    """
    if isinstance(policy, Fixed):
        return policy.length
    raise LabError(
        f"policy is {policy.name!r}, but this drafter has no confidence head to schedule by: set policy='fixed', or take a "
        f"DSpark that was trained with one."
    )
