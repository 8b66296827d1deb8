"""The losses of DSpark training (arXiv 2607.05147, eq. 9-12)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class LossWeights:
    """L = ce * L_ce + tv * L_tv + conf * L_conf, position k weighted exp(-(k-1)/decay).

    The paper's recipe; DeepSpec's DFlash baseline is ce=1, tv=0, conf=0.
    """

    ce: float = 0.1
    tv: float = 0.9
    conf: float = 1.0
    decay: float = 4.0


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
        "loss", its parts "ce", "tv" (L1 distance), "conf", and "tau": 1 + mean_N sum_k prod_{j<=k} alpha_j with
        alpha = 1 - 0.5 * ||p_d - p_t||_1 (eq. 8), an estimate along true prefixes, and "alpha" [gamma], its mean per
        position.
    """
    positions = torch.arange(labels.shape[1], device=labels.device)
    weight = torch.exp(-positions / w.decay) * valid
    weight = weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)  # a batch may hold no answer at all
    ce = (
        F.cross_entropy(draft_logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(weight) * weight
    ).sum()
    p_d, p_t = draft_logits.softmax(-1), target_logits.softmax(-1)
    distance = (p_d - p_t).abs().sum(-1)  # [N, gamma]
    tv = (distance * weight).sum()
    overlap = (1 - 0.5 * distance).detach()
    conf = torch.zeros((), device=draft_logits.device)
    if confidence_logits is not None:
        bce = F.binary_cross_entropy_with_logits(confidence_logits, overlap, reduction="none")
        conf = (bce * weight).sum()
    tau = 1 + (overlap * valid).cumprod(-1).sum(-1).mean()
    alpha = (overlap * valid).sum(0) / valid.sum(0).clamp(min=1)
    loss = w.ce * ce + w.tv * tv + w.conf * conf
    return {"loss": loss, "ce": ce, "tv": tv, "conf": conf, "tau": tau, "alpha": alpha}
