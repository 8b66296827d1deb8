"""Multi-token prediction as in DeepSeek-V3 (arXiv 2412.19437, eq. 21-23), one module applied again for every further token.

The first step reads what the target's LM head reads, its last layer's output normalised: so the released weights are
served (vLLM ``model_executor/models/deepseek_mtp.py``: the target hands over its normalised output, ``eh_proj`` takes the
normalised embedding and then the normalised hidden state, and further steps take the layer's raw output). The tensors of
the module bear the released names (DeepSeek-V3 ``README_WEIGHTS.md``); the layer is the target's kind, a Qwen3 layer.
With block size 1 it is MTP-1, the baseline of the DSpark paper's production figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from dspark_lab.checkpoints import filled, matching_config
from dspark_lab.drafters.autoregressive import AutoregressiveDrafter, AutoregressiveModel, check_layers
from dspark_lab.drafters.draft_config import DraftConfig
from dspark_lab.drafters.draft_layers import Layer, RMSNorm
from dspark_lab.target import FINAL, Target
from dspark_lab.trace import ModelInfo


@dataclass(frozen=True, kw_only=True)
class MTPConfig(DraftConfig):
    """What ``config.json`` of an MTP module of this lab says; ``block_size`` is the number of tokens drafted a round."""

    architecture = "DSparkLabMTPModel"

    block_size: int

    target_layer_ids: ClassVar[tuple[int, ...]] = ()

    @property
    def tap_layers(self) -> tuple[int, ...]:
        return (FINAL,)

    def check(self) -> None:
        check_layers(self)


class MTPModel(AutoregressiveModel):
    def __init__(self, config: MTPConfig) -> None:
        super().__init__(config, Layer(config))
        self.enorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.hnorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.eh_proj = nn.Linear(2 * config.hidden_size, config.hidden_size, bias=False)

    def features(self, taps: Tensor) -> Tensor:
        return taps

    def join(self, hidden: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
        x = self.eh_proj(torch.cat([self.enorm(embedded), self.hnorm(hidden)], dim=-1))  # eq. 21
        return x, cast(Layer, self.layers[0]).input_layernorm(x)


def load(folder: Path, config: Mapping[str, Any], target: Target, info: ModelInfo) -> AutoregressiveDrafter:
    """An MTP module of this lab, matched against its target."""
    c = matching_config(MTPConfig, config, folder, target)
    model, parameters = filled(MTPModel(c), folder, target)
    return AutoregressiveDrafter(model, replace(info, kind="mtp", parameters=parameters, block_size=c.block_size))
