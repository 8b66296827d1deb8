"""The shape of the tests' own targets."""

from __future__ import annotations

from typing import Any

from transformers import Qwen3Config, Qwen3ForCausalLM


def tiny_qwen3(**options: Any) -> Qwen3ForCausalLM:
    """4 layers of width 32, with random weights spread so that the tokens are neither certain nor alike."""
    return Qwen3ForCausalLM(
        Qwen3Config(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            bos_token_id=None,
            initializer_range=0.2,
            **options,
        )
    ).eval()
