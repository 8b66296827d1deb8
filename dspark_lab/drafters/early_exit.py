"""Self-speculation: the target's own first layers, its final norm and its LM head draft for all of it.

The early exit of LayerSkip (arXiv 2404.16710) and Draft & Verify (arXiv 2309.08168), without their training: how well it
drafts depends on how early the target makes up its mind. LayerSkip verifies on the cache that the draft has filled; here
the draft has one of its own, so that a draft of gamma tokens costs gamma passes through ``layers`` of the target's layers.
"""

from __future__ import annotations

from dspark_lab.drafters.draft_model import BLOCK, ModelDrafter
from dspark_lab.errors import LabError
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo


def make(target: Target, layers: int | None = None) -> ModelDrafter:
    """A drafter of the target's first ``layers`` layers, half of them without. Raises LabError where it has not that many."""
    depth = int(target.config.num_hidden_layers)
    layers = max(1, depth // 2) if layers is None else layers
    if not 1 <= layers <= depth:
        raise LabError(f"the early exit is after layer {layers}, but the target has {depth}: choose 1 to {depth}.")
    info = ModelInfo(f"early-exit/{layers}", "early-exit", target.info.revision, 0, BLOCK)
    return ModelDrafter(target.first_layers(layers), info)
