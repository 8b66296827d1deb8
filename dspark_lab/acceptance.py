"""Speculative sampling: accept, residual, bonus. Pure; no models.

p_t is the target's distribution, p_d the one the draft token was really drawn from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import Tensor

from dspark_kernels import inverse_cdf, residual
from dspark_lab.trace import BONUS, NONE, RESIDUAL


@dataclass(frozen=True)
class Verdict:
    """Outcome of a verification.

    Attributes:
        accepted: number of draft tokens kept, an end-of-sequence token among them included.
        kind: residual, bonus or none (the kept prefix ends the sequence).
        token, cdf: the final token and its CDF interval; None with kind none.
        distribution: what the final token was drawn from [V]; None with kind none.
    """

    accepted: int
    kind: str
    token: int | None
    cdf: tuple[float, float] | None
    distribution: Tensor | None


def accepts(u: float, p_t: float, p_d: float) -> bool:
    """True with probability min(1, p_t / p_d) over a uniform u in [0, 1); never for p_t = 0."""
    return u * p_d < p_t


def verify(
    tokens: Sequence[int],
    p_d: Tensor,
    p_t: Tensor,
    u_accept: Sequence[float],
    u_final: float,
    stop: Collection[int] = (),
) -> Verdict:
    """Decide a verified prefix of draft tokens, left to right.

    Args:
        tokens: the l draft tokens that the target verified.
        p_d: [l, V] the distributions they were drawn from (longer is fine).
        p_t: [l + 1, V] the target's distributions at the same places and at the one after.
        u_accept: l uniforms; u_final: the uniform of the residual or bonus draw.
        stop: end-of-sequence tokens; a round that accepts one ends there without a bonus.
    """
    if tokens:
        index = p_d.new_tensor(tokens).long()[:, None]
        target = p_t[: len(tokens)].gather(1, index).flatten().tolist()
        draft = p_d[: len(tokens)].gather(1, index).flatten().tolist()
    for k, token in enumerate(tokens):
        if not accepts(u_accept[k], target[k], draft[k]):
            return final_verdict(k, RESIDUAL, residual(p_t[k], p_d[k]), u_final)
        if token in stop:
            return Verdict(k + 1, NONE, None, None, None)
    return final_verdict(len(tokens), BONUS, p_t[len(tokens)], u_final)


def final_verdict(accepted: int, kind: str, distribution: Tensor, u: float) -> Verdict:
    """The verdict of a round whose last token is drawn from ``distribution`` [V] with the uniform ``u``."""
    token, low, high = inverse_cdf(distribution, u)
    return Verdict(accepted, kind, token, (low, high), distribution)
