"""What a drafter reads and imitates of its target: tapped layers, and the state that the target's LM head reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from dspark_lab.drafters.products import product

States = tuple[Tensor, Tensor]
"""Of each token of a batch: the raw outputs of the tapped layers side by side [B, L, taps * hidden], and the last layer's
output, normalised, [B, L, hidden]."""


@torch.no_grad()
def target_states(target: PreTrainedModel, ids: Tensor, layers: Sequence[int]) -> States:
    """Run the target over right-padded ``ids`` [B, L], without its LM head.

    Args:
        layers: 0-based; of the last one transformers hands out only the normalised output.
    """
    decoder: Any = target.get_decoder()
    out = decoder(ids, use_cache=False, output_hidden_states=bool(layers))
    final = out.last_hidden_state
    taps = [out.hidden_states[layer + 1] for layer in layers]
    return torch.cat(taps, dim=-1) if taps else final[..., :0], final


@torch.no_grad()
def target_probabilities(target: PreTrainedModel, final: Tensor) -> Tensor:
    """p_t [..., V] at temperature 1 from the states that the LM head reads [..., hidden]."""
    head = target.get_output_embeddings()
    bare = type(head) is nn.Linear and head.bias is None
    logits = (product(final, head.weight) if bare and final.ndim == 2 else head(final)).float()
    cap = getattr(target.config.get_text_config(), "final_logit_softcapping", None)
    if cap:
        logits = cap * torch.tanh(logits / cap)
    return torch.softmax(logits, -1, out=logits)
