"""What can be trained: for each kind of drafter the module that makes a new model and its training objective.

Such a module has
``new_model(target, options) -> nn.Module``: random weights, whose ``state_dict`` is the checkpoint and whose
``config.to_json()`` is its ``config.json``; and
``Objective(model, target, batches, weights, seed)``, a callable ``step -> losses`` for ``loop.train``: a pure function of
step and model that returns "loss" and its parts as scalars, "tau", the accepted length it expects, and "alpha" [gamma], the
mean acceptance probability of each position.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from dspark_lab.drafters.registry import KINDS
from dspark_lab.errors import LabError
from dspark_lab.training.losses import TERMS, LossWeights


@dataclass(frozen=True)
class Options:
    """The shape of a new drafter.

    Attributes:
        kind: a name in ``registry.KINDS``.
        mask_token_id: the tokenizer's mask token, for drafters that draft with masks.
        head: the sequential head of DSpark: vanilla (Markov), gated or rnn, "" for the kind's own; rank: its rank, 0 for
            none.
        layers: draft layers; Eagle3 and MTP have one. block_size: tokens drafted a round.
            anchors: blocks trained on per sequence.
        taps: target layers read; () takes an early, a middle and a late one.
        confidence: False leaves the confidence head out, as it must be where no loss trains it.
    """

    kind: str
    mask_token_id: int
    head: str = ""
    layers: int = 2
    block_size: int = 7
    rank: int = 64
    anchors: int = 24
    taps: tuple[int, ...] = ()
    confidence: bool = True


TRAINABLE = {
    "dspark": "drafter",
    "dspark-gated": "drafter",
    "dspark-rnn": "drafter",
    "dflash": "drafter",
    "eagle3": "eagle3",
    "mtp": "mtp",
    "draft-model": "draft_model",
    "medusa": "medusa",
    "blockwise": "medusa",
}
"""Module of ``dspark_lab.training``, by name of the kind."""

HEADED = tuple(kind for kind in TRAINABLE if kind.startswith("dspark"))
LAYERED = (*HEADED, "dflash", "draft-model")
"""The kinds whose sequential head, and whose number of layers, can be chosen."""


def usual_loss(kind: str) -> LossWeights:
    """What ``kind`` is trained with: the cross entropy to all that the target could have said, L_kl, which learns sooner than
    from the one token that was drawn; with it, of DSpark, total variation and confidence as in eq. 9-12.

    Total variation has next to no gradient where a draft is far off. On the pocket target 2,800 steps of AdamW with the paper's
    ce=0.1 (``LossWeights()``) came to a tau of 4.5, with ce=1 to 5.0; the paper trains for many times as long. On the same
    240 batches tau was 2.85 with ce=1 and 3.00 with kl=1.
    """
    dspark = kind.startswith("dspark")
    return LossWeights(ce=0.0, tv=0.9, conf=1.0, kl=1.0) if dspark else LossWeights(ce=0.0, tv=0.0, conf=0.0, kl=1.0)


def check_loss(kind: str, weights: LossWeights) -> None:
    """Raises LabError where the loss trains nothing of ``kind``: the confidence term, alone, of one without confidences."""
    if not kind.startswith("dspark") and not any(getattr(weights, term) for term in TERMS if term != "conf"):
        raise LabError(
            f"the loss conf={weights.conf:g} trains a confidence head, which {kind} does not have, so nothing would be trained: "
            f"write kl=1, for example."
        )


def training_of(kind: str) -> Any:
    """The module that trains ``kind``. Raises LabError for one that is unknown or needs no training."""
    if kind not in TRAINABLE:
        reason = "needs no training" if kind in KINDS else "is no kind of drafter"
        raise LabError(f"{kind!r} {reason}; there can be trained {', '.join(TRAINABLE)}.")
    return importlib.import_module(f"dspark_lab.training.{TRAINABLE[kind]}")
