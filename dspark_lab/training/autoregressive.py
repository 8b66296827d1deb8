"""Training drafters that feed their hidden state back, by the training-time test (Eagle3, arXiv 2503.01840): blocks are
drafted step by step as at inference, each step reading the hidden state of the one before, along the true tokens.

DeepSpec starts a block at every position and minimises the cross entropy to the target's distribution, which has the gradient of
``kl``, the default here; here blocks start at ``num_anchors`` random positions, and every loss of DSpark can be had as well.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from dspark_lab.drafters.autoregressive import AutoregressiveModel
from dspark_lab.drafters.draft_layers import rope_tables
from dspark_lab.training import drafter
from dspark_lab.training.kinds import Options
from dspark_lab.training.states import States

M = TypeVar("M", bound=AutoregressiveModel)


def shape(target: PreTrainedModel, options: Options) -> dict[str, Any]:
    """The fields of a ``DraftConfig`` for one layer like the target's."""
    c = target.config.get_text_config()
    return {
        "vocab_size": c.vocab_size,
        "hidden_size": c.hidden_size,
        "intermediate_size": c.intermediate_size,
        "num_hidden_layers": 1,
        "num_attention_heads": c.num_attention_heads,
        "num_key_value_heads": c.num_key_value_heads,
        "head_dim": c.head_dim,
        "max_position_embeddings": c.max_position_embeddings,
        "num_target_layers": c.num_hidden_layers,
        "rms_norm_eps": c.rms_norm_eps,
        "num_anchors": options.anchors,
    }


def initialised(model: M, target: PreTrainedModel) -> M:
    """The model with random matrices and the target's embedding and LM head."""
    for p in model.parameters():
        if p.requires_grad and p.ndim > 1:
            torch.nn.init.normal_(p, std=0.02)
    with torch.no_grad():
        model.embed_tokens.weight.copy_(target.get_input_embeddings().weight)
        model.lm_head.weight.copy_(target.get_output_embeddings().weight)
    return model


class Objective(drafter.Objective):
    """``loss_of`` for ``loop.train``: the training-time test from random anchors."""

    def hidden(self, ids: Tensor, places: Tensor, states: States, at: Tensor) -> Tensor:
        model: AutoregressiveModel = self.model
        taps, final = states
        length, (_, count, block) = ids.shape[1], places.shape
        # Here a pair stands where its token is: token t with the features of t - 1, of which the first token has none.
        features = model.features(taps if model.config.target_layer_ids else final)
        features = F.pad(features, (0, 0, 1, 0))[:, :-1]  # [B, L, H]
        embedded = model.embed_tokens(ids)
        attention: Any = model.layers[0].self_attn
        k, v = attention.keys_values(
            model.join(features, embedded)[1], *self._rope(torch.arange(length, device=ids.device)[None], features)
        )
        position = torch.arange(length, device=ids.device)
        mask = (position > 0) & (position < places[..., :1])  # [B, A, L] committed pairs; then own drafts, step by step
        own = torch.eye(count, dtype=torch.bool, device=ids.device).expand(len(ids), -1, -1)
        hidden, drafted = _at(features, places[..., 0]), []
        for step in range(block):
            now = places[..., step]
            residual, attended = model.join(hidden, _at(embedded, now.clamp(max=length - 1)))
            cos, sin = self._rope(now, features)
            own_k, own_v = attention.keys_values(attended, cos, sin)
            k, v, mask = torch.cat([k, own_k], 2), torch.cat([v, own_v], 2), torch.cat([mask, own], 2)
            hidden = model.step(residual, attended, cos, sin, k, v, mask[:, None])
            drafted.append(hidden)
        return model.norm(torch.stack(drafted, 2).flatten(0, 2).index_select(0, at))

    def _rope(self, positions: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = rope_tables(self.model.config, positions)
        return cos[:, None].to(like.dtype), sin[:, None].to(like.dtype)


def _at(states: Tensor, positions: Tensor) -> Tensor:
    """[B, A, H], the states [B, L, H] at positions [B, A]."""
    return states.gather(1, positions[..., None].expand(-1, -1, states.shape[-1]))
