"""Layers like Gemma4's global ones, as DeepSpec's drafters for Gemma4 targets stack them.

Norms before and after attention and MLP, keys without a scale before the softmax, values normalised and, with
``attention_k_eq_v``, the keys before their norm; rotary embedding of a part of each head. The embedding is scaled by
sqrt(hidden) and logits are capped softly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspark_lab.drafters.draft_config import DraftConfig
from dspark_lab.drafters.draft_layers import MLP, RMSNorm, rotate
from dspark_lab.errors import LabError


@dataclass(frozen=True, kw_only=True)
class Gemma4Fields(DraftConfig):
    """What ``config.json`` says of such layers; ``head_dim`` and ``num_key_value_heads`` are those of global layers.

    Attributes:
        partial_rotary_factor: share of each head that is rotated. rope_factor: by how much positions are scaled down.
        final_logit_softcapping: base logits stay within this, None for no cap.
    """

    plain: ClassVar[Mapping[str, Any]] = {
        "attention_bias": False,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size_per_layer_input": 0,
        "enable_moe_block": False,
        "use_double_wide_mlp": False,
    }

    attention_k_eq_v: bool = False
    partial_rotary_factor: float = 1.0
    rope_factor: float = 1.0
    final_logit_softcapping: float | None = None

    @classmethod
    def translate(cls, config: Mapping[str, Any]) -> Mapping[str, Any]:
        kv_heads = "num_global_key_value_heads" if config.get("attention_k_eq_v") else "num_key_value_heads"
        lacking = [name for name in ("global_head_dim", kv_heads, "rope_parameters") if name not in config]
        if lacking:
            raise LabError(f"the drafter's config.json lacks {lacking[0]!r}: it is not a DeepSpec checkpoint.")
        rope = config["rope_parameters"]
        rope = rope.get("full_attention") if isinstance(rope, Mapping) else None
        if not isinstance(rope, Mapping) or rope.get("rope_type") not in ("proportional", "default"):
            raise LabError(f"the drafter's rope_parameters of full_attention are {rope!r}, but must be 'proportional'.")
        return {
            **config,
            "head_dim": config["global_head_dim"],
            "num_key_value_heads": config[kv_heads],
            "rope_theta": rope.get("rope_theta"),
            "rope_factor": rope.get("factor", 1.0),
            "partial_rotary_factor": rope.get("partial_rotary_factor", 1.0),
        }

    def periods(self, device: torch.device) -> Tensor:
        turning = int(self.partial_rotary_factor * self.head_dim // 2)
        periods = self.rope_factor * super().periods(device)
        periods[turning:] = torch.inf
        return periods


class ScaledEmbedding(nn.Embedding):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) * torch.tensor(math.sqrt(self.embedding_dim), dtype=self.weight.dtype)


class Gemma4Attention(nn.Module):
    """``width`` is that of its input, where it is not the hidden size."""

    def __init__(self, config: Gemma4Fields, width: int | None = None) -> None:
        super().__init__()
        self.head_dim, width = config.head_dim, width or config.hidden_size
        queries, keys = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(width, queries, bias=False)
        self.k_proj = nn.Linear(width, keys, bias=False)
        self.v_proj = None if config.attention_k_eq_v else nn.Linear(width, keys, bias=False)
        self.o_proj = nn.Linear(queries, config.hidden_size, bias=False)
        self.q_norm = RMSNorm(self.head_dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(self.head_dim, config.rms_norm_eps)

    def keys_values(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        """Rotated keys and values [B, heads, L, head_dim] of ``x`` [B, L, hidden]; ``cos``, ``sin`` [B, 1, L, head_dim]."""
        k = self.k_proj(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        v = k if self.v_proj is None else self.v_proj(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        return rotate(self.k_norm(k), cos, sin), F.rms_norm(v, (self.head_dim,), None, self.k_norm.eps)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, context: tuple[Tensor, Tensor], mask: Tensor | None
    ) -> Tensor:
        """Block positions attend to the context and to each other, both ways (eq. 3)."""
        k, v = (torch.cat(pair, dim=2) for pair in zip(context, self.keys_values(x, cos, sin), strict=True))
        return self.attend(x, cos, sin, k, v, mask)

    def attend(self, x: Tensor, cos: Tensor, sin: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Positions ``x`` [B, Q, width] look at keys and values [B, heads, L, head_dim]: [B, Q, hidden]."""
        q = self.q_proj(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        q = rotate(self.q_norm(q), cos, sin)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0, enable_gqa=True)
        return self.o_proj(out.transpose(1, 2).flatten(2))


class Gemma4MLP(MLP):
    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x))


class Gemma4Layer(nn.Module):
    layer_scalar: Tensor

    def __init__(self, config: Gemma4Fields, width: int | None = None) -> None:
        super().__init__()
        self.self_attn, self.mlp = Gemma4Attention(config, width), Gemma4MLP(config)
        width, eps = config.hidden_size, config.rms_norm_eps
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(width, eps), RMSNorm(width, eps)
        self.pre_feedforward_layernorm, self.post_feedforward_layernorm = RMSNorm(width, eps), RMSNorm(width, eps)
        self.register_buffer("layer_scalar", torch.ones(1))

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, context: tuple[Tensor, Tensor], mask: Tensor | None
    ) -> Tensor:
        return self.after(x, self.self_attn(self.input_layernorm(x), cos, sin, context, mask))

    def after(self, x: Tensor, attended: Tensor) -> Tensor:
        """The layer's output, of its residual stream and what its attention gave."""
        x = x + self.post_attention_layernorm(attended)
        x = x + self.post_feedforward_layernorm(self.mlp(self.pre_feedforward_layernorm(x)))
        return x * self.layer_scalar


def capped(logits: Tensor, cap: float | None) -> Tensor:
    """Logits that stay within ``cap``, softly."""
    return logits if cap is None else cap * torch.tanh(logits / cap)
