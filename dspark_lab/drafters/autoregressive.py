"""Drafters that feed their hidden state back: one layer, applied once for each token they draft.

Position i of such a drafter is a pair: the target's features of token i, and the embedding of token i + 1. Its output, the
hidden state h_i, predicts token i + 2. Where a token is only drafted there are no features of the one before it: its pair
takes the drafter's own hidden state instead. Eagle3 and MTP differ in what the features are and in how a pair enters the
layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.drafters.draft_config import DraftConfig
from dspark_lab.drafters.draft_layers import RMSNorm, rope_tables
from dspark_lab.errors import LabError
from dspark_lab.packed import PackedCache, PackedLayers
from dspark_lab.slots import GROWTH
from dspark_lab.trace import ModelInfo


class AutoregressiveModel(nn.Module):
    """One layer between the target's embedding and LM head, both frozen."""

    markov_head = confidence_head = None
    embedding_class = nn.Embedding

    def __init__(self, config: DraftConfig, layer: nn.Module) -> None:
        super().__init__()
        self.config: Any = config
        self.embed_tokens = self.embedding_class(config.vocab_size, config.hidden_size).requires_grad_(False)
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
        layer: Any = self.layers[0]
        out: Tensor = layer.after(residual, layer.self_attn.attend(attended, cos, sin, k, v, mask))
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits [..., V] of hidden states [..., hidden]."""
        return self.lm_head(self.norm(hidden))

    def ready(self, cos: Tensor, sin: Tensor) -> PackedLayers | PlainLayer:
        """The layer as it drafts, given rotary tables [positions, head_dim]."""
        c = self.config
        heads = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        return PackedLayers(self.layers, *heads, c.rms_norm_eps, cos, sin)


class PlainLayer:
    """A model's layer as it is, for those that ``PackedLayers`` do not compute; its methods are theirs."""

    def __init__(self, model: AutoregressiveModel, cos: Tensor, sin: Tensor) -> None:
        self._model, self._cos, self._sin = model, cos, sin

    def new_cache(self) -> PackedCache:
        c = self._model.config
        return PackedCache(self._cos.new_zeros(1, 2, c.num_key_value_heads, GROWTH, c.head_dim))

    def remember(self, attended: Tensor, cache: PackedCache) -> None:
        """Append the keys and values of ``attended`` [n, width]."""
        cache.length = self._write(attended, cache)

    def forward(
        self, x: Tensor, cache: PackedCache, *, causal: bool, attended: Tensor
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Run one pair, whose residual stream is ``x`` [1, hidden], after the cache's, whose length stays."""
        assert len(x) == 1 and causal
        start, end = cache.length, self._write(attended, cache)
        k, v = cache.buffer[0, :, None, :, :end]
        return self._model.step(x[None], attended[None], *self._turns(start, end), k, v, None)[0], {}

    def _write(self, attended: Tensor, cache: PackedCache) -> int:
        start, end = cache.length, cache.length + len(attended)
        cache.reserve(end)
        attention: Any = self._model.layers[0].self_attn
        for place, values in enumerate(attention.keys_values(attended[None], *self._turns(start, end))):
            cache.buffer[0, place, :, start:end] = values[0]
        return end

    def _turns(self, start: int, end: int) -> tuple[Tensor, Tensor]:
        return self._cos[None, None, start:end], self._sin[None, None, start:end]


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
        self._layers: Any = model.ready(cos, sin)

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
                tokens.append(choose(k + 1, self.model.logits(hidden)[0]))
        finally:
            state.cache.rewind(pairs)
        return Draft(tokens, forward_ms=(perf_counter() - began) * 1e3)

    def _embed(self, tokens: list[int]) -> Tensor:
        return self.model.embed_tokens(torch.tensor(tokens, device=self.model.embed_tokens.weight.device))


def check_layers(config: DraftConfig) -> None:
    """Raises LabError unless there is one layer: of more, keys and values would depend on how commits were cut."""
    if config.num_hidden_layers != 1:
        raise LabError(f"the drafter has {config.num_hidden_layers} layers; this loader reads drafters of 1 layer.")
