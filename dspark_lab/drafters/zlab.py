"""DFlash as z-lab publishes it (``DFlashDraftModel``): the anchor's slot predicts nothing, and each mask the token at its own
position, so that a block of 16 drafts 15. The file has neither embedding nor LM head: the target's are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspark_lab.checkpoints import matching_config
from dspark_lab.drafters.dspark import DSparkDrafter, assemble
from dspark_lab.drafters.dspark_model import DSparkConfig, DSparkModel
from dspark_lab.errors import LabError
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo

TARGETS_OWN = ("embed_tokens.weight", "lm_head.weight")
"""Tensors that the file need not hold."""


@dataclass(frozen=True, kw_only=True)
class ZLabConfig(DSparkConfig):
    """What ``config.json`` of a z-lab DFlash checkpoint says."""

    architecture = "DFlashDraftModel"
    sample_from_anchor = False

    @classmethod
    def translate(cls, config: Mapping[str, Any]) -> Mapping[str, Any]:
        own = config.get("dflash_config")
        if not isinstance(own, Mapping):
            raise LabError("the drafter's config.json lacks 'dflash_config': it is no DFlash checkpoint of z-lab's.")
        return {**super().translate(config), **own, "markov_rank": 0, "enable_confidence_head": False}


def load(folder: Path, config: Mapping[str, Any], target: Target, info: ModelInfo) -> DSparkDrafter:
    """A z-lab DFlash checkpoint, matched against its target."""
    c = matching_config(ZLabConfig, config, folder, target)
    own = target.model.get_input_embeddings(), target.model.get_output_embeddings()
    borrowed = {name: module.weight.detach() for name, module in zip(TARGETS_OWN, own, strict=True)}
    return assemble(DSparkDrafter, DSparkModel, c, folder, target, info, borrowed)
