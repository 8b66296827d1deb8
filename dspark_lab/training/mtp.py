"""Training multi-token prediction: a new module, and the training-time test that lets it be applied again and again."""

from __future__ import annotations

from transformers import PreTrainedModel

from dspark_lab.drafters.mtp import MTPConfig, MTPModel
from dspark_lab.training.autoregressive import Objective, initialised, shape
from dspark_lab.training.kinds import Options

__all__ = ["Objective", "new_model"]


def new_model(target: PreTrainedModel, options: Options) -> MTPModel:
    """Random weights, but the target's embedding and LM head. It taps no layer: it reads what the LM head reads."""
    return initialised(MTPModel(MTPConfig(**shape(target, options), block_size=options.block_size)), target)
