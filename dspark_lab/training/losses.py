"""The losses of DSpark training (arXiv 2607.05147, eq. 9-12), and one that maximises the accepted length itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.drafters.products import add_product, product, working
from dspark_lab.errors import LabError

TOGETHER = 2**20
"""Logits compared at a time on a CPU, so many that they stay in its cache; other devices take 64 times as many."""

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
        "loss", the one to differentiate; its parts "ce", "tv" (L1 distance), "conf", "accept" (-tau) and, where it is asked
        for, "kl"; and "tau": 1 + mean_N sum_k prod_{j<=k} alpha_j with alpha = sum min(p_d, p_t) = 1 - 0.5 * ||p_d - p_t||_1
        (eq. 8), an estimate along true prefixes; "alpha" [gamma], its mean per position; "blocks", how many of the N count.
    """
    confidence = None if confidence_logits is None else confidence_logits[valid]
    p_t, labels = target_logits[valid].float().softmax(-1), labels[valid]
    index = torch.arange(len(labels), device=valid.device)
    return losses_of_rows([(draft_logits[valid], None)], confidence, p_t, index, labels, valid, w)


Maps = Sequence[tuple[Tensor, Tensor | None]]
"""Logits [M, V] as a sum of products: inputs [M, in] by weights [V, in] as ``F.linear`` takes them, or with None for the
weights the inputs [M, V] themselves."""


def losses_of_rows(
    maps: Maps,
    confidence_logits: Tensor | None,
    p_t: Tensor,
    index: Tensor,
    labels: Tensor,
    valid: Tensor,
    w: LossWeights,
) -> dict[str, Tensor]:
    """``draft_losses`` where only the M valid rows, in the order of ``valid``, have been computed: draft logits [M, V] as
    ``maps``, confidence logits and labels [M]. The target's probabilities of row m are ``p_t[index[m]]``: blocks overlap, and
    each distribution [U, V] is held once."""
    positions = torch.arange(valid.shape[1], device=valid.device)
    weight = torch.exp(-positions / w.decay) * valid
    weight = weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)  # a batch may hold no answer at all
    inputs, weights = [x for x, _ in maps], [m for _, m in maps]
    loss, entropy, overlap, divergence = _Compare.apply(
        p_t, index, labels, valid, weight, w, len(maps), *inputs, *weights
    )
    weight = weight[valid]
    tau = _length(overlap, valid)
    alpha = overlap.new_zeros(valid.shape).masked_scatter(valid, overlap).sum(0) / valid.sum(0).clamp(min=1)
    parts = {"ce": (entropy * weight).sum(), "tv": 2 * ((1 - overlap) * weight).sum(), "accept": -tau}
    parts["conf"] = overlap.new_zeros(())
    if confidence_logits is not None:
        label = overlap.clamp(0, 1)
        each = F.binary_cross_entropy_with_logits(confidence_logits.float(), label, reduction="none")
        parts["conf"] = (each * weight).sum()
        if w.conf:
            loss = loss + w.conf * parts["conf"]
    if w.kl:
        parts["kl"] = (divergence * weight).sum()
    return {"loss": loss, **parts, "tau": tau, "alpha": alpha, "blocks": valid.any(-1).sum()}


