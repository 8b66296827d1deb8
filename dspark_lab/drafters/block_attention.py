"""Attention of draft blocks in training: many blocks of one sequence, each to the context before its anchor and to itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.drafters.products import working

ALIGNED = 32
"""Columns of scores are made a multiple of this, in which a softmax takes half of the time."""

KeysValues = tuple[Tensor, Tensor]
"""Both [B, kv heads, L, D]."""


@dataclass(frozen=True)
class Blocks:
    """Where blocks stand in their sequences.

    Attributes:
        anchors: [B, A] positions. length: L, positions of context. size: slots of a block.
    """

    anchors: Tensor
    length: int
    size: int

    def mask(self) -> Tensor:
        """True where a slot may look, [B, 1, A * size, L + A * size]: context before its anchor, and its own block."""
        own = torch.eye(self.anchors.shape[1], dtype=torch.bool, device=self.anchors.device)
        own = own.repeat_interleave(self.size, 0).repeat_interleave(self.size, 1)
        context = self._context().repeat_interleave(self.size, 1)
        return torch.cat([context, own.expand(len(context), -1, -1)], dim=-1).unsqueeze(1)

    @property
    def columns(self) -> int:
        """Of scores: the context's, the block's own at the end, between them what makes up a multiple of ``ALIGNED``."""
        return -(-(self.length + self.size) // ALIGNED) * ALIGNED

    @cached_property
    def bias(self) -> Tensor:
        """What is added to scores, [B, 1, A, 1, columns] in float32: 0 where a block may look, else minus infinity."""
        zeros = torch.zeros(*self.anchors.shape, self.columns, device=self.anchors.device)
        zeros[..., : self.length].masked_fill_(~self._context(), -torch.inf)
        zeros[..., self.length : self.columns - self.size] = -torch.inf
        return zeros[:, None, :, None]

    def _context(self) -> Tensor:
        return torch.arange(self.length, device=self.anchors.device) < self.anchors[..., None]


def attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None) -> Tensor:
    """Softmax attention of queries [B, heads, Q, D] to keys and values [B, kv heads, K, D], [B, heads, Q, D]. ``seen`` is True
    where a query may look."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen, enable_gqa=True)


def block_attention(q: Tensor, context: KeysValues, own: KeysValues, blocks: Blocks) -> Tensor:
    """The same of blocks' slots [B, heads, A * size, D], which look at a context of L positions and at their own block, of
    whose slots ``own`` are."""
    if q.device.type == "cpu" and q.dtype == torch.float32:
        return _BlockAttention.apply(q, *context, *own, blocks)
    k, v = (torch.cat(pair, dim=2) for pair in zip(context, own, strict=True))
    return attention(q, k, v, blocks.mask())


class _BlockAttention(torch.autograd.Function):
    """The same on a CPU, without the products of a block with all the other blocks, which a mask only throws away.

    Queries are arranged by kv head, block, and slot and head of the group: [B, kv, A, size * group, D]. Their scores with the
    context and with their own block stand side by side: [..., columns]. The context is padded with zeros to as many rows.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, kc: Tensor, vc: Tensor, ko: Tensor, vo: Tensor, blocks: Blocks) -> Tensor:
        size, dtype = blocks.size, working()
        queries = _by_block(q, kc.shape[1], size, dtype, q.shape[-1] ** -0.5)
        kc, vc = (_padded(t, blocks.columns, dtype) for t in (kc, vc))
        ko, vo = (t.to(dtype, memory_format=torch.contiguous_format).unflatten(2, (-1, size)) for t in (ko, vo))
        p = _product(queries, kc.transpose(-1, -2)).add_(blocks.bias.to(dtype))
        near = p[..., -size:]
        near.copy_(queries @ ko.transpose(-1, -2))
        torch.softmax(p, -1, out=p)
        out = _product(p, vc).add_(near @ vo)
        ctx.length = blocks.length
        ctx.save_for_backward(queries, kc, vc, ko, vo, p)
        return _by_slot(out, q)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        queries, kc, vc, ko, vo, p = ctx.saved_tensors
        size = ko.shape[3]
        g = _by_block(gradients[0], kc.shape[1], size, p.dtype)
        grad = _product(g, vc.transpose(-1, -2))
        grad[..., -size:].copy_(g @ vo.transpose(-1, -2))
        torch.ops.aten._softmax_backward_data(grad, p, -1, p.dtype, grad_input=grad)
        near, near_grad = p[..., -size:], grad[..., -size:]
        to_q = _product(grad, kc).add_(near_grad @ ko).mul_(queries.shape[-1] ** -0.5)
        to_own = (part.transpose(-1, -2) @ with_ for part, with_ in ((near_grad, queries), (near, g)))
        to_context = (
            (part.flatten(2, 3).transpose(-1, -2) @ with_.flatten(2, 3))[:, :, : ctx.length]
            for part, with_ in ((grad, queries), (p, g))
        )
        return (
            _by_slot(to_q, gradients[0]),
            *(t.float() for t in to_context),
            *(t.flatten(2, 3).float() for t in to_own),
            None,
        )


def _product(blocks: Tensor, other: Tensor) -> Tensor:
    """[B, kv, A, n, D] by [B, kv, D, M]: [B, kv, A, n, M]."""
    return (blocks.flatten(2, 3) @ other).view(*blocks.shape[:-1], -1)


def _padded(x: Tensor, rows: int, dtype: torch.dtype) -> Tensor:
    """[B, kv, L, D] with zeros to [B, kv, rows, D]."""
    padded = x.new_zeros(*x.shape[:2], rows, x.shape[3], dtype=dtype)
    padded[:, :, : x.shape[2]] = x
    return padded


def _by_block(x: Tensor, kv: int, size: int, dtype: torch.dtype, scale: float = 1.0) -> Tensor:
    """``scale`` times [B, heads, A * size, D], as [B, kv, A, size * group, D]."""
    view = x.unflatten(2, (-1, size)).unflatten(1, (kv, -1)).permute(0, 1, 3, 4, 2, 5)
    return torch.mul(view, scale, out=x.new_empty(view.shape, dtype=dtype)).flatten(3, 4)


def _by_slot(x: Tensor, like: Tensor) -> Tensor:
    """The way back, to the shape of ``like`` [B, heads, A * size, D], whose memory goes slot by slot; in float32."""
    b, heads, slots, width = like.shape
    view = x.unflatten(3, (-1, heads // x.shape[1])).permute(0, 2, 3, 1, 4, 5)
    out = torch.empty(view.shape).copy_(view)
    return out.view(b, slots, heads, width).transpose(1, 2)
