"""Plain torch: the meaning of every kernel."""

from __future__ import annotations

import torch
from torch import Tensor


def softmax_filtered(logits: Tensor, temperature: float, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """Probabilities [..., V] in float64 of ``logits`` [..., V] after temperature, then top-k, then top-p.

    Temperature 0 gives the one-hot of the first largest logit. Ties at the k-th place keep the lower token ids, so that
    exactly k tokens stay. top-p keeps the most probable tokens until their sum reaches ``top_p``, at least one.
    """
    if temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(torch.float64)
    scaled = logits.to(torch.float64)
    if temperature != 1:
        # Subtract the maximum first: a tiny temperature must sharpen, not overflow.
        scaled = (scaled - scaled.amax(-1, keepdim=True)) / temperature
    if top_k and top_k < logits.shape[-1]:
        order = scaled.argsort(dim=-1, descending=True, stable=True)
        scaled = scaled.scatter(-1, order[..., top_k:], -torch.inf)
    probabilities = scaled.softmax(-1)
    if top_p < 1:
        order = probabilities.argsort(dim=-1, descending=True, stable=True)
        ranked = probabilities.gather(-1, order)
        dropped = ranked.cumsum(-1) - ranked >= top_p
        probabilities = probabilities.masked_fill(dropped.scatter(-1, order, dropped), 0)
        probabilities = probabilities / probabilities.sum(-1, keepdim=True)
    return probabilities


def softmax_filtered_each(logits: Tensor, temperature: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    """``softmax_filtered`` of every row of ``logits`` [N, V] with its own temperature, top_k and top_p, [N] each.

    The settings are best held on the CPU: which steps are needed at all is read from them.
    """
    vocabulary = logits.shape[-1]
    scaled = logits.to(torch.float64)
    sampled = temperature > 0
    if bool((sampled & (temperature != 1)).any()):
        divisor = torch.where(sampled, temperature, 1.0).to(scaled)[:, None]
        scaled = (scaled - scaled.amax(-1, keepdim=True)) / divisor
    cut = (top_k > 0) & (top_k < vocabulary)
    if bool(cut.any()):
        kept = torch.where(cut, top_k, vocabulary).to(scaled.device)[:, None]
        order = scaled.argsort(dim=-1, descending=True, stable=True)
        dropped = torch.arange(vocabulary, device=scaled.device) >= kept
        scaled = scaled.masked_fill(torch.zeros_like(dropped).scatter(-1, order, dropped), -torch.inf)
    probabilities = scaled.softmax(-1)
    nucleus = top_p < 1
    if bool(nucleus.any()):
        order = probabilities.argsort(dim=-1, descending=True, stable=True)
        ranked = probabilities.gather(-1, order)
        dropped = ranked.cumsum(-1) - ranked >= torch.where(nucleus, top_p, torch.inf).to(ranked)[:, None]
        filtered = probabilities.masked_fill(dropped.scatter(-1, order, dropped), 0)
        filtered = filtered / filtered.sum(-1, keepdim=True)
        probabilities = torch.where(nucleus.to(filtered.device)[:, None], filtered, probabilities)
    if not bool(sampled.all()):
        greedy = torch.nn.functional.one_hot(logits.argmax(-1), vocabulary).to(torch.float64)
        probabilities = torch.where(sampled.to(greedy.device)[:, None], probabilities, greedy)
    return probabilities


def inverse_cdf(probabilities: Tensor, uniform: float) -> tuple[int, float, float]:
    """The token v whose CDF interval [low, high) holds ``uniform`` in [0, 1), and that interval.

    ``probabilities`` [V]. A token of probability 0 is never drawn, whatever the rounding.
    """
    cdf = probabilities.cumsum(-1).numpy(force=True)
    token = int(cdf.searchsorted(uniform * cdf[-1], side="right"))
    if token >= len(cdf):  # uniform so near 1 that its product with the sum rounded up to the sum
        token = int(probabilities.nonzero()[-1])
    return token, float(cdf[token - 1]) if token else 0.0, float(cdf[token])


def inverse_cdf_each(probabilities: Tensor, uniforms: Tensor) -> Tensor:
    """The token that ``inverse_cdf`` draws from every row of ``probabilities`` [N, V] with its uniform, [N] each."""
    cdf = probabilities.cumsum(-1)
    tokens = torch.searchsorted(cdf, uniforms.to(cdf)[:, None] * cdf[:, -1:], right=True)[:, 0]
    beyond = tokens >= cdf.shape[-1]
    if bool(beyond.any()):
        last = cdf.shape[-1] - 1 - (probabilities > 0).flip(-1).int().argmax(-1)
        tokens = torch.where(beyond, last, tokens)
    return tokens


def residual(p_t: Tensor, p_d: Tensor) -> Tensor:
    """norm(max(0, p_t - p_d)) along the last dimension: what a rejected position is drawn from.

    Where the two are equal nothing is left over, and nothing is ever rejected but by rounding: p_t is returned.
    """
    left = (p_t - p_d).clamp(min=0)
    mass = left.sum(-1, keepdim=True)
    return torch.where(mass > 0, left / mass.clamp(min=torch.finfo(left.dtype).tiny), p_t)


def overlap(p_t: Tensor, p_d: Tensor) -> Tensor:
    """sum_v min(p_t, p_d) = 1 - 0.5 * ||p_t - p_d||_1: a position's acceptance probability (eq. 8)."""
    return torch.minimum(p_t, p_d).sum(-1)
