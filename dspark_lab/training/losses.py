"""The losses of DSpark training (arXiv 2607.05147, eq. 9-12), and one that maximises the accepted length itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.errors import LabError


@dataclass(frozen=True)
class LossWeights:
    """L = ce * L_ce + tv * L_tv + conf * L_conf + accept * L_accept.

    L_ce, L_tv and L_conf weigh position k by exp(-(k-1)/decay); L_accept is minus the expected accepted length, which
    has weights of its own: a position counts as much as the ones before it survive. The defaults are the paper's recipe;
    DeepSpec's DFlash baseline is ce=1, tv=0, conf=0.

    Raises:
        LabError: a weight is negative or not finite, all are 0, or the decay is not above 0 (infinity: no decay).
    """

    ce: float = 0.1
    tv: float = 0.9
    conf: float = 1.0
    accept: float = 0.0
    decay: float = 4.0

    def __post_init__(self) -> None:
        for name in ("ce", "tv", "conf", "accept"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise LabError(
                    f"the loss weight {name} is {value}, but must be 0 or a number above: 0 switches it off."
                )
        if not self.decay > 0:
            raise LabError(f"the loss's decay is {self.decay}, but must be above 0: inf weighs all positions alike.")
        if not self.ce + self.tv + self.conf + self.accept:
            raise LabError("all weights of the loss are 0, so nothing would be trained: write ce=1, for example.")

    @classmethod
    def parse(cls, text: str) -> LossWeights:
        """Weights written as ``ce=0.1,tv=0.9,conf=1``; a term left out is off, the decay stays as it is.

        Raises:
            LabError: a term is unknown, given twice, or its value is no such number.
        """
        values = dict.fromkeys(("ce", "tv", "conf", "accept"), 0.0)
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
        "loss", its parts "ce", "tv" (L1 distance), "conf" and "accept" (-tau), and "tau": 1 + mean_N sum_k prod_{j<=k}
        alpha_j with alpha = sum min(p_d, p_t) = 1 - 0.5 * ||p_d - p_t||_1 (eq. 8), an estimate along true prefixes;
        "alpha" [gamma], its mean per position; "blocks", how many of the N count.
    """
    confidence = None if confidence_logits is None else confidence_logits[valid]
    return losses_of_rows(
        draft_logits[valid], confidence, target_logits[valid].float().softmax(-1), labels[valid], valid, w
    )


def losses_of_rows(
    draft_logits: Tensor, confidence_logits: Tensor | None, p_t: Tensor, labels: Tensor, valid: Tensor, w: LossWeights
) -> dict[str, Tensor]:
    """``draft_losses`` where only the M valid rows, in the order of ``valid``, have been computed: draft logits and the
    target's probabilities [M, V], confidence logits and labels [M]."""
    positions = torch.arange(valid.shape[1], device=valid.device)
    weight = torch.exp(-positions / w.decay) * valid
    weight = weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)  # a batch may hold no answer at all
    weight = weight[valid]
    cross_entropy, overlap = _Compare.apply(draft_logits.float(), p_t, labels)
    ce, tv = (cross_entropy * weight).sum(), 2 * ((1 - overlap) * weight).sum()
    conf = torch.zeros((), device=valid.device)
    if confidence_logits is not None:
        label = overlap.detach().clamp(0, 1)
        conf = (F.binary_cross_entropy_with_logits(confidence_logits.float(), label, reduction="none") * weight).sum()
    accepted = torch.zeros(valid.shape, device=valid.device).masked_scatter(valid, overlap)  # [N, gamma]
    tau = 1 + accepted.cumprod(-1).sum(-1).mean()
    alpha = accepted.detach().sum(0) / valid.sum(0).clamp(min=1)
    parts = {"ce": ce, "tv": tv, "conf": conf, "accept": -tau}
    loss = sum(getattr(w, name) * part for name, part in parts.items() if getattr(w, name))
    return {"loss": loss, **parts, "tau": tau.detach(), "alpha": alpha, "blocks": valid.any(-1).sum()}


class _Compare(torch.autograd.Function):
    """(logits [M, V], p_t [M, V], labels [M]) -> cross entropy [M] and sum_v min(p_d, p_t) [M].

    One softmax serves both, and their gradients are one pass: the logits are by far the largest tensors of a training
    step. With m = [p_d < p_t]: d overlap / d logits = p_d * (m - sum(m * p_d)), d CE / d logits = p_d - onehot(label).
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, p_t: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        p_d = logits.softmax(-1)
        peak, place = p_d.max(-1, keepdim=True)
        log_sum = logits.gather(1, place) - peak.log()  # the largest probability is never 0, the label's may be
        ctx.save_for_backward(p_d, p_d < p_t, labels)
        return (log_sum - logits.gather(1, labels[:, None])).squeeze(1), torch.minimum(p_d, p_t).sum(-1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        to_entropy, to_overlap = (g[:, None] for g in gradients)
        p_d, below, labels = ctx.saved_tensors
        grad = p_d * below
        inside = grad.sum(-1, keepdim=True)
        grad = grad.mul_(to_overlap).addcmul_(p_d, to_entropy - to_overlap * inside)
        return grad.scatter_add_(1, labels[:, None], -to_entropy), None, None
