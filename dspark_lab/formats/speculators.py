"""The ``config.json`` of vLLM's ``speculators`` package (github.com/vllm-project/speculators). Tensors keep their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dspark_lab.drafters.dspark_model import DSparkConfig
from dspark_lab.drafters.zlab import ZLabConfig


def speculators_config(c: DSparkConfig, name: str, target: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """How the package describes the drafter ``c`` of the target ``name``, whose parsed ``config.json`` is ``target``.

    Layers are counted as in transformers' ``hidden_states``, where 0 is the embedding: one more than in DeepSpec's files.
    """
    shared = {
        "transformer_layer_config": _layers(c),
        "draft_vocab_size": c.vocab_size,
        "target_hidden_size": c.hidden_size,
        "block_size": c.block_size,
        "aux_hidden_state_layer_ids": [layer + 1 for layer in c.target_layer_ids],
        "mask_token_id": c.mask_token_id,
        "sample_from_anchor": c.sample_from_anchor,
        "tie_word_embeddings": False,
        "dtype": dtype,
    }
    if isinstance(c, ZLabConfig):
        own: dict[str, Any] = {"speculators_model_type": "dflash", "architectures": ["DFlashSpeculator"]}
    else:
        own = {
            "speculators_model_type": "dspark",
            "architectures": ["DSparkSpeculator"],
            "markov_rank": c.markov_rank,
            "markov_head_type": c.markov_head_type,
            "enable_confidence_head": c.enable_confidence_head,
            "confidence_head_with_markov": c.confidence_head_with_markov and c.markov_rank > 0,
        }
    return {**own, **shared, "speculators_config": _proposal(own["speculators_model_type"], c.drafted, name, target)}


def _layers(c: DSparkConfig) -> dict[str, Any]:
    names = (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "rope_theta",
    )  # fmt: skip
    return {
        "model_type": "qwen3",
        **{name: getattr(c, name) for name in names},
        "rope_parameters": {"rope_type": "default", "rope_theta": c.rope_theta},
        "layer_types": ["full_attention"] * c.num_hidden_layers,
        "attention_bias": False,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
    }


def _proposal(algorithm: str, tokens: int, name: str, target: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "algorithm": algorithm,
        "proposal_methods": [{"proposal_type": "greedy", "speculative_tokens": tokens}],
        "default_proposal_method": "greedy",
        "verifier": {"name_or_path": name, "architectures": list(target.get("architectures") or [])},
    }
