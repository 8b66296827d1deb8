"""Training Eagle3: a new model, and the training-time test."""

from __future__ import annotations

from transformers import PreTrainedModel

from dspark_lab.drafters.eagle3 import Eagle3Config, Eagle3Model
from dspark_lab.training.autoregressive import Objective, initialised, shape
from dspark_lab.training.kinds import Options

__all__ = ["Objective", "new_model"]


def new_model(target: PreTrainedModel, options: Options) -> Eagle3Model:
    """Random weights, but the target's embedding and LM head."""
    depth = target.config.get_text_config().num_hidden_layers
    taps = options.taps or (1, depth // 2, depth - 2)
    config = Eagle3Config(**shape(target, options), target_layer_ids=taps, ttt_length=options.block_size)
    return initialised(Eagle3Model(config), target)
