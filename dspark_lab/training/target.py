"""Training the pocket target: a small Qwen3-architecture causal LM on the procedural corpus."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from dspark_lab.training.batches import Batch

PROMPT_WEIGHT = 0.1
"""Weight of prompt tokens in the loss: enough to learn their language, little enough to spend the model on answers."""


def target_config(tokenizer: PreTrainedTokenizerFast) -> Qwen3Config:
    """3.4M parameters: 8 layers, 192 wide, 4 query heads over 2 key/value heads, tied embeddings, 1,024 positions."""
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=48,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )


def next_token_loss(model: Qwen3ForCausalLM, batches: Callable[[int], Batch]) -> Callable[[int], dict[str, Tensor]]:
    """``loss_of`` for ``loop.train``: cross-entropy in nats per token, and that of the answers alone."""

    def loss_of(step: int) -> dict[str, Tensor]:
        batch = batches(step)
        logits = model(batch.ids, use_cache=False).logits[:, :-1]  # [B, L-1, V]
        labels, answer = batch.ids[:, 1:], batch.answer[:, 1:]
        nats = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
        text = labels != model.config.pad_token_id
        weight = torch.where(answer, 1.0, PROMPT_WEIGHT) * text
        return {"loss": (nats * weight).sum() / weight.sum(), "answer": (nats.detach() * answer).sum() / answer.sum()}

    return loss_of
