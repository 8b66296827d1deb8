"""Why Algorithm 1 stops at the first fall: Appendix A of arXiv 2607.05147, by enumeration and by simulation.

One request drafts two tokens over a small vocabulary. x_1 is drawn from p_d; c_1 is known before that draw, but c_2 hangs on
what x_1 turned out to be. A search that looks at c_2 to decide whether x_1 is verified at all verifies some x_1 and spares
others, and the first token of the output is no longer distributed as p_t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.policies import ALGORITHM_1, Policy
from dspark_lab.scheduling.schedule import Plan, schedule
from dspark_lab.scheduling.step_rate import StepRate


@dataclass(frozen=True)
class Example:
    """A round of one request and two draft tokens. Probabilities are exact: fractions of whole numbers.

    Attributes:
        p_t, p_d: the target's and the drafter's distribution of the first token, [V] each.
        c_1: the confidence at the first token. c_2: that at the second, by what the first is, [V].
        step_rate: SPS, known up to 3 tokens.

    Raises:
        LabError: the lengths differ, or a distribution does not sum to 1.
    """

    p_t: tuple[Fraction, ...]
    p_d: tuple[Fraction, ...]
    c_1: Fraction
    c_2: tuple[Fraction, ...]
    step_rate: StepRate

    def __post_init__(self) -> None:
        if not len(self.p_t) == len(self.p_d) == len(self.c_2):
            raise LabError(
                f"p_t, p_d and c_2 have {len(self.p_t)}, {len(self.p_d)} and {len(self.c_2)} entries, but must have one "
                f"for each token of the vocabulary."
            )
        for name, p in (("p_t", self.p_t), ("p_d", self.p_d)):
            if sum(p) != 1 or min(p) < 0:
                raise LabError(f"{name} is {', '.join(map(str, p))}, but must be probabilities that sum to 1 exactly.")


APPENDIX_A = Example(
    p_t=(Fraction(7, 10), Fraction(3, 10)),
    p_d=(Fraction(1, 2), Fraction(1, 2)),
    c_1=Fraction(4, 5),
    c_2=(Fraction(9, 10), Fraction(1, 10)),
    step_rate=StepRate.each([1.0, 0.5, 0.45], title="Appendix A"),
)
"""The paper's numbers. c_1 is what eq. 8 makes of p_t and p_d; of c_2 it matters only that one is high, the other low."""


@dataclass(frozen=True)
class Branch:
    """What follows from one draw of x_1.

    Attributes:
        token: x_1. weight: p_d(x_1). plan: what the policy decided, knowing c_1 and c_2(x_1).
        accepted: the chance that x_1 becomes the first token by being accepted; 0 where it is not verified.
        output: the distribution of the first token in this branch, [V].
    """

    token: int
    weight: Fraction
    plan: Plan
    accepted: Fraction
    output: tuple[Fraction, ...]

    @property
    def verified(self) -> int:
        """Draft tokens verified."""
        return int(self.plan.lengths[0])


def branches(
    policy: Policy = ALGORITHM_1, case: Example = APPENDIX_A, earlier: ArrayLike | None = None
) -> list[Branch]:
    """Every draw of x_1 that p_d allows, each decided by ``schedule`` itself.

    Args:
        policy: whose decisions. case: the numbers.
        earlier: survivals of two steps ago [1, 2], for a policy whose ``capacity_lags``.
    """
    rest = residual(case.p_t, case.p_d)
    found = []
    for x, weight in enumerate(case.p_d):
        if not weight:
            continue
        c_1, c_2 = float(case.c_1), float(case.c_2[x])
        plan = schedule([[c_1, c_1 * c_2]], case.step_rate, policy, earlier=earlier)
        if plan.lengths[0]:
            accepted = min(Fraction(1), case.p_t[x] / weight)
            output = tuple(accepted * (v == x) + (1 - accepted) * r for v, r in enumerate(rest))
        else:  # the target draws the first token itself
            accepted, output = Fraction(0), case.p_t
        found.append(Branch(x, weight, plan, accepted, output))
    return found


def first_token(
    policy: Policy = ALGORITHM_1, case: Example = APPENDIX_A, earlier: ArrayLike | None = None
) -> tuple[Fraction, ...]:
    """The exact distribution [V] of the first token of the output; p_t if the policy is lossless."""
    found = branches(policy, case, earlier)
    return tuple(sum((b.weight * b.output[v] for b in found), Fraction(0)) for v in range(len(case.p_t)))


def residual(p_t: Sequence[Fraction], p_d: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """norm(max(0, p_t - p_d)), exactly; p_t where they are equal and nothing is ever rejected."""
    rest = [max(Fraction(0), t - d) for t, d in zip(p_t, p_d, strict=True)]
    total = sum(rest)
    return tuple(r / total for r in rest) if total else tuple(p_t)


def simulate(policy: Policy, rounds: int, seed: int = 0, case: Example = APPENDIX_A) -> NDArray[np.int64]:
    """How often each token came first in so many rounds [V]: drawn, scheduled, verified and resampled one after another.

    Raises:
        LabError: fewer than one round.
    """
    if rounds < 1:
        raise LabError(f"{rounds} rounds cannot be simulated: ask for 1 at least.")
    known = {b.token: b for b in branches(policy, case)}
    random = np.random.default_rng(seed)
    tokens = np.arange(len(case.p_t))
    p_t, rest = (np.array(p, float) for p in (case.p_t, residual(case.p_t, case.p_d)))
    counts = np.zeros(len(tokens), np.int64)
    for x in random.choice(tokens, rounds, p=np.array(case.p_d, float)):
        branch = known[int(x)]
        if not branch.verified:
            first = random.choice(tokens, p=p_t)
        elif random.random() < branch.accepted:
            first = x
        else:
            first = random.choice(tokens, p=rest)
        counts[first] += 1
    return counts