class _Compare(torch.autograd.Function):
    """The weighted ``ce``, ``tv``, ``accept`` and ``kl`` in one sum, which can be differentiated, and for logging, of each row,
    cross entropy [M], sum_v min(p_d, p_t) [M] and KL(p_t || p_d) [M], 0 where it is not wanted.

    The logits are by far the largest tensors of a training step, so they are made a few blocks at a time, their gradient right
    behind them, while they are in the cache; neither is ever held whole (as Liger does it, arXiv 2410.10989). With
    m = [p_d < p_t]: d overlap / d logits = p_d * (m - sum(m * p_d)), d CE / d logits = p_d - onehot(label),
    d KL / d logits = p_d - p_t.
    """

    @staticmethod
    def forward(
        ctx: Any,
        p_t: Tensor,
        index: Tensor,
        labels: Tensor,
        valid: Tensor,
        weight: Tensor,
        w: LossWeights,
        count: int,
        *tensors: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        inputs: Any = tensors[:count]
        maps = tensors[count:]
        wanted = ctx.needs_input_grad[-len(tensors) :]
        gradients = [torch.zeros_like(t) if t is not None and g else None for t, g in zip(tensors, wanted, strict=True)]
        entropy, overlap, divergence = torch.zeros(3, len(labels), device=p_t.device)
        information = _information(p_t) if w.kl else None
        factors = [(x, m) if m is None else (_factor(x), _factor(m)) for x, m in zip(inputs, maps, strict=True)]
        parts = list(_parts(valid, p_t.shape[1]))
        most = max((part.stop - part.start for _, part in parts), default=0)
        buffers = torch.empty(2, most, p_t.shape[1], device=p_t.device)
        for blocks, part in parts:
            logits, (expected, p_d) = _sum_of(factors, part), buffers[:, : part.stop - part.start]
            torch.index_select(p_t, 0, index[part], out=expected)
            torch.softmax(logits, -1, out=p_d)
            log_sum = logits.amax(-1) - p_d.amax(-1).log()  # not of the label's probability, which may be 0
            entropy[part] = log_sum - logits.gather(1, labels[part, None]).squeeze(1)
            if information is not None:
                divergence[part] = information[index[part]] + log_sum - torch.linalg.vecdot(expected, logits)
            torch.sum(torch.minimum(p_d, expected, out=logits), -1, out=overlap[part])
            if not any(wanted):
                continue
            to_overlap = _to_overlap(overlap[part], valid[blocks], weight[blocks], len(valid), w)[:, None]
            each = weight[blocks][valid[blocks]][:, None]
            rest = (w.ce + w.kl) * each
            grad = logits  # whose memory it takes
            if w.tv or w.accept:
                torch.lt(p_d, expected, out=grad).mul_(p_d)
                rest = rest - to_overlap * grad.sum(-1, keepdim=True)
                grad.mul_(to_overlap).addcmul_(p_d, rest)
            else:
                torch.mul(p_d, rest, out=grad)
            if w.kl:
                grad.addcmul_(expected, each, value=-w.kl)
            if w.ce:
                grad.scatter_add_(1, labels[part, None], -w.ce * each)
            _back(grad, factors, gradients, part)
        weight = weight[valid]
        loss = ((w.ce * entropy + w.kl * divergence + 2 * w.tv * (1 - overlap)) * weight).sum()
        if w.accept:
            loss = loss - w.accept * _length(overlap, valid)
        ctx.gradients = gradients
        ctx.mark_non_differentiable(entropy, overlap, divergence)
        return loss, entropy, overlap, divergence

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scale, kept = gradients[0], ctx.gradients
        del ctx.gradients  # they are scaled in place
        return *[None] * 7, *(None if g is None else g.mul_(scale) for g in kept)


def _factor(x: Tensor) -> Tensor:
    return x.to(working()) if x.dtype == torch.float32 else x


def _sum_of(maps: Maps, part: slice) -> Tensor:
    """Logits [rows, V], in float32, of memory of their own."""
    (first, weights), *rest = maps
    total = (first[part].clone() if weights is None else product(first[part], weights)).float()
    for x, m in rest:
        if m is not None and x.dtype == total.dtype:
            total.addmm_(x[part], m.t())
        else:
            total.add_(x[part] if m is None else product(x[part], m))
    return total


def _back(grad: Tensor, maps: Maps, gradients: list[Tensor | None], part: slice) -> None:
    """Add what the logits' gradient [rows, V] makes of the inputs' and the weights'."""
    as_factor = {dtype: grad.to(dtype) for dtype in {x.dtype for x, _ in maps}}
    for (x, m), to_x, to_m in zip(maps, gradients[: len(maps)], gradients[len(maps) :], strict=True):
        g = as_factor[x.dtype]
        if to_x is not None:
            to_x[part] = g if m is None else product(g, m.t())
        if to_m is not None:
            add_product(to_m, g.t(), x[part])


def _to_overlap(overlap: Tensor, valid: Tensor, weight: Tensor, count: int, w: LossWeights) -> Tensor:
    """The loss's gradient to the rows' overlaps, those of whole blocks, of which there are ``count`` in all."""
    gradient = -2 * w.tv * weight[valid]
    if w.accept:
        with torch.enable_grad():
            rows = overlap.detach().requires_grad_()
            mean = _length(rows, valid) * (len(valid) / count)
        gradient = gradient - w.accept * torch.autograd.grad(mean, rows)[0]
    return gradient


def _length(overlap: Tensor, valid: Tensor) -> Tensor:
    """Accepted length to be expected in the mean over blocks, of the overlaps [M] where ``valid`` [N, gamma]."""
    accepted = overlap.new_zeros(valid.shape).masked_scatter(valid, overlap)
    return 1 + accepted.cumprod(-1).sum(-1).mean()


def _information(p_t: Tensor) -> Tensor:
    """sum p_t log p_t [U] of p_t [U, V]."""
    rows = max(1, _together(p_t.device) // p_t.shape[1])
    tiny = torch.finfo(p_t.dtype).tiny
    return torch.cat([torch.linalg.vecdot(part, part.clamp(min=tiny).log()) for part in p_t.split(rows)])


def _parts(valid: Tensor, vocabulary: int) -> Iterator[tuple[slice, slice]]:
    """A few blocks at a time: which of the N, and which of the M rows they have."""
    blocks = max(1, _together(valid.device) // (vocabulary * valid.shape[1]))
    ends = [0, *valid.sum(1).cumsum(0).tolist()]
    for start in range(0, len(valid), blocks):
        stop = min(start + blocks, len(valid))
        if ends[stop] > ends[start]:
            yield slice(start, stop), slice(ends[start], ends[stop])


def _together(device: torch.device) -> int:
    return TOGETHER if device.type == "cpu" else TOGETHER * 2**6
