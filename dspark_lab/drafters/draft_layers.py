"""Layers of Qwen3 as drafters stack them: their block attends to a context's keys and values and to itself.

Module names are those of transformers and of DeepSpec's checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspark_lab.drafters.block_attention import Blocks, attention
from dspark_lab.drafters.draft_config import DraftConfig
from dspark_lab.drafters.norms import rms_norm


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


def rope_tables(config: DraftConfig, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [..., L, head_dim] of rotary embedding for ``positions`` [..., L], in float32."""
    angle = positions[..., None].float() / config.periods(positions.device)
    angle = torch.cat([angle, angle], dim=-1)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of ``x`` [..., head_dim], by halves as Qwen3 does."""
    half = x.shape[-1] // 2
    signed = torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
    return torch.addcmul(x * cos, x.roll(half, -1), signed)


class Attention(nn.Module):
    """Qwen3's; ``width`` is that of its input, where it is not the hidden size."""

    def __init__(self, config: DraftConfig, width: int | None = None) -> None:
        super().__init__()
        width = width or config.hidden_size
        self.head_dim = config.head_dim
        queries, keys = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(width, queries, bias=False)
        self.k_proj = nn.Linear(width, keys, bias=False)
        self.v_proj = nn.Linear(width, keys, bias=False)
        self.o_proj = nn.Linear(queries, config.hidden_size, bias=False)
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
    ) -> Tensor:
        """Block positions attend to the context and to each other, both ways (eq. 3)."""
        k, v = self.keys_values(x, cos, sin, index)
        k, v = torch.cat([context[0], k], dim=2), torch.cat([context[1], v], dim=2)
        return self.attend(x, cos, sin, k, v, seen, index)

    def attend(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        k: Tensor,
        v: Tensor,
        seen: Tensor | Blocks | None,
        index: Tensor | None = None,
    ) -> Tensor:
        """Positions ``x`` [B, Q, width], or its rows ``index``, look at keys and values [B, heads, L, head_dim]:
        [B, Q, hidden]."""
        q = rotate(self._heads(self.q_norm, self.q_proj, x, index), cos, sin)
        return self.o_proj(attention(q, k, v, seen).transpose(1, 2).flatten(2))

    def _heads(self, norm: nn.Module | None, projection: nn.Module, x: Tensor, index: Tensor | None) -> Tensor:
        """[B, heads, Q, head_dim] of ``x`` [B, Q, width], or, projected once each, of the rows ``index`` [B, Q] of ``x``."""
        heads = projection(x).unflatten(-1, (-1, self.head_dim))
        heads = heads if norm is None else norm(heads)
        if index is not None:
            heads = F.embedding(index, heads.flatten(1)).unflatten(-1, (-1, self.head_dim))
        return heads.transpose(1, 2)


class MLP(nn.Module):
    def __init__(self, config: DraftConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config: DraftConfig, width: int | None = None) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(config, width), MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        context: tuple[Tensor, Tensor],
        seen: Tensor | Blocks | None,
        index: Tensor | None = None,
    ) -> Tensor:
        """[B, Q, hidden] of ``x`` [B, Q, hidden], or of the rows ``index`` [B, Q] of ``x`` [U, hidden]."""
        attended = self.self_attn(self.input_layernorm(x), cos, sin, context, seen, index)
        return self.after(x if index is None else x[index], attended)

    def after(self, x: Tensor, attended: Tensor) -> Tensor:
        """The layer's output, of its residual stream and what its attention gave."""
        x = attended + x
        return x + self.mlp(self.post_attention_layernorm(x))
