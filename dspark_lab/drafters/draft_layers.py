"""Layers of Qwen3 as drafters stack them: their block attends to a context's keys and values and to itself.

Module names are those of transformers and of DeepSpec's checkpoints.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspark_lab.drafters.block_attention import Blocks, attention, block_attention
from dspark_lab.drafters.draft_config import DraftConfig
from dspark_lab.drafters.norms import rms_norm
from dspark_lab.drafters.products import Linear, gated_mlp, working


class RMSNorm(nn.Module):
    """``multiplied``: all that is made of it are products."""

    def __init__(self, width: int, eps: float, multiplied: bool = False) -> None:
        super().__init__()
        self.weight, self.eps, self.multiplied = nn.Parameter(torch.ones(width)), eps, multiplied

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps, working() if self.multiplied else None)


def rope_tables(config: DraftConfig, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [..., L, head_dim] of rotary embedding for ``positions`` [..., L], in float32."""
    angle = positions[..., None].float() / config.periods(positions.device)
    angle = torch.cat([angle, angle], dim=-1)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of ``x`` [..., head_dim], by halves as Qwen3 does. The tables are not differentiated."""
    return _Rotate.apply(x, cos, sin) if torch.is_grad_enabled() else _turned(x, cos, sin)


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(gradients[0], cos, -sin.roll(sin.shape[-1] // 2, -1)), None, None


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Of the memory layout of ``x``, whatever its strides."""
    half, out = x.shape[-1] // 2, x * cos
    out[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-1)
    out[..., half:].addcmul_(x[..., :half], sin[..., half:])
    return out


class Attention(nn.Module):
    """Qwen3's; ``width`` is that of its input, where it is not the hidden size."""

    def __init__(self, config: DraftConfig, width: int | None = None) -> None:
        super().__init__()
        width = width or config.hidden_size
        self.head_dim = config.head_dim
        queries, keys = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        self.q_proj = Linear(width, queries)
        self.k_proj = Linear(width, keys)
        self.v_proj = Linear(width, keys)
        self.o_proj = Linear(queries, config.hidden_size)
        self.q_norm = RMSNorm(self.head_dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(self.head_dim, config.rms_norm_eps)

    def keys_values(self, x: Tensor, cos: Tensor, sin: Tensor, index: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Rotated keys and values [B, heads, L, head_dim] of ``x`` [B, L, hidden], or of its rows ``index``; ``cos``,
        ``sin`` [B, 1, L, head_dim]."""
        k, v = self._heads(self.k_norm, self.k_proj, x, index), self._heads(None, self.v_proj, x, index)
        return rotate(k, cos, sin), v

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        context: tuple[Tensor, Tensor],
        seen: Tensor | Blocks | None,
        index: Tensor | None = None,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Block positions attend to the context and to each other, both ways (eq. 3): [B, Q, hidden], or of those ``wanted``
        [M] among all B * Q, [M, hidden]."""
        q, own = self._queries(x, cos, sin, index), self.keys_values(x, cos, sin, index)
        if isinstance(seen, Blocks):
            return self._output(block_attention(q, context, own, seen), wanted)
        k, v = (torch.cat(pair, dim=2) for pair in zip(context, own, strict=True))
        return self._output(attention(q, k, v, seen), wanted)

    def attend(self, x: Tensor, cos: Tensor, sin: Tensor, k: Tensor, v: Tensor, seen: Tensor | None) -> Tensor:
        """Positions ``x`` [B, Q, width] look at keys and values [B, heads, L, head_dim]: [B, Q, hidden]."""
        return self._output(attention(self._queries(x, cos, sin), k, v, seen))

    def _queries(self, x: Tensor, cos: Tensor, sin: Tensor, index: Tensor | None = None) -> Tensor:
        return rotate(self._heads(self.q_norm, self.q_proj, x, index), cos, sin)

    def _output(self, attended: Tensor, wanted: Tensor | None = None) -> Tensor:
        return self.o_proj(_rows(attended.transpose(1, 2).flatten(2), wanted))

    def _heads(self, norm: nn.Module | None, projection: nn.Module, x: Tensor, index: Tensor | None) -> Tensor:
        """[B, heads, Q, head_dim] of ``x`` [B, Q, width], or, projected once each, of the rows ``index`` [B, Q] of ``x``."""
        heads = projection(x).unflatten(-1, (-1, self.head_dim))
        heads = heads if norm is None else norm(heads)
        if index is not None:
            heads = F.embedding(index, heads.flatten(1)).unflatten(-1, (-1, self.head_dim))
        return heads.transpose(1, 2)


def _rows(x: Tensor, wanted: Tensor | None) -> Tensor:
    """``x`` [B, Q, width], or its rows ``wanted`` [M] among all B * Q, [M, width]."""
    return x if wanted is None else x.flatten(0, 1).index_select(0, wanted)


class MLP(nn.Module):
    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        self.gate_proj = Linear(config.hidden_size, config.intermediate_size)
        self.up_proj = Linear(config.hidden_size, config.intermediate_size)
        self.down_proj = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return gated_mlp(x, self.gate_proj.weight, self.up_proj.weight, self.down_proj.weight)


class Layer(nn.Module):
    def __init__(self, config: DraftConfig, width: int | None = None) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(config, width), MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps, multiplied=True)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps, multiplied=True)

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        context: tuple[Tensor, Tensor],
        seen: Tensor | Blocks | None,
        index: Tensor | None = None,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """[B, Q, hidden] of ``x`` [B, Q, hidden], or of the rows ``index`` [B, Q] of ``x`` [U, hidden]; of those ``wanted`` [M]
        among all B * Q, [M, hidden]."""
        attended = self.self_attn(self.input_layernorm(x), cos, sin, context, seen, index, wanted)
        return self.after(_rows(x if index is None else x[index], wanted), attended)

    def after(self, x: Tensor, attended: Tensor) -> Tensor:
        """The layer's output, of its residual stream and what its attention gave."""
        x = attended + x
        return x + self.mlp(self.post_attention_layernorm(x))
