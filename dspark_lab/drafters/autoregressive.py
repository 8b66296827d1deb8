"""Drafters that feed their hidden state back: one layer, applied once for each token they draft.

Position i of such a drafter is a pair: the target's features of token i, and the embedding of token i + 1. Its output, the
hidden state h_i, predicts token i + 2. Where a token is only drafted there are no features of the one before it: its pair
takes the drafter's own hidden state instead. Eagle3 and MTP differ in what the features are and in how a pair enters the
layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any, cast

import torch
from torch import Tensor, nn

from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.drafters.draft_config import DraftConfig
from dspark_lab.drafters.draft_layers import Layer, RMSNorm, rope_tables
from dspark_lab.errors import LabError
from dspark_lab.packed import PackedCache, PackedLayers
from dspark_lab.slots import GROWTH
from dspark_lab.trace import ModelInfo


class AutoregressiveModel(nn.Module):
    """One layer between the target's embedding and LM head, both frozen."""

    markov_head = confidence_head = None

    def __init__(self, config: DraftConfig, layer: Layer) -> None:
        super().__init__()
        self.config: Any = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size).requires_grad_(False)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False).requires_grad_(False)
        self.layers = nn.ModuleList([layer])
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def features(self, taps: Tensor) -> Tensor:
        """The target's outputs at ``config.tap_layers`` [..., taps * hidden] as features [..., hidden]."""
        raise NotImplementedError

    def join(self, hidden: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """A pair of features (or a hidden state) and embedding [..., hidden] each: the layer's residual stream
        [..., hidden] and what its attention reads."""
        raise NotImplementedError

    def step(
        self, residual: Tensor, attended: Tensor, cos: Tensor, sin: Tensor, k: Tensor, v: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Hidden states [B, Q, hidden] of joined pairs that look at keys and values [B, heads, L, head_dim]."""
        layer = cast(Layer, self.layers[0])
        x = residual + layer.self_attn.attend(attended, cos, sin, k, v, mask)
        return x + layer.mlp(layer.post_attention_layernorm(x))


@dataclass
class AutoregressiveState:
    """What is known of the committed tokens: ``features`` of all of them [1, 1, 1, room, hidden], and ``cache``, keys and
    values of their pairs, of which the last token has none until its successor is known."""

    features: PackedCache
    cache: PackedCache


class AutoregressiveDrafter:
    """A model of this kind that drafts. What a draft adds to the cache is overwritten by the next commit."""

    def __init__(self, model: AutoregressiveModel, info: ModelInfo) -> None:
        self.model, self.info = model.eval().requires_grad_(False), info
        c, weight = model.config, model.embed_tokens.weight
        self.block_size, self.tap_layers = c.block_size, c.tap_layers
        positions = torch.arange(c.max_position_embeddings + c.block_size, device=weight.device)
        cos, sin = (table.to(weight.dtype) for table in rope_tables(c, positions))
        heads = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        self._layers = PackedLayers(model.layers, *heads, c.rms_norm_eps, cos, sin)

    def new_state(self) -> AutoregressiveState:
        weight = self.model.embed_tokens.weight
        features = PackedCache(weight.new_zeros(1, 1, 1, GROWTH, weight.shape[1]))
        return AutoregressiveState(features, self._layers.new_cache())

    def copy_state(self, state: AutoregressiveState, length: int) -> AutoregressiveState:
        return AutoregressiveState(state.features.copy(length), state.cache.copy(max(0, length - 1)))

    @torch.inference_mode()
    def commit(self, state: AutoregressiveState, tokens: list[int], taps: Tensor | None) -> None:
        assert taps is not None
        known, first = state.features, state.cache.length
        start, end = known.length, known.length + len(tokens)
        known.reserve(end)
        known.buffer[0, 0, 0, start:end] = self.model.features(taps)
        known.length = end
        if end - 1 > first:
            _, attended = self.model.join(
                known.buffer[0, 0, 0, first : end - 1], self._embed(tokens[first + 1 - start :])
            )
            self._layers.remember(attended, state.cache)

    @torch.inference_mode()
    def propose(self, state: AutoregressiveState, anchor: int, gamma: int, choose: Choose) -> Draft:
        began = perf_counter()
        committed, pairs = state.features.length, state.cache.length
        # Before anything is committed there are no features: the anchor enters with zeros in their place.
        hidden = state.features.buffer[0, 0, 0, max(0, committed - 1) : max(1, committed)]
        hidden = hidden if committed else torch.zeros_like(hidden)
        tokens: list[int] = []
        try:
            for k in range(gamma):
                residual, attended = self.model.join(hidden, self._embed([tokens[-1] if tokens else anchor]))
                hidden, _ = self._layers.forward(residual, state.cache, causal=True, attended=attended)
                state.cache.length += 1
                tokens.append(choose(k + 1, self.model.lm_head(self.model.norm(hidden))[0]))
        finally:
            state.cache.rewind(pairs)
        return Draft(tokens, forward_ms=(perf_counter() - began) * 1e3)

    def _embed(self, tokens: list[int]) -> Tensor:
        weight = self.model.embed_tokens.weight
        return weight[torch.tensor(tokens, device=weight.device)]


def check_layers(config: DraftConfig) -> None:
    """Raises LabError unless there is one layer: of more, keys and values would depend on how commits were cut."""
    if config.num_hidden_layers != 1:
        raise LabError(f"the drafter has {config.num_hidden_layers} layers; this loader reads drafters of 1 layer.")
