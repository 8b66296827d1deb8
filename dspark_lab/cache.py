"""A key/value cache that can be rewound and copied, for any transformers model whose layers attend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, DynamicLayer

from dspark_lab.errors import LabError
from dspark_lab.slots import GROWTH, Ragged, grown


class RewindableLayer(DynamicLayer):
    """Keys and values [1, heads, length, head_dim] as views into buffers that grow in steps: appending copies only what
    is new, and rewinding copies nothing. (``DynamicCache.crop`` changed its meaning between releases of transformers.)"""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor, *_: Any) -> None:
        super().lazy_initialization(key_states, value_states)
        self._buffers = tuple(s.new_empty((*s.shape[:-2], GROWTH, s.shape[-1])) for s in (key_states, value_states))
        self.rewind(0)

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, end = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
        if end > self._buffers[0].shape[-2]:
            room = -(-end // GROWTH) * GROWTH * 2
            grown = tuple(b.new_empty((*b.shape[:-2], room, b.shape[-1])) for b in self._buffers)
            for new, old in zip(grown, (self.keys, self.values), strict=True):
                new[..., :start, :] = old
            self._buffers = grown
        self._buffers[0][..., start:end, :] = key_states
        self._buffers[1][..., start:end, :] = value_states
        self.rewind(end)
        return self.keys, self.values

    def rewind(self, length: int) -> None:
        """Keep the first ``length`` entries."""
        self.keys, self.values = (b[..., :length, :] for b in self._buffers)

    def keep(self, length: int, others: Sequence[int]) -> None:
        """Keep the first ``length`` entries, and behind them those numbered ``others``, which ascend."""
        end = length + len(others)
        if list(others) != list(range(length, end)):
            for b in self._buffers:
                b[..., length:end, :] = b[..., others, :]
        self.rewind(end)

    def copy(self, length: int) -> RewindableLayer:
        """A layer of its own with the first ``length`` entries."""
        new = RewindableLayer()
        if self.is_initialized:
            new.update(self.keys[..., :length, :], self.values[..., :length, :])
        return new


class RewindableCache(Cache):
    """The cache of one session, ``length`` entries long in every layer."""

    def __init__(self, layers: list[RewindableLayer]) -> None:
        super().__init__(layers=list(layers))

    @classmethod
    def for_config(cls, config: PreTrainedConfig) -> RewindableCache:
        """An empty cache. Raises LabError for a model with recurrent layers, whose state cannot be rewound."""
        types = set(getattr(config, "layer_types", None) or ["full_attention"])
        other = types - {"full_attention", "sliding_attention"}
        if other:
            raise LabError(
                f"the target has layers of type {', '.join(sorted(other))}: their state cannot be rewound after a "
                f"rejection. Choose a target whose layers all attend (full or sliding attention)."
            )
        # A sliding layer keeps every entry too: the mask hides what slid out, and rewinding can bring it back.
        return cls([RewindableLayer() for _ in range(config.num_hidden_layers)])

    @property
    def length(self) -> int:
        return int(self.layers[0].get_seq_length())

    def rewind(self, length: int) -> None:
        for layer in self.layers:
            if layer.is_initialized:
                layer.rewind(length)

    @torch.inference_mode()
    def keep(self, length: int, others: Sequence[int]) -> None:
        for layer in self.layers:
            layer.keep(length, others)

    def copy(self, length: int) -> RewindableCache:
        with torch.inference_mode():
            return RewindableCache([layer.copy(length) for layer in self.layers])


class SlotLayer(DynamicLayer):
    """Keys and values of many requests, [heads, slots, room, head_dim], of which a forward pass sees those that the
    batch's requests hold, one request after another."""

    ragged: Ragged

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor, *_: Any) -> None:
        super().lazy_initialization(key_states, value_states)
        self.buffers = [s.new_empty((s.shape[1], 0, 0, s.shape[-1])) for s in (key_states, value_states)]

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        ragged, (slots, places) = self.ragged, self.ragged.held()
        seen = []
        for i, new in enumerate((key_states, value_states)):
            stored = self.buffers[i] = grown(self.buffers[i], 1, ragged)
            stored[:, ragged.slot, ragged.positions] = new[0]
            seen.append(stored[None, :, slots, places])
        self.keys, self.values = seen
        return self.keys, self.values

    def move(self, source: int, to: int, length: int) -> None:
        for buffer in self.buffers if length else []:
            buffer[:, to, :length] = buffer[:, source, :length]


class ModelSlots(Cache):
    """The caches of many requests, a slot each, for any transformers model whose layers attend; slot s holds
    ``lengths[s]`` positions."""

    def __init__(self, layers: list[SlotLayer]) -> None:
        super().__init__(layers=list(layers))
        self.lengths: list[int] = []

    @classmethod
    def for_config(cls, config: PreTrainedConfig) -> ModelSlots:
        """Without a slot. Raises LabError for a model with recurrent layers."""
        return cls([SlotLayer() for _ in RewindableCache.for_config(config).layers])

    def expecting(self, ragged: Ragged) -> ModelSlots:
        """This, made ready for a forward pass over these tokens."""
        for layer in self.layers:
            layer.ragged = ragged
        return self

    @torch.inference_mode()
    def move(self, source: int, to: int) -> None:
        """Let slot ``to`` hold what slot ``source`` holds."""
        self.lengths[to] = self.lengths[source]
        for layer in self.layers:
            layer.move(source, to, self.lengths[to])
