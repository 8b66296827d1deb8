"""DSpark and DFlash drafters for Gemma4 targets, as DeepSpec trains them (``Gemma4DSparkModel``). The sequential head's bias
comes after the cap of the base logits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.checkpoints import matching_config
from dspark_lab.drafters.dspark import DSparkDrafter, assemble
from dspark_lab.drafters.dspark_model import DSparkConfig, DSparkModel
from dspark_lab.drafters.gemma4_layers import Gemma4Fields, Gemma4Layer, ScaledEmbedding, capped
from dspark_lab.packed import PackedCache
from dspark_lab.slots import GROWTH, PackedSlots
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo


@dataclass(frozen=True, kw_only=True)
class Gemma4Config(Gemma4Fields, DSparkConfig):
    """What ``config.json`` says."""

    architecture = "Gemma4DSparkModel"


class Gemma4DSparkModel(DSparkModel):
    config: Gemma4Config
    embedding_class = ScaledEmbedding
    layer_class = Gemma4Layer

    def base_logits(self, hidden: Tensor) -> Tensor:
        return capped(self.lm_head(hidden), self.config.final_logit_softcapping)


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
