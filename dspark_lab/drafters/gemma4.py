"""DSpark and DFlash drafters for Gemma4 targets, as DeepSpec trains them (``Gemma4DSparkModel``).

The draft layers are Gemma4's global ones: norms before and after attention and MLP, keys without a scale before the softmax,
values normalised and, with ``attention_k_eq_v``, the keys before their norm; rotary embedding of a part of each head. The
embedding is scaled by sqrt(hidden) and base logits are capped softly; the sequential head's bias comes after the cap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspark_lab.checkpoints import matching_config
from dspark_lab.drafters.draft_layers import MLP, RMSNorm, rotate
from dspark_lab.drafters.dspark import DSparkDrafter, assemble
from dspark_lab.drafters.dspark_model import DSparkConfig, DSparkModel
from dspark_lab.errors import LabError
from dspark_lab.packed import PackedCache
from dspark_lab.slots import GROWTH, PackedSlots
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo


@dataclass(frozen=True, kw_only=True)
class Gemma4Config(DSparkConfig):
    """What ``config.json`` says; ``head_dim`` and ``num_key_value_heads`` are those of global layers.

    Attributes:
        partial_rotary_factor: share of each head that is rotated. rope_factor: by how much positions are scaled down.
        final_logit_softcapping: base logits stay within this, None for no cap.
    """

    architecture = "Gemma4DSparkModel"
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
    def __init__(self, config: Gemma4Config) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        queries, keys = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, queries, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.v_proj = None if config.attention_k_eq_v else nn.Linear(config.hidden_size, keys, bias=False)
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
        q = self.q_proj(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        q = rotate(self.q_norm(q), cos, sin)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0, enable_gqa=True)
        return self.o_proj(out.transpose(1, 2).flatten(2))


class Gemma4MLP(MLP):
    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x))


class Gemma4Layer(nn.Module):
    layer_scalar: Tensor

    def __init__(self, config: Gemma4Config) -> None:
        super().__init__()
        self.self_attn, self.mlp = Gemma4Attention(config), Gemma4MLP(config)
        width, eps = config.hidden_size, config.rms_norm_eps
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(width, eps), RMSNorm(width, eps)
        self.pre_feedforward_layernorm, self.post_feedforward_layernorm = RMSNorm(width, eps), RMSNorm(width, eps)
        self.register_buffer("layer_scalar", torch.ones(1))

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, context: tuple[Tensor, Tensor], mask: Tensor | None
    ) -> Tensor:
        attended = self.self_attn(self.input_layernorm(x), cos, sin, context, mask)
        x = x + self.post_attention_layernorm(attended)
        x = x + self.post_feedforward_layernorm(self.mlp(self.pre_feedforward_layernorm(x)))
        return x * self.layer_scalar


class Gemma4DSparkModel(DSparkModel):
    config: Gemma4Config
    embedding_class = ScaledEmbedding
    layer_class = Gemma4Layer

    def base_logits(self, hidden: Tensor) -> Tensor:
        cap, logits = self.config.final_logit_softcapping, self.lm_head(hidden)
        return logits if cap is None else cap * torch.tanh(logits / cap)


class Gemma4Drafter(DSparkDrafter):
    """Runs the layers as they are: packing is for Qwen3's."""

    model: Gemma4DSparkModel

    def _pack(self) -> None:
        pass

    def new_state(self) -> PackedCache:
        c = self.config
        shape = (c.num_hidden_layers, 2, c.num_key_value_heads, GROWTH, c.head_dim)
        return PackedCache(self.model.fc.weight.new_zeros(shape))

    def new_slots(self) -> PackedSlots:
        c = self.config
        return PackedSlots(
            self.model.fc.weight.new_zeros((c.num_hidden_layers, 0, 0, 2, c.num_key_value_heads, c.head_dim))
        )

    def _keys_values(self, taps: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        pairs = self.model.context(taps[None], positions[None])
        k, v = (torch.cat(values) for values in zip(*pairs, strict=True))
        return k, v

    def _run(self, state: PackedCache, ids: Tensor) -> Tensor:
        positions = torch.arange(state.length, state.length + len(ids), device=ids.device)
        context = [(layer[:1], layer[1:]) for layer in state.buffer[:, :, :, : state.length]]
        return self.model.block(ids[None], positions[None], context)[0]

    def _run_slots(self, states: PackedSlots, slots: Sequence[int], ids: Tensor) -> Tensor:
        lengths = torch.tensor([states.lengths[s] for s in slots], device=ids.device)[:, None]
        positions = lengths + torch.arange(ids.shape[1], device=ids.device)
        longest = int(lengths.max())
        context = [(k, v) for layer in states.buffer[:, slots, :longest] for k, v in [layer.transpose(1, 3).unbind(2)]]
        seen = F.pad(torch.arange(longest, device=ids.device) < lengths, (0, ids.shape[1]), value=True)
        return self.model.block(ids, positions, context, seen[:, None, None])


def load(folder: Path, config: Mapping[str, Any], target: Target, info: ModelInfo) -> DSparkDrafter:
    """A DeepSpec DSpark or DFlash checkpoint for a Gemma4 target, matched against it."""
    c = matching_config(Gemma4Config, config, folder, target)
    return assemble(Gemma4Drafter, Gemma4DSparkModel, c, folder, target, info)
