"""The DSpark draft model: DFlash backbone, sequential head, confidence head (arXiv 2607.05147, eq. 2-7).

Module and tensor names are those of DeepSpec's checkpoints (``Qwen3DSparkModel``), so that a state dict is the file.
Rank 0 without a confidence head is DFlash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from dspark_lab.drafters.block_attention import Blocks
from dspark_lab.drafters.draft_config import DraftConfig, check_taps
from dspark_lab.drafters.draft_layers import Layer, RMSNorm, rope_tables
from dspark_lab.drafters.heads import HEADS, ConfidenceHead
from dspark_lab.drafters.products import Linear
from dspark_lab.errors import LabError


@dataclass(frozen=True, kw_only=True)
class DSparkConfig(DraftConfig):
    """What ``config.json`` of a DeepSpec DSpark or DFlash checkpoint says."""

    architecture = "Qwen3DSparkModel"
    sample_from_anchor: ClassVar[bool] = True
    """The anchor's own slot predicts the first draft token; else the masks predict, and the anchor's slot nothing."""

    target_layer_ids: tuple[int, ...]
    block_size: int
    mask_token_id: int
    markov_rank: int
    markov_head_type: str = "vanilla"
    enable_confidence_head: bool = True
    confidence_head_with_markov: bool = True

    @property
    def drafted(self) -> int:
        """Tokens that a block drafts."""
        return self.block_size if self.sample_from_anchor else self.block_size - 1

    def check(self) -> None:
        if not self.drafted:
            raise LabError(
                f"the drafter's block_size is {self.block_size}, an anchor without masks: it drafts nothing."
            )
        if self.mask_token_id >= self.vocab_size:
            mask, size = self.mask_token_id, self.vocab_size
            raise LabError(
                f"the drafter's mask_token_id is {mask}, but its vocabulary has {size}: get the checkpoint again."
            )
        if self.markov_rank and self.markov_head_type not in HEADS:
            raise LabError(
                f"the drafter's markov_head_type is {self.markov_head_type!r}; this loader reads {', '.join(HEADS)}."
            )
        check_taps(self.target_layer_ids, self.num_target_layers)


class DSparkModel(nn.Module):
    """Backbone and heads. ``embed_tokens`` and ``lm_head`` are the target's, frozen."""

    embedding_class: ClassVar[type[nn.Embedding]] = nn.Embedding
    layer_class: ClassVar[type[nn.Module]] = Layer

    def __init__(self, config: DSparkConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden_size
        self.embed_tokens = self.embedding_class(config.vocab_size, hidden).requires_grad_(False)
        self.lm_head = nn.Linear(hidden, config.vocab_size, bias=False).requires_grad_(False)
        self.fc = Linear(len(config.target_layer_ids) * hidden, hidden)
        self.hidden_norm = RMSNorm(hidden, config.rms_norm_eps, multiplied=True)
        self.layers = nn.ModuleList(self.layer_class(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(hidden, config.rms_norm_eps)
        rank = config.markov_rank
        self.markov_head = HEADS[config.markov_head_type](config.vocab_size, rank, hidden) if rank else None
        with_markov = rank if config.confidence_head_with_markov else 0
        self.confidence_head = ConfidenceHead(hidden + with_markov) if config.enable_confidence_head else None

    @property
    def blocks(self) -> list[Layer]:
        """The layers, first to last."""
        return cast("list[Layer]", list(self.layers))

    def context(self, taps: Tensor, positions: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values per layer of context features (eq. 2-3).

        Args:
            taps: the target's raw outputs at ``target_layer_ids``, concatenated, [B, L, taps * hidden].
            positions: [B, L].
        """
        h = self.hidden_norm(self.fc(taps))
        dtype = self.fc.weight.dtype
        cos, sin = (table.unsqueeze(1).to(dtype) for table in rope_tables(self.config, positions))
        return [layer.self_attn.keys_values(h, cos, sin) for layer in self.blocks]

    def block(
        self,
        ids: Tensor,
        positions: Tensor,
        context: list[tuple[Tensor, Tensor]],
        seen: Tensor | Blocks | None = None,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Normalised hidden states [B, Q, hidden] of the block inputs ``ids`` [B, Q] (anchor, then masks), each of which
        sees the whole context and all inputs, or what ``seen`` says; or only of those ``wanted`` [M] among all B * Q,
        [M, hidden]."""
        options: list[dict[str, Tensor]] = [{} for _ in self.blocks]
        if isinstance(seen, Blocks):  # most inputs are masks, alike until they attend
            ids, options[0]["index"] = ids.unique(return_inverse=True)
        if wanted is not None:  # the others are seen by these, but by nothing after the last layer's attention
            options[-1]["wanted"] = wanted
        x = self.embed_tokens(ids)
        cos, sin = (table.unsqueeze(1).to(x.dtype) for table in rope_tables(self.config, positions))
        for layer, layer_context, further in zip(self.blocks, context, options, strict=True):
            x = layer(x, cos, sin, layer_context, seen, **further)
        return self.norm(x)

    def base_logits(self, hidden: Tensor) -> Tensor:
        """U_k [..., V] from h_k [..., hidden], before the sequential head's bias."""
        return self.lm_head(hidden)

    def confidence_logits(self, hidden: Tensor, previous: Tensor) -> Tensor:
        """Logits of c_k (eq. 7) from h_k [..., hidden] and the ids of x_{k-1} [...]."""
        if self.confidence_head is None:
            raise LabError("this drafter has no confidence head.")
        if self.config.confidence_head_with_markov and self.markov_head is not None:
            hidden = torch.cat([hidden, self.markov_head.embed(previous)], dim=-1)
        return self.confidence_head(hidden)
