"""The DSpark draft model: DFlash backbone, sequential head, confidence head (arXiv 2607.05147, eq. 2-7).

Module and tensor names are those of DeepSpec's checkpoints (``Qwen3DSparkModel``), so that a state dict is the file.
Rank 0 without a confidence head is DFlash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspark_lab.drafters.block_attention import Blocks, attention
from dspark_lab.drafters.heads import HEADS, ConfidenceHead
from dspark_lab.drafters.norms import rms_norm
from dspark_lab.errors import LabError


@dataclass(frozen=True, kw_only=True)
class DraftConfig:
    """What ``config.json`` says of every drafter made of Qwen3 layers; field names are the file's."""

    architecture: ClassVar[str]
    """The one entry of the file's ``architectures``."""
    plain: ClassVar[Mapping[str, Any]] = {"attention_bias": False, "hidden_act": "silu"}
    """Fields that change what a layer computes, with the value that it is written for."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    num_target_layers: int
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10_000.0
    num_anchors: int = 24

    @classmethod
    def from_json(cls, config: Any) -> Self:
        """Read a parsed ``config.json``. Raises LabError for another architecture or head, or a field that is missing
        or of the wrong type."""
        if not isinstance(config, Mapping):
            raise LabError("the drafter's config.json is not a JSON object: it is not a DeepSpec checkpoint.")
        if config.get("architectures") != [cls.architecture]:
            raise LabError(
                f"the drafter's architecture is {config.get('architectures')}; this loader reads {cls.architecture}."
            )
        for name, plain in cls.plain.items():
            if config.get(name, plain) != plain:
                raise LabError(
                    f"the drafter's {name} is {config[name]!r}; this lab computes layers where it is {plain!r}."
                )
        config = cls.translate(config)
        values: dict[str, Any] = {}
        for field in fields(cls):
            if field.name in config:
                values[field.name] = config[field.name]
            elif field.default is field.default_factory:
                raise LabError(f"the drafter's config.json lacks {field.name!r}: it is not a DeepSpec checkpoint.")
        for field in fields(cls):
            _check_field(field.name, str(field.type), values.get(field.name, field.default))
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        result = cls(**values)
        result.check()
        return result

    @classmethod
    def translate(cls, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The file's fields by the names of this class. Raises LabError for layers that this lab does not compute."""
        rope = config.get("rope_parameters") or config.get("rope_scaling")
        rope = rope if isinstance(rope, Mapping) else {}
        rope_type = rope.get("rope_type", rope.get("type", "default"))
        if rope_type != "default":
            raise LabError(f"the drafter's rope_type is {rope_type!r}; this lab computes 'default' for it.")
        types = config.get("layer_types") or (["sliding_attention"] if config.get("use_sliding_window") else [])
        other = [t for t in types if t != "full_attention"] if isinstance(types, list) else [types]
        if other:
            raise LabError(f"the drafter has layers of type {other[0]!r}; this lab computes 'full_attention' for it.")
        return {**config, "rope_theta": config.get("rope_theta", rope.get("rope_theta", 10_000.0))}

    def check(self) -> None:
        """Raises LabError for fields that do not go together."""

    def periods(self, device: torch.device) -> Tensor:
        """By how many positions [head_dim / 2] each pair of a rotary embedding turns by one radian, in float32."""
        exponent = torch.arange(0, self.head_dim, 2, device=device, dtype=torch.float32) / self.head_dim
        return self.rope_theta**exponent

    def to_json(self) -> dict[str, Any]:
        return {
            "architectures": [self.architecture],
            "model_type": "qwen3",
            **{name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()},
            "attention_bias": False,
            "hidden_act": "silu",
            "layer_types": ["full_attention"] * self.num_hidden_layers,
            "tie_word_embeddings": False,
            "dtype": "bfloat16",
        }


@dataclass(frozen=True, kw_only=True)
class DSparkConfig(DraftConfig):
    """What ``config.json`` of a DeepSpec DSpark or DFlash checkpoint says."""

    architecture = "Qwen3DSparkModel"
    sample_from_anchor: ClassVar[bool] = True
    """The anchor's own slot predicts the first draft token; else the masks predict, and the anchor's slot nothing."""

    target_layer_ids: tuple[int, ...]
    block_size: int
    mask_token_id: int
    markov_rank: int
    markov_head_type: str = "vanilla"
    enable_confidence_head: bool = True
    confidence_head_with_markov: bool = True

    @property
    def drafted(self) -> int:
        """Tokens that a block drafts."""
        return self.block_size if self.sample_from_anchor else self.block_size - 1

    def check(self) -> None:
        if not self.drafted:
            raise LabError(
                f"the drafter's block_size is {self.block_size}, an anchor without masks: it drafts nothing."
            )
        if self.mask_token_id >= self.vocab_size:
            mask, size = self.mask_token_id, self.vocab_size
            raise LabError(
                f"the drafter's mask_token_id is {mask}, but its vocabulary has {size}: get the checkpoint again."
            )
        if self.markov_rank and self.markov_head_type not in HEADS:
            raise LabError(
                f"the drafter's markov_head_type is {self.markov_head_type!r}; this loader reads {', '.join(HEADS)}."
            )
        check_taps(self.target_layer_ids, self.num_target_layers)


