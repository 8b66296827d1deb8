"""Acceptance rules to compare: the lossless one, and tempting ones that are not.

``acceptance`` holds the rule that decodes. Those here follow the same plan, accept or replace, with the two choices left
open, so that what is wrong about a shortcut can be computed (``Rule.law``) and seen (``exactness``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dspark_kernels import residual
from dspark_lab.acceptance import Verdict, final_verdict
from dspark_lab.errors import LabError
from dspark_lab.rounds import BONUS, NONE, RESIDUAL


@dataclass(frozen=True)
class Rule:
    """How draft tokens are judged.

    Attributes:
        name, title, summary: for the command line, for lists, in a sentence.
        lossless: whether its tokens follow p_t, whatever p_d.
        chance: of ``(p_t, p_d)`` [V], the chance [V] that each token is accepted when it was drafted.
        replacement: of ``(p_t, p_d)`` [V], what a rejected token's successor is drawn from [V].
    """

    name: str
    title: str
    summary: str
    lossless: bool
    chance: Callable[[Tensor, Tensor], Tensor]
    replacement: Callable[[Tensor, Tensor], Tensor]

    def law(self, p_t: Tensor, p_d: Tensor) -> Tensor:
        """The distribution [V] of the token that comes out at a place with these two distributions [V]."""
        kept = p_d * self.chance(p_t, p_d)
        return kept + (1 - kept.sum()).clamp(min=0) * self.replacement(p_t, p_d)

    def verify(
        self, tokens: Sequence[int], p_d: Tensor, p_t: Tensor, u_accept: Sequence[float], u_final: float,
        stop: Collection[int] = (),
    ) -> Verdict:  # fmt: skip
        """As ``acceptance.verify``, by this rule."""
        for k, token in enumerate(tokens):
            if not u_accept[k] < float(self.chance(p_t[k], p_d[k])[token]):
                return final_verdict(k, RESIDUAL, self.replacement(p_t[k], p_d[k]), u_final)
            if token in stop:
                return Verdict(k + 1, NONE, None, None, None)
        return final_verdict(len(tokens), BONUS, p_t[len(tokens)], u_final)


def _speculative(p_t: Tensor, p_d: Tensor) -> Tensor:
    return torch.where(p_d > 0, p_t / p_d, torch.ones_like(p_t)).clamp(max=1)


EXACT = "exact"

RULES = {
    rule.name: rule
    for rule in (
        Rule(
            EXACT,
            "the real rule",
            "accept with min(1, p_t/p_d); after a rejection draw from the residual",
            True,
            _speculative,
            residual,
        ),
        Rule(
            "resample",
            "resample from p_t",
            "accept with min(1, p_t/p_d), but after a rejection draw from p_t itself",
            False,
            _speculative,
            lambda p_t, p_d: p_t,
        ),
        Rule(
            "accept-all",
            "accept always",
            "keep every draft token, whatever the target thinks of it",
            False,
            lambda p_t, p_d: torch.ones_like(p_t),
            residual,
        ),
    )
}
"""By name; the lossless one first."""


def rule_named(name: str) -> Rule:
    """Raises LabError for a rule that there is not."""
    if name not in RULES:
        raise LabError(f"there is no acceptance rule {name!r}: take one of {', '.join(RULES)}.")
    return RULES[name]


def total_variation(p: Tensor, q: Tensor) -> float:
    """Half the sum of |p - q| over the vocabulary: the most by which the chance of any event differs."""
    return float((p - q).abs().sum()) / 2
