"""The losses of DSpark training (arXiv 2607.05147, eq. 9-12), and one that maximises the accepted length itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.errors import LabError

TOGETHER = 2**24
"""Logits compared at a time, which bounds the memory that it takes."""

TERMS = "ce", "tv", "conf", "accept", "kl"
"""What a loss may consist of."""


@dataclass(frozen=True)
class LossWeights:
    """L = ce * L_ce + tv * L_tv + conf * L_conf + accept * L_accept + kl * L_kl.

    L_ce, L_tv, L_conf and L_kl weigh position k by exp(-(k-1)/decay); L_accept is minus the expected accepted length,
    which has weights of its own: a position counts as much as the ones before it survive. L_kl = KL(p_t || p_d) is the
    cross entropy against all that the target could have said, less the target's own entropy: in the mean it has the
    gradient of L_ce, which knows the one token that was drawn, without the noise of the draw. The defaults are the paper's
    recipe; DeepSpec's DFlash baseline is ce=1, tv=0, conf=0.

    Raises:
        LabError: a weight is negative or not finite, all are 0, or the decay is not above 0 (infinity: no decay).
    """

    ce: float = 0.1
    tv: float = 0.9
    conf: float = 1.0
    accept: float = 0.0
    decay: float = 4.0
    kl: float = 0.0

    def __post_init__(self) -> None:
        for name in TERMS:
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise LabError(
                    f"the loss weight {name} is {value}, but must be 0 or a number above: 0 switches it off."
                )
        if not self.decay > 0:
            raise LabError(f"the loss's decay is {self.decay}, but must be above 0: inf weighs all positions alike.")
        if not any(getattr(self, name) for name in TERMS):
            raise LabError("all weights of the loss are 0, so nothing would be trained: write ce=1, for example.")

    @classmethod
    def parse(cls, text: str) -> LossWeights:
        """Weights written as ``ce=0.1,tv=0.9,conf=1``; a term left out is off, the decay stays as it is.

        Raises:
            LabError: a term is unknown, given twice, or its value is no such number.
        """
        values = dict.fromkeys(TERMS, 0.0)
        known, seen = [f.name for f in fields(cls)], set()
        for part in text.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if name not in known or not equals or name in seen:
                reason = "is given twice" if name in seen else "is no weight of a loss"
                raise LabError(
                    f"the loss {text!r}: {part.strip()!r} {reason}; write ce=0.1,tv=0.9 with {', '.join(known)}."
                )
            seen.add(name)
            try:
                values[name] = float(value)
            except ValueError:
                raise LabError(f"the loss {text!r}: {name} is {value!r}, but must be a number, as in ce=0.1.") from None
        return cls(**values)


def draft_losses(
    draft_logits: Tensor,
    confidence_logits: Tensor | None,
    target_logits: Tensor,
    labels: Tensor,
    valid: Tensor,
    w: LossWeights,
) -> dict[str, Tensor]:
    """Losses over draft blocks.

    Args:
        draft_logits, target_logits: [N, gamma, V]; row k predicts x_k given the true x_1..x_{k-1}.
        confidence_logits: [N, gamma] logits of c_k, or None.
        labels: [N, gamma] the true x_k; valid: [N, gamma] bool, False past the end of the answer.

    Returns:
        "loss", its parts "ce", "tv" (L1 distance), "conf", "accept" (-tau) and, where it is asked for, "kl", and "tau":
        1 + mean_N sum_k prod_{j<=k} alpha_j with alpha = sum min(p_d, p_t) = 1 - 0.5 * ||p_d - p_t||_1 (eq. 8), an estimate
        along true prefixes; "alpha" [gamma], its mean per position; "blocks", how many of the N count.
    """
    confidence = None if confidence_logits is None else confidence_logits[valid]
    p_t, labels = target_logits[valid].float().softmax(-1), labels[valid]
    index = torch.arange(len(labels), device=valid.device)
    return losses_of_rows(draft_logits[valid], confidence, p_t, index, labels, valid, w)


def losses_of_rows(
    draft_logits: Tensor,
    confidence_logits: Tensor | None,
    p_t: Tensor,
    index: Tensor,
    labels: Tensor,
    valid: Tensor,
    w: LossWeights,
) -> dict[str, Tensor]:
    """``draft_losses`` where only the M valid rows, in the order of ``valid``, have been computed: draft logits [M, V],
    confidence logits and labels [M]. The target's probabilities of row m are ``p_t[index[m]]``: blocks overlap, and each
    distribution [U, V] is held once."""
    positions = torch.arange(valid.shape[1], device=valid.device)
    weight = torch.exp(-positions / w.decay) * valid
    weight = weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)  # a batch may hold no answer at all
    weight = weight[valid]
    cross_entropy, overlap, divergence = _Compare.apply(draft_logits.float(), p_t, index, labels, w.kl > 0)
    ce, tv = (cross_entropy * weight).sum(), 2 * ((1 - overlap) * weight).sum()
    conf = torch.zeros((), device=valid.device)
    if confidence_logits is not None:
        label = overlap.detach().clamp(0, 1)
        conf = (F.binary_cross_entropy_with_logits(confidence_logits.float(), label, reduction="none") * weight).sum()
    accepted = torch.zeros(valid.shape, device=valid.device).masked_scatter(valid, overlap)  # [N, gamma]
    tau = 1 + accepted.cumprod(-1).sum(-1).mean()
    alpha = accepted.detach().sum(0) / valid.sum(0).clamp(min=1)
    parts = {"ce": ce, "tv": tv, "conf": conf, "accept": -tau}
    if w.kl:
        parts["kl"] = (divergence * weight).sum()
    loss = sum(getattr(w, name) * part for name, part in parts.items() if getattr(w, name))
    return {"loss": loss, **parts, "tau": tau.detach(), "alpha": alpha, "blocks": valid.any(-1).sum()}


class _Compare(torch.autograd.Function):
    """(logits [M, V], p_t [U, V], index [M], labels [M], whether KL is wanted) -> cross entropy [M], sum_v min(p_d, p_t[index])
    [M] and KL(p_t[index] || p_d) [M], 0 where it is not wanted.

    The logits are by far the largest tensors of a training step: one softmax serves all. With m = [p_d < p_t]:
    d overlap / d logits = p_d * (m - sum(m * p_d)), d CE / d logits = p_d - onehot(label), d KL / d logits = p_d - p_t.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, p_t: Tensor, index: Tensor, labels: Tensor, with_kl: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        p_d, below = torch.empty_like(logits), torch.empty_like(logits, dtype=torch.bool)
        entropy, overlap, divergence = (logits.new_zeros(len(logits)) for _ in range(3))
        negative = None  # [U] sum p_t log p_t
        if with_kl:
            negative = torch.cat([-torch.special.entr(p_t[part]).sum(-1) for part in _parts(p_t)])
        for part in _parts(logits):
            probabilities = torch.softmax(logits[part], -1, out=p_d[part])
            expected = p_t[index[part]]
            torch.lt(probabilities, expected, out=below[part])
            peak, place = probabilities.max(-1, keepdim=True)
            # The largest probability is never 0, the label's may be.
            log_sum = logits[part].gather(1, place) - peak.log()
            entropy[part] = (log_sum - logits[part].gather(1, labels[part, None])).squeeze(1)
            if negative is not None:
                mean = torch.linalg.vecdot(expected, logits[part])
                divergence[part] = negative[index[part]] + log_sum.squeeze(1) - mean
            torch.sum(torch.minimum(probabilities, expected, out=expected), -1, out=overlap[part])
        ctx.save_for_backward(p_d, below, labels, *((p_t, index) if with_kl else ()))
        return entropy, overlap, divergence

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        p_d, below, labels, *targets = ctx.saved_tensors
        grad = torch.empty_like(p_d)
        for part in _parts(p_d):
            to_entropy, to_overlap, to_divergence = (g[part, None] for g in gradients)
            inside = torch.where(below[part], p_d[part], 0.0).sum(-1, keepdim=True)
            rest = to_entropy - to_overlap * inside
            if targets:
                rest += to_divergence
            torch.where(below[part], to_overlap + rest, rest, out=grad[part]).mul_(p_d[part])
            if targets:
                p_t, index = targets
                grad[part].addcmul_(p_t[index[part]], to_divergence, value=-1)
        return grad.scatter_add_(1, labels[:, None], -gradients[0][:, None]), None, None, None, None


def _parts(logits: Tensor) -> Iterator[slice]:
    rows = max(1, TOGETHER // logits.shape[1])
    return (slice(start, start + rows) for start in range(0, len(logits), rows))
