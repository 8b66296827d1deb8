"""Speculative sampling: accept, residual, bonus. Pure; no models.

p_t is the target's distribution, p_d the one the draft token was really drawn from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dspark_kernels import inverse_cdf, inverse_cdf_each, residual
from dspark_lab.rounds import BONUS, NONE, RESIDUAL


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


def verify_each(
    tokens: NDArray[np.int64],
    lengths: NDArray[np.int64],
    p_d: Tensor | None,
    p_t: Tensor,
    u_accept: NDArray[np.float64],
    u_final: NDArray[np.float64],
    stop: Collection[int] = (),
) -> tuple[NDArray[np.int64], list[int | None]]:
    """``verify`` for R requests at once.

    Args:
        tokens: [R, gamma] draft tokens, of which the first ``lengths[r]`` were verified.
        p_d: [R, gamma, V] the distributions they were drawn from; None where none was verified.
        p_t: [sum(1 + lengths), V] the target's distributions, request after request.
        u_accept: [R, gamma] uniforms; u_final: [R].
        stop: end-of-sequence tokens.

    Returns:
        of each request how many draft tokens were accepted, [R], and the final token, None where the kept prefix ends the
        sequence.
    """
    requests, gamma = tokens.shape
    starts = np.cumsum(1 + lengths) - (1 + lengths)
    accepted = np.zeros(requests, dtype=np.int64)
    ended = np.zeros(requests, dtype=bool)
    if p_d is not None:
        r, k = np.nonzero(np.arange(gamma) < lengths[:, None])
        drawn = tokens[r, k]
        at, place, token = (torch.from_numpy(values).to(p_t.device) for values in (starts[r] + k, k, drawn))
        target = p_t[at, token].numpy(force=True)
        draft = p_d[torch.from_numpy(r).to(p_t.device), place, token].numpy(force=True)
        kept = np.zeros((requests, gamma), dtype=bool)
        kept[r, k] = u_accept[r, k] * draft < target  # as ``accepts``
        accepted = np.logical_and.accumulate(kept, axis=1).sum(1)
        ends = np.isin(tokens, list(stop)) & (np.arange(gamma) < accepted[:, None])
        ended = ends.any(1)
        accepted = np.where(ended, ends.argmax(1) + 1, accepted)
    rejected = ~ended & (accepted < lengths)
    final = p_t[torch.from_numpy(starts + np.where(ended, 0, accepted)).to(p_t.device)]  # [R, V]
    if rejected.any():
        assert p_d is not None
        rows = np.flatnonzero(rejected)
        at, place = (torch.from_numpy(values).to(p_t.device) for values in (rows, accepted[rows]))
        final[at] = residual(final[at], p_d[at, place])
    last = inverse_cdf_each(final, torch.from_numpy(u_final)).tolist()
    return accepted, [None if end else token for end, token in zip(ended, last, strict=True)]
