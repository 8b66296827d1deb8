"""Linear maps and gated MLPs as they are trained on a CPU: in float32, or within ``lowered`` with products in bfloat16.

In float32 the products go to oneDNN, which took 5 to 15 % less time over these shapes than the MKL of ``F.linear`` on an AMD
EPYC. In bfloat16 they take half of that, where the CPU has instructions for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TOGETHER = 3 * 2**18
"""Entries of an MLP's widest tensors that are made at a time, so many that they stay in a CPU's cache."""

_ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None
_WORKING: ContextVar[torch.dtype] = ContextVar("working", default=torch.float32)


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for products of bfloat16: AVX512-BF16, or AMX."""
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


@contextmanager
def lowered(low: bool = True) -> Iterator[None]:
    """Within it, what is trained on a CPU in float32 rounds the factors of its large products, and what comes of them, to
    bfloat16; they are added up in float32. Weights, residual streams, normalisations and losses stay in float32."""
    before = _WORKING.set(torch.bfloat16 if low else torch.float32)
    try:
        yield
    finally:
        _WORKING.reset(before)


def working() -> torch.dtype:
    """What factors are rounded to here."""
    return _WORKING.get()


def product(x: Tensor, weight: Tensor) -> Tensor:
    """``x`` [M, K] times the transpose of ``weight`` [N, K], [M, N], not to be differentiated. In float32 it is fastest where
    the transpose is contiguous."""
    if _ONEDNN is None or x.device.type != "cpu" or x.dtype != torch.float32:
        return x @ weight.t()
    result: Tensor = _ONEDNN(x, weight, None, "none", [], "")
    return result


def add_product(total: Tensor, x: Tensor, y: Tensor) -> None:
    """Add ``x`` [M, K] times ``y`` [K, N] to ``total`` [M, N]."""
    if total.dtype == x.dtype:
        total.addmm_(x, y)
    else:
        total.add_(x @ y)


class Linear(nn.Linear):
    """Without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return (
            _Linear.apply(x, self.weight)
            if _trained(x, self.weight)
            else F.linear(x.to(self.weight.dtype), self.weight)
        )


def gated_mlp(x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """down(silu(gate(x)) * up(x)) [..., hidden] of ``x`` [..., hidden], by the weights of the three maps."""
    if all(_trained(x, weight) for weight in (gate, up, down)):
        return _GatedMLP.apply(x, gate, up, down)
    x = x.to(gate.dtype)
    return F.linear(F.silu(F.linear(x, gate)) * F.linear(x, up), down)


def _trained(x: Tensor, weight: Tensor) -> bool:
    alike = weight.dtype == torch.float32 and x.dtype in (torch.float32, working()) and x.device.type == "cpu"
    return alike and weight.requires_grad and torch.is_grad_enabled()


def _turned(weight: Tensor) -> Tensor:
    """The same matrix, its transpose contiguous."""
    return weight.t().contiguous().t()


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        rows, weight = x.flatten(0, -2).to(working()), weight.to(working())
        ctx.shape, ctx.dtype = x.shape, x.dtype
        ctx.save_for_backward(rows, weight)
        return product(rows, _turned(weight)).float().view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor]:
        rows, weight = ctx.saved_tensors
        g = gradients[0].flatten(0, -2).to(rows.dtype)
        to_x = product(g, weight.t()).to(ctx.dtype).view(ctx.shape) if ctx.needs_input_grad[0] else None
        return to_x, (rows.t() @ g).t().float()


class _GatedMLP(torch.autograd.Function):
    """The widest tensors are made some rows at a time and used while they are in the cache; only what the maps gate and up give
    is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *maps: Tensor) -> Tensor:
        rows, (gate, up, down) = x.flatten(0, -2).to(working()), (m.to(working()) for m in maps)
        turned = [_turned(m) for m in (gate, up, down)]
        gated, raised, out = [], [], []
        for part in rows.split(_together(len(rows), len(gate))):
            gated.append(product(part, turned[0]))
            raised.append(product(part, turned[1]))
            out.append(product(F.silu(gated[-1]).mul_(raised[-1]), turned[2]))
        ctx.shape, ctx.dtype = x.shape, x.dtype
        ctx.save_for_backward(rows, gate, up, down, *gated, *raised)
        return torch.cat(out).float().view(x.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        rows, gate, up, down, *kept = ctx.saved_tensors
        g, size = gradients[0].flatten(0, -2).to(rows.dtype), len(kept[0])
        to_x, (to_gate, to_up, to_down) = [], (torch.zeros(m.shape) for m in (gate.t(), up.t(), down))
        parts = rows.split(size), g.split(size), kept[: len(kept) // 2], kept[len(kept) // 2 :]
        for x, back, gated, raised in zip(*parts, strict=True):
            active = F.silu(gated)
            add_product(to_down, back.t(), active * raised)
            inner = product(back, down.t())
            to_raised = active.mul_(inner)
            to_gated = torch.ops.aten.silu_backward(inner.mul_(raised), gated)
            to_x.append(product(to_raised, up.t()).add_(product(to_gated, gate.t())))
            add_product(to_up, x.t(), to_raised)
            add_product(to_gate, x.t(), to_gated)
        return torch.cat(to_x).to(ctx.dtype).view(ctx.shape), to_gate.t(), to_up.t(), to_down


def _together(rows: int, width: int) -> int:
    """How many rows at a time, nearly as many each time."""
    return max(1, -(-rows // max(1, -(-rows * width // TOGETHER))))
