"""Eagle3 (arXiv 2503.01840) as DeepSpec trains it: features fused from several target layers, one layer, hidden state fed
back.

Module and tensor names are those of DeepSpec's checkpoints (``Qwen3Eagle3Model``), which draft from the target's full
vocabulary. The layer's attention reads the normalised embedding and the normalised hidden state side by side; the residual
stream is the hidden state alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dspark_lab.checkpoints import filled, matching_config
from dspark_lab.drafters.autoregressive import AutoregressiveDrafter, AutoregressiveModel, check_layers
from dspark_lab.drafters.draft_config import DraftConfig, check_taps
from dspark_lab.drafters.draft_layers import Layer, RMSNorm
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo


@dataclass(frozen=True, kw_only=True)
class Eagle3Config(DraftConfig):
    """What ``config.json`` of a DeepSpec Eagle3 checkpoint says.

    Attributes:
        target_layer_ids: target layers fused.
        ttt_length: steps of the training-time test, and tokens drafted a round.
        step_loss_decay: DeepSpec's weight of each step's loss relative to the one before; ``LossWeights.decay`` is this
            lab's.
    """

    architecture = "Qwen3Eagle3Model"

    target_layer_ids: tuple[int, ...]
    ttt_length: int
    step_loss_decay: float = 0.8
    draft_num_hidden_layers: int = 1

    @property
    def block_size(self) -> int:
        return self.ttt_length

    @property
    def tap_layers(self) -> tuple[int, ...]:
        return self.target_layer_ids

    def check(self) -> None:
        check_layers(self)
        check_taps(self.target_layer_ids, self.num_target_layers)


class Eagle3Layer(Layer):
    def __init__(self, config: Eagle3Config) -> None:
        super().__init__(config, 2 * config.hidden_size)
        self.hidden_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Eagle3Model(AutoregressiveModel):
    layer_class: type[Any] = Eagle3Layer

    def __init__(self, config: Eagle3Config) -> None:
        super().__init__(config, self.layer_class(config))
        self.fc = nn.Linear(len(config.target_layer_ids) * config.hidden_size, config.hidden_size, bias=False)

    def features(self, taps: Tensor) -> Tensor:
        return self.fc(taps)

    def join(self, hidden: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
        layer: Any = self.layers[0]
        return hidden, torch.cat([layer.input_layernorm(embedded), layer.hidden_norm(hidden)], dim=-1)


def load(folder: Path, config: Mapping[str, Any], target: Target, info: ModelInfo) -> AutoregressiveDrafter:
    """A DeepSpec Eagle3 checkpoint, matched against its target."""
    c = matching_config(Eagle3Config, config, folder, target)
    model, parameters = filled(Eagle3Model(c), folder, target)
    return AutoregressiveDrafter(model, replace(info, kind="eagle3", parameters=parameters, block_size=c.block_size))
