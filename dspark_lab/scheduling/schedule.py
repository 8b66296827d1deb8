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

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.policies import ALGORITHM_1, Policy
from dspark_lab.scheduling.pool import Pool, make_pool, survivals
from dspark_lab.scheduling.step_rate import StepRate

Ints = NDArray[np.int64]


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
        LabError: there is no request; a survival is no probability or rises; SPS is not known far enough; the policy gave
            no lengths that could be verified.
    """
    if isinstance(policy, str):
        raise LabError(
            f"the policy is {policy!r}, but must be a Policy: policy_named({policy!r}) gives the one of that name."
        )
    pool = make_pool(survival, step_rate, drafted, earlier)
    return Plan(policy, _checked(policy, pool), pool)


def _checked(policy: Policy, pool: Pool) -> Ints:
    """What the policy says. Raises LabError where that cannot be verified."""
    lengths = np.asarray(policy.lengths(pool))
    if lengths.shape != pool.drafted.shape or lengths.dtype.kind not in "iu":
        raise LabError(
            f"the policy {policy.name!r} gave {lengths.dtype} lengths of the shape {list(lengths.shape)}, but there must be a "
            f"whole number for each of {pool.requests} requests."
        )
    if (lengths > pool.drafted).any() or (lengths < 0).any():
        r = int(np.flatnonzero((lengths > pool.drafted) | (lengths < 0))[0])
        raise LabError(
            f"the policy {policy.name!r} gave request {r} the length {lengths[r]}, but it has {pool.drafted[r]} draft tokens: "
            f"a length must be from 0 to that."
        )
    return lengths.astype(np.int64, copy=False)
