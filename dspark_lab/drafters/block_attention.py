"""Attention of draft blocks in training: many blocks of one sequence, each to the context before its anchor and to itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


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
        context = (~self.hidden()).repeat_interleave(self.size, 1)
        return torch.cat([context, own.expand(len(context), -1, -1)], dim=-1).unsqueeze(1)

    def hidden(self) -> Tensor:
        """True where context is not to be seen, [B, A, L]: at a block's anchor and after it."""
        return torch.arange(self.length, device=self.anchors.device) >= self.anchors[..., None]


def attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | Blocks | None) -> Tensor:
    """Softmax attention of queries [B, heads, Q, D] to keys and values [B, kv heads, K, D], [B, heads, Q, D].

    ``seen`` is a mask, True where a query may look, or the blocks that the queries are, whose keys and values then follow
    the context's.
    """
    if isinstance(seen, Blocks):
        if q.device.type == "cpu" and q.dtype == torch.float32:
            return _BlockAttention.apply(q, k, v, seen)
        seen = seen.mask()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen, enable_gqa=True)


class _BlockAttention(torch.autograd.Function):
    """The same on a CPU, without the products of a block with all the other blocks, which a mask only throws away.

    Queries are arranged by kv head, block, and head of the group and slot: [B, kv, A, group * size, D].
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, blocks: Blocks) -> Tensor:
        queries = _by_block(q, k.shape[1], blocks.size) * q.shape[-1] ** -0.5
        (kc, ko), (vc, vo) = _parts(k, blocks), _parts(v, blocks)
        far = (queries.flatten(2, 3) @ kc.transpose(-1, -2)).view(*queries.shape[:-1], -1)
        far.masked_fill_(blocks.hidden()[:, None, :, None], -torch.inf)
        near = queries @ ko.transpose(-1, -2)
        peak = torch.maximum(far.amax(-1, keepdim=True), near.amax(-1, keepdim=True))
        far.sub_(peak).exp_()
        near.sub_(peak).exp_()
        norm = (far.sum(-1, keepdim=True) + near.sum(-1, keepdim=True)).reciprocal_()
        out = (far.flatten(2, 3) @ vc).view_as(queries).add_(near @ vo).mul_(norm)
        ctx.blocks = blocks
        ctx.save_for_backward(queries, k, v, far, near, norm, out)
        return _by_slot(out, q)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        blocks: Blocks = ctx.blocks
        queries, k, v, far, near, norm, out = ctx.saved_tensors
        (kc, ko), (vc, vo) = _parts(k, blocks), _parts(v, blocks)
        g = _by_block(gradients[0], k.shape[1], blocks.size) * norm  # of the output before its norm
        inside = (g * out).sum(-1, keepdim=True)
        flat = g.flatten(2, 3)
        to_v = torch.cat([far.flatten(2, 3).transpose(-1, -2) @ flat, (near.transpose(-1, -2) @ g).flatten(2, 3)], 2)
        far_grad = (flat @ vc.transpose(-1, -2)).view_as(far).sub_(inside).mul_(far).flatten(2, 3)
        near_grad = (g @ vo.transpose(-1, -2)).sub_(inside).mul_(near)
        to_k = torch.cat(
            [far_grad.transpose(-1, -2) @ queries.flatten(2, 3), (near_grad.transpose(-1, -2) @ queries).flatten(2, 3)],
            2,
        )
        to_q = (far_grad @ kc).view_as(queries).add_(near_grad @ ko).mul_(queries.shape[-1] ** -0.5)
        return _by_slot(to_q, gradients[0]), to_k, to_v, None


def _parts(x: Tensor, blocks: Blocks) -> tuple[Tensor, Tensor]:
    """Of keys or values [B, kv, L + A * size, D]: the context's [B, kv, L, D] and the blocks' [B, kv, A, size, D]."""
    return x[:, :, : blocks.length], x[:, :, blocks.length :].unflatten(2, (-1, blocks.size))


def _by_block(x: Tensor, kv: int, size: int) -> Tensor:
    """[B, heads, A * size, D] as [B, kv, A, group * size, D]."""
    return x.unflatten(2, (-1, size)).unflatten(1, (kv, -1)).transpose(2, 3).flatten(3, 4)


def _by_slot(x: Tensor, like: Tensor) -> Tensor:
    """The way back, to the shape of ``like`` [B, heads, A * size, D]."""
    group = like.shape[1] // x.shape[1]
    return x.unflatten(3, (group, -1)).transpose(2, 3).reshape(like.shape)