def check_taps(layers: tuple[int, ...], depth: int) -> None:
    """Raises LabError unless the target's raw outputs can be read at ``layers``."""
    if not layers or max(layers) >= depth - 1:
        raise LabError(
            f"the drafter reads target layers {list(layers)} of {depth}: there must "
            f"be at least one, and none may be the last, whose output transformers gives only normalised."
        )


def _check_field(name: str, kind: str, value: Any) -> None:
    """Raises LabError for a value of ``config.json`` that no checkpoint can have."""
    low, high = (0, 2**31) if name in ("markov_rank", "mask_token_id") else (1, 2**31)
    high = 1024 if name in ("block_size", "ttt_length") else high
    if kind == "int":
        fits, wanted = type(value) is int and low <= value <= high, f"a whole number from {low} to {high}"
    elif kind.startswith("float"):
        fits, wanted = type(value) in (int, float) and 0 < value < float("inf"), "a number above 0"
        fits = fits or (value is None and "None" in kind)
    elif kind.startswith("tuple"):
        fits = isinstance(value, (list, tuple)) and all(type(v) is int and v >= 0 for v in value)
        wanted = "a list of layer numbers"
    else:
        fits, wanted = isinstance(value, bool if kind == "bool" else str), f"a {kind}"
    if not fits:
        raise LabError(f"the drafter's {name} is {value!r}, but must be {wanted}: get the checkpoint again.")


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
        x = attended + (x if index is None else x[index])
        return x + self.mlp(self.post_attention_layernorm(x))


class DSparkModel(nn.Module):
    """Backbone and heads. ``embed_tokens`` and ``lm_head`` are the target's, frozen."""

    embedding_class: ClassVar[type[nn.Embedding]] = nn.Embedding
    layer_class: ClassVar[type[nn.Module]] = Layer

    def __init__(self, config: DSparkConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden_size
        self.embed_tokens = self.embedding_class(config.vocab_size, hidden).requires_grad_(False)
        self.lm_head = nn.Linear(hidden, config.vocab_size, bias=False).requires_grad_(False)
        self.fc = nn.Linear(len(config.target_layer_ids) * hidden, hidden, bias=False)
        self.hidden_norm = RMSNorm(hidden, config.rms_norm_eps)
        self.layers = nn.ModuleList(self.layer_class(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(hidden, config.rms_norm_eps)
        rank = config.markov_rank
        self.markov_head = HEADS[config.markov_head_type](config.vocab_size, rank, hidden) if rank else None
        with_markov = rank if config.confidence_head_with_markov else 0
        self.confidence_head = ConfidenceHead(hidden + with_markov) if config.enable_confidence_head else None

    @property
    def blocks(self) -> list[Layer]:
        """The layers, first to last."""
        return cast("list[Layer]", list(self.layers))

    def context(self, taps: Tensor, positions: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values per layer of context features (eq. 2-3).

        Args:
            taps: the target's raw outputs at ``target_layer_ids``, concatenated, [B, L, taps * hidden].
            positions: [B, L].
        """
        h = self.hidden_norm(self.fc(taps))
        cos, sin = (table.unsqueeze(1).to(h.dtype) for table in rope_tables(self.config, positions))
        return [layer.self_attn.keys_values(h, cos, sin) for layer in self.blocks]

    def block(
        self,
        ids: Tensor,
        positions: Tensor,
        context: list[tuple[Tensor, Tensor]],
        seen: Tensor | Blocks | None = None,
    ) -> Tensor:
        """Normalised hidden states [B, Q, hidden] of the block inputs ``ids`` [B, Q] (anchor, then masks), each of which
        sees the whole context and all inputs, or what ``seen`` says."""
        first: dict[str, Tensor] = {}
        if isinstance(seen, Blocks):  # most inputs are masks, alike until they attend
            ids, first["index"] = ids.unique(return_inverse=True)
        x = self.embed_tokens(ids)
        cos, sin = (table.unsqueeze(1).to(x.dtype) for table in rope_tables(self.config, positions))
        for layer, layer_context in zip(self.blocks, context, strict=True):
            x = layer(x, cos, sin, layer_context, seen, **first)
            first = {}
        return self.norm(x)

    def base_logits(self, hidden: Tensor) -> Tensor:
        """U_k [..., V] from h_k [..., hidden], before the sequential head's bias."""
        return self.lm_head(hidden)

    def confidence_logits(self, hidden: Tensor, previous: Tensor) -> Tensor:
        """Logits of c_k (eq. 7) from h_k [..., hidden] and the ids of x_{k-1} [...]."""
        if self.confidence_head is None:
            raise LabError("this drafter has no confidence head.")
        if self.config.confidence_head_with_markov and self.markov_head is not None:
            hidden = torch.cat([hidden, self.markov_head.embed(previous)], dim=-1)
        return self.confidence_head(hidden)
