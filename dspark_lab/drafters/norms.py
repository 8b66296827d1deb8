"""RMSNorm that is fast on a CPU, where ``F.rms_norm`` is taken apart into a dozen passes over memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def rms_norm(x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype | None = None) -> Tensor:
    """``F.rms_norm`` over the last dimension of ``x`` [..., D], up to rounding; where it is trained on a CPU in float32,
    rounded to ``dtype``."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return F.rms_norm(x, weight.shape, weight, eps)
    if torch.is_grad_enabled():
        return _RMSNorm.apply(x, weight, eps, dtype if dtype and x.dtype == torch.float32 else x.dtype)
    return (x * _scale(x, eps)).mul_(weight)


def _scale(x: Tensor, eps: float) -> Tensor:
    """What makes ``x`` [..., D] have a mean square of 1, [..., 1]."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        scale = _scale(x, eps)
        unit = x * scale
        ctx.save_for_backward(unit, scale, weight)
        return torch.mul(unit, weight, out=torch.empty_like(unit, dtype=dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        g = gradients[0].to(ctx.saved_tensors[0].dtype)
        unit, scale, weight = ctx.saved_tensors
        product = g * unit
        along, to_weight = (product @ weight).div_(len(weight)).unsqueeze(-1), product.flatten(0, -2).sum(0)
        # Into memory that is at hand: at this size a new tensor costs more than what is computed.
        to_x = torch.mul(g, weight, out=product).addcmul_(unit, along, value=-1).mul_(scale)
        return to_x, to_weight, None, None
