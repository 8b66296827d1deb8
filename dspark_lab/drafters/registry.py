"""Every kind of drafter: what it is called, what it costs, which file implements it, which checkpoints are its own.

An implementation is a module of this package with ``load(folder, config, target, info) -> Drafter``, which reads a
checkpoint whose parsed ``config.json`` is ``config``, or, where a kind needs no weights, ``make(target) -> Drafter``.
Both raise LabError where the target does not suit.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspark_lab.errors import LabError


@dataclass(frozen=True)
class Kind:
    """A kind of drafter.

    Attributes:
        name: what ``load(drafter=...)`` and the command line call it, and its folder among the pocket models.
        module: its implementation, a module of ``dspark_lab.drafters``.
        title, summary: for tables: its name as papers write it, and how it drafts in a few words.
        passes: forward passes that a block of gamma tokens costs.
        weights: it is trained, and needs a checkpoint.
        head: its sequential head, a name in ``heads.HEADS``, "" for none.
    """

    name: str
    module: str
    title: str
    summary: str
    passes: str
    weights: bool = True
    head: str = ""

    def implementation(self) -> Any:
        return importlib.import_module(f"dspark_lab.drafters.{self.module}")


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "dspark",
            "dspark",
            "DSpark",
            "parallel backbone, then a Markov head token by token",
            "1 + gamma head steps",
            head="vanilla",
        ),
        Kind(
            "dspark-gated",
            "dspark",
            "DSpark, gated head",
            "the same; the backbone gates the Markov head",
            "1 + gamma head steps",
            head="gated",
        ),
        Kind(
            "dspark-rnn",
            "dspark",
            "DSpark, RNN head",
            "the same; a recurrent state remembers the block",
            "1 + gamma head steps",
            head="rnn",
        ),
        Kind("dflash", "dspark", "DFlash", "parallel backbone alone", "1"),
        Kind(
            "medusa", "medusa", "Medusa", "a residual block and an LM head for each place, all at once", "gamma heads"
        ),
        Kind(
            "blockwise",
            "medusa",
            "blockwise parallel",
            "one hidden layer for all places, the target's LM head, all at once",
            "1 layer + gamma LM heads",
        ),
        Kind("draft-model", "draft_model", "draft model", "a small causal LM, token by token", "gamma"),
        Kind(
            "early-exit",
            "early_exit",
            "early exit",
            "the target's own first half and LM head, token by token",
            "gamma of half the target",
            weights=False,
        ),
        Kind(
            "prompt-lookup",
            "prompt_lookup",
            "prompt lookup",
            "copies what followed the same n-gram before",
            "0",
            weights=False,
        ),
        Kind(
            "lookahead",
            "lookahead",
            "Lookahead",
            "n-grams that the target guessed ahead, from a pool",
            "1 of the target",
            weights=False,
        ),
        Kind("eagle3", "eagle3", "Eagle3", "one layer on fused target layers, fed its own hidden state", "gamma"),
        Kind("mtp", "mtp", "MTP", "one layer on the target's last state, fed its own hidden state", "gamma"),
    )
}
"""By name; the order is that of tables."""

ARCHITECTURES = {
    "Qwen3DSparkModel": "dspark",
    "Gemma4DSparkModel": "gemma4",
    "Gemma4Eagle3Model": "gemma4_eagle3",
    "DFlashDraftModel": "zlab",
    "DSparkLabMedusaModel": "medusa",
    "DSparkLabBlockwiseModel": "medusa",
    "Qwen3Eagle3Model": "eagle3",
    "DSparkLabMTPModel": "mtp",
}
"""Which implementation reads a checkpoint, by the first of its ``architectures``."""


def implementation_for(config: Mapping[str, Any], folder: Path) -> Any:
    """The module that reads the checkpoint in ``folder``. Raises LabError for one that none reads."""
    names = config.get("architectures")
    name = str(names[0]) if isinstance(names, list) and len(names) == 1 else ""
    module = ARCHITECTURES.get(name, "draft_model" if name.endswith("ForCausalLM") else "")
    if not module:
        known = ", ".join(ARCHITECTURES)
        raise LabError(
            f"{folder / 'config.json'}: the drafter's architecture is {names}; this lab reads {known}, and any causal LM "
            f"(...ForCausalLM) as a draft model."
        )
    return importlib.import_module(f"dspark_lab.drafters.{module}")
