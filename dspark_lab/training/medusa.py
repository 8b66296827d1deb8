"""Training heads on the target's last state, Medusa's and those of blockwise parallel decoding: the target stays frozen."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

from dspark_lab.drafters.medusa import BlockwiseConfig, BlockwiseModel, HeadsModel, MedusaConfig, MedusaModel
from dspark_lab.training import drafter
from dspark_lab.training.kinds import Options
from dspark_lab.training.losses import Maps
from dspark_lab.training.states import States


def new_model(target: PreTrainedModel, options: Options) -> HeadsModel:
    """Heads that all say what the target's LM head says: its weights, behind residuals that start at zero."""
    c = target.config.get_text_config()
    shape = c.vocab_size, c.hidden_size, options.block_size, options.anchors
    weight = target.get_output_embeddings().weight
    if options.kind == "blockwise":
        blockwise = BlockwiseModel(BlockwiseConfig(*shape))
        torch.nn.init.normal_(blockwise.inner.weight, std=0.02)
        starts, heads = [blockwise.inner.bias, blockwise.outer.weight, blockwise.outer.bias], [blockwise.lm_head.weight]
        model: HeadsModel = blockwise
    else:
        medusa = MedusaModel(MedusaConfig(*shape))
        starts = [p for head in medusa.heads for p in head.linear.parameters()]  # type: ignore[union-attr]
        heads = [head.lm_head.weight for head in medusa.heads]  # type: ignore[union-attr, misc]
        model = medusa
    with torch.no_grad():
        for p in starts:
            p.zero_()
        for p in heads:
            p.copy_(weight)
    return model


class Objective(drafter.Objective):
    """``loss_of`` for ``loop.train``: the block after an anchor from the state of the token before it."""

    def draft(
        self, ids: Tensor, places: Tensor, states: States, row: Tensor, slot: Tensor
    ) -> tuple[Maps, Tensor | None]:
        before = (places[..., 0] - 1).clamp(min=0)  # [B, A]
        final = states[1]
        read = final.gather(1, before[..., None].expand(-1, -1, final.shape[-1]))  # [B, A, hidden]
        return [(self.model(read).flatten(1, 2)[row, slot], None)], None
