"""Training a draft model: a small Qwen3 of its own on the target's answers and distributions."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from dspark_lab.training import drafter
from dspark_lab.training.kinds import Options
from dspark_lab.training.losses import Maps
from dspark_lab.training.states import States


class DraftModelConfig(Qwen3Config):
    """With ``block_size``, tokens drafted a round, and ``num_anchors``, blocks trained on per sequence."""

    target_layer_ids: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**self.to_dict(), "architectures": ["Qwen3ForCausalLM"], "dtype": "bfloat16"}


class DraftModel(Qwen3ForCausalLM):
    """The plain model: what is saved is read by ``AutoModelForCausalLM``."""


def new_model(target: PreTrainedModel, options: Options) -> DraftModel:
    """Random weights: ``options.layers`` layers half as wide as the target's, embeddings tied, as many positions."""
    c = target.config.get_text_config()
    config = DraftModelConfig(
        vocab_size=c.vocab_size,
        hidden_size=c.hidden_size // 2,
        intermediate_size=c.intermediate_size // 2,
        num_hidden_layers=options.layers,
        num_attention_heads=max(1, c.num_attention_heads // 2),
        num_key_value_heads=max(1, c.num_key_value_heads // 2),
        head_dim=c.head_dim,
        max_position_embeddings=c.max_position_embeddings,
        tie_word_embeddings=True,
        pad_token_id=c.pad_token_id,
        eos_token_id=c.eos_token_id,
        bos_token_id=None,
        block_size=options.block_size,
        num_anchors=options.anchors,
    )
    return DraftModel(config)


class Objective(drafter.Objective):
    """``loss_of`` for ``loop.train``: the model runs once over the true text, as it does over its own drafts."""

    def draft(
        self, ids: Tensor, places: Tensor, states: States, row: Tensor, slot: Tensor
    ) -> tuple[Maps, Tensor | None]:
        hidden = self.model.model(ids, use_cache=False).last_hidden_state  # [B, L, H]
        return [(hidden[row, places.flatten(1)[row, slot]], self.model.lm_head.weight)], None
