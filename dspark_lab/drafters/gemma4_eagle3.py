"""Eagle3 for Gemma4 targets, as DeepSpec trains it (``Gemma4Eagle3Model``): one layer like Gemma4's global ones, whose
attention reads the normalised embedding and the normalised hidden state side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from dspark_lab.checkpoints import filled, matching_config
from dspark_lab.drafters.autoregressive import AutoregressiveDrafter, PlainLayer
from dspark_lab.drafters.draft_layers import RMSNorm
from dspark_lab.drafters.eagle3 import Eagle3Config, Eagle3Model
from dspark_lab.drafters.gemma4_layers import Gemma4Fields, Gemma4Layer, ScaledEmbedding, capped
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo


@dataclass(frozen=True, kw_only=True)
class Gemma4Eagle3Config(Gemma4Fields, Eagle3Config):
    """What ``config.json`` says."""

    architecture = "Gemma4Eagle3Model"


class Gemma4Eagle3Layer(Gemma4Layer):
    def __init__(self, config: Gemma4Eagle3Config) -> None:
        super().__init__(config, 2 * config.hidden_size)
        self.hidden_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Gemma4Eagle3Model(Eagle3Model):
    config: Gemma4Eagle3Config
    embedding_class = ScaledEmbedding
    layer_class = Gemma4Eagle3Layer

    def logits(self, hidden: Tensor) -> Tensor:
        return capped(super().logits(hidden), self.config.final_logit_softcapping)

    def ready(self, cos: Tensor, sin: Tensor) -> PlainLayer:
        return PlainLayer(self, cos, sin)


def load(folder: Path, config: Mapping[str, Any], target: Target, info: ModelInfo) -> AutoregressiveDrafter:
    """A DeepSpec Eagle3 checkpoint for a Gemma4 target, matched against it."""
    c = matching_config(Gemma4Eagle3Config, config, folder, target)
    model, parameters = filled(Gemma4Eagle3Model(c), folder, target)
    return AutoregressiveDrafter(model, replace(info, kind="eagle3", parameters=parameters, block_size=c.block_size))
