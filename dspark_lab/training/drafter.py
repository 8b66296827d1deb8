"""Training a DSpark drafter on answers that its target wrote: anchors, masks, target states computed on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from dspark_lab.drafters.block_attention import Blocks
from dspark_lab.drafters.dspark_model import DSparkConfig, DSparkModel
from dspark_lab.drafters.heads import HEADS
from dspark_lab.drafters.registry import KINDS
from dspark_lab.errors import LabError
from dspark_lab.training.batches import Batch
from dspark_lab.training.kinds import Options
from dspark_lab.training.losses import LossWeights, Maps, losses_of_rows
from dspark_lab.training.states import States, target_probabilities, target_states


def new_config(target: PreTrainedModel, options: Options) -> DSparkConfig:
    """A drafter shaped like its target."""
    c = target.config.get_text_config()
    depth = c.num_hidden_layers
    own = KINDS[options.kind].head
    head = own and (options.head or own)
    if head not in ("", *HEADS):
        raise LabError(f"the head is {head!r}, but must be one of {', '.join(HEADS)}.")
    rank = options.rank if head else 0
    return DSparkConfig(
        vocab_size=c.vocab_size,
        hidden_size=c.hidden_size,
        intermediate_size=c.intermediate_size,
        num_hidden_layers=options.layers,
        num_attention_heads=c.num_attention_heads,
        num_key_value_heads=c.num_key_value_heads,
        head_dim=c.head_dim,
        max_position_embeddings=c.max_position_embeddings,
        num_target_layers=depth,
        target_layer_ids=options.taps or (1, depth // 2, depth - 2),
        block_size=options.block_size,
        mask_token_id=options.mask_token_id,
        markov_rank=rank,
        markov_head_type=head or "vanilla",
        enable_confidence_head=bool(head) and options.confidence,
        confidence_head_with_markov=rank > 0,
        rms_norm_eps=c.rms_norm_eps,
        num_anchors=options.anchors,
    )


def new_model(target: PreTrainedModel, options: Options) -> DSparkModel:
    """Random weights, but the target's embedding and LM head, and of a Qwen3 the norm before that; the Markov head starts as
    zero bias."""
    model = DSparkModel(new_config(target, options))
    for name, p in model.named_parameters():
        if p.requires_grad and p.ndim > 1:
            torch.nn.init.normal_(p, std=0.02)
        if "markov_w2" in name or "confidence_head" in name:
            torch.nn.init.zeros_(p)
        if "markov_w1" in name:
            torch.nn.init.normal_(p, std=0.2)
    with torch.no_grad():
        norm = getattr(target.get_decoder(), "norm", None)
        if isinstance(norm, Qwen3RMSNorm):
            model.norm.weight.copy_(norm.weight)
        model.embed_tokens.weight.copy_(target.get_input_embeddings().weight)
        model.lm_head.weight.copy_(target.get_output_embeddings().weight)
    return model


def sample_anchors(answer: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random anchors whose next token belongs to the answer: positions [B, count] and which of them are real."""
    candidates = answer[:, 1:]
    order = torch.rand(candidates.shape, generator=generator).masked_fill(~candidates, 2.0).argsort(dim=1)
    kept = torch.arange(count) < candidates.sum(1, keepdim=True)
    anchors = F.pad(order, (0, max(0, count - order.shape[1])))[:, :count]
    return anchors.masked_fill(~kept, 0), kept


class Objective:
    """``loss_of`` for ``loop.train``: draft blocks at random anchors against the target's distributions."""

    def __init__(
        self,
        model: nn.Module,
        target: PreTrainedModel,
        batches: Callable[[int], Batch],
        weights: LossWeights | None = None,
        seed: int = 0,
    ) -> None:
        self.model: Any = model
        self.target, self.batches, self.seed = target, batches, seed
        self.weights = weights or LossWeights()

    def __call__(self, step: int) -> dict[str, Tensor]:
        c, device = self.model.config, next(self.model.parameters()).device
        batch = self.batches(step)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        anchors, kept = sample_anchors(batch.answer, c.num_anchors, generator)
        most = int(kept.sum(1).max())  # short answers have room for few
        anchors, kept, ids, answer = (
            t.to(device) for t in (anchors[:, :most], kept[:, :most], batch.ids, batch.answer)
        )
        states = batch.states or target_states(self.target, ids, c.target_layer_ids)
        g, length = c.block_size, ids.shape[1]
        places = anchors[..., None] + torch.arange(g, device=device)  # [B, A, g] where the blocks' slots stand
        labels_at = (places + 1).clamp(max=length - 1)
        valid = (answer.gather(1, labels_at.flatten(1)).view_as(places) & (places + 1 < length)).cumprod(-1).bool()
        valid &= kept[..., None]
        row, slot = valid.flatten(1).nonzero(as_tuple=True)  # the M slots that have something to predict
        at = places.flatten(1)[row, slot]
        maps, confidence = self.draft(ids, places, states, row, slot)
        # Blocks overlap: the target's distribution at a position is computed once.
        place, index = torch.unique(row * length + at, return_inverse=True)
        p_t = target_probabilities(self.target, states[1].flatten(0, 1)[place])
        return losses_of_rows(maps, confidence, p_t, index, ids[row, at + 1], valid[kept], self.weights)

    def draft(
        self, ids: Tensor, places: Tensor, states: States, row: Tensor, slot: Tensor
    ) -> tuple[Maps, Tensor | None]:
        """Draft logits [M, V], and confidence logits [M] where there are any, of slots ``slot`` [M] of sequences ``row``,
        among all slots [A*g] of blocks at ``places`` [B, A, g]."""
        at, head = row * places[0].numel() + slot, self.model.markov_head
        hidden = self.hidden(ids, places, states, at)
        previous = ids.gather(1, places.flatten(1).clamp(max=ids.shape[1] - 1))  # [B, A*g]
        maps = [(hidden, self.model.lm_head.weight)]
        if head is not None:
            maps.append((head.latents_at(previous.view_as(places), hidden, at), head.markov_w2.weight))  # eq. 4
        if self.model.confidence_head is None:
            return maps, None
        return maps, self.model.confidence_logits(hidden, previous[row, slot])

    def hidden(self, ids: Tensor, places: Tensor, states: States, at: Tensor) -> Tensor:
        """What the LM head reads [M, hidden] in the slots ``at`` [M] among all B*A*g of blocks whose slots are at ``places``
        [B, A, g] of ``ids`` [B, L]; the first slot is the anchor's."""
        c, anchors = self.model.config, places[..., 0]
        inputs = torch.full_like(places, c.mask_token_id)
        inputs[..., 0] = ids.gather(1, anchors)
        length = max(1, int(anchors.max()))  # nothing sees what comes after
        context = self.model.context(
            states[0][:, :length], torch.arange(length, device=ids.device).expand(len(ids), -1)
        )
        seen = Blocks(anchors, length, c.block_size)
        return self.model.block(inputs.flatten(1), places.flatten(1), context, seen, at)
